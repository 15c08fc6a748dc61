/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a task is, and how it ends. */
#include "platform/error.h"
#include "pool/engine-private.h"

TuttiTask *
tutti_task_new (TuttiHandlerKind handler, TuttiPayload *request)
{
  TuttiTask *task = g_new0 (TuttiTask, 1);

  g_atomic_ref_count_init (&task->refs);
  task->handler = handler;
  task->request = request != NULL ? tutti_payload_ref (request) : NULL;
  task->retries = 2;
  task->pinned_to = task->worker = -1;
  return task;
}

TuttiTask *
tutti_task_ref (TuttiTask *task)
{
  g_return_val_if_fail (task != NULL, NULL);
  g_atomic_ref_count_inc (&task->refs);
  return task;
}

void
tutti_task_unref (TuttiTask *task)
{
  if (task == NULL || !g_atomic_ref_count_dec (&task->refs))
    return;
  tutti_payload_unref (task->request);
  tutti_payload_unref (task->result);
  g_clear_pointer (&task->dependencies, g_ptr_array_unref);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  g_clear_pointer (&task->dependents, g_ptr_array_unref);
  g_clear_error (&task->error);
  tutti_certificate_unref (task->certificate);
  tutti_held_unref (task->makes);
  g_free (task);
}

void
tutti_task_set_timeout (TuttiTask *task, gint64 timeout)
{
  g_return_if_fail (task->id == 0 && timeout >= 0);
  task->timeout = timeout;
}

void
tutti_task_set_retries (TuttiTask *task, guint retries)
{
  g_return_if_fail (task->id == 0);
  task->retries = retries;
}

void
tutti_task_set_worker (TuttiTask *task, int index)
{
  g_return_if_fail (task->id == 0);
  task->pinned_to = index;
}

void
tutti_task_add_dependency (TuttiTask *task, TuttiTask *dependency)
{
  g_return_if_fail (task->id == 0 && task != dependency);
  if (task->dependencies == NULL)
    task->dependencies = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
  g_ptr_array_add (task->dependencies, tutti_task_ref (dependency));
}

void
tutti_task_add_held (TuttiTask *task, TuttiHeld *held)
{
  g_return_if_fail (task->id == 0);
  if (task->held == NULL)
    task->held = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_held_unref);
  g_ptr_array_add (task->held, tutti_held_ref (held));
}

void
tutti_task_set_makes (TuttiTask *task, TuttiHeld *held)
{
  g_return_if_fail (task->id == 0 && task->makes == NULL && task->pinned_to >= 0);
  task->makes = tutti_held_ref (held);
}

guint64 tutti_task_get_id (TuttiTask *task) { return task->id; }
TuttiTaskState tutti_task_get_state (TuttiTask *task) { return (TuttiTaskState) g_atomic_int_get (&task->state); }
gboolean tutti_task_has_ended (TuttiTask *task) { return tutti_task_get_state (task) >= TUTTI_TASK_DONE; }
TuttiPayload *tutti_task_get_result (TuttiTask *task) { return tutti_task_has_ended (task) ? task->result : NULL; }
const GError *tutti_task_get_error (TuttiTask *task) { return tutti_task_has_ended (task) ? task->error : NULL; }
TuttiCertificate *tutti_task_get_certificate (TuttiTask *task) { return tutti_task_has_ended (task) ? task->certificate : NULL; }
int tutti_task_get_worker (TuttiTask *task) { return tutti_task_has_ended (task) ? task->worker : -1; }
guint tutti_task_get_attempts (TuttiTask *task) { return tutti_task_has_ended (task) ? task->attempts : 0; }
guint64 tutti_task_get_order (TuttiTask *task) { return tutti_task_has_ended (task) ? task->order : 0; }

/* Vectors of a request are borrowed from its submission to its end. */
static void
task_foreach_vector (TuttiTask *task, void (*visit) (TuttiVector *))
{
  if (task->request != NULL)
    tutti_payload_foreach_shared (task->request, visit);
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    tutti_held_foreach_vector (g_ptr_array_index (task->held, i), visit);
}

void
tutti_task_begin_locked (TuttiTask *task, TuttiPool *pool)
{
  task->id = ++tutti_engine_peek ()->next_task;
  task->pool = pool;
  task_foreach_vector (task, tutti_vector_borrow);
}

void
tutti_task_await_locked (TuttiTask *task, TuttiTask *dependency)
{
  if (dependency->dependents == NULL)
    dependency->dependents = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
  g_ptr_array_add (dependency->dependents, tutti_task_ref (task));
  task->n_missing++;
  g_atomic_int_set (&task->state, TUTTI_TASK_WAITING);
  g_hash_table_add (task->pool->waiting, task);
}

/* TASK's dependency DEPENDENCY has ended. */
static void
task_dependency_ended_locked (TuttiTask *task, TuttiTask *dependency)
{
  if (tutti_task_has_ended (task))
    return;
  task->n_missing--;
  task->maker = NULL;
  task->worker = dependency->makes != NULL ? dependency->worker : task->worker;
  if (dependency->state != TUTTI_TASK_DONE)
    tutti_task_end_locked (task, (TuttiTaskState) dependency->state, dependency->result,
                           dependency->error != NULL ? g_error_copy (dependency->error) : NULL, dependency->certificate);
  else if (task->n_missing == 0)
    {
      g_hash_table_remove (task->pool->waiting, task);
      /* One that waited for its worker to make what it needs was at the head of the queue before. */
      tutti_pool_enqueue_locked (task->pool, task, dependency->makes != NULL);
      tutti_pool_dispatch_locked (task->pool);
    }
}

/* The one place where a task ends. Takes ERROR; takes references of RESULT and CERTIFICATE. The caller removes the task from the lists
 * that it is in. */
void
tutti_task_end_locked (TuttiTask *task, TuttiTaskState state, TuttiPayload *result, GError *error, TuttiCertificate *certificate)
{
  TuttiEngine *engine = tutti_engine_peek ();
  TuttiPool *pool = task->pool;
  g_autoptr (GPtrArray) dependents = g_steal_pointer (&task->dependents);

  g_assert (state >= TUTTI_TASK_DONE && !tutti_task_has_ended (task));
  g_hash_table_remove (pool->waiting, task);
  task->result = result != NULL ? tutti_payload_ref (result) : NULL;
  task->error = error;
  task->certificate = certificate != NULL ? tutti_certificate_ref (certificate) : NULL;
  task->order = ++engine->n_ended;
  task_foreach_vector (task, tutti_vector_give_back);
  /* The request is not needed again; its memory may be large, and the task may be kept for its result. */
  g_clear_pointer (&task->request, tutti_payload_unref);
  g_clear_pointer (&task->dependencies, g_ptr_array_unref);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  task->pool = NULL;
  g_atomic_int_set (&task->state, (gint) state); /* last: whoever sees it may read the rest without the lock */
  pool->ring = TRUE;
  for (guint i = 0; dependents != NULL && i < dependents->len; i++)
    task_dependency_ended_locked (g_ptr_array_index (dependents, i), task);
}
