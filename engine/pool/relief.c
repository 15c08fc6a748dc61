/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Nothing waits for long behind a running task while a worker of its pool has nothing to do.
 *
 * What a worker is given at once is judged by what it has done before (prefetch.c), and the next task may be another: a thousand that take
 * a microsecond, then eight that take an hour. So whenever a task is put behind another, or is left in the queue because enough workers
 * are busy, relief is due a fifth of a millisecond later (engine-relief.c).
 *
 * What has waited too long with a worker goes back into the queue, all of it, in its old order, and from there to the workers that have
 * nothing to do, first one for each of them. Tasks that may run nowhere else stay. */
#include "pool/pool-private.h"

enum { ASK_AGAIN_US = 1000 };

static gint
compare_by_id_descending (gconstpointer a, gconstpointer b)
{
  const TtiTask *one = *(TtiTask *const *) a, *other = *(TtiTask *const *) b;

  return (one->id < other->id) - (one->id > other->id);
}

/* Take back what has waited with SLOT's worker since BEFORE, or longer. Returns when the oldest of the others was placed; -1: there are
 * none that could be taken back. */
static gint64
slot_recall_waiting_locked (TtiSlot *slot, gint64 before, GPtrArray **recalled)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gint64 oldest = -1;

  if (slot->running.length < 2 || slot->worker->transport == NULL || slot->worker->state != TTI_WORKER_BUSY)
    return -1;
  gint64 way = 2 * tti_transport_get_round_trip (slot->worker->transport); /* part of any task elsewhere */

  if (tti_slot_ask_back_locked (slot, before - way, FALSE, &oldest))
    return oldest < 0 ? -1 : oldest + way;
  for (GList *l = slot->running.tail, *previous; l != slot->running.head; l = previous)
    {
      TtiTask *task = l->data;

      previous = l->prev;
      if (task->pinned_to >= 0 || task->ticket == 0)
        continue;
      if (task->placed > before)
        oldest = task->placed;
      else if (tti_slot_recall_locked (slot, l))
        {
          if (*recalled == NULL)
            *recalled = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
          g_ptr_array_add (*recalled, task);
        }
    }
  return oldest;
}

gboolean
tti_pool_recall_waiting_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiEngine *engine = pool->engine;
  g_autoptr (GPtrArray) recalled = NULL;

  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSlot *slot = pool->slots[i];
      guint before = recalled != NULL ? recalled->len : 0;
      gint64 oldest = slot->worker != NULL ? slot_recall_waiting_locked (slot, engine->clock - TTI_PATIENCE_US, &recalled) : -1;

      if (oldest >= 0)
        tti_engine_want_relief_locked (engine, oldest + TTI_PATIENCE_US);
      /* It was thought to be quicker. */
      if (recalled != NULL && recalled->len > before)
        slot->service = MAX (slot->service, (double) (engine->clock - slot->since));
    }
  if (recalled == NULL)
    return FALSE;
  g_ptr_array_sort (recalled, compare_by_id_descending);
  for (guint i = 0; i < recalled->len; i++)
    if (!tti_task_has_ended (g_ptr_array_index (recalled, i)))
      tti_queue_add_locked (&pool->queue, g_ptr_array_index (recalled, i), TRUE);
  return TRUE;
}

static gboolean
pool_has_idle_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker != NULL && pool->slots[i]->worker->state == TTI_WORKER_IDLE && pool->slots[i]->running.length == 0
        && !pool->slots[i]->held)
      return TRUE;
  return FALSE;
}

/* One that has not answered for a while may be at a task that sleeps, or may only wait for a processor: the kernel knows. */
static void
pool_ask_who_waits_locked (TtiPool *pool, gint64 now)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->running.length == 0 || slot->worker == NULL || slot->worker->pid <= 0 || slot->waits
          || now - slot->since < TTI_PATIENCE_US || now - slot->asked_at < ASK_AGAIN_US)
        continue;
      slot->asked_at = now;
      slot->waits = tti_node_get_state (slot->life.node, slot->worker->generation) != 'R';
    }
}

void
tti_pool_relieve_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state != POOL_OPEN || !pool_has_idle_locked (pool))
    return;
  if (tti_pool_has_enough_busy_locked (pool))
    {
      pool_ask_who_waits_locked (pool, pool->engine->clock);
      if (tti_pool_has_enough_busy_locked (pool))
        return;
    }
  (void) tti_pool_recall_waiting_locked (pool);
  if (pool->queue.any.length > 0)
    tti_pool_dispatch_locked (pool);
}
