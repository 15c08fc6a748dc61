/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a task is, and how it ends. */
#include "platform/error.h"
#include "platform/slab.h"
#include "pool/held-private.h"

static TtiSlab task_slab = TTI_SLAB_INIT (sizeof (TtiTask));

TtiTask *
tti_task_new (TtiHandlerKind handler, TtiPayload *request)
{
  TtiTask *task = tti_slab_alloc (&task_slab);

  *task = (TtiTask) { 0 };
  g_atomic_ref_count_init (&task->refs);
  task->handler = handler;
  task->request = request != NULL ? tti_payload_ref (request) : NULL;
  task->retries = 2;
  task->most_losses = TTI_TASK_MOST_LOSSES;
  task->pinned_to = task->slot = task->worker = task->prepared_by = -1;
  return task;
}

TtiTask *
tti_task_ref (TtiTask *task)
{
  g_return_val_if_fail (task != NULL, NULL);
  g_atomic_ref_count_inc (&task->refs);
  return task;
}

/* Drop the references in *TASKS. Those that are to be freed for it come before DEAD. */
static TtiTask *
tasks_release (GPtrArray **tasks, TtiTask *dead)
{
  for (guint i = 0; *tasks != NULL && i < (*tasks)->len; i++)
    {
      TtiTask *task = g_ptr_array_index (*tasks, i);

      if (!g_atomic_ref_count_dec (&task->refs))
        continue;
      task->next_dead = dead;
      dead = task;
    }
  g_clear_pointer (tasks, g_ptr_array_unref);
  return dead;
}

/* Free TASK. Returns what has to be freed next: TASK's dependencies may be a chain of any length, for which no stack is deep enough. */
static TtiTask *
task_free (TtiTask *task)
{
  TtiTask *dead = tasks_release (&task->dependencies, task->next_dead);

  dead = tasks_release (&task->dependents, dead);
  if (task->culprit != NULL && g_atomic_ref_count_dec (&task->culprit->refs))
    {
      task->culprit->next_dead = dead;
      dead = task->culprit;
    }
  tti_payload_unref (task->request);
  tti_payload_unref (task->result);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  g_clear_pointer (&task->joined, g_ptr_array_unref);
  g_clear_error (&task->error);
  tti_certificate_unref (task->certificate);
  tti_held_unref (task->makes);
  g_clear_pointer (&task->watchers, g_array_unref);
  tti_engine_release (task->engine);
  tti_slab_free (&task_slab, task);
  return dead;
}

void
tti_task_unref (TtiTask *task)
{
  if (task == NULL || !g_atomic_ref_count_dec (&task->refs))
    return;
  while (task != NULL)
    task = task_free (task);
}

void
tti_task_set_timeout (TtiTask *task, gint64 timeout)
{
  g_return_if_fail (task->id == 0 && timeout >= 0);
  task->timeout = timeout;
}

void
tti_task_set_retries (TtiTask *task, guint retries)
{
  g_return_if_fail (task->id == 0);
  task->retries = retries;
}

void
tti_task_set_most_losses (TtiTask *task, guint most)
{
  g_return_if_fail (task->id == 0);
  task->most_losses = most;
}

void
tti_task_set_worker (TtiTask *task, int index)
{
  g_return_if_fail (task->id == 0);
  task->pinned_to = index;
}

void
tti_task_set_resources (TtiTask *task, guint n_cpus, guint64 memory)
{
  g_return_if_fail (task->id == 0);
  task->n_cpus = n_cpus;
  task->memory = memory;
}

void
tti_task_set_stays (TtiTask *task, guint64 least)
{
  g_return_if_fail (task->id == 0);
  task->stays = least;
}

void
tti_task_set_name (TtiTask *task, const char *name)
{
  g_return_if_fail (task->id == 0);
  task->name = g_intern_string (name);
}

void
tti_task_add_dependency (TtiTask *task, TtiTask *dependency)
{
  g_return_if_fail (task->id == 0 && task != dependency);
  if (task->dependencies == NULL)
    task->dependencies = g_ptr_array_new (); /* its references: see tasks_release () */
  g_ptr_array_add (task->dependencies, tti_task_ref (dependency));
}

void
tti_task_add_held (TtiTask *task, TtiHeld *held)
{
  g_return_if_fail (task->id == 0);
  if (task->held == NULL)
    task->held = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_held_unref);
  g_ptr_array_add (task->held, tti_held_ref (held));
}

void
tti_task_set_failure_flag (TtiTask *task, gint *flag)
{
  g_return_if_fail (task->id == 0);
  task->failed = flag;
}

void
tti_task_set_makes (TtiTask *task, TtiHeld *held)
{
  g_return_if_fail (task->id == 0 && task->makes == NULL && task->pinned_to >= 0);
  task->makes = tti_held_ref (held);
}

gboolean
tti_task_watch (TtiTask *task, TtiNotice notice, gpointer data)
{
  TtiEngine *engine = task->id != 0 ? g_atomic_pointer_get (&task->engine) : NULL;
  TtiTaskWatcher watcher = { notice, data };

  /* Nobody would tell a copy, and it must not park the mailboxes of the original. */
  if (engine != NULL && tti_engine_is_copy (NULL))
    return FALSE;
  if (engine != NULL)
    tti_engine_lock (engine);
  gboolean ended = tti_task_has_ended (task);
  if (!ended)
    {
      if (task->watchers == NULL)
        task->watchers = g_array_new (FALSE, FALSE, sizeof (TtiTaskWatcher));
      g_array_append_vals (task->watchers, &watcher, 1);
      if (engine != NULL)
        tti_engine_leave_locked (engine);
    }
  if (engine != NULL)
    tti_engine_unlock (engine);
  return !ended;
}

guint64 tti_task_get_id (TtiTask *task) { return task->id; }
TtiTaskState tti_task_get_state (TtiTask *task) { return (TtiTaskState) g_atomic_int_get (&task->state); }
gboolean tti_task_has_ended (TtiTask *task) { return tti_task_get_state (task) >= TTI_TASK_DONE; }
TtiPayload *tti_task_get_result (TtiTask *task) { return tti_task_has_ended (task) ? task->result : NULL; }
const GError *tti_task_get_error (TtiTask *task) { return tti_task_has_ended (task) ? task->error : NULL; }
TtiCertificate *tti_task_get_certificate (TtiTask *task) { return tti_task_has_ended (task) ? task->certificate : NULL; }
TtiTask *tti_task_get_culprit (TtiTask *task) { return tti_task_has_ended (task) ? task->culprit : NULL; }
gboolean tti_task_is_maker (TtiTask *task) { return task->is_maker; }
gint64 tti_task_get_timeout (TtiTask *task) { return task->timeout; }
int tti_task_get_worker (TtiTask *task) { return tti_task_has_ended (task) ? task->worker : -1; }
const char *tti_task_get_host (TtiTask *task) { return tti_task_has_ended (task) ? task->host : NULL; }
guint tti_task_get_attempts (TtiTask *task) { return tti_task_has_ended (task) ? task->attempts : 0; }
guint64 tti_task_get_order (TtiTask *task) { return tti_task_has_ended (task) ? task->order : 0; }

/* Vectors of a request are borrowed from its submission to its end. */
static void
task_foreach_vector_locked (TtiTask *task, void (*visit) (TtiVector *))
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (task->request != NULL)
    tti_payload_foreach_shared (task->request, visit);
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    tti_held_foreach_vector_locked (g_ptr_array_index (task->held, i), visit);
}

/* Also those that travel as copies: they are read when the task is sent, and whoever has waited for VALUE has the same memory. */
static void
value_foreach_vector (TtiPayload *value, void (*visit) (TtiVector *))
{
  for (guint i = 0; i < tti_payload_get_n_vectors (value); i++)
    visit (tti_payload_get_vector (value, i, NULL));
}

static void
task_give_back_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  task_foreach_vector_locked (task, tti_vector_give_back);
  for (guint i = 0; task->joined != NULL && i < task->joined->len; i++)
    value_foreach_vector (g_ptr_array_index (task->joined, i), tti_vector_give_back);
  g_clear_pointer (&task->joined, g_ptr_array_unref);
}

void
tti_task_begin_locked (TtiTask *task, TtiEngine *engine, TtiTaskRunner *runner)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  task->id = tti_engine_next_number ();
  (void) tti_engine_claim (&task->engine, engine);
  task->runner = runner;
  task_foreach_vector_locked (task, tti_vector_borrow);
}

void
tti_task_join_locked (TtiTask *task, TtiPayload *value)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (value == NULL || tti_payload_get_n_vectors (value) == 0)
    return;
  if (task->joined == NULL)
    task->joined = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_payload_unref);
  g_ptr_array_add (task->joined, tti_payload_ref (value));
  value_foreach_vector (value, tti_vector_borrow);
}

void
tti_task_await_locked (TtiTask *task, TtiTask *dependency)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (dependency->dependents == NULL)
    dependency->dependents = g_ptr_array_new (); /* its references: see tasks_release () */
  g_ptr_array_add (dependency->dependents, tti_task_ref (task));
  task->n_missing++;
  g_atomic_int_set (&task->state, TTI_TASK_WAITING);
}

TtiPayload *
tti_task_make_request (TtiTask *task)
{
  if (task->dependencies == NULL)
    return task->request != NULL ? tti_payload_ref (task->request) : NULL;
  g_autofree TtiPayload **values = g_new (TtiPayload *, task->dependencies->len);

  for (guint i = 0; i < task->dependencies->len; i++)
    values[i] = ((TtiTask *) g_ptr_array_index (task->dependencies, i))->result;
  return tti_payload_join (task->request, values, task->dependencies->len);
}

void
tti_task_end_with_locked (TtiTask *task, TtiTask *culprit)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiTaskState state = (TtiTaskState) culprit->state;
  GError *error = culprit->error != NULL ? g_error_copy (culprit->error) : NULL;

  /* Of a chain of tasks the one at its head is to blame. */
  task->culprit = tti_task_ref (culprit->culprit != NULL ? culprit->culprit : culprit);
  tti_task_end_locked (task, state, culprit->result, error, culprit->certificate);
}

/* TASK's dependency DEPENDENCY has ended. */
static void
task_dependency_ended_locked (TtiTask *task, TtiTask *dependency)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (tti_task_has_ended (task))
    return;
  task->n_missing--;
  task->maker = NULL;
  if (dependency->is_maker)
    task->worker = dependency->worker;
  if (dependency->state != TTI_TASK_DONE)
    tti_task_end_with_locked (task, dependency);
  else if (task->n_missing == 0)
    /* One that waited for its worker to make what it needs was at the head of the queue before. */
    task->runner->ops->ready (task->runner, task, dependency->is_maker);
}

/* Tell the tasks that wait for TASK, which has ended; then let those begin that can. */
static void
task_tell_dependents_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  GPtrArray *dependents = g_steal_pointer (&task->dependents);
  guint n = dependents->len;
  TtiTaskRunner *last = NULL;

  /* The task that comes to the head of the queue last is the first there. */
  for (guint i = 0; i < n; i++)
    task_dependency_ended_locked (g_ptr_array_index (dependents, task->is_maker ? n - 1 - i : i), task);
  for (guint i = 0; i < n; i++)
    {
      TtiTaskRunner *runner = ((TtiTask *) g_ptr_array_index (dependents, i))->runner;

      if (runner != NULL && runner != last)
        runner->ops->dispatch (runner);
      last = runner;
    }
  for (guint i = 0; i < n; i++)
    tti_task_unref (g_ptr_array_index (dependents, i));
  g_ptr_array_unref (dependents);
}

/* The end of one task can be that of many others, of which one waits for the other: so they stand in line, where calls in calls would need
 * a stack as deep as the line is long. */
static void
engine_tell_dependents_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->telling)
    return;
  engine->telling = TRUE;
  for (TtiTask *task; (task = g_queue_pop_head (&engine->ended)) != NULL; tti_task_unref (task))
    task_tell_dependents_locked (task);
  engine->telling = FALSE;
}

void
tti_task_end_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, GError *error, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiEngine *engine = task->engine;

  g_assert (state >= TTI_TASK_DONE && !tti_task_has_ended (task));
  task->certificate = certificate != NULL ? tti_certificate_ref (certificate) : NULL;
  task->runner->ops->ending (task->runner, task, state, result, error);
  task->result = result != NULL ? tti_payload_ref (result) : NULL;
  task->error = error;
  task->order = ++engine->n_ended;
  task_give_back_locked (task);
  /* Before anybody can see the value, and write to it. */
  for (guint i = 0; state == TTI_TASK_DONE && task->dependents != NULL && i < task->dependents->len; i++)
    if (!tti_task_has_ended (g_ptr_array_index (task->dependents, i)))
      tti_task_join_locked (g_ptr_array_index (task->dependents, i), result);
  /* The request is not needed again; its memory may be large, and the task may be kept for its result. */
  g_clear_pointer (&task->request, tti_payload_unref);
  for (TtiTask *dead = tasks_release (&task->dependencies, NULL); dead != NULL;)
    dead = task_free (dead);
  g_clear_pointer (&task->held, g_ptr_array_unref);
  task->runner = NULL;
  /* The flag is not looked at when all that have it have ended. */
  if (state != TTI_TASK_DONE && task->failed != NULL)
    g_atomic_int_set (task->failed, TRUE);
  g_atomic_int_set (&task->state, (gint) state); /* last: whoever sees it may read the rest without the lock */
  for (guint i = 0; task->watchers != NULL && i < task->watchers->len; i++)
    {
      const TtiTaskWatcher *watcher = &g_array_index (task->watchers, TtiTaskWatcher, i);

      tti_engine_notify_locked (engine, watcher->notice, watcher->data);
    }
  if (task->dependents == NULL)
    return;
  g_queue_push_tail (&engine->ended, tti_task_ref (task));
  engine_tell_dependents_locked (engine);
}
