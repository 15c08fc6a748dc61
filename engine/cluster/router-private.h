/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of a router share: its life (router.c), what the master asks for (router-frames.c), files (router-
 * files.c), and its workers (router-workers.c). */
#pragma once
#include "cluster/protocol.h"
#include "cluster/router.h"
#include "node/node.h"
#include "platform/lock.h"
#include "platform/watch-set.h"

/* A task for a worker. */
typedef struct
{
  guint64 id;
  guint32 ticket; /* of its message; 0: it waits here, or cannot be taken back */
  gsize size;     /* bytes of its message in the mailbox; 0: it waits here */
  guint64 stays;  /* vectors of its value with so many bytes may stay here; 0: none */
} TtiRouterTask;

typedef struct _TtiRouterFiles TtiRouterFiles; /* of router-files.c */

/* A worker, from when the master asks for it until its exit was told. */
typedef struct
{
  guint64 generation;
  TtiTransport *transport;  /* NULL: its end was reached */
  int fds[2];               /* its outputs, to read from; -1: closed */
  TtiWatch *transport_watch, *watches[2];
  guint64 may_send[2];      /* bytes of each output, until the master has taken some */
  GHashTable *rooms;        /* task id -> GArray of the numbers of its destinations */
  GArray *tasks;            /* of TtiRouterTask: those that it has not answered, from FIRST on; the last N_WAITING wait here */
  guint first, n_waiting;
  gsize n_bytes;            /* of the messages of the others */
  GQueue waiting;           /* of TtiMessage: for its mailbox, in order */
  gboolean stopped, ending;
  guint state;              /* as the master was told */
  guint64 peak_memory;
} TtiRouterWorker;

struct _TtiRouter
{
  GMainContext *context;
  TtiLink *link;
  TtiNode *local;
  GSource *parking;         /* between two waits: mailboxes are parked, and looked into */
  GSource *states;          /* a timer */
  TtiRouterFiles *files;    /* that the master has asked for */

  TtiLock lock;             /* of what follows; no event of the node is delivered under it */
  TtiWatchSet *watches;
  GHashTable *workers;      /* generation -> TtiRouterWorker */
  GHashTable *vectors;      /* number -> TtiVector: contents, and destinations; NULL: nobody needs it */
  GHashTable *kept;         /* number -> TtiPayload; NULL: nobody needs it */
  guint64 last_number;      /* of contents that go to the master, or stay here for it */
  GArray *messages;         /* of TtiMessage: what a worker has said, while it is looked at */
  guint n_busy;             /* workers that have not answered all that they were sent */
  gboolean over;
  char *reason;

  TtiVector *placed;      /* the reader's thread only: contents that come */
};

/* --- router-frames.c --------------------------------------------------------------------------------------------------------- */
extern const TtiLinkOps tti_router_link_ops;
/* Tell the master KIND of worker GENERATION (0: none), with TEXT (NULL: none). */
void tti_router_say (TtiRouter *router, TtiSay kind, guint64 generation, guint64 detail, const char *text);

/* --- router-tasks.c ---------------------------------------------------------------------------------------------------------- */
/* MESSAGE is for WORKER; if it is a task, vectors of its value with STAYS bytes may stay here (0: none). */
void tti_router_pass_locked (TtiRouter *router, TtiRouterWorker *worker, const TtiMessage *message, guint64 stays);
/* Hand over what waits for WORKER, as far as its mailbox is to have it. */
void tti_router_feed_locked (TtiRouter *router, TtiRouterWorker *worker);
void tti_router_forget_waiting (TtiRouterWorker *worker); /* it has ended */
/* WORKER has answered task ID. Returns from how many bytes on vectors of its value are to stay here; 0: none is. */
guint64 tti_router_end_task_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id);
/* VECTOR, of a value of WORKER's, stays here: the master is told of the number under which it does. */
guint64 tti_router_keep_value_locked (TtiRouter *router, TtiRouterWorker *worker, TtiVector *vector);
/* How many tasks has WORKER not answered? */
guint tti_router_count_tasks (const TtiRouterWorker *worker);
/* Take back those tasks of BYTES that WORKER has not begun, and say so. FALSE: BYTES are refused. */
gboolean tti_router_recall (TtiRouter *router, guint64 generation, GBytes *bytes, GError **error);

/* --- router-workers.c -------------------------------------------------------------------------------------------------------- */
extern const TtiNodeEvents tti_router_node_events;
void tti_router_worker_free (gpointer worker);
/* Nobody writes to the destinations of task ID any more. */
void tti_router_forget_rooms_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id);
TtiRouterWorker *tti_router_find_worker_locked (TtiRouter *router, guint64 generation);
/* Ask the node for a worker, as BYTES say, which may write MOST bytes to each output at first. */
void tti_router_spawn (TtiRouter *router, guint64 generation, GBytes *bytes, guint64 most);
/* All that is watched of workers; the user data is the router. */
void tti_router_on_watch (guint64 number, guint32 events, gpointer router);
/* Take what all workers have said. */
void tti_router_take_messages (TtiRouter *router);
gboolean tti_router_park_locked (TtiRouter *router); /* FALSE: one of them has something */
/* Read the outputs of WORKER, as much as may be sent. */
void tti_router_read_outputs_locked (TtiRouter *router, TtiRouterWorker *worker);
gboolean tti_router_on_states (gpointer router);
