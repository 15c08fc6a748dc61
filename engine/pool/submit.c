/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Submitting, cancelling and waiting for tasks, and asking for the parts of tasks that run. */
#include "platform/error.h"
#include "pool/pool-private.h"

/* Do all tasks that TASK depends on, and all that it needs held, belong to POOL's engine? What has ended may be another's. */
static gboolean
pool_shares_engine_locked (TtiPool *pool, TtiTask *task, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean shares = tti_engine_claim (&task->engine, pool->engine);

  for (guint i = 0; shares && task->dependencies != NULL && i < task->dependencies->len; i++)
    {
      TtiTask *dependency = g_ptr_array_index (task->dependencies, i);

      shares = tti_task_has_ended (dependency) || tti_engine_claim (&dependency->engine, pool->engine);
    }
  if (!shares)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                   "%s belongs to one engine, and the task, or one that it depends on and that has not ended, to another", pool->name);
      return FALSE;
    }
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (!tti_held_claim (g_ptr_array_index (task->held, i), pool->engine, error))
      return FALSE;
  return task->makes == NULL || tti_held_claim (task->makes, pool->engine, error);
}

/* Does every held object of TASK have a part for the worker of POOL that runs it? */
static gboolean
pool_has_parts (TtiPool *pool, TtiTask *task, GError **error)
{
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    {
      guint n = tti_held_get_n_places (g_ptr_array_index (task->held, i));

      if (task->pinned_to >= 0 ? (guint) task->pinned_to < n : pool->size <= n)
        continue;
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a held object in %u parts cannot be used in %s, which has %u workers", n,
                   pool->name, pool->size);
      return FALSE;
    }
  return TRUE;
}

static gboolean
pool_accepts_locked (TtiPool *pool, TtiTask *task, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state != POOL_OPEN)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s is closed", pool->name);
  else if (pool->failure != NULL)
    g_propagate_error (error, g_error_copy (pool->failure));
  else if (task->pinned_to >= (int) pool->n_slots)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s has workers 0 to %u, not %d", pool->name, pool->size - 1, task->pinned_to);
  else
    return tti_pool_measure_task_locked (pool, task, error) && pool_shares_engine_locked (pool, task, error)
           && pool_has_parts (pool, task, error);
  return FALSE;
}

/* Let TASK wait for those of its dependencies that have not ended. Returns one that ended without a value, or NULL. */
static TtiTask *
queue_await_dependencies_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  for (guint i = 0; task->dependencies != NULL && i < task->dependencies->len; i++)
    {
      TtiTask *dependency = g_ptr_array_index (task->dependencies, i);

      if (tti_task_has_ended (dependency) && dependency->state != TTI_TASK_DONE)
        return dependency;
      if (tti_task_has_ended (dependency))
        tti_task_join_locked (task, dependency->result);
      else
        tti_queue_await_locked (queue, task, dependency);
    }
  return NULL;
}

gboolean
tti_pool_submit (TtiPool *pool, TtiTask *task, GError **error)
{
  TtiEngine *engine = pool->engine;
  TtiTask *failed;

  g_return_val_if_fail (task->id == 0, FALSE);
  if (tti_engine_is_copy (error))
    return FALSE;
  tti_engine_lock (engine);
  if (!pool_accepts_locked (pool, task, error))
    {
      tti_engine_unlock (engine);
      return FALSE;
    }
  if (task->watchers == NULL)
    tti_engine_attend_locked (engine);
  else
    tti_engine_leave_locked (engine);
  if (task->pinned_to >= 0)
    task->slot = (int) tti_queue_get_slot_locked (&pool->queue, (guint) task->pinned_to);
  tti_task_begin_locked (task, engine, &pool->runner);
  pool->n_submitted++;
  pool->n_wide += task->is_wide;
  if (task->makes != NULL)
    tti_slot_begin_making_locked (pool->slots[task->slot], task);
  failed = queue_await_dependencies_locked (&pool->queue, task);
  if (failed != NULL)
    tti_task_end_with_locked (task, failed);
  else if (task->n_missing > 0)
    {
      if (tti_engine_is_watched_locked (engine))
        tti_task_show_submitted_locked (task);
    }
  else
    {
      tti_queue_add_locked (&pool->queue, task, FALSE);
      tti_pool_dispatch_locked (pool);
      /* A thread that submits many in a row would let workers run dry that have answered what they had. */
      if (pool->queue.any.length > 0)
        tti_engine_take_answers_locked (engine);
      if (engine->relief_at != 0 && engine->clock >= engine->relief_at)
        tti_engine_relieve_locked (engine);
    }
  tti_engine_unlock (engine);
  return TRUE;
}

/* The slot with whose worker TASK, which has not ended, is; NULL: it is with none. */
static TtiSlot *
task_find_slot_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  return task->state == TTI_TASK_RUNNING ? tti_pool_of_task (task)->slots[task->worker] : NULL;
}

static void
task_cancel_one_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiSlot *slot = task_find_slot_locked (task);

  /* Only what its worker has begun takes the worker with it. */
  if (slot != NULL && slot->running.head->data != task)
    {
      tti_slot_receive_locked (slot);
      tti_engine_park_again_locked (task->engine);
      if (tti_task_has_ended (task))
        return;
      slot = task_find_slot_locked (task);
      if (slot != NULL && tti_slot_recall_task_locked (slot, task))
        slot = NULL;
    }

  tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                       g_error_new (TUTTI_ERROR, TUTTI_ERROR_CANCELLED, "task %" G_GUINT64_FORMAT " was cancelled", task->id), NULL);
  /* There is no other way to stop arbitrary code than to end its process. One that has not begun yet is skipped by its worker's
   * master when its answer comes. */
  if (slot != NULL && g_queue_peek_head (&slot->running) == task)
    tti_slot_end_locked (slot, TUTTI_DEATH_CANCELLED, TTI_TERM_GRACE_MS, NULL);
}

static void
task_cancel_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  int index = task->maker != NULL ? task->maker->slot : task->held != NULL ? task->slot : -1;
  TtiSlot *slot = index >= 0 ? tti_pool_of_task (task)->slots[index] : NULL;
  TtiTask *maker;

  task_cancel_one_locked (task);
  /* Perhaps it was the only one for which the worker makes something. */
  while (slot != NULL && (maker = tti_slot_find_unneeded_maker_locked (slot)) != NULL)
    task_cancel_one_locked (maker);
}

void
tti_task_cancel (TtiTask *task)
{
  TtiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL || tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  if (task->id != 0 && !tti_task_has_ended (task))
    task_cancel_locked (task);
  tti_engine_unlock (engine);
}

/* Has TASK ended, or is FLAG (NULL: none) set? */
static gboolean
is_over (TtiTask *task, const gint *flag)
{
  return tti_task_has_ended (task) || (flag != NULL && g_atomic_int_get (flag));
}

/* Poll until it is over, as long as that is worth it. */
static void
task_poll (TtiTask *task, gint64 deadline, const gint *flag)
{
  gint64 most = deadline < 0 ? G_MAXINT64 : deadline - g_get_monotonic_time ();
  guint64 n_ended = tti_engine_get_n_ended (task->engine);

  while (!is_over (task, flag) && tti_engine_poll (task->engine, n_ended, most))
    n_ended = tti_engine_get_n_ended (task->engine);
}

static gboolean
task_wait (TtiTask *task, gint64 deadline, const gint *flag)
{
  TtiEngine *engine = g_atomic_pointer_get (&task->engine);
  gboolean in_time = TRUE;

  if (is_over (task, flag) || engine == NULL || tti_engine_is_copy (NULL))
    return tti_task_has_ended (task);
  task_poll (task, deadline, flag);
  if (is_over (task, flag))
    return tti_task_has_ended (task);
  tti_engine_lock (engine);
  tti_engine_fall_asleep_locked (engine);
  while (!is_over (task, flag) && in_time)
    in_time = tti_engine_wait_locked (engine, deadline);
  tti_engine_wake_up_locked (engine);
  tti_engine_unlock (engine);
  return tti_task_has_ended (task);
}

gboolean
tti_task_wait (TtiTask *task, gint64 deadline)
{
  return task_wait (task, deadline, NULL);
}

gboolean
tti_task_wait_unless (TtiTask *task, const gint *flag)
{
  return task_wait (task, -1, flag);
}

/* --- parts of tasks ------------------------------------------------------------------------------------------------------- */

guint
tti_task_get_parts_begun (TtiTask *task)
{
  TtiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL || tti_engine_is_copy (NULL))
    return 0;
  tti_engine_lock (engine);
  TtiSlot *slot = task_find_slot_locked (task);
  guint begun = slot != NULL ? tti_slot_get_parts_begun_locked (slot, task) : 0;
  tti_engine_unlock (engine);
  return begun;
}

guint
tti_task_withhold_parts (TtiTask *task, guint keep)
{
  TtiEngine *engine = g_atomic_pointer_get (&task->engine);

  /* A copy shares the word of the parts with the original. */
  if (engine == NULL || tti_engine_is_copy (NULL))
    return 0;
  tti_engine_lock (engine);
  TtiSlot *slot = task_find_slot_locked (task);
  TtiParts *parts = slot != NULL ? tti_slot_find_parts_locked (slot, task) : NULL;
  guint n = parts != NULL ? tti_parts_withhold (parts, task->id, keep) : 0;

  tti_engine_unlock (engine);
  return n;
}
