/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of a slot: the place of one worker in a pool, with the life that it has now and the tasks that it has been given.
 *
 * Who owns what: a slot owns the worker and the references of its running list; the queue and the program are its pool's. All that it
 * knows of the pool itself is a table of callbacks, by which it tells what happens. Functions whose names end in _locked, and the
 * callbacks, expect the engine's lock to be held. */
#pragma once
#include "pool/engine-private.h"
#include "pool/held-private.h"
#include "pool/queue.h"
#include "process/start-state.h"

typedef struct _TtiSlot TtiSlot;

/* What the workers of a pool are started with, and make before their first tasks. */
typedef struct
{
  char *pool_name;         /* in messages */
  char *program;
  char *title_setting;     /* what its workers are called after */
  char **argv, **environment;
  TtiStartState *start;  /* what the script's process was like when the pool was made: workers start so, also later ones */
  gboolean has_template;
  guint64 memory_limit;    /* of each worker; 0: none */
  guint n_cpus, n_gpus;    /* of each worker, see node/node.h; 0: none of its own */
  TtiHeld *setup;          /* what each worker makes before its first task, or NULL */
  TtiHeld *files;          /* ... and before that: it has files of the script's then, or NULL */
} TtiSlotProgram;

/* How a life has ended. */
typedef struct
{
  TtiCertificate *certificate;
  TtiTask *task;         /* what the worker ran, which may have ended; NULL: nothing. The reference passes to the callback. */
  guint begun;           /* how many parts of that, or of what it was ended for, were begun */
  gboolean was_ready;
  gboolean with_node;      /* it was lost with its node, or was the first of a node whose end was announced to be killed */
  gboolean is_early;       /* a sign that workers cannot live at all; a death inside a task is not */
  gboolean is_short;       /* it died for want of descriptors, processes or memory */
} TtiSlotDeath;

typedef struct
{
  /* Its worker has written a line TEXT; or BYTES, whole lines, of which FALSE says that they are to come one by one. */
  void (*line) (TtiSlot *slot, gboolean is_error, const char *text, gsize length);
  gboolean (*flood) (TtiSlot *slot, const char *bytes, gsize length);

  /* Its worker's program runs. */
  void (*spawned) (TtiSlot *slot);

  /* Somebody looks, and its worker has begun, has said hello, or is to end. */
  void (*changed) (TtiSlot *slot);

  /* Its worker has completed a task, not only made something for one. */
  void (*completed) (TtiSlot *slot);

  /* What its worker had sent was taken: it may be able to take another task. */
  void (*wants_task) (TtiSlot *slot);

  /* Its worker has said where it is, for who waits for that. */
  void (*told) (TtiSlot *slot);

  /* Its worker has given tasks back, which are in the queue again. */
  void (*returned) (TtiSlot *slot);

  /* Its worker is dead. The tasks behind the one that it ran are in the queue again. */
  void (*died) (TtiSlot *slot, const TtiSlotDeath *death);
} TtiSlotEvents;

struct _TtiSlot
{
  TtiLife life;        /* the present one of its worker, and the node where its workers run; first */
  const TtiSlotEvents *events;
  gpointer user_data;    /* of the events: the pool */
  TtiEngine *engine;
  TtiQueue *queue;     /* where its tasks come from */
  const TtiSlotProgram *program;
  guint index;
  TtiWorker *worker;    /* NULL between two lives */
  guint64 place;        /* which the node gives those to, for all its lives; 0: no worker has come yet */
  TtiNode *placed_on;   /* the node that knows PLACE, or NULL */
  gboolean held;        /* it takes no tasks, for one that needs it and others runs or waits (resources.c) */
  TtiSlot *leader;      /* whose worker runs that, perhaps it itself; NULL: none yet */
  GQueue running;       /* of TtiTask: with the worker, the first is the one that it runs */
  GHashTable *known;    /* ids of the held objects that the worker has: those of its own place, and those that are the same everywhere */
  GHashTable *known_apart; /* set of TtiPlaced: those that it has for other places */
  GHashTable *making;   /* TtiPlaced -> TtiTask, which is not owned: the task that makes it in this slot, or will */
  TtiWatch *transport_watch, *out_watch, *err_watch;
  GSource *transport_source; /* instead of the first, for a transport without a descriptor */
  gint64 since;          /* when it began the first of its running tasks, as far as is known */
  double service;        /* µs that its tasks take, a running mean; negative: it has done none */
  gboolean waits;        /* its worker waits for something in the first of its running tasks, and needs no processor; as far as is known */
  gint64 asked_at;       /* when that was asked last */
  gboolean resting;      /* its worker is given nothing more, and ends when it has done what it has */
  gint64 seen_at;        /* when it was known last whether its worker is held by a debugger; only with a time-out */
  guint64 tasks_done;
  guint64 read_at;       /* how many those were when its outputs were read for a thread that waited */
  gboolean has_returned; /* tasks were given back, and nobody was told yet */
  guint64 n_late;        /* answers to what its worker was not asked */
  guint64 culprit;       /* after a write to what may only be read: the task that did it, which has ended; 0: not known */
  guint culprit_begun;   /* ... so many of its parts were begun */
  guint64 peak_memory;
  guint n_asking;        /* threads that wait for it to say where its worker is; see stacks.c */
  guint n_told;          /* how often it has, for any of them */
  char *told;            /* what it has said last, or NULL */
};

/* A held object, by its id, of a place (queue.h). */
typedef struct
{
  guint64 id;
  guint place;
} TtiPlaced;

static inline void
tti_slot_show_locked (TtiSlot *slot)
{
  if (tti_engine_is_watched_locked (slot->engine))
    slot->events->changed (slot);
}

/* The slot whose life LIFE is. */
static inline TtiSlot *
tti_slot_of_life (TtiLife *life)
{
  return (TtiSlot *) life;
}

/* --- slot.c: lives and deaths ------------------------------------------------------------------------------------------------ */
/* How long a worker that is ended has to do so after SIGTERM. */
#define TTI_TERM_GRACE_MS 200

/* An empty slot. What it is given stays the caller's; the members that say what it is are to be set. */
void tti_slot_init (TtiSlot *slot);
void tti_slot_clear (TtiSlot *slot); /* its worker is dead */
/* Ask the node for a worker. TRUE: it comes, or the node is away, and the worker is to be asked for when that is there again. Errors:
 * those of tti_node_spawn (), and of waiting for its descriptors. */
gboolean tti_slot_start_locked (TtiSlot *slot, GError **error);
/* End the worker, if there is one: see tti_worker_end (). */
void tti_slot_end_locked (TtiSlot *slot, TuttiDeathReason reason, int grace_ms, const char *detail);
/* Ask the worker, which has nothing to do, to end by itself, within GRACE_MS; if it does not run yet, end it. */
void tti_slot_dismiss_locked (TtiSlot *slot, int grace_ms);
void tti_slot_leave_place_locked (TtiSlot *slot); /* no other worker will come */
void tti_slot_ended_locked (TtiSlot *slot); /* its transport has ended: its exit will be reported soon */
void tti_slot_died_locked (TtiSlot *slot, TtiCertificate *certificate); /* its exit is confirmed, or it was given up */
void tti_slot_look_at_deadlines_locked (TtiSlot *slot, gint64 now);     /* of a slot that has a worker */

/* --- slot-life.c: what the engine tells a slot ------------------------------------------------------------------------------- */
extern const TtiLifeEvents tti_slot_life_events;

/* --- ticks.c: patience that is counted in time for which the engine itself has run ------------------------------------------- */
gboolean tti_slot_tick_locked (TtiSlot *slot); /* one more tick; TRUE if it has to be looked at again */
void tti_slot_stopped_locked (TtiSlot *slot, int signal); /* SIGNAL stopped it: if it stays stopped, it is ended */
void tti_slot_await_end_locked (TtiSlot *slot, int grace_ms); /* it is to end by then: if it cannot be ended, it is given up */
void tti_slot_give_up_locked (TtiSlot *slot); /* its worker cannot be ended: say so, and go on without it */

/* --- timeouts.c -------------------------------------------------------------------------------------------------------------- */
void tti_slot_set_timeout_locked (TtiSlot *slot); /* the first of its running tasks may be another than before */
/* The engine's thread should have looked at DUE, and does so NOW: what runs with SLOT gets the time that was lost. */
void tti_slot_note_lateness_locked (TtiSlot *slot, gint64 due, gint64 now);
void tti_slot_look_at_timeout_locked (TtiSlot *slot, gint64 now); /* has the first of its running tasks taken too long? */

/* --- slot-io.c: descriptors of a living worker in the engine's main loop ----------------------------------------------------- */
gboolean tti_slot_watch_locked (TtiSlot *slot, GError **error); /* wait for all of them */
gboolean tti_slot_is_heard_locked (TtiSlot *slot); /* what its worker sends is received */
/* EVENTS (those of epoll) have happened to the descriptor of WATCH, one of SLOT's. */
void tti_slot_watched_locked (TtiSlot *slot, TtiWatch *watch, guint32 events);
void tti_slot_unwatch_transport_locked (TtiSlot *slot); /* wait for its transport no longer, */
void tti_slot_unwatch_locked (TtiSlot *slot);           /* and for its outputs neither */
void tti_slot_update_events_locked (TtiSlot *slot);     /* its transport may have something more to send */
void tti_slot_read_output_locked (TtiSlot *slot);       /* if it has answered since that was done last */

/* --- slot-tasks.c: tasks on their way to the worker -------------------------------------------------------------------------- */
gboolean tti_slot_can_take_locked (TtiSlot *slot); /* another task */
gboolean tti_slot_feed_locked (TtiSlot *slot);     /* give it its next task; FALSE: there is none for it */
/* What to run now so that TASK can run: TASK itself, or the maker of what it needs, for which it waits meanwhile; NULL: that is being made
 * already. Takes over the reference of TASK and returns one. */
TtiTask *tti_slot_prepare_locked (TtiSlot *slot, TtiTask *task);
/* Give its worker TASK, which has all that it needs; takes over the reference. */
void tti_slot_run_locked (TtiSlot *slot, TtiTask *task);
gboolean tti_slot_has_work_locked (TtiSlot *slot); /* it has tasks, or makes something, or there is something that is pinned to it */

/* --- slot-answers.c: what the worker sends ----------------------------------------------------------------------------------- */
void tti_slot_receive_locked (TtiSlot *slot);      /* what has come, as much as is taken in one turn, and the end */
void tti_slot_receive_last_locked (TtiSlot *slot); /* all that has come from one that is dead, and the end */
void tti_slot_poll_mailbox_locked (TtiSlot *slot); /* what is in its mailbox, without asking the kernel; in one turn */

/* --- prefetch.c: how many tasks a worker has at once ------------------------------------------------------------------------- */
void tti_slot_note_begin_locked (TtiSlot *slot);                 /* it begins the first of its running tasks */
void tti_slot_note_answer_locked (TtiSlot *slot, guint64 taken); /* the µs that its worker says it took for a task */
guint tti_slot_get_depth_locked (TtiSlot *slot);                 /* the tasks that its worker may have now */
/* The same for a worker whose tasks take SERVICE µs (negative: that is not known), which has run the first of those that it has for BUSY
 * µs, and to which it takes ROUND_TRIP µs to go and come back. */
guint tti_prefetch_depth (double service, gint64 busy, gint64 round_trip);
double tti_slot_get_work_ahead_locked (TtiSlot *slot, gint64 now); /* in how many µs its worker has probably done all it has */
/* Ask for the tasks back that SLOT's worker, elsewhere, has had since BEFORE or longer, and has not begun; but not for what is pinned,
 * unless PINNED. Those that come back are queued then. *OLDEST: when the oldest of the others was placed; -1: there are none. FALSE:
 * nothing can be asked for there. */
gboolean tti_slot_ask_back_locked (TtiSlot *slot, gint64 before, gboolean pinned, gint64 *oldest);
/* Take the task of LINK, in SLOT's running list, back from its worker. FALSE: that has begun it, or it cannot be. The reference of the
 * list passes to the caller. */
gboolean tti_slot_recall_locked (TtiSlot *slot, GList *link);
/* Take TASK back from SLOT's worker, which has not begun it, and queue it. FALSE: as above; from elsewhere it may come later. */
gboolean tti_slot_recall_task_locked (TtiSlot *slot, TtiTask *task);
/* Take back, and queue, all that SLOT's worker has not begun, if it can be; but not what is pinned, unless PINNED. What is elsewhere comes
 * later. */
void tti_slot_recall_all_locked (TtiSlot *slot, gboolean pinned);
/* The parts of tasks of SLOT's worker (transport/parts.h), with which TASK is; NULL: it is not running, or that is not known. */
TtiParts *tti_slot_find_parts_locked (TtiSlot *slot, TtiTask *task);
guint tti_slot_get_parts_begun_locked (TtiSlot *slot, TtiTask *task); /* how many of them were, 0 if it has none */

/* --- slot-held.c: the held objects of its worker ----------------------------------------------------------------------------- */
/* The place in which SLOT's worker runs TASK; and what messages to it say of that, in the upper half of their detail. */
guint tti_slot_get_place (TtiSlot *slot, TtiTask *task);
guint64 tti_slot_get_place_detail (TtiSlot *slot, guint place);
/* What SLOT's worker has to make first, before it can be given HELD in PLACE; NULL: nothing. */
TtiHeld *tti_slot_find_unmade_locked (TtiSlot *slot, TtiHeld *held, guint place);
void tti_slot_note_held_locked (TtiSlot *slot, TtiHeld *held, guint place); /* its worker has HELD */
/* Send HELD, and what it needs, for PLACE, unless SLOT's worker has it. Errors: as those of tti_transport_send (). */
gboolean tti_slot_send_held_locked (TtiSlot *slot, TtiHeld *held, guint place, GError **error);
void tti_slot_init_held (TtiSlot *slot);
void tti_slot_clear_held (TtiSlot *slot);
void tti_slot_lose_held_locked (TtiSlot *slot); /* its worker is gone, with all that it held */
/* The task that makes HELD in SLOT for PLACE, or will; NULL: there is none. */
TtiTask *tti_slot_find_maker_locked (TtiSlot *slot, TtiHeld *held, guint place);
/* Its worker is to forget those objects that it has of IDS (of guint64). */
void tti_slot_forget_locked (TtiSlot *slot, const GArray *ids);
void tti_slot_begin_making_locked (TtiSlot *slot, TtiTask *task); /* TASK, which was begun, makes something for it */
/* TASK, which makes something, is about to end in STATE. Those that wait in the queue of its worker for the same thing end as it does: they
 * would have it made once more each. */
void tti_slot_end_making_locked (TtiSlot *slot, TtiTask *task, TtiTaskState state);
/* A task that the engine has made, so that SLOT's worker makes something that nobody needs any more; NULL: there is none. */
TtiTask *tti_slot_find_unneeded_maker_locked (TtiSlot *slot);
