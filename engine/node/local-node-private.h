/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the two halves of the local node share: its operations (local-node.c), and the replacement of its pair (local-node-loss.c). */
#pragma once
#include "node/local-node.h"
#include "node/placement.h"
#include "platform/lock.h"
#include "platform/watch-set.h"
#include "process/watcher-remnants.h"

/* How much sooner than others the kernel is to kill workers when memory is short: also a mark by which their orphans are known. */
#define TTI_WORKER_OOM_SCORE 500

/* A worker's process, from when the watcher has reported it to its exit, or to the end of what its lost pair has left. */
typedef struct
{
  guint64 generation;
  pid_t pid;
  int pidfd;
  TtiWatch *watch;  /* of the pidfd; NULL: it has ended, or cannot be watched */
} TtiLocalProcess;

typedef struct
{
  TtiNode node;
  char *program;

  TtiLock lock;           /* of what follows; no event is delivered under it */
  TtiWatcherLink *link; /* NULL: the pair is being replaced, or could not be */
  gboolean replacing;
  gboolean stopped;
  GHashTable *processes;  /* generation -> TtiLocalProcess */
  TtiPlacement *placement;
  TtiWatchSet *pidfds;

  /* The thread of the context only: */
  TtiWatcherLink *coming; /* a new pair, which has not greeted */
  TtiRemnants *remnants;  /* of the last pair: what is being ended before there is another */
  GError *hopeless;       /* why there will be no other, once these are gone */
  GArray *lost;           /* of gint64: when pairs were lost */
  gint64 short_since;     /* since when there is nothing to start a watcher with; 0: there is */
  guint short_in_row;     /* how often that was tried since */
  guint dying_polls;      /* how often workers of the last pair were found dying, when the rest was settled */
} TtiLocalNode;

/* What a pair of guard and watcher reports; the user data is the node. */
const TtiWatcherLinkEvents *tti_local_node_get_link_events (void);

/* --- local-node.c ------------------------------------------------------------------------------------------------------------ */
gboolean tti_local_process_is_stuck (pid_t pid); /* it was killed, and does not end */

/* --- local-node-loss.c ------------------------------------------------------------------------------------------------------- */
void tti_local_node_want_locked (TtiLocalNode *self); /* there is no pair, and somebody needs one */
void tti_local_node_pair_ready (gpointer user_data);
void tti_local_node_pair_lost (gpointer user_data, const char *reason);
void tti_local_node_end_remnants (TtiLocalNode *self); /* waits; at the end only, when the context does not run */
