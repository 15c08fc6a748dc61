/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Submitting, cancelling and waiting for tasks, and asking for the parts of tasks that run. */
#include "platform/error.h"
#include "pool/pool-private.h"

/* Do all tasks that TASK depends on, and all that it needs held, belong to POOL's engine? What has ended may be another's. */
static gboolean
pool_shares_engine_locked (TuttiPool *pool, TuttiTask *task, GError **error)
{
  TUTTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean shares = tutti_engine_claim (&task->engine, pool->engine);

  for (guint i = 0; shares && task->dependencies != NULL && i < task->dependencies->len; i++)
    {
      TuttiTask *dependency = g_ptr_array_index (task->dependencies, i);

      shares = tutti_task_has_ended (dependency) || tutti_engine_claim (&dependency->engine, pool->engine);
    }
  if (!shares)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                   "%s belongs to one engine, and the task, or one that it depends on and that has not ended, to another", pool->name);
      return FALSE;
    }
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (!tutti_held_claim (g_ptr_array_index (task->held, i), pool->engine, error))
      return FALSE;
  return task->makes == NULL || tutti_held_claim (task->makes, pool->engine, error);
}

/* Does every held object of TASK have a part for every worker of POOL? */
static gboolean
pool_has_parts (TuttiPool *pool, TuttiTask *task, GError **error)
{
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    {
      guint n = tutti_held_get_n_payloads (g_ptr_array_index (task->held, i));

      if (n == 1 || n == pool->size)
        continue;
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a held object in %u parts cannot be used in %s, which has %u workers", n,
                   pool->name, pool->size);
      return FALSE;
    }
  return TRUE;
}

static gboolean
pool_accepts_locked (TuttiPool *pool, TuttiTask *task, GError **error)
{
  TUTTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state != POOL_OPEN)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s is closed", pool->name);
  else if (pool->failure != NULL)
    g_propagate_error (error, g_error_copy (pool->failure));
  else if (task->pinned_to >= (int) pool->size)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s has workers 0 to %u, not %d", pool->name, pool->size - 1, task->pinned_to);
  else
    return pool_shares_engine_locked (pool, task, error) && pool_has_parts (pool, task, error);
  return FALSE;
}

/* Let TASK wait for those of its dependencies that have not ended. Returns one that ended without a value, or NULL. */
static TuttiTask *
queue_await_dependencies_locked (TuttiQueue *queue, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  for (guint i = 0; task->dependencies != NULL && i < task->dependencies->len; i++)
    {
      TuttiTask *dependency = g_ptr_array_index (task->dependencies, i);

      if (tutti_task_has_ended (dependency) && dependency->state != TUTTI_TASK_DONE)
        return dependency;
      if (tutti_task_has_ended (dependency))
        tutti_task_join_locked (task, dependency->result);
      else
        tutti_queue_await_locked (queue, task, dependency);
    }
  return NULL;
}

gboolean
tutti_pool_submit (TuttiPool *pool, TuttiTask *task, GError **error)
{
  TuttiEngine *engine = pool->engine;
  TuttiTask *failed;

  g_return_val_if_fail (task->id == 0, FALSE);
  if (tutti_engine_is_copy (error))
    return FALSE;
  tutti_engine_lock (engine);
  if (!pool_accepts_locked (pool, task, error))
    {
      tutti_engine_unlock (engine);
      return FALSE;
    }
  tutti_engine_attend_locked (engine);
  tutti_task_begin_locked (task, engine, &pool->runner);
  if (task->makes != NULL)
    tutti_slot_begin_making_locked (&pool->slots[task->pinned_to], task);
  failed = queue_await_dependencies_locked (&pool->queue, task);
  if (failed != NULL)
    tutti_task_end_with_locked (task, failed);
  else if (task->n_missing == 0)
    {
      tutti_queue_add_locked (&pool->queue, task, FALSE);
      tutti_pool_dispatch_locked (pool);
      /* A thread that submits many in a row would let workers run dry that have answered what they had. */
      if (pool->queue.any.length > 0)
        tutti_engine_take_answers_locked (engine);
      if (engine->relief_at != 0 && engine->clock >= engine->relief_at)
        tutti_engine_relieve_locked (engine);
    }
  tutti_engine_unlock (engine);
  return TRUE;
}

/* The slot with whose worker TASK, which has not ended, is; NULL: it is with none. */
static TuttiSlot *
task_find_slot_locked (TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  return task->state == TUTTI_TASK_RUNNING ? &tutti_pool_of_task (task)->slots[task->worker] : NULL;
}

static void
task_cancel_one_locked (TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  TuttiSlot *slot = task_find_slot_locked (task);

  /* Only what its worker has begun takes the worker with it. */
  if (slot != NULL && slot->running.head->data != task)
    {
      tutti_slot_receive_locked (slot);
      tutti_engine_park_again_locked (task->engine);
      if (tutti_task_has_ended (task))
        return;
      slot = task_find_slot_locked (task);
      if (slot != NULL && tutti_slot_recall_task_locked (slot, task))
        slot = NULL;
    }

  tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                         g_error_new (TUTTI_ERROR, TUTTI_ERROR_CANCELLED, "task %" G_GUINT64_FORMAT " was cancelled", task->id), NULL);
  /* There is no other way to stop arbitrary code than to end its process. One that has not begun yet is skipped by its worker's
   * master when its answer comes. */
  if (slot != NULL && g_queue_peek_head (&slot->running) == task)
    tutti_slot_end_locked (slot, TUTTI_DEATH_CANCELLED, TUTTI_TERM_GRACE_MS, NULL);
}

static void
task_cancel_locked (TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&task->engine->lock);
  int index = task->maker != NULL ? task->maker->pinned_to : task->held != NULL ? task->pinned_to : -1;
  TuttiSlot *slot = index >= 0 ? &tutti_pool_of_task (task)->slots[index] : NULL;
  TuttiTask *maker;

  task_cancel_one_locked (task);
  /* Perhaps it was the only one for which the worker makes something. */
  while (slot != NULL && (maker = tutti_slot_find_unneeded_maker_locked (slot)) != NULL)
    task_cancel_one_locked (maker);
}

void
tutti_task_cancel (TuttiTask *task)
{
  TuttiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL || tutti_engine_is_copy (NULL))
    return;
  tutti_engine_lock (engine);
  if (task->id != 0 && !tutti_task_has_ended (task))
    task_cancel_locked (task);
  tutti_engine_unlock (engine);
}

/* Poll for the end of TASK, as long as that is worth it. */
static gboolean
task_poll (TuttiTask *task, gint64 deadline)
{
  gint64 most = deadline < 0 ? G_MAXINT64 : deadline - g_get_monotonic_time ();
  guint64 n_ended = tutti_engine_get_n_ended (task->engine);

  while (!tutti_task_has_ended (task) && tutti_engine_poll (task->engine, n_ended, most))
    n_ended = tutti_engine_get_n_ended (task->engine);
  return tutti_task_has_ended (task);
}

gboolean
tutti_task_wait (TuttiTask *task, gint64 deadline)
{
  TuttiEngine *engine = g_atomic_pointer_get (&task->engine);
  gboolean in_time = TRUE;

  if (tutti_task_has_ended (task) || engine == NULL || tutti_engine_is_copy (NULL))
    return tutti_task_has_ended (task);
  if (task_poll (task, deadline))
    return TRUE;
  tutti_engine_lock (engine);
  tutti_engine_fall_asleep_locked (engine);
  while (!tutti_task_has_ended (task) && in_time)
    in_time = tutti_engine_wait_locked (engine, deadline);
  tutti_engine_wake_up_locked (engine);
  tutti_engine_unlock (engine);
  return tutti_task_has_ended (task);
}

/* --- parts of tasks ------------------------------------------------------------------------------------------------------- */

guint
tutti_task_get_parts_begun (TuttiTask *task)
{
  TuttiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL)
    return 0;
  tutti_engine_lock (engine);
  TuttiSlot *slot = task_find_slot_locked (task);
  guint begun = slot != NULL ? tutti_slot_get_parts_begun_locked (slot, task) : 0;
  tutti_engine_unlock (engine);
  return begun;
}

guint
tutti_task_withhold_parts (TuttiTask *task, guint keep)
{
  TuttiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL)
    return 0;
  tutti_engine_lock (engine);
  TuttiSlot *slot = task_find_slot_locked (task);
  TuttiParts *parts = slot != NULL ? tutti_slot_find_parts_locked (slot, task) : NULL;
  guint n = parts != NULL ? tutti_parts_withhold (parts, task->id, keep) : 0;

  tutti_engine_unlock (engine);
  return n;
}
