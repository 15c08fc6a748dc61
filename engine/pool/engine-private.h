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
#include "pool/history.h"
#include "pool/looking-private.h"

/* --- its clients ----------------------------------------------------------------------------------------------------------- */

typedef struct _TtiEngineClient TtiEngineClient;

typedef struct
{
  /* Take the answers out of the mailboxes of its workers; ALL: also out of those of workers that have nothing to do, which may have sent
   * many messages, but none that anybody waits for. TRUE: there were some. */
  gboolean (*poll) (TtiEngineClient *client, gboolean all);

  /* When, in µs from NOW, the first of its busy workers will probably have done all that it has. */
  double (*get_work_ahead) (TtiEngineClient *client, gint64 now);

  /* Park (or unpark) the mailboxes of its workers: what they put there wakes the engine's thread from now on (or no longer). FALSE: there
   * is something in one of them. */
  gboolean (*park) (TtiEngineClient *client, gboolean park);

  /* Relief is due: see whether a task waits behind a running one while a worker has nothing to do. */
  void (*relieve) (TtiEngineClient *client);

  /* Check all deadlines at the time NOW. The engine's thread should have done so at DUE; negative: at no particular time. */
  void (*look_at_deadlines) (TtiEngineClient *client, gint64 due, gint64 now);

  /* NODE is lost, or will soon be, for REASON; is there again; or does not come back, for ERROR. What the engine knows of it (node.h) has
   * been brought up to date. */
  void (*node_lost) (TtiEngineClient *client, TtiNode *node, const char *reason);
  void (*node_draining) (TtiEngineClient *client, TtiNode *node, const char *reason);
  void (*node_ready) (TtiEngineClient *client, TtiNode *node);
  void (*node_hopeless) (TtiEngineClient *client, TtiNode *node, const GError *error);

  /* Close it, unless it is closed, with GRACE_MS for its workers; and is it quiet, so that nothing more can happen in it? */
  void (*close) (TtiEngineClient *client, int grace_ms);
  gboolean (*is_quiet) (TtiEngineClient *client);

  /* Somebody has begun to look at the engine: write down all that there is of the client (look/events.h). Returns how many tasks that wait
   * were left out. */
  guint (*show) (TtiEngineClient *client);
  /* Somebody asks for the task with the number ID: write down how it stands, and those that it waits for, if it is one of the client's
   * and has not ended: then it is TRUE, and *N_AHEAD are before it in its queue. */
  gboolean (*show_task) (TtiEngineClient *client, guint64 id, guint64 *n_ahead);
  /* Somebody looks, and half a second is over. */
  void (*pulse) (TtiEngineClient *client);

  /* The engine shuts down: no user will ask the client for anything any more. */
  void (*end) (TtiEngineClient *client);

  /* It is quiet and has no handles. Frees all but its reference of the engine's memory, which passes to the engine. */
  void (*free) (TtiEngineClient *client);
} TtiEngineClientOps;

/* What a client begins with. */
struct _TtiEngineClient
{
  const TtiEngineClientOps *ops;
  guint handles;         /* references of users; the engine keeps the client until it is quiet */
  GArray *wakeups;       /* of int: wakeup descriptors, which the threads that wait own */
  gboolean must_wake;    /* write to these when the lock is released */
};

/* --- the lives of workers -------------------------------------------------------------------------------------------------- */

typedef struct _TtiLife TtiLife;

typedef struct
{
  /* What the node reports of it: see node.h. */
  void (*spawned) (TtiLife *life, int pid);
  void (*failed) (TtiLife *life, int saved_errno, const char *message);
  void (*gone) (TtiLife *life);
  void (*exited) (TtiLife *life, const TtiWorkerExit *exit);
  void (*stopped) (TtiLife *life, int signal);
  void (*lost) (TtiLife *life, const char *reason);

  /* Nothing more will be told of it, because its node has settled the loss or is closed: it ends with what is known. */
  void (*settled) (TtiLife *life);

  /* One more tick, the engine's thread having run for TTI_STOPPED_TICK_MS since the last. TRUE: it waits for another. */
  gboolean (*tick) (TtiLife *life);

  /* EVENTS, those of epoll (7), have happened to the descriptor of WATCH, which is in the engine's set with this life. */
  void (*watched) (TtiLife *life, TtiWatch *watch, guint32 events);

  /* Its worker is to forget those held objects that it has of IDS (of guint64). */
  void (*forget) (TtiLife *life, const GArray *ids);
} TtiLifeEvents;

/* The life of a worker, in which its generation is the same. */
struct _TtiLife
{
  const TtiLifeEvents *events;
  TtiNode *node;       /* where it is */
  guint64 generation;
  gboolean lost;         /* with its node */
};

/* --- the engine ------------------------------------------------------------------------------------------------------------- */

struct _TtiEngine
{
  gatomicrefcount refs;  /* of its memory: one of all users together, one of the thread, and those of clients, tasks and held objects */
  gint users;            /* atomic */
  TtiLock lock;
  GCond changed;         /* wait for it with tti_engine_wait_locked () */
  guint n_waiting;       /* for it */
  GMainContext *context;
  gint quit;             /* atomic: the thread is to end */
  GThread *thread;
  GPtrArray *nodes;      /* of TtiNode, owned; the first is this machine */
  GHashTable *lives;     /* generation -> TtiLife, of those whose end is not confirmed */
  GHashTable *given_up;  /* generation -> TtiWorker, owned: they cannot be ended, and may still have shared memory */
  GSource *ticks;        /* while a life waits for one */
  GPtrArray *clients;    /* of TtiEngineClient, owned: those that are not quiet, or that others refer to */
  GSource *deadline, *polling;
  GSource *notifier;     /* with something in NOTICES: what to call without the lock; see notices.c */
  GArray *notices;
  TtiWatchSet *watches; /* the descriptors of workers, each with its TtiLife */
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
  GThread *ending_thread; /* the one that shuts it down */
  gboolean over;         /* that has been done: nothing of it runs */
  GMutex messages_lock;  /* of the next three; never held for long */
  GQueue messages;       /* of char *, owned: those that are to be delivered */
  TtiEngineMessageFunc message_func;
  gpointer message_data;
  TtiLooking looking;
  TtiHistory history;
};

/* Does somebody look at it? Then there are events to be written. */
static inline gboolean
tti_engine_is_watched_locked (const TtiEngine *engine)
{
  return G_UNLIKELY (engine->looking.watched);
}

/* A source of an engine's main loop. */
typedef struct
{
  GSource source;
  TtiEngine *engine;
} TtiEngineSource;

/* engine.c */
TtiEngine *tti_engine_hold (TtiEngine *engine);    /* a reference of its memory */
void tti_engine_release (TtiEngine *engine);       /* NULL is fine; not under the lock, unless another one is sure to be left */
/* Set *OWNER, atomically, to ENGINE, with a reference of its memory, unless it is set. FALSE: it is another one. */
gboolean tti_engine_claim (TtiEngine **owner, TtiEngine *engine);
/* A source of SIZE bytes, which begins with a TtiEngineSource, in the main loop. */
GSource *tti_engine_add_source (TtiEngine *engine, GSourceFuncs *funcs, gsize size, const char *name);
guint64 tti_engine_next_number (void);                 /* of a task or a worker's life: unique in the process, ascending */
void tti_engine_register (TtiEngine *engine);   /* engine-registry.c: it has a thread, of which forks must know */
void tti_engine_deregister (TtiEngine *engine);
/* Is it over? Then ERROR says why there are no more pools. */
gboolean tti_engine_is_over_locked (TtiEngine *engine, GError **error);
void tti_engine_lock (TtiEngine *engine);
void tti_engine_unlock (TtiEngine *engine);   /* wakes whom the changes concern */
gboolean tti_engine_wait_locked (TtiEngine *engine, gint64 deadline); /* for a change; -1: no deadline. FALSE: it has passed */
void tti_engine_set_deadline_locked (TtiEngine *engine, gint64 when); /* look at all deadlines at WHEN or before */
void tti_engine_read_clock_locked (TtiEngine *engine);
void tti_engine_end_turn (TtiEngine *engine); /* unlock, in the engine's thread; after a flood let others have the lock first */

/* engine-messages.c: what people are to be told; see tti_engine_set_message_func () */
void tti_engine_tell (TtiEngine *engine, const char *format, ...) G_GNUC_PRINTF (2, 3); /* from any thread, with any lock */
void tti_engine_end_messages (TtiEngine *engine); /* its thread has ended: deliver those that are left, and no more */
void tti_engine_append_messages (TtiEngine *engine, GError **error); /* it could not be started: ERROR says what else there is to say */

/* node-events.c: what nodes report */
const TtiNodeEvents *tti_engine_get_node_events (void); /* their user data is the engine */
void tti_engine_settle_locked (TtiEngine *engine); /* its nodes are closed, and the engine's thread has ended: so do all lives */

/* engine-lives.c */
gboolean tti_engine_start_watching (TtiEngine *engine, GError **error); /* make its set of watches */
void tti_engine_stop_watching (TtiEngine *engine);
void tti_engine_add_life_locked (TtiEngine *engine, TtiLife *life);    /* its worker was started */
void tti_engine_remove_life_locked (TtiEngine *engine, TtiLife *life); /* its worker is dead, or was given up */
TtiLife *tti_engine_find_life_locked (TtiEngine *engine, guint64 generation); /* NULL: it has ended */
GList *tti_engine_list_lives_locked (TtiEngine *engine); /* those that are now; free with g_list_free */
/* WORKER, whose life was removed, cannot be ended: keep it, and with it the memory that it may still see, until its exit is confirmed. */
void tti_engine_keep_given_up_locked (TtiEngine *engine, TtiWorker *worker);
void tti_engine_start_ticks_locked (TtiEngine *engine); /* a life waits for ticks */
/* The held object ID has lost its last reference: workers are to forget it. From any thread, with any lock. */
void tti_engine_forget (TtiEngine *engine, guint64 id);

/* notices.c */
void tti_engine_start_notices (TtiEngine *engine);
void tti_engine_notify_locked (TtiEngine *engine, TtiNotice notice, gpointer data);
void tti_engine_deliver_notices (TtiEngine *engine); /* in the engine's thread, or when that has ended */

/* engine-relief.c: decides which thread gives relief to tasks that wait, and when */
#define TTI_PATIENCE_US 200 /* a task may wait for so long */
gboolean tti_engine_start_relief (TtiEngine *engine, GError **error); /* make its timer */
void tti_engine_stop_relief (TtiEngine *engine);
void tti_engine_want_relief_locked (TtiEngine *engine, gint64 when); /* relief is due at WHEN, or before */
void tti_engine_relieve_locked (TtiEngine *engine);                  /* give it, if it is due */
void tti_engine_set_timer_locked (TtiEngine *engine); /* unless a thread attends, the timer must wake the engine's thread for it */

/* polling.c: decides which thread polls the mailboxes */
void tti_engine_start_polling (TtiEngine *engine);
void tti_engine_take_answers_locked (TtiEngine *engine);  /* all that the workers with tasks have sent */
void tti_engine_park_again_locked (TtiEngine *engine);    /* after something was taken that may not have been this thread's to take */
void tti_engine_attend_locked (TtiEngine *engine);        /* this thread will poll for answers: workers wake nobody */
void tti_engine_leave_locked (TtiEngine *engine);         /* this thread will not poll: answers wake the engine's */
void tti_engine_fall_asleep_locked (TtiEngine *engine);   /* the same, and it is going to wait for the engine's */
void tti_engine_wake_up_locked (TtiEngine *engine);
