/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of a pool, which knows all that is below it. */
#pragma once
#include "process/start-state.h"
#include "pool/slot-private.h"

typedef enum { POOL_OPEN, POOL_CLOSING, POOL_QUIET } PoolState;

struct _TuttiPool
{
  TuttiEngineClient client; /* first */
  TuttiEngine *engine;   /* of whose memory it has a reference */
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
  TuttiTaskRunner runner; /* of its tasks */
  TuttiQueue queue;
  GArray *early_deaths;  /* of gint64: when workers died that count against the pool; see restart.c */
  gboolean starting;     /* somebody waits for the first workers */
  GError *failure;       /* why it takes no more tasks, though it was not closed */
  TuttiCertificate *last_death;
  GQueue output;         /* of TuttiOutputRecord */
  gsize output_bytes;
  guint64 output_dropped; /* lines that are lost */
  TuttiSpillPlace spill_place;
  gint spilled;          /* atomic: there may be something to tell of that */
};

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

/* The pool that runs TASK, which was submitted and has not ended. */
TuttiPool *tutti_pool_of_task (TuttiTask *task);

/* dispatch.c: from the queue to the workers, and answers back */
void tutti_pool_dispatch_locked (TuttiPool *pool);
void tutti_slot_receive_locked (TuttiSlot *slot);      /* what has come, as much as is taken in one turn, and the end */
void tutti_slot_receive_last_locked (TuttiSlot *slot); /* all that has come from one that is dead, and the end */
void tutti_slot_poll_mailbox_locked (TuttiSlot *slot);    /* what is in its mailbox, without asking the kernel; in one turn */

/* pool-engine.c: what the engine asks of a pool */
extern const TuttiEngineClientOps tutti_pool_client_ops;

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

/* relief.c: nothing waits behind a running task while somebody has nothing to do */
/* Somebody in POOL has nothing to do: queue what has waited with others for too long. FALSE: nothing has. */
gboolean tutti_pool_recall_waiting_locked (TuttiPool *pool);
void tutti_pool_relieve_locked (TuttiPool *pool); /* see TuttiEngineClientOps */
