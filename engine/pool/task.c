/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a task is, and how it ends. */
#include "platform/error.h"
#include "pool/held-private.h"

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

/* Drop the references in *TASKS. Those that are to be freed for it come before DEAD. */
static TuttiTask *
tasks_release (GPtrArray **tasks, TuttiTask *dead)
{
  for (guint i = 0; *tasks != NULL && i < (*tasks)->len; i++)
    {
      TuttiTask *task = g_ptr_array_index (*tasks, i);

      if (!g_atomic_ref_count_dec (&task->refs))
        continue;
      task->next_dead = dead;
      dead = task;
    }
  g_clear_pointer (tasks, g_ptr_array_unref);
  return dead;
}

/* Free TASK. Returns what has to be freed next: TASK's dependencies may be a chain of any length, for which no stack is deep enough. */
static TuttiTask *
task_free (TuttiTask *task)
{
  TuttiTask *dead = tasks_release (&task->dependencies, task->next_dead);

  dead = tasks_release (&task->dependents, dead);
  if (task->culprit != NULL && g_atomic_ref_count_dec (&task->culprit->refs))
    {
      task->culprit->next_dead = dead;
      dead = task->culprit;
    }
  tutti_payload_unref (task->request);
  tutti_payload_unref (task->result);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  g_clear_pointer (&task->joined, g_ptr_array_unref);
  g_clear_error (&task->error);
  tutti_certificate_unref (task->certificate);
  tutti_held_unref (task->makes);
  tutti_engine_release (task->engine);
  g_free (task);
  return dead;
}

void
tutti_task_unref (TuttiTask *task)
{
  if (task == NULL || !g_atomic_ref_count_dec (&task->refs))
    return;
  while (task != NULL)
    task = task_free (task);
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
    task->dependencies = g_ptr_array_new (); /* its references: see tasks_release () */
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
TuttiTask *tutti_task_get_culprit (TuttiTask *task) { return tutti_task_has_ended (task) ? task->culprit : NULL; }
gboolean tutti_task_is_maker (TuttiTask *task) { return task->is_maker; }
gint64 tutti_task_get_timeout (TuttiTask *task) { return task->timeout; }
int tutti_task_get_worker (TuttiTask *task) { return tutti_task_has_ended (task) ? task->worker : -1; }
guint tutti_task_get_attempts (TuttiTask *task) { return tutti_task_has_ended (task) ? task->attempts : 0; }
guint64 tutti_task_get_order (TuttiTask *task) { return tutti_task_has_ended (task) ? task->order : 0; }

/* Vectors of a request are borrowed from its submission to its end. */
static void
task_foreach_vector_locked (TuttiTask *task, void (*visit) (TuttiVector *))
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  if (task->request != NULL)
    tutti_payload_foreach_shared (task->request, visit);
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    tutti_held_foreach_vector_locked (g_ptr_array_index (task->held, i), visit);
}

/* Also those that travel as copies: they are read when the task is sent, and whoever has waited for VALUE has the same memory. */
static void
value_foreach_vector (TuttiPayload *value, void (*visit) (TuttiVector *))
{
  for (guint i = 0; i < tutti_payload_get_n_vectors (value); i++)
    visit (tutti_payload_get_vector (value, i, NULL));
}

static void
task_give_back_locked (TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  task_foreach_vector_locked (task, tutti_vector_give_back);
  for (guint i = 0; task->joined != NULL && i < task->joined->len; i++)
    value_foreach_vector (g_ptr_array_index (task->joined, i), tutti_vector_give_back);
  g_clear_pointer (&task->joined, g_ptr_array_unref);
}

void
tutti_task_begin_locked (TuttiTask *task, TuttiEngine *engine, TuttiTaskRunner *runner)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  task->id = tutti_engine_next_number ();
  (void) tutti_engine_claim (&task->engine, engine);
  task->runner = runner;
  task_foreach_vector_locked (task, tutti_vector_borrow);
}

void
tutti_task_join_locked (TuttiTask *task, TuttiPayload *value)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  if (value == NULL || tutti_payload_get_n_vectors (value) == 0)
    return;
  if (task->joined == NULL)
    task->joined = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_payload_unref);
  g_ptr_array_add (task->joined, tutti_payload_ref (value));
  value_foreach_vector (value, tutti_vector_borrow);
}

void
tutti_task_await_locked (TuttiTask *task, TuttiTask *dependency)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  if (dependency->dependents == NULL)
    dependency->dependents = g_ptr_array_new (); /* its references: see tasks_release () */
  g_ptr_array_add (dependency->dependents, tutti_task_ref (task));
  task->n_missing++;
  g_atomic_int_set (&task->state, TUTTI_TASK_WAITING);
}

TuttiPayload *
tutti_task_make_request (TuttiTask *task)
{
  if (task->dependencies == NULL)
    return task->request != NULL ? tutti_payload_ref (task->request) : NULL;
  g_autofree TuttiPayload **values = g_new (TuttiPayload *, task->dependencies->len);

  for (guint i = 0; i < task->dependencies->len; i++)
    values[i] = ((TuttiTask *) g_ptr_array_index (task->dependencies, i))->result;
  return tutti_payload_join (task->request, values, task->dependencies->len);
}

void
tutti_task_end_with_locked (TuttiTask *task, TuttiTask *culprit)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  TuttiTaskState state = (TuttiTaskState) culprit->state;
  GError *error = culprit->error != NULL ? g_error_copy (culprit->error) : NULL;

  /* Of a chain of tasks the one at its head is to blame. */
  task->culprit = tutti_task_ref (culprit->culprit != NULL ? culprit->culprit : culprit);
  tutti_task_end_locked (task, state, culprit->result, error, culprit->certificate);
}

/* TASK's dependency DEPENDENCY has ended. */
static void
task_dependency_ended_locked (TuttiTask *task, TuttiTask *dependency)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  if (tutti_task_has_ended (task))
    return;
  task->n_missing--;
  task->maker = NULL;
  if (dependency->is_maker)
    task->worker = dependency->worker;
  if (dependency->state != TUTTI_TASK_DONE)
    tutti_task_end_with_locked (task, dependency);
  else if (task->n_missing == 0)
    /* One that waited for its worker to make what it needs was at the head of the queue before. */
    task->runner->ops->ready (task->runner, task, dependency->is_maker);
}

/* Tell the tasks that wait for TASK, which has ended; then let those begin that can. */
static void
task_tell_dependents_locked (TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  GPtrArray *dependents = g_steal_pointer (&task->dependents);
  guint n = dependents->len;
  TuttiTaskRunner *last = NULL;

  /* The task that comes to the head of the queue last is the first there. */
  for (guint i = 0; i < n; i++)
    task_dependency_ended_locked (g_ptr_array_index (dependents, task->is_maker ? n - 1 - i : i), task);
  for (guint i = 0; i < n; i++)
    {
      TuttiTaskRunner *runner = ((TuttiTask *) g_ptr_array_index (dependents, i))->runner;

      if (runner != NULL && runner != last)
        runner->ops->dispatch (runner);
      last = runner;
    }
  for (guint i = 0; i < n; i++)
    tutti_task_unref (g_ptr_array_index (dependents, i));
  g_ptr_array_unref (dependents);
}

/* The end of one task can be that of many others, of which one waits for the other: so they stand in line, where calls in calls would need
 * a stack as deep as the line is long. */
static void
engine_tell_dependents_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  if (engine->telling)
    return;
  engine->telling = TRUE;
  for (TuttiTask *task; (task = g_queue_pop_head (&engine->ended)) != NULL; tutti_task_unref (task))
    task_tell_dependents_locked (task);
  engine->telling = FALSE;
}

void
tutti_task_end_locked (TuttiTask *task, TuttiTaskState state, TuttiPayload *result, GError *error, TuttiCertificate *certificate)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  TuttiEngine *engine = task->engine;

  g_assert (state >= TUTTI_TASK_DONE && !tutti_task_has_ended (task));
  task->runner->ops->ending (task->runner, task, state);
  task->result = result != NULL ? tutti_payload_ref (result) : NULL;
  task->error = error;
  task->certificate = certificate != NULL ? tutti_certificate_ref (certificate) : NULL;
  task->order = ++engine->n_ended;
  task_give_back_locked (task);
  /* Before anybody can see the value, and write to it. */
  for (guint i = 0; state == TUTTI_TASK_DONE && task->dependents != NULL && i < task->dependents->len; i++)
    if (!tutti_task_has_ended (g_ptr_array_index (task->dependents, i)))
      tutti_task_join_locked (g_ptr_array_index (task->dependents, i), result);
  /* The request is not needed again; its memory may be large, and the task may be kept for its result. */
  g_clear_pointer (&task->request, tutti_payload_unref);
  for (TuttiTask *dead = tasks_release (&task->dependencies, NULL); dead != NULL;)
    dead = task_free (dead);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  task->runner = NULL;
  g_atomic_int_set (&task->state, (gint) state); /* last: whoever sees it may read the rest without the lock */
  if (task->dependents == NULL)
    return;
  g_queue_push_tail (&engine->ended, tutti_task_ref (task));
  engine_tell_dependents_locked (engine);
}
