/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task: one request, run by one worker at a time, answered exactly once.
 *
 *   WAITING -> QUEUED -> RUNNING -> DONE | RAISED | FAILED
 *      |         |         |
 *      |         +<--------+  its worker died, and it may be tried again
 *      +---------+---------+-> FAILED  cancelled, a dependency failed, the pool closed
 *
 * Whoever submits owns a reference; the pool holds another until the task has ended. What a task is (the setters) is fixed before it is
 * submitted; the getters are valid from any thread, and those of results once tti_task_has_ended (). */
#pragma once
#include "pool/engine.h"
#include "process/certificate.h"
#include "node/worker.h"
#include "transport/payload.h"

typedef enum
{
  TTI_TASK_NEW,
  TTI_TASK_WAITING, /* for other tasks, whose values are among its arguments */
  TTI_TASK_QUEUED,
  TTI_TASK_RUNNING, /* with a worker */
  TTI_TASK_DONE,    /* there is a result */
  TTI_TASK_RAISED,  /* there is a result, which describes an exception */
  TTI_TASK_FAILED   /* there is an error, and a certificate if a worker died of it */
} TtiTaskState;

typedef struct _TtiTask TtiTask;
typedef struct _TtiHeld TtiHeld; /* held.h */

/* A task for HANDLER with REQUEST (a reference is taken; may be NULL). */
TtiTask *tti_task_new (TtiHandlerKind handler, TtiPayload *request);
TtiTask *tti_task_ref (TtiTask *task);
void tti_task_unref (TtiTask *task); /* NULL is fine */

/* Microseconds that one attempt may run on a worker; 0 (the default): for ever. */
void tti_task_set_timeout (TtiTask *task, gint64 timeout);
/* How often it is tried again after its worker died (2). */
void tti_task_set_retries (TtiTask *task, guint retries);
/* How often it is tried again, beside that, after the node was lost whose worker ran it. That says nothing against the task; but a task
 * that takes its node along must end some time. */
#define TTI_TASK_MOST_LOSSES 5
void tti_task_set_most_losses (TtiTask *task, guint most);
/* Only the worker with this index may run it (-1, the default: any). If the pool has shrunk meanwhile, another one does, in its place. */
void tti_task_set_worker (TtiTask *task, int index);
/* It needs N_CPUS processors and MEMORY bytes (0, the default: what any worker has). If that is more than its worker has, other workers of
 * the same node run nothing while it runs, and its worker is lent what they have. Not for tasks that make held objects. */
void tti_task_set_resources (TtiTask *task, guint n_cpus, guint64 memory);
/* If it runs on a node that does not share our memory, with other workers there, vectors of its value with at least LEAST bytes stay there
 * (0, the default: none): they come as vectors without contents (transport/away.h), which are for tasks of workers of that node. */
void tti_task_set_stays (TtiTask *task, guint64 least);
/* What people call it; else it is named after what it needs (tti_held_set_name ()). */
void tti_task_set_name (TtiTask *task, const char *name);
/* Wherever the request has TTI_ITEM_EMBEDDED k, the value of the k-th dependency added here is put. If a dependency has no value,
 * TASK ends as that one did. */
void tti_task_add_dependency (TtiTask *task, TtiTask *dependency);
/* The worker must hold HELD before it gets the request. */
void tti_task_add_held (TtiTask *task, TtiHeld *held);

/* Call NOTICE with DATA when TASK has ended (engine.h). Also before it is submitted: then nobody needs to poll for it. FALSE: it has ended
 * already, or will not end for this process, which is a forked copy; NOTICE is not called. */
gboolean tti_task_watch (TtiTask *task, TtiNotice notice, gpointer data);
/* *FLAG is set, atomically, if TASK ends without a value. It must live until TASK has ended. */
void tti_task_set_failure_flag (TtiTask *task, gint *flag);
/* Its worker, of which the index is set, holds HELD when it is done: the request is the one by which HELD is made. */
void tti_task_set_makes (TtiTask *task, TtiHeld *held);

guint64 tti_task_get_id (TtiTask *task); /* 0 before it is submitted */
TtiTaskState tti_task_get_state (TtiTask *task);           /* now: another thread may change it at any time */
gboolean tti_task_has_ended (TtiTask *task);               /* DONE, RAISED or FAILED: for good */
TtiPayload *tti_task_get_result (TtiTask *task);           /* owned by the task; DONE and RAISED */
const GError *tti_task_get_error (TtiTask *task);          /* FAILED */
TtiCertificate *tti_task_get_certificate (TtiTask *task);  /* owned by the task; NULL if no worker died of it */
/* The one whose failure this is, if it ended because a task on which it depends, directly or through others, had no value; it is owned
 * by the task. NULL: it ended by itself. */
TtiTask *tti_task_get_culprit (TtiTask *task);
gboolean tti_task_is_maker (TtiTask *task);                  /* the engine made it, so that a worker makes a held object */
gint64 tti_task_get_timeout (TtiTask *task);                 /* as it was set */
int tti_task_get_worker (TtiTask *task);                     /* index of the worker that had it last, -1: none */
const char *tti_task_get_host (TtiTask *task);              /* where that worker was; it is there for good; NULL: none */
guint tti_task_get_attempts (TtiTask *task);                 /* how often it was given to a worker */
guint64 tti_task_get_order (TtiTask *task);                  /* tasks that ended earlier in this process, plus 1 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiTask, tti_task_unref)
