/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of a task. It knows its engine, but no slots, and of the pool that runs it only a table of callbacks.
 *
 * Functions whose names end in _locked expect the engine's lock to be held. */
#pragma once
#include "pool/engine-private.h"
#include "pool/task.h"

/* What runs tasks: a pool has one, and its tasks call it under the lock. */
typedef struct _TtiTaskRunner TtiTaskRunner;

typedef struct
{
  /* The tasks that TASK has waited for have ended: queue it, before (FIRST) or behind the others. */
  void (*ready) (TtiTaskRunner *runner, TtiTask *task, gboolean first);

  /* TASK is about to end in STATE, with RESULT or ERROR. It still has all that it was submitted with, and
   * its certificate if it has one. */
  void (*ending) (TtiTaskRunner *runner, TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error);

  /* Tasks may have become ready: give them to the workers that can take them. */
  void (*dispatch) (TtiTaskRunner *runner);
} TtiTaskRunnerOps;

struct _TtiTaskRunner
{
  const TtiTaskRunnerOps *ops;
  guint64 number;        /* of the pool, for those who look */
};

typedef struct
{
  TtiNotice notice;
  gpointer data;
} TtiTaskWatcher;

/* There may be millions: so words and halves of words stand together. */
struct _TtiTask
{
  gatomicrefcount refs;
  TtiHandlerKind handler;
  gint state;            /* TtiTaskState, atomic: written last */
  guint retries, attempts;
  guint most_losses, losses; /* of the node whose worker ran it; they are among ATTEMPTS, but not counted against RETRIES */
  guint n_cpus;          /* that it needs, */
  guint64 memory;        /* and bytes; 0: what its worker has */
  guint64 stays;         /* vectors of its value with so many bytes may stay on its node; 0: none */
  guint64 turn;          /* of tasks with larger numbers in other lists none is begun before it */
  int prepared_by;       /* the worker that has made something for it; -1: none */
  int pinned_to;         /* the place to which it belongs (queue.h); -1: none */
  int slot;              /* ... whose worker may run it there, from its submission on */
  int worker;
  guint n_missing;       /* dependencies that have not ended */
  guint32 ticket;        /* of its message to the worker; 0: it cannot be taken back */
  guint8 is_wide;        /* TRUE: that is the share of several workers of its pool; TURN and PREPARED_BY are set only then */
  guint8 is_maker;       /* TRUE: the engine made it, for the tasks that wait for it */
  guint8 asked_back;     /* TRUE: its worker is elsewhere, and may give it back (tti_transport_ask_back ()) */
  guint64 id;
  const char *name;      /* interned; NULL: that of what it needs */
  const char *host;      /* of WORKER; interned, NULL: none had it */
  TtiPayload *request, *result;
  gint64 timeout;
  gint64 deadline;       /* of the running attempt; 0: none */
  GPtrArray *dependencies, *held;
  GPtrArray *joined;     /* of TtiPayload: values of dependencies, whose vectors it has borrowed */
  GPtrArray *dependents; /* that wait for this one */
  TtiHeld *makes;        /* what its worker holds when it is done, or NULL */
  TtiTask *maker;        /* not owned: what it waits for before it can run; NULL: nothing */
  TtiTask *culprit;      /* whose end without a value has ended it too; NULL: it has ended by itself */
  TtiTask *next_dead;    /* while it is freed */
  gsize input_size;      /* bytes of the request as it was sent last, with the dependencies' values */
  gint64 placed;         /* when it was given to its worker */
  gint64 took;           /* the µs that this says it took; 0: it has not answered */
  GArray *watchers;      /* of TtiTaskWatcher: whom to tell that it has ended; NULL: nobody */
  gint *failed;          /* atomic: to be set if it ends without a value; NULL: nothing */
  TtiEngine *engine;     /* atomic; from when it is submitted, or another that waits for it; a reference of its memory */
  TtiTaskRunner *runner; /* from submission to end */
  GError *error;
  TtiCertificate *certificate;
  guint64 order;
};

/* TASK gets its number, and borrows its vectors until it ends: RUNNER will run it. */
void tti_task_begin_locked (TtiTask *task, TtiEngine *engine, TtiTaskRunner *runner);
void tti_task_await_locked (TtiTask *task, TtiTask *dependency); /* TASK waits until DEPENDENCY, which has not ended, has */
void tti_task_join_locked (TtiTask *task, TtiPayload *value);    /* VALUE will be put into its request, and is borrowed */
/* The request as it travels, with its dependencies' values in it, or NULL. A reference for the caller. */
TtiPayload *tti_task_make_request (TtiTask *task);
/* TASK ends as CULPRIT did, on whose value it depends. */
void tti_task_end_with_locked (TtiTask *task, TtiTask *culprit);
/* The one place where a task ends. Takes ERROR; takes references of RESULT and CERTIFICATE. The caller removes the task from the lists
 * that it is in. */
void tti_task_end_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, GError *error,
                          TtiCertificate *certificate);

/* --- task-look.c: what others see of it, while somebody looks ------------------------------------------------------------------ */
const char *tti_task_get_name (TtiTask *task); /* interned; NULL: it has none */
void tti_task_show_submitted_locked (TtiTask *task); /* it waits for others, or in a queue */
void tti_task_show_started_locked (TtiTask *task, guint64 generation); /* the worker of GENERATION was given it */
TtiLookEnd tti_task_look_end (TtiTaskState state, const GError *error); /* how a task that ends in STATE with ERROR does */
void tti_task_show_ending_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error);
