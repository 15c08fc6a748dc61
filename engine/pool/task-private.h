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

  /* TASK is about to end in STATE. It still has all that it was submitted with. */
  void (*ending) (TtiTaskRunner *runner, TtiTask *task, TtiTaskState state);

  /* Tasks may have become ready: give them to the workers that can take them. */
  void (*dispatch) (TtiTaskRunner *runner);
} TtiTaskRunnerOps;

struct _TtiTaskRunner
{
  const TtiTaskRunnerOps *ops;
};

typedef struct
{
  TtiNotice notice;
  gpointer data;
} TtiTaskWatcher;

struct _TtiTask
{
  gatomicrefcount refs;
  guint64 id;
  TtiHandlerKind handler;
  TtiPayload *request, *result;
  gint64 timeout;
  gint64 deadline;       /* of the running attempt; 0: none */
  guint retries, attempts;
  guint most_losses, losses; /* of the node whose worker ran it; they are among ATTEMPTS, but not counted against RETRIES */
  guint n_cpus;          /* that it needs, */
  guint64 memory;        /* and bytes; 0: what its worker has */
  guint64 stays;         /* vectors of its value with so many bytes may stay on its node; 0: none */
  gboolean is_wide;      /* that is the share of several workers of its pool; the rest is set only then */
  guint64 turn;          /* of tasks with larger numbers in other lists none is begun before it */
  int prepared_by;       /* the worker that has made something for it; -1: none */
  int pinned_to;         /* the place to which it belongs (queue.h); -1: none */
  int slot;              /* ... whose worker may run it there, from its submission on */
  int worker;
  const char *host;      /* of that worker; interned, NULL: none had it */
  gint state;            /* TtiTaskState, atomic: written last */
  GPtrArray *dependencies, *held;
  GPtrArray *joined;     /* of TtiPayload: values of dependencies, whose vectors it has borrowed */
  GPtrArray *dependents; /* that wait for this one */
  TtiHeld *makes;        /* what its worker holds when it is done, or NULL */
  TtiTask *maker;        /* not owned: what it waits for before it can run; NULL: nothing */
  gboolean is_maker;     /* the engine made it, for the tasks that wait for it */
  TtiTask *culprit;      /* whose end without a value has ended it too; NULL: it has ended by itself */
  TtiTask *next_dead;    /* while it is freed */
  guint n_missing;       /* dependencies that have not ended */
  gsize input_size;      /* bytes of the request as it was sent last, with the dependencies' values */
  guint32 ticket;        /* of its message to the worker; 0: it cannot be taken back */
  gboolean asked_back;   /* its worker is elsewhere, and may give it back (tti_transport_ask_back ()) */
  gint64 placed;         /* when it was given to its worker */
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
