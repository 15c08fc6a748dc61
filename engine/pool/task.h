/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task: one request, run by one worker at a time, answered exactly once.
 *
 *   WAITING -> QUEUED -> RUNNING -> DONE | RAISED | FAILED
 *      |         |         |
 *      |         +<--------+  its worker died, and it may be tried again
 *      +---------+---------+-> FAILED  cancelled, a dependency failed, the pool closed
 *
 * Whoever submits owns a reference; the pool holds another until the task has ended. What a task is (the setters) is fixed before it is
 * submitted; the getters are valid from any thread, and those of results once tutti_task_has_ended (). */
#pragma once
#include "process/certificate.h"
#include "node/worker.h"
#include "transport/payload.h"

typedef enum
{
  TUTTI_TASK_NEW,
  TUTTI_TASK_WAITING, /* for other tasks, whose values are among its arguments */
  TUTTI_TASK_QUEUED,
  TUTTI_TASK_RUNNING, /* with a worker */
  TUTTI_TASK_DONE,    /* there is a result */
  TUTTI_TASK_RAISED,  /* there is a result, which describes an exception */
  TUTTI_TASK_FAILED   /* there is an error, and a certificate if a worker died of it */
} TuttiTaskState;

typedef struct _TuttiTask TuttiTask;
typedef struct _TuttiHeld TuttiHeld; /* held.h */

/* A task for HANDLER with REQUEST (a reference is taken; may be NULL). */
TuttiTask *tutti_task_new (TuttiHandlerKind handler, TuttiPayload *request);
TuttiTask *tutti_task_ref (TuttiTask *task);
void tutti_task_unref (TuttiTask *task); /* NULL is fine */

/* Microseconds that one attempt may run on a worker; 0 (the default): for ever. */
void tutti_task_set_timeout (TuttiTask *task, gint64 timeout);
/* How often it is tried again after its worker died (2). */
void tutti_task_set_retries (TuttiTask *task, guint retries);
/* Only the worker with this index may run it (-1, the default: any). */
void tutti_task_set_worker (TuttiTask *task, int index);
/* Wherever the request has TUTTI_ITEM_EMBEDDED k, the value of the k-th dependency added here is put. If a dependency has no value,
 * TASK ends as that one did. */
void tutti_task_add_dependency (TuttiTask *task, TuttiTask *dependency);
/* The worker must hold HELD before it gets the request. */
void tutti_task_add_held (TuttiTask *task, TuttiHeld *held);

/* Its worker, of which the index is set, holds HELD when it is done: the request is the one by which HELD is made. */
void tutti_task_set_makes (TuttiTask *task, TuttiHeld *held);

guint64 tutti_task_get_id (TuttiTask *task); /* 0 before it is submitted */
TuttiTaskState tutti_task_get_state (TuttiTask *task);           /* now: another thread may change it at any time */
gboolean tutti_task_has_ended (TuttiTask *task);                 /* DONE, RAISED or FAILED: for good */
TuttiPayload *tutti_task_get_result (TuttiTask *task);           /* owned by the task; DONE and RAISED */
const GError *tutti_task_get_error (TuttiTask *task);            /* FAILED */
TuttiCertificate *tutti_task_get_certificate (TuttiTask *task);  /* owned by the task; NULL if no worker died of it */
/* The one whose failure this is, if it ended because a task on which it depends, directly or through others, had no value; it is owned
 * by the task. NULL: it ended by itself. */
TuttiTask *tutti_task_get_culprit (TuttiTask *task);
gboolean tutti_task_is_maker (TuttiTask *task);                  /* the engine made it, so that a worker makes a held object */
gint64 tutti_task_get_timeout (TuttiTask *task);                 /* as it was set */
int tutti_task_get_worker (TuttiTask *task);                     /* index of the worker that had it last, -1: none */
guint tutti_task_get_attempts (TuttiTask *task);                 /* how often it was given to a worker */
guint64 tutti_task_get_order (TuttiTask *task);                  /* tasks that ended earlier in this process, plus 1 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiTask, tutti_task_unref)
