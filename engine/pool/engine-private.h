/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of an engine, and what those who use it see of it. One lock guards all of it.
 *
 * Functions whose names end in _locked expect the lock to be held. */
#pragma once
#include "pool/engine.h"
#include "platform/watch-set.h"

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

/* polling.c: decides which thread polls the mailboxes */
void tutti_engine_start_polling (TuttiEngine *engine);
void tutti_engine_take_answers_locked (TuttiEngine *engine);  /* all that has come from those who work */
void tutti_engine_park_again_locked (TuttiEngine *engine);    /* after something was taken that may not have been this thread's to take */
void tutti_engine_attend_locked (TuttiEngine *engine);        /* this thread will look for answers: nobody is to be woken */
void tutti_engine_fall_asleep_locked (TuttiEngine *engine);   /* this thread is going to wait for the engine's */
void tutti_engine_wake_up_locked (TuttiEngine *engine);

