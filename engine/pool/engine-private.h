/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state that the pool layer shares with itself. One lock for all of an engine.
 *
 * Who owns what: the engine owns the watcher link and the engine thread; a pool owns its slots; a slot owns the one life of a
 * worker that it has now; the queue, a slot's running list and a task's list of dependents own references to tasks. The lock
 * guards all of it.
 *
 * Functions whose names end in _locked expect the lock to be held. */
#pragma once
#include "pool/held.h"
#include "process/start-state.h"
#include "pool/pool.h"
#include "platform/watch-set.h"

typedef enum { POOL_OPEN, POOL_CLOSING, POOL_QUIET } PoolState;

typedef struct
{
  TuttiPool *pool;
  guint index;
  TuttiNode *node;       /* where its workers run */
  TuttiWorker *worker;   /* NULL between two lives */
  GQueue running;        /* of TuttiTask: with the worker, the first is the one that it runs */
  GQueue pinned;         /* of TuttiTask: queued for this slot only */
  GHashTable *known;     /* ids of the held objects that the worker has */
  GHashTable *making;    /* TuttiHeld -> TuttiTask, neither owned: who makes it for this slot, or will */
  TuttiWatch *transport_watch, *out_watch, *err_watch;
  GSource *transport_source; /* instead of the first, for a transport without a descriptor */
  guint restarts;
  guint early_in_row;    /* lives since its last completed task that ended before they were ready, or idle */
  gint64 short_since;    /* since when there is nothing to start a worker with (descriptors, processes, memory); 0: there is */
  guint short_in_row;    /* how often that was tried since */
  gint64 start_at;       /* when to start the next worker; 0: not waiting for that */
  gint64 since;          /* when it began the first of its running tasks, as far as is known */
  double service;        /* µs that its tasks take, a running mean; negative: it has done none */
  gboolean waits;        /* its worker waits for something in the first of its running tasks, and needs no processor; as far as is known */
  gint64 asked_at;       /* when that was asked last */
  gint64 seen_at;        /* when it was known last whether its worker is held by a debugger; only with a time-out */
  guint64 tasks_done;
  guint64 read_at;       /* how many those were when its outputs were read for somebody who waited */
  guint64 n_late;        /* answers to what its worker was not asked */
  guint64 culprit;       /* after a write to what may only be read: the task that did it, which has ended; 0: not known */
  guint culprit_begun;   /* ... so many of its parts were begun */
  guint64 peak_memory;
  TuttiSpill spill;      /* where its lines go when there are too many */
} TuttiSlot;

struct _TuttiPool
{
  TuttiEngine *engine;   /* of whose memory it has a reference */
  guint handles;         /* references of others; the engine keeps the pool until it is quiet */
  PoolState state;
  char *name, *program;
  char *title_setting;   /* what its workers are called after */
  char **argv, **environment;
  TuttiStartState *start; /* what the script's process was like when the pool was made: workers start so, also later ones */
  gboolean has_template;
  TuttiHeld *setup;      /* what each worker makes before its first task, or NULL */
  guint64 memory_limit;  /* of each worker; 0: none */
  gboolean keep_output;
  guint size;
  TuttiSlot *slots;
  GQueue queue;          /* of TuttiTask */
  GHashTable *waiting;   /* set of TuttiTask, not owned: their dependencies own them */
  GArray *early_deaths;  /* of gint64: when workers died that count against the pool; see restart.c */
  gboolean starting;     /* somebody waits for the first workers */
  GError *failure;       /* why it takes no more tasks, though it was not closed */
  TuttiCertificate *last_death;
  GArray *wakeups;       /* of int: wakeup descriptors, which are others' */
  gboolean must_wake;    /* those who wait for one of these are to be woken */
  GQueue output;         /* of TuttiOutputRecord */
  gsize output_bytes;
  guint64 output_dropped; /* lines that are lost */
  TuttiSpillPlace spill_place;
  gint spilled;          /* atomic: there may be something to tell of that */
};

struct _TuttiTask
{
  gatomicrefcount refs;
  guint64 id;
  TuttiHandlerKind handler;
  TuttiPayload *request, *result;
  gint64 timeout;
  gint64 deadline;       /* of the running attempt; 0: none */
  guint retries, attempts;
  int pinned_to, worker;
  gint state;            /* TuttiTaskState, atomic: written last */
  GPtrArray *dependencies, *held;
  GPtrArray *joined;     /* of TuttiPayload: values of dependencies, whose vectors it has borrowed */
  GPtrArray *dependents; /* that wait for this one */
  TuttiHeld *makes;      /* what its worker holds when it is done, or NULL */
  TuttiTask *maker;      /* not owned: what it waits for before it can run; NULL: nothing */
  gboolean is_maker;     /* the engine has it run for those that wait for it */
  TuttiTask *culprit;    /* whose end without a value has ended it too; NULL: it has ended by itself */
  TuttiTask *next_dead;  /* while it is freed */
  guint n_missing;       /* dependencies that have not ended */
  gsize input_size;      /* bytes of the request as it was sent last, with the dependencies' values */
  guint32 ticket;        /* of its message to the worker; 0: it cannot be taken back */
  gint64 placed;         /* when it was given to its worker */
  TuttiEngine *engine;   /* atomic; from when it is submitted, or another that waits for it; a reference of its memory */
  TuttiPool *pool;       /* from submission to end */
  GError *error;
  TuttiCertificate *certificate;
  guint64 order;
};

struct _TuttiEngine
{
  gatomicrefcount refs;  /* of its memory: one of all users together, one of the thread, and those of pools, tasks and held objects */
  gint users;            /* atomic */
  GMutex lock;
  GCond changed;         /* wait for it with tutti_engine_wait_locked () */
  guint n_waiting;       /* for it */
  GMainContext *context;
  gint quit;             /* atomic: the thread is to end */
  GThread *thread;
  GPtrArray *nodes;      /* of TuttiNode, owned; the first is this machine */
  GHashTable *slots;     /* generation -> TuttiSlot, of lives that are not confirmed dead */
  GHashTable *given_up;  /* generation -> TuttiWorker, owned: they cannot be ended, and may still have shared memory */
  GSource *ticks;        /* while somebody is to be looked at in ticks.c */
  GPtrArray *pools;      /* owned: those that are not quiet, or that others refer to */
  GSource *deadline, *polling;
  TuttiWatchSet *workers; /* their descriptors; see slot-io.c */
  GQueue ended;          /* of TuttiTask: their dependents are to be told */
  gboolean telling;
  gboolean attended;     /* somebody takes answers without being woken; see polling.c */
  guint attendance;      /* how often, since the engine's thread looked last */
  guint n_asleep;        /* threads that wait to be woken */
  gint64 clock;          /* monotonic time, read where tasks are given out and where answers are taken */
  gint64 relief_at;      /* when to look whether something waits though somebody has nothing to do; 0: nobody has to; see relief.c */
  gint64 timer_at;       /* when the timer makes the engine's thread do that; 0: it does not */
  int timer;
  GSource *relief;
  gboolean flooded;      /* somebody had more to say than one turn takes */
  gint n_wanting;        /* threads that wait for the lock; atomic */
  guint64 n_ended;
  GMutex forgotten_lock; /* never held for long: the last reference of a held object may be dropped by a collector */
  GArray *forgotten;     /* of guint64: the ids of held objects that workers are to forget; NULL: none */
  gboolean ending;       /* there are no more pools */
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

/* How long a worker that is ended has to do so after SIGTERM. */
#define TUTTI_TERM_GRACE_MS 200

/* node-events.c: what nodes report */
const TuttiNodeEvents *tutti_engine_get_node_events (void); /* their user data is the engine */

/* ticks.c: patience that is counted in time for which the engine itself has run */
void tutti_slot_stopped_locked (TuttiSlot *slot, int signal); /* it was stopped: if nobody continues it, it is ended */
void tutti_slot_await_end_locked (TuttiSlot *slot, int grace_ms); /* it is to end by then: if it cannot be ended, it is given up */
void tutti_slot_give_up_locked (TuttiSlot *slot); /* its worker cannot be ended: say so, and go on without it */

/* supervise.c: lives and deaths */
gboolean tutti_slot_start_locked (TuttiSlot *slot, GError **error);
void tutti_slot_end_locked (TuttiSlot *slot, TuttiDeathReason reason, int grace_ms, const char *detail);
void tutti_slot_died_locked (TuttiSlot *slot, TuttiCertificate *certificate);
void tutti_slot_look_at_deadlines_locked (TuttiSlot *slot, gint64 now);

void tutti_slot_ended_locked (TuttiSlot *slot); /* its transport has ended: its exit will be reported soon */

/* timeouts.c */
void tutti_slot_set_timeout_locked (TuttiSlot *slot); /* the first of its running tasks may be another than before */
/* The engine's thread should have looked at DUE, and does so NOW: what runs with SLOT gets the time that was lost. */
void tutti_slot_note_lateness_locked (TuttiSlot *slot, gint64 due, gint64 now);
void tutti_slot_look_at_timeout_locked (TuttiSlot *slot, gint64 now);

/* restart.c: decides when to restart a dead worker and when to give the pool up */

void tutti_slot_proved_locked (TuttiSlot *slot);  /* its worker has completed a task */
/* SLOT's worker has died early. The µs to wait before the next is started; -1: the pool is hopeless. */
gint64 tutti_slot_pause_locked (TuttiSlot *slot, gint64 now);
/* There is nothing to start SLOT's next worker with, for REASON. TRUE: it is tried again later; FALSE: it has lasted too long. */
gboolean tutti_slot_is_patient_locked (TuttiSlot *slot, const char *reason);
/* SLOT's next worker cannot be started, for REASON, as nothing is to be had for it: the tasks fail that only it may run. */
void tutti_slot_give_up_short_locked (TuttiSlot *slot, const char *reason);
/* Nobody is to wait for ever for a worker that cannot live: if SLOT's are such, its pinned tasks fail. */
void tutti_slot_give_up_pinned_locked (TuttiSlot *slot, TuttiCertificate *certificate);

/* slot-io.c: descriptors of a living worker in the engine's main loop */
gboolean tutti_engine_start_watching (TuttiEngine *engine, GError **error);
void tutti_engine_stop_watching (TuttiEngine *engine);
gboolean tutti_slot_watch_locked (TuttiSlot *slot, GError **error);
gboolean tutti_slot_is_heard_locked (TuttiSlot *slot); /* what its worker sends is received */
void tutti_slot_unwatch_transport_locked (TuttiSlot *slot);
void tutti_slot_unwatch_locked (TuttiSlot *slot);
void tutti_slot_update_events_locked (TuttiSlot *slot);

/* dispatch.c: from the queue to the workers, and answers back */
void tutti_pool_dispatch_locked (TuttiPool *pool);
void tutti_slot_receive_locked (TuttiSlot *slot);      /* what has come, as much as is taken in one turn, and the end */
void tutti_slot_receive_last_locked (TuttiSlot *slot); /* all that has come from one that is dead, and the end */
void tutti_slot_poll_mailbox_locked (TuttiSlot *slot);    /* what is in its mailbox, without asking the kernel; in one turn */
void tutti_pool_enqueue_locked (TuttiPool *pool, TuttiTask *task, gboolean first);

/* task.c */
void tutti_task_begin_locked (TuttiTask *task, TuttiPool *pool); /* it gets its number, and borrows its vectors until it ends */
void tutti_task_await_locked (TuttiTask *task, TuttiTask *dependency); /* TASK waits until DEPENDENCY, which has not ended, has */
void tutti_task_join_locked (TuttiTask *task, TuttiPayload *value);    /* VALUE will be put into its request, and is borrowed */
/* TASK ends as CULPRIT did, on whose value it depends. */
void tutti_task_end_with_locked (TuttiTask *task, TuttiTask *culprit);
void tutti_task_end_locked (TuttiTask *task, TuttiTaskState state, TuttiPayload *result, GError *error,
                            TuttiCertificate *certificate);

/* pool.c */
void tutti_pool_close_locked (TuttiPool *pool, int grace_ms);
void tutti_pool_fail_locked (TuttiPool *pool, GError *error, TuttiCertificate *certificate);
void tutti_pool_check_quiet_locked (TuttiPool *pool);
void tutti_pool_free (TuttiPool *pool); /* but for its reference of the engine's memory, which is the caller's */

/* output.c */
void tutti_pool_add_output_locked (TuttiPool *pool, guint index, gboolean is_error, const char *text, gsize length);
/* The same for BYTES, whole lines, all at once. FALSE: they are to come one by one. */
gboolean tutti_pool_flood_locked (TuttiPool *pool, guint index, const char *bytes, gsize length);
/* A worker has died as CERTIFICATE says, while it ran what it names for the time ATTEMPT, with so many parts BEGUN. */
void tutti_pool_add_death_locked (TuttiPool *pool, const TuttiCertificate *certificate, guint attempt, guint begun, gboolean again);
void tutti_pool_end_output (TuttiPool *pool); /* nobody will ask for it any more: files that were not told of are told of here */
void tutti_pool_free_output (TuttiPool *pool);

/* polling.c: decides which thread polls the mailboxes */
void tutti_engine_start_polling (TuttiEngine *engine);
void tutti_engine_take_answers_locked (TuttiEngine *engine);  /* all that has come from those who work */
void tutti_engine_park_again_locked (TuttiEngine *engine);    /* after something was taken that may not have been this thread's to take */
void tutti_engine_attend_locked (TuttiEngine *engine);        /* this thread will look for answers: nobody is to be woken */
void tutti_engine_fall_asleep_locked (TuttiEngine *engine);   /* this thread is going to wait for the engine's */
void tutti_engine_wake_up_locked (TuttiEngine *engine);

/* prefetch.c: how many tasks a worker has at once, and how many workers have any */
void tutti_slot_note_begin_locked (TuttiSlot *slot);                 /* it begins the first of its running tasks */
void tutti_slot_note_answer_locked (TuttiSlot *slot, guint64 taken); /* the µs that its worker says it took for a task */
guint tutti_slot_get_depth_locked (TuttiSlot *slot);
guint tutti_task_get_parts_begun_locked (TuttiTask *task);
gboolean tutti_task_recall_locked (TuttiTask *task); /* take it back from its worker, which has not begun it */
/* Are so many workers busy with small tasks that none of the others is to be woken? If so, the engine looks again a little later. */
gboolean tutti_pool_has_enough_busy_locked (TuttiPool *pool);

/* relief.c: nothing waits behind a running task while somebody has nothing to do */
#define TUTTI_PATIENCE_US 200
gboolean tutti_engine_start_relief (TuttiEngine *engine, GError **error);
void tutti_engine_stop_relief (TuttiEngine *engine);
void tutti_engine_want_relief_locked (TuttiEngine *engine, gint64 when); /* look at WHEN, or before */
void tutti_engine_relieve_locked (TuttiEngine *engine);                  /* look, if it is time */
void tutti_engine_set_timer_locked (TuttiEngine *engine); /* if nobody attends any more: the engine's thread must look by itself */
/* Somebody in POOL has nothing to do: queue what has waited with others for too long. FALSE: nothing has. */
gboolean tutti_pool_recall_waiting_locked (TuttiPool *pool);
/* Take the task of LINK, in SLOT's running list, back from its worker. FALSE: that has begun it, or it cannot be. The reference of the
 * list passes to the caller. */
gboolean tutti_slot_recall_locked (TuttiSlot *slot, GList *link);

/* held.c */
/* All engines' locks guard walks over held objects of their own only: HELD, and what it needs, belong to ENGINE from now on. FALSE: to
 * another one. */
gboolean tutti_held_claim (TuttiHeld *held, TuttiEngine *engine, GError **error);
guint tutti_held_get_n_payloads (TuttiHeld *held);
void tutti_held_foreach_vector_locked (TuttiHeld *held, void (*visit) (TuttiVector *)); /* the shared ones, and those of what it needs */
/* What SLOT's worker has to make first, before it can be given HELD; NULL: nothing. */
TuttiHeld *tutti_held_find_unmade_locked (TuttiHeld *held, TuttiSlot *slot);
TuttiTask *tutti_held_new_maker (TuttiHeld *held, TuttiHandlerKind handler, guint index);
void tutti_held_made_locked (TuttiHeld *held, TuttiSlot *slot); /* SLOT's worker has it */
/* Has SLOT's worker to be given WANTED before it can be given what TASK needs? */
gboolean tutti_task_needs_held_locked (TuttiTask *task, TuttiHeld *wanted, TuttiSlot *slot);
gboolean tutti_held_send_locked (TuttiHeld *held, TuttiSlot *slot, GError **error);
