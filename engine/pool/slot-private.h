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

typedef struct _TuttiSlot TuttiSlot;

/* What the workers of a pool are started with, and make before their first tasks. */
typedef struct
{
  char *pool_name;         /* in messages */
  char *program;
  char *title_setting;     /* what its workers are called after */
  char **argv, **environment;
  TuttiStartState *start;  /* what the script's process was like when the pool was made: workers start so, also later ones */
  gboolean has_template;
  guint64 memory_limit;    /* of each worker; 0: none */
  TuttiHeld *setup;        /* what each worker makes before its first task, or NULL */
} TuttiSlotProgram;

/* How a life has ended. */
typedef struct
{
  TuttiCertificate *certificate;
  TuttiTask *task;         /* what the worker ran, which may have ended; NULL: nothing. The reference passes to the callback. */
  guint begun;             /* how many parts of that, or of what it was ended for, were begun */
  gboolean was_ready;
  gboolean is_early;       /* a sign that workers cannot live at all; a death inside a task is not */
  gboolean is_short;       /* it died for want of descriptors, processes or memory */
} TuttiSlotDeath;

typedef struct
{
  /* Its worker has written a line TEXT; or BYTES, whole lines, of which FALSE says that they are to come one by one. */
  void (*line) (TuttiSlot *slot, gboolean is_error, const char *text, gsize length);
  gboolean (*flood) (TuttiSlot *slot, const char *bytes, gsize length);

  /* Its worker's program runs. */
  void (*spawned) (TuttiSlot *slot);

  /* Its worker has completed a task, not only made something for one. */
  void (*completed) (TuttiSlot *slot);

  /* What its worker had sent was taken: it may be able to take another task. */
  void (*wants_task) (TuttiSlot *slot);

  /* Its worker is dead. The tasks behind the one that it ran are in the queue again. */
  void (*died) (TuttiSlot *slot, const TuttiSlotDeath *death);
} TuttiSlotEvents;

struct _TuttiSlot
{
  TuttiLife life;        /* the present one of its worker, and the node where its workers run; first */
  const TuttiSlotEvents *events;
  gpointer user_data;    /* of the events: the pool */
  TuttiEngine *engine;
  TuttiQueue *queue;     /* where its tasks come from */
  const TuttiSlotProgram *program;
  guint index;
  TuttiWorker *worker;   /* NULL between two lives */
  GQueue running;        /* of TuttiTask: with the worker, the first is the one that it runs */
  GHashTable *known;     /* ids of the held objects that the worker has */
  GHashTable *making;    /* TuttiHeld -> TuttiTask, neither owned: the task that makes it for this slot, or will */
  TuttiWatch *transport_watch, *out_watch, *err_watch;
  GSource *transport_source; /* instead of the first, for a transport without a descriptor */
  gint64 since;          /* when it began the first of its running tasks, as far as is known */
  double service;        /* µs that its tasks take, a running mean; negative: it has done none */
  gboolean waits;        /* its worker waits for something in the first of its running tasks, and needs no processor; as far as is known */
  gint64 asked_at;       /* when that was asked last */
  gint64 seen_at;        /* when it was known last whether its worker is held by a debugger; only with a time-out */
  guint64 tasks_done;
  guint64 read_at;       /* how many those were when its outputs were read for a thread that waited */
  guint64 n_late;        /* answers to what its worker was not asked */
  guint64 culprit;       /* after a write to what may only be read: the task that did it, which has ended; 0: not known */
  guint culprit_begun;   /* ... so many of its parts were begun */
  guint64 peak_memory;
};

/* The slot whose life LIFE is. */
static inline TuttiSlot *
tutti_slot_of_life (TuttiLife *life)
{
  return (TuttiSlot *) life;
}

/* --- slot.c: lives and deaths ------------------------------------------------------------------------------------------------ */
/* How long a worker that is ended has to do so after SIGTERM. */
#define TUTTI_TERM_GRACE_MS 200

/* An empty slot. What it is given stays the caller's; the members that say what it is are to be set. */
void tutti_slot_init (TuttiSlot *slot);
void tutti_slot_clear (TuttiSlot *slot); /* its worker is dead */
/* Ask the node for a worker. TRUE: it comes, or the node is away, and the worker is to be asked for when that is there again. Errors:
 * those of tutti_node_spawn (), and of waiting for its descriptors. */
gboolean tutti_slot_start_locked (TuttiSlot *slot, GError **error);
/* End the worker, if there is one: see tutti_worker_end (). */
void tutti_slot_end_locked (TuttiSlot *slot, TuttiDeathReason reason, int grace_ms, const char *detail);
void tutti_slot_ended_locked (TuttiSlot *slot); /* its transport has ended: its exit will be reported soon */
void tutti_slot_died_locked (TuttiSlot *slot, TuttiCertificate *certificate); /* its exit is confirmed, or it was given up */
void tutti_slot_look_at_deadlines_locked (TuttiSlot *slot, gint64 now);       /* of a slot that has a worker */

/* --- slot-life.c: what the engine tells a slot ------------------------------------------------------------------------------- */
extern const TuttiLifeEvents tutti_slot_life_events;

/* --- ticks.c: patience that is counted in time for which the engine itself has run ------------------------------------------- */
gboolean tutti_slot_tick_locked (TuttiSlot *slot); /* one more tick; TRUE if it has to be looked at again */
void tutti_slot_stopped_locked (TuttiSlot *slot, int signal); /* SIGNAL stopped it: if it stays stopped, it is ended */
void tutti_slot_await_end_locked (TuttiSlot *slot, int grace_ms); /* it is to end by then: if it cannot be ended, it is given up */
void tutti_slot_give_up_locked (TuttiSlot *slot); /* its worker cannot be ended: say so, and go on without it */

/* --- timeouts.c -------------------------------------------------------------------------------------------------------------- */
void tutti_slot_set_timeout_locked (TuttiSlot *slot); /* the first of its running tasks may be another than before */
/* The engine's thread should have looked at DUE, and does so NOW: what runs with SLOT gets the time that was lost. */
void tutti_slot_note_lateness_locked (TuttiSlot *slot, gint64 due, gint64 now);
void tutti_slot_look_at_timeout_locked (TuttiSlot *slot, gint64 now); /* has the first of its running tasks taken too long? */

/* --- slot-io.c: descriptors of a living worker in the engine's main loop ----------------------------------------------------- */
gboolean tutti_slot_watch_locked (TuttiSlot *slot, GError **error); /* wait for all of them */
gboolean tutti_slot_is_heard_locked (TuttiSlot *slot); /* what its worker sends is received */
/* EVENTS (those of epoll) have happened to the descriptor of WATCH, one of SLOT's. */
void tutti_slot_watched_locked (TuttiSlot *slot, TuttiWatch *watch, guint32 events);
void tutti_slot_unwatch_transport_locked (TuttiSlot *slot); /* wait for its transport no longer, */
void tutti_slot_unwatch_locked (TuttiSlot *slot);           /* and for its outputs neither */
void tutti_slot_update_events_locked (TuttiSlot *slot);     /* its transport may have something more to send */
void tutti_slot_read_output_locked (TuttiSlot *slot);       /* if it has answered since that was done last */

/* --- slot-tasks.c: tasks on their way to the worker -------------------------------------------------------------------------- */
gboolean tutti_slot_can_take_locked (TuttiSlot *slot); /* another task */
gboolean tutti_slot_feed_locked (TuttiSlot *slot);     /* give it its next task; FALSE: there is none for it */

/* --- slot-answers.c: what the worker sends ----------------------------------------------------------------------------------- */
void tutti_slot_receive_locked (TuttiSlot *slot);      /* what has come, as much as is taken in one turn, and the end */
void tutti_slot_receive_last_locked (TuttiSlot *slot); /* all that has come from one that is dead, and the end */
void tutti_slot_poll_mailbox_locked (TuttiSlot *slot); /* what is in its mailbox, without asking the kernel; in one turn */

/* --- prefetch.c: how many tasks a worker has at once ------------------------------------------------------------------------- */
void tutti_slot_note_begin_locked (TuttiSlot *slot);                 /* it begins the first of its running tasks */
void tutti_slot_note_answer_locked (TuttiSlot *slot, guint64 taken); /* the µs that its worker says it took for a task */
guint tutti_slot_get_depth_locked (TuttiSlot *slot);                 /* the tasks that its worker may have now */
/* Take the task of LINK, in SLOT's running list, back from its worker. FALSE: that has begun it, or it cannot be. The reference of the
 * list passes to the caller. */
gboolean tutti_slot_recall_locked (TuttiSlot *slot, GList *link);
/* Take TASK back from SLOT's worker, which has not begun it, and queue it. FALSE: as above. */
gboolean tutti_slot_recall_task_locked (TuttiSlot *slot, TuttiTask *task);
/* The parts of tasks of SLOT's worker (transport/parts.h), with which TASK is; NULL: it is not running, or that is not known. */
TuttiParts *tutti_slot_find_parts_locked (TuttiSlot *slot, TuttiTask *task);
guint tutti_slot_get_parts_begun_locked (TuttiSlot *slot, TuttiTask *task); /* how many of them were, 0 if it has none */

/* --- slot-held.c: the held objects of its worker ----------------------------------------------------------------------------- */
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
