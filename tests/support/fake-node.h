/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A node that is not this machine's watcher: its workers are processes that speak over a stream, share no memory with us, and are lost and
 * come back as a test wants. It obeys the contract of node/node.h, slowly: whatever is asked of it is done at its next beat. */
#pragma once
#include "node/node.h"

typedef enum
{
  FAKE_COMES_BACK,   /* when it was lost, at once */
  FAKE_STAYS_AWAY,   /* until fake_node_come_back () */
  FAKE_IS_HOPELESS   /* it does not come back, and says so, each time that it is wanted */
} FakeNodeFate;

typedef struct
{
  gboolean buffered;       /* transports are those that have no descriptor (support/buffered-transport.h) */
  FakeNodeFate fate;
  gboolean keeps_workers;  /* what is lost cannot be ended */
  gboolean never_settles;  /* what becomes of what is lost is not found out */
  const char *name;        /* NULL: "fake" */
  guint room;              /* for so many workers; 0: any number. If there are more, they are refused, */
  gboolean refuses_later;  /* ... or found out to be too many when they are started */
  guint n_cpus;            /* processors for workers that are to have some; 0: enough for all */
} FakeNodeOptions;

/* OPTIONS (a FakeNodeOptions; NULL: zeros) as a maker of nodes gets them, see tti_engine_add_node (). */
TtiNode *fake_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer options, GError **error);

/* From any thread; what follows is told by events. */
void fake_node_lose (TtiNode *node, const char *reason);
void fake_node_come_back (TtiNode *node);
void fake_node_drain (TtiNode *node, const char *reason); /* it says so, and goes on */
void fake_node_set_fate (TtiNode *node, FakeNodeFate fate);

/* Wait until it is away, or has refused a worker because it was not there; at most until DEADLINE (monotonic, µs). FALSE: it has passed. */
gboolean fake_node_await_away (TtiNode *node, gint64 deadline);
gboolean fake_node_await_refusal (TtiNode *node, gint64 deadline);

/* How many workers it has, whose end was not confirmed. */
guint fake_node_count (TtiNode *node);
