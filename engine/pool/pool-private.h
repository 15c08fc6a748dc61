/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of a pool, which knows all that is below it: engine, tasks, queue and slots.
 *
 * Who owns what: a pool owns its slots, its queue and the lines of its workers; users have handles of it, and the engine keeps it until it
 * is quiet. Functions whose names end in _locked expect the engine's lock to be held. */
#pragma once
#include "pool/capsules.h"
#include "pool/inspect.h"
#include "pool/pool.h"
#include "pool/slot-private.h"

typedef enum { POOL_OPEN, POOL_CLOSING, POOL_QUIET } PoolState;

/* A node where its workers may run; see nodes.c. */
typedef struct
{
  TtiNode *node;
  gboolean missed;       /* people were told that it is lost */
  gboolean tried;        /* it was asked for a worker, and is not there, or has no room */
  gint64 full_until;     /* until then others are asked before it, since it had no room; 0: it has */
} TtiPoolNode;

/* What decides when the next worker of a slot is started; see restart.c. */
typedef struct
{
  guint n_restarts;
  guint early_in_row;    /* lives since its last completed task that ended before they were ready, or idle */
  gint64 short_since;    /* since when there is nothing to start a worker with (descriptors, processes, memory); 0: there is */
  guint short_in_row;    /* how often that was tried since */
  gint64 start_at;       /* when to start the next worker; 0: not waiting for that */
  gboolean outlived;     /* its worker is just ending, from before the pool grew: whatever that died of says nothing of the next */
  guint home, here;      /* of the pool's nodes: to which it belongs, and where its last worker was started */
} TtiRestart;

/* A task that waits for the slots that it needs; see resources.c. */
typedef struct
{
  TtiTask *task;         /* in the queue, first of its list; NULL: no task claims any */
  TtiNode *node;         /* whose slots are held for it */
} TtiClaim;

struct _TtiPool
{
  TtiEngineClient client; /* first */
  TtiTaskRunner runner;   /* of its tasks */
  TtiEngine *engine;   /* of whose memory it has a reference */
  PoolState state;
  char *name;
  guint size;            /* atomic where the lock is not held */
  guint goal;            /* how many workers it is to have: more than SIZE while it grows; see resize.c */
  guint n_slots;         /* those behind SIZE come to their end, have, or are for workers that are being started */
  TtiSlotProgram program;
  TtiSlot **slots;       /* each stays where it is */
  GArray *nodes;         /* of TtiPoolNode */
  TtiQueue queue;

  TtiClaim claim;
  guint n_wide;          /* tasks that need several slots, and have not ended */
  guint n_leaders;       /* slots that have others held for them */
  gboolean serving;      /* the claim is being looked at */
  gboolean must_dispatch; /* slots are free again: the engine's thread gives out what is queued */

  TtiRestart *restarts; /* of each slot */
  GArray *early_deaths;  /* of gint64: when workers died that count against the pool; see restart.c */
  gboolean starting;     /* a thread waits for the first workers */
  gint64 grow_until;     /* when it is to have grown */
  GError *growth_error;  /* why it could not grow, until that is told */
  GError *failure;       /* why it takes no more tasks, though it was not closed */
  TtiCertificate *last_death;

  gboolean keep_output;
  GQueue output;         /* of TtiOutputRecord */
  gsize output_bytes;
  guint64 output_dropped; /* lines that are lost */
  TtiSpill *spills;    /* of each slot: where its lines go when there are too many */
  TtiSpillPlace spill_place;
  GSource *output_source; /* to be made ready when there is output, or NULL */
  guint64 n_submitted, n_ended, n_failed; /* tasks of users */
  guint64 n_ends[TTI_LOOK_N_ENDS];        /* of n_ended */
  guint n_lines_shown;   /* of output, since the last pulse; see pool-look.c */
  gint spilled;          /* atomic: there may be something to tell of that */
};

/* --- pool.c ------------------------------------------------------------------------------------------------------------------- */
void tti_pool_close_locked (TtiPool *pool, int grace_ms); /* see tti_pool_close () */
/* POOL fails for ERROR, which it takes over: it takes no more tasks, and those that it has end with ERROR and CERTIFICATE. */
void tti_pool_fail_locked (TtiPool *pool, GError *error, TtiCertificate *certificate);
void tti_pool_check_quiet_locked (TtiPool *pool); /* a worker is gone: perhaps it was the last */
/* One slot more, without a worker, of those for which TtiRestart has HOME. */
void tti_pool_add_slot (TtiPool *pool, guint home);
/* That there are too few descriptors for N workers more is said before anything is started. */
gboolean tti_pool_has_descriptors (const char *name, guint n, GError **error);
void tti_pool_free (TtiPool *pool); /* but for its reference of the engine's memory, which is the caller's */

/* --- pool-events.c: what a pool is told by what is below it ------------------------------------------------------------------- */
extern const TtiEngineClientOps tti_pool_client_ops;
extern const TtiTaskRunnerOps tti_pool_runner_ops;
extern const TtiSlotEvents tti_pool_slot_events;
/* The pool that runs TASK, which was submitted and has not ended. */
TtiPool *tti_pool_of_task (TtiTask *task);

/* --- dispatch.c: which worker gets which task --------------------------------------------------------------------------------- */
void tti_pool_dispatch_locked (TtiPool *pool); /* give out what is queued, as far as workers can take it */
void tti_pool_feed_locked (TtiPool *pool, TtiSlot *slot); /* give SLOT what it can take */
/* Are so many workers busy with small tasks that none of the others is to be woken? If so, the engine looks again a little later. */
gboolean tti_pool_has_enough_busy_locked (TtiPool *pool);

/* --- resources.c: tasks that need several slots, and what nodes give to slots ------------------------------------------------- */
/* What of POOL does TASK need? FALSE: more than there can be. */
gboolean tti_pool_measure_task_locked (TtiPool *pool, TtiTask *task, GError **error);
void tti_pool_serve_wide_locked (TtiPool *pool); /* see to the tasks that need several slots */
gboolean tti_pool_has_wide_locked (TtiPool *pool); /* is there something to see to? */
void tti_pool_note_wide_end_locked (TtiPool *pool, TtiTask *task); /* TASK, any one that was submitted, ends */
/* Have the nodes what its workers, of which none was started, are to have? Those of several nodes are shared out accordingly. */
gboolean tti_pool_has_room_locked (TtiPool *pool, GError **error);
gboolean tti_pool_has_room_for_more_locked (TtiPool *pool, guint n, GError **error); /* and what N workers more are to have? */
void tti_pool_leave_places_locked (TtiPool *pool); /* no worker comes any more where none is now */

/* --- relief.c: nothing waits behind a running task while a worker has nothing to do ------------------------------------------- */
void tti_pool_relieve_locked (TtiPool *pool); /* it is time to look */
/* A worker of POOL has nothing to do: queue what has waited with others for too long. FALSE: nothing has. */
gboolean tti_pool_recall_waiting_locked (TtiPool *pool);

/* --- nodes.c: on which node which worker is --------------------------------------------------------------------------------- */
/* Start SLOT's worker on the node where it should be. TRUE: it comes, or no node is there: then it is to be started when one is. Errors:
 * those of tti_slot_start_locked (). */
gboolean tti_pool_place_worker_locked (TtiPool *pool, TtiSlot *slot, GError **error);
/* The node where SLOT's worker was to be started had nothing to start it with. */
void tti_pool_note_full_locked (TtiPool *pool, TtiSlot *slot);
void tti_pool_note_lost_locked (TtiPool *pool, TtiNode *node, const char *reason);
void tti_pool_note_draining_locked (TtiPool *pool, TtiNode *node, const char *reason);
void tti_pool_note_ready_locked (TtiPool *pool, TtiNode *node);
void tti_pool_note_hopeless_locked (TtiPool *pool, TtiNode *node, const GError *error);

/* --- resize.c: growing and shrinking ------------------------------------------------------------------------------------------ */
/* SLOT may have done all that it had: if its worker is one too many, or rests, that ends. */
void tti_pool_release_locked (TtiPool *pool, TtiSlot *slot);
/* Is SLOT's worker one too many, with nothing left to do? Then nothing will come. */
gboolean tti_pool_is_surplus_locked (TtiPool *pool, TtiSlot *slot);
void tti_pool_check_growth_locked (TtiPool *pool); /* a worker was started: perhaps it was the last */
void tti_pool_look_at_growth_locked (TtiPool *pool, gint64 now);
/* POOL cannot grow, for ERROR, which it takes over: it stays as it was. */
void tti_pool_fail_growth_locked (TtiPool *pool, GError *error);

/* --- restart.c: decides when to restart a dead worker and when to give the pool up -------------------------------------------- */
/* Start SLOT's worker, now or, if there is nothing to start it with, later. FALSE: that has lasted too long, or it cannot be started. */
gboolean tti_pool_start_worker_locked (TtiPool *pool, TtiSlot *slot, GError **error);
void tti_pool_fill_locked (TtiPool *pool, TtiSlot *slot, gint64 now); /* SLOT has no worker: start one, if it is time */
void tti_pool_note_completed_locked (TtiPool *pool, TtiSlot *slot);  /* its worker has completed a task */
/* SLOT's worker has died: what becomes of its task, of its place, and of the pool. */
void tti_pool_note_death_locked (TtiPool *pool, TtiSlot *slot, const TtiSlotDeath *death);
/* There may be a node again: start the workers that wait for one. */
void tti_pool_start_waiting_locked (TtiPool *pool);

/* --- pool-look.c: what others see of it, while somebody looks ------------------------------------------------------------------- */
guint tti_pool_show_all_locked (TtiPool *pool); /* see TtiEngineClientOps */
gboolean tti_pool_show_task_locked (TtiPool *pool, guint64 id, guint64 *n_ahead);
/* The task with the number ID that waits, is queued, or is with a worker, or NULL; *N_AHEAD: so many are before it in its queue. */
TtiTask *tti_pool_find_task_locked (TtiPool *pool, guint64 id, guint64 *n_ahead);
void tti_pool_show_pulse_locked (TtiPool *pool);
void tti_pool_show_locked (TtiPool *pool); /* its state, or that of */
void tti_pool_show_worker_locked (TtiPool *pool, TtiSlot *slot);
void tti_pool_show_death_locked (TtiPool *pool, const TtiCertificate *certificate, guint attempt, guint begun, gboolean again);
void tti_pool_show_line_locked (TtiPool *pool, guint index, gboolean is_error, const char *text, gsize length);

/* --- inspect.c: how it stands, for who asks in this process ---------------------------------------------------------------------- */
/* TASK is about to end in STATE, without a value: remember why. */
void tti_pool_remember_failure_locked (TtiPool *pool, TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error);
TtiWorkerFacts tti_pool_get_worker_facts_locked (TtiPool *pool, guint index); /* of the slot with INDEX, which there is */

/* --- capsules.c: what failed tasks were run with --------------------------------------------------------------------------------- */
void tti_task_encapsulate_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error); /* TASK is about to end so */

/* --- output.c: the lines of its workers --------------------------------------------------------------------------------------- */
/* Keep TEXT, one line, of the worker with INDEX; or BYTES, whole lines, all at once: then FALSE says that they are to come one by one. */
void tti_pool_add_output_locked (TtiPool *pool, guint index, gboolean is_error, const char *text, gsize length);
gboolean tti_pool_flood_locked (TtiPool *pool, guint index, const char *bytes, gsize length);
/* A worker has died as CERTIFICATE says, while it ran what it names for the time ATTEMPT, with so many parts BEGUN. */
void tti_pool_add_death_locked (TtiPool *pool, TtiCertificate *certificate, guint attempt, guint begun, gboolean again);
void tti_pool_end_output (TtiPool *pool); /* no user will ask for it any more: name the files here that no user was told of */
void tti_pool_init_output (TtiPool *pool, gboolean keep, guint64 limit); /* LIMIT: see TtiPoolOptions */
void tti_pool_add_spill (TtiPool *pool); /* for one slot more, which is not counted yet */
void tti_pool_free_output (TtiPool *pool);
