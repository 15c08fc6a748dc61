/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of an engine: a thread with a main loop, a lock, and the nodes with the lives of the workers there.
 *
 * An engine knows neither pools nor tasks nor slots. A pool is a *client* of it, and a slot registers the *life* of its worker: both
 * begin with a table of callbacks, by which the engine tells them what concerns them.
 *
 * Who owns what: the engine owns its nodes, its thread, and the clients that it was given; a client owns its lives. The lock guards the
 * state of the engine and of its clients. Functions whose names end in _locked, and all callbacks, expect it to be held. */
#pragma once
#include "node/worker.h"
#include "platform/lock.h"
#include "platform/watch-set.h"
#include "pool/engine.h"

/* --- its clients ----------------------------------------------------------------------------------------------------------- */

typedef struct _TuttiEngineClient TuttiEngineClient;

typedef struct
{
  /* Take the answers out of the mailboxes of its workers; ALL: also out of those of workers that have nothing to do, which may have sent
   * many messages, but none that anybody waits for. TRUE: there were some. */
  gboolean (*poll) (TuttiEngineClient *client, gboolean all);

  /* Park (or unpark) the mailboxes of its workers: what they put there wakes the engine's thread from now on (or no longer). FALSE: there
   * is something in one of them. */
  gboolean (*park) (TuttiEngineClient *client, gboolean park);

  /* Relief is due: see whether a task waits behind a running one while a worker has nothing to do. */
  void (*relieve) (TuttiEngineClient *client);

  /* Check all deadlines at the time NOW. The engine's thread should have done so at DUE; negative: at no particular time. */
  void (*look_at_deadlines) (TuttiEngineClient *client, gint64 due, gint64 now);

  /* NODE is there again; or does not come back, for ERROR. */
  void (*node_ready) (TuttiEngineClient *client, TuttiNode *node);
  void (*node_hopeless) (TuttiEngineClient *client, TuttiNode *node, const GError *error);

  /* Close it, unless it is closed, with GRACE_MS for its workers; and is it quiet, so that nothing more can happen in it? */
  void (*close) (TuttiEngineClient *client, int grace_ms);
  gboolean (*is_quiet) (TuttiEngineClient *client);

  /* The engine shuts down: no user will ask the client for anything any more. */
  void (*end) (TuttiEngineClient *client);

  /* It is quiet and has no handles. Frees all but its reference of the engine's memory, which passes to the engine. */
  void (*free) (TuttiEngineClient *client);
} TuttiEngineClientOps;

/* What a client begins with. */
struct _TuttiEngineClient
{
  const TuttiEngineClientOps *ops;
  guint handles;         /* references of users; the engine keeps the client until it is quiet */
  GArray *wakeups;       /* of int: wakeup descriptors, which the threads that wait own */
  gboolean must_wake;    /* write to these when the lock is released */
};

/* --- the lives of workers -------------------------------------------------------------------------------------------------- */

typedef struct _TuttiLife TuttiLife;

typedef struct
{
  /* What the node reports of it: see node.h. */
  void (*spawned) (TuttiLife *life, int pid);
  void (*failed) (TuttiLife *life, int saved_errno, const char *message);
  void (*gone) (TuttiLife *life);
  void (*exited) (TuttiLife *life, const TuttiWorkerExit *exit);
  void (*stopped) (TuttiLife *life, int signal);
  void (*lost) (TuttiLife *life, const char *reason);

  /* Nothing more will be told of it, because its node has settled the loss or is closed: it ends with what is known. */
  void (*settled) (TuttiLife *life);

  /* One more tick, the engine's thread having run for TUTTI_STOPPED_TICK_MS since the last. TRUE: it waits for another. */
  gboolean (*tick) (TuttiLife *life);

  /* EVENTS, those of epoll (7), have happened to the descriptor of WATCH, which is in the engine's set with this life. */
  void (*watched) (TuttiLife *life, TuttiWatch *watch, guint32 events);

  /* Its worker is to forget those held objects that it has of IDS (of guint64). */
  void (*forget) (TuttiLife *life, const GArray *ids);
} TuttiLifeEvents;

/* The life of a worker, in which its generation is the same. */
struct _TuttiLife
{
  const TuttiLifeEvents *events;
  TuttiNode *node;       /* where it is */
  guint64 generation;
  gboolean lost;         /* with its node */
};

/* --- the engine ------------------------------------------------------------------------------------------------------------- */

struct _TuttiEngine
{
  gatomicrefcount refs;  /* of its memory: one of all users together, one of the thread, and those of clients, tasks and held objects */
  gint users;            /* atomic */
  TuttiLock lock;
  GCond changed;         /* wait for it with tutti_engine_wait_locked () */
  guint n_waiting;       /* for it */
  GMainContext *context;
  gint quit;             /* atomic: the thread is to end */
  GThread *thread;
  GPtrArray *nodes;      /* of TuttiNode, owned; the first is this machine */
  GHashTable *lives;     /* generation -> TuttiLife, of those whose end is not confirmed */
  GHashTable *given_up;  /* generation -> TuttiWorker, owned: they cannot be ended, and may still have shared memory */
  GSource *ticks;        /* while a life waits for one */
  GPtrArray *clients;    /* of TuttiEngineClient, owned: those that are not quiet, or that others refer to */
  GSource *deadline, *polling;
  TuttiWatchSet *watches; /* the descriptors of workers, each with its TuttiLife */
  GQueue ended;          /* task.c's: tasks whose dependents are to be told, */
  gboolean telling;      /* and whether that is being done */
  gboolean attended;     /* a thread polls the mailboxes, and need not be woken; see polling.c */
  guint attendance;      /* how often a thread has done so since the engine's thread polled last */
  guint n_asleep;        /* threads that wait for the engine's thread to wake them */
  gint64 clock;          /* monotonic time, read where tasks are given out and where answers are taken */
  gint64 relief_at;      /* when relief is due; 0: never; see engine-relief.c */
  gint64 timer_at;       /* when the timer wakes the engine's thread for that; 0: it does not */
  int timer;
  GSource *relief;
  gboolean flooded;      /* a worker had more to say than one turn takes */
  gint n_wanting;        /* threads that wait for the lock; atomic */
  guint64 n_ended;
  GMutex forgotten_lock; /* never held for long: the last reference of a held object may be dropped by a collector */
  GArray *forgotten;     /* of guint64: the ids of held objects that workers are to forget; NULL: none */
  gboolean ending;       /* there are no more clients */
};

/* A source of an engine's main loop. */
typedef struct
{
  GSource source;
  TuttiEngine *engine;
} TuttiEngineSource;

/* engine.c */
TuttiEngine *tutti_engine_hold (TuttiEngine *engine);    /* a reference of its memory */
void tutti_engine_release (TuttiEngine *engine);         /* NULL is fine; not under the lock, unless another one is sure to be left */
/* Set *OWNER, atomically, to ENGINE, with a reference of its memory, unless it is set. FALSE: it is another one. */
gboolean tutti_engine_claim (TuttiEngine **owner, TuttiEngine *engine);
/* A source of SIZE bytes, which begins with a TuttiEngineSource, in the main loop. */
GSource *tutti_engine_add_source (TuttiEngine *engine, GSourceFuncs *funcs, gsize size, const char *name);
guint64 tutti_engine_next_number (void);                 /* of a task or a worker's life: unique in the process, ascending */
void tutti_engine_register (TuttiEngine *engine);   /* engine-registry.c: it has a thread, of which forks must know */
void tutti_engine_deregister (TuttiEngine *engine);
/* Is it over? Then ERROR says why there are no more pools. */
gboolean tutti_engine_is_over_locked (TuttiEngine *engine, GError **error);
void tutti_engine_lock (TuttiEngine *engine);
void tutti_engine_unlock (TuttiEngine *engine);   /* wakes whom the changes concern */
gboolean tutti_engine_wait_locked (TuttiEngine *engine, gint64 deadline); /* for a change; -1: no deadline. FALSE: it has passed */
void tutti_engine_set_deadline_locked (TuttiEngine *engine, gint64 when); /* look at all deadlines at WHEN or before */
void tutti_engine_read_clock_locked (TuttiEngine *engine);
void tutti_engine_end_turn (TuttiEngine *engine); /* unlock, in the engine's thread; after a flood let others have the lock first */

/* node-events.c: what nodes report */
const TuttiNodeEvents *tutti_engine_get_node_events (void); /* their user data is the engine */
void tutti_engine_settle_locked (TuttiEngine *engine); /* its nodes are closed, and the engine's thread has ended: so do all lives */

/* engine-lives.c */
gboolean tutti_engine_start_watching (TuttiEngine *engine, GError **error); /* make its set of watches */
void tutti_engine_stop_watching (TuttiEngine *engine);
void tutti_engine_add_life_locked (TuttiEngine *engine, TuttiLife *life);    /* its worker was started */
void tutti_engine_remove_life_locked (TuttiEngine *engine, TuttiLife *life); /* its worker is dead, or was given up */
TuttiLife *tutti_engine_find_life_locked (TuttiEngine *engine, guint64 generation); /* NULL: it has ended */
GList *tutti_engine_list_lives_locked (TuttiEngine *engine); /* those that are now; free with g_list_free */
/* WORKER, whose life was removed, cannot be ended: keep it, and with it the memory that it may still see, until its exit is confirmed. */
void tutti_engine_keep_given_up_locked (TuttiEngine *engine, TuttiWorker *worker);
void tutti_engine_start_ticks_locked (TuttiEngine *engine); /* a life waits for ticks */
/* The held object ID has lost its last reference: workers are to forget it. From any thread, with any lock. */
void tutti_engine_forget (TuttiEngine *engine, guint64 id);

/* engine-relief.c: decides which thread gives relief to tasks that wait, and when */
#define TUTTI_PATIENCE_US 200 /* a task may wait for so long */
gboolean tutti_engine_start_relief (TuttiEngine *engine, GError **error); /* make its timer */
void tutti_engine_stop_relief (TuttiEngine *engine);
void tutti_engine_want_relief_locked (TuttiEngine *engine, gint64 when); /* relief is due at WHEN, or before */
void tutti_engine_relieve_locked (TuttiEngine *engine);                  /* give it, if it is due */
void tutti_engine_set_timer_locked (TuttiEngine *engine); /* unless a thread attends, the timer must wake the engine's thread for it */

/* polling.c: decides which thread polls the mailboxes */
void tutti_engine_start_polling (TuttiEngine *engine);
void tutti_engine_take_answers_locked (TuttiEngine *engine);  /* all that the workers with tasks have sent */
void tutti_engine_park_again_locked (TuttiEngine *engine);    /* after something was taken that may not have been this thread's to take */
void tutti_engine_attend_locked (TuttiEngine *engine);        /* this thread will poll for answers: workers wake nobody */
void tutti_engine_fall_asleep_locked (TuttiEngine *engine);   /* this thread is going to wait for the engine's */
void tutti_engine_wake_up_locked (TuttiEngine *engine);
