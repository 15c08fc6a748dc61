/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A slot: the place of one worker in a pool, with the life that it has now, and the tasks that it has been given.
 *
 * Functions whose names end in _locked expect the engine's lock to be held. */
#pragma once
#include "pool/engine-private.h"
#include "pool/held-private.h"
#include "pool/pool.h"
#include "pool/queue.h"

typedef struct _TuttiSlot TuttiSlot;

struct _TuttiSlot
{
  TuttiLife life;        /* the present one of its worker, and the node where its workers run; first */
  TuttiPool *pool;
  TuttiQueue *queue;     /* where its tasks come from */
  guint index;
  TuttiWorker *worker;   /* NULL between two lives */
  GQueue running;        /* of TuttiTask: with the worker, the first is the one that it runs */
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
};

/* The slot whose life LIFE is. */
static inline TuttiSlot *
tutti_slot_of_life (TuttiLife *life)
{
  return (TuttiSlot *) life;
}

/* slot-life.c: what the engine tells a slot */
extern const TuttiLifeEvents tutti_slot_life_events;

/* ticks.c: patience that is counted in time for which the engine itself has run */
void tutti_slot_stopped_locked (TuttiSlot *slot, int signal); /* it was stopped: if nobody continues it, it is ended */
void tutti_slot_await_end_locked (TuttiSlot *slot, int grace_ms); /* it is to end by then: if it cannot be ended, it is given up */
gboolean tutti_slot_tick_locked (TuttiSlot *slot); /* one more tick; TRUE if it has to be looked at again */
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

/* slot-io.c: descriptors of a living worker in the engine's main loop */
gboolean tutti_slot_watch_locked (TuttiSlot *slot, GError **error);
gboolean tutti_slot_is_heard_locked (TuttiSlot *slot); /* what its worker sends is received */
/* EVENTS (those of epoll) have happened to the descriptor of WATCH, one of SLOT's. */
void tutti_slot_watched_locked (TuttiSlot *slot, TuttiWatch *watch, guint32 events);
void tutti_slot_unwatch_transport_locked (TuttiSlot *slot);
void tutti_slot_unwatch_locked (TuttiSlot *slot);
void tutti_slot_update_events_locked (TuttiSlot *slot);

/* prefetch.c: how many tasks a worker has at once, and how many workers have any */
void tutti_slot_note_begin_locked (TuttiSlot *slot);                 /* it begins the first of its running tasks */
void tutti_slot_note_answer_locked (TuttiSlot *slot, guint64 taken); /* the µs that its worker says it took for a task */
guint tutti_slot_get_depth_locked (TuttiSlot *slot);
guint tutti_slot_get_parts_begun_locked (TuttiSlot *slot, TuttiTask *task);
/* The parts of TASK, which runs with SLOT's worker, and perhaps of others (transport/parts.h); NULL: it is not running, or nobody knows. */
TuttiParts *tutti_slot_find_parts_locked (TuttiSlot *slot, TuttiTask *task);
/* Take the task of LINK, in SLOT's running list, back from its worker. FALSE: that has begun it, or it cannot be. The reference of the
 * list passes to the caller. */
gboolean tutti_slot_recall_locked (TuttiSlot *slot, GList *link);
/* Take TASK back from SLOT's worker, which has not begun it, and queue it. FALSE: as above. */
gboolean tutti_slot_recall_task_locked (TuttiSlot *slot, TuttiTask *task);

/* slot-held.c: the held objects of its worker */
/* What SLOT's worker has to make first, before it can be given HELD; NULL: nothing. */
TuttiHeld *tutti_slot_find_unmade_locked (TuttiSlot *slot, TuttiHeld *held);
void tutti_slot_note_held_locked (TuttiSlot *slot, TuttiHeld *held); /* its worker has HELD */
/* Send HELD, and what it needs, unless SLOT's worker has it. Errors: as those of tutti_transport_send (). */
gboolean tutti_slot_send_held_locked (TuttiSlot *slot, TuttiHeld *held, GError **error);
/* Its worker is to forget those objects that it has of IDS (of guint64). */
void tutti_slot_forget_locked (TuttiSlot *slot, const GArray *ids);
void tutti_slot_begin_making_locked (TuttiSlot *slot, TuttiTask *task); /* TASK, which was begun, makes something for it */
/* TASK, which makes something, is about to end in STATE. Those that wait in the queue of its worker for the same thing end as it does: they
 * would have it made once more each. */
void tutti_slot_end_making_locked (TuttiSlot *slot, TuttiTask *task, TuttiTaskState state);
/* A task that the engine has made, so that SLOT's worker makes something that nobody needs any more; NULL: there is none. */
TuttiTask *tutti_slot_find_unneeded_maker_locked (TuttiSlot *slot);

/* Are so many workers busy with small tasks that none of the others is to be woken? If so, the engine looks again a little later. */
gboolean tutti_pool_has_enough_busy_locked (TuttiPool *pool);

