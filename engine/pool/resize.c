/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools that grow and shrink while they work.
 *
 * A pool that grows has slots behind its size, until all their workers' programs run: then it is larger, at once. A pool that shrinks is
 * smaller at once: workers behind its size get nothing new, and end when they have done what they run and what was pinned to them before.
 * What belongs to their places is then done by others, in these places (queue.h): so nothing that is held in parts is lost.
 *
 * A slot stays, without a worker, and has one again if the pool grows later. */
#include "platform/error.h"
#include "pool/pool-private.h"

enum { GROWTH_LIMIT_US = 60 * G_USEC_PER_SEC };

/* --- the end of a worker that is one too many -------------------------------------------------------------------------------- */

gboolean
tti_pool_is_surplus_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  return slot->index >= pool->goal && !tti_slot_has_work_locked (slot) && slot->leader == NULL;
}

void
tti_pool_release_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean surplus = tti_pool_is_surplus_locked (pool, slot);

  if (pool->state != POOL_OPEN)
    return;
  if (surplus)
    {
      pool->restarts[slot->index].start_at = 0;
      tti_queue_close_list_locked (&pool->queue, slot->index);
    }
  gboolean done = surplus || (slot->resting && slot->running.length == 0 && slot->leader == NULL);

  if (surplus && slot->worker == NULL)
    tti_slot_leave_place_locked (slot);
  else if (done && slot->worker != NULL && slot->worker->state != TTI_WORKER_ENDING)
    tti_slot_dismiss_locked (slot, TTI_TERM_GRACE_MS);
}

/* --- growing ----------------------------------------------------------------------------------------------------------------- */

static gboolean
pool_accepts_growth_locked (TtiPool *pool, guint n, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state != POOL_OPEN)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s is closed", pool->name);
  else if (pool->failure != NULL)
    g_propagate_error (error, g_error_copy (pool->failure));
  else if (pool->goal > pool->size)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s grows already, from %u to %u workers: wait until it has grown", pool->name,
                 pool->size, pool->goal);
  else if (n < 1 || n > TTI_POOL_MAX_SIZE - pool->size)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a pool has 1 to %d workers: %s, which has %u, cannot have %u more",
                 TTI_POOL_MAX_SIZE, pool->name, pool->size, n);
  else
    return tti_pool_has_descriptors (pool->name, n, error) && tti_pool_has_room_for_more_locked (pool, n, error);
  return FALSE;
}

static gboolean
slot_is_started (const TtiSlot *slot)
{
  return slot->worker != NULL && slot->worker->pid != 0 && slot->worker->state != TTI_WORKER_ENDING;
}

/* POOL is now to have SIZE workers, and takes tasks for as many. */
static void
pool_set_size_locked (TtiPool *pool, guint size)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_atomic_int_set ((gint *) &pool->size, (gint) size);
  tti_queue_resize_locked (&pool->queue, size);
  pool->client.must_wake = TRUE;
}

void
tti_pool_check_growth_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = pool->size; i < pool->goal; i++)
    if (!slot_is_started (pool->slots[i]))
      return;
  if (pool->goal == pool->size)
    return;
  pool_set_size_locked (pool, pool->goal);
  tti_pool_dispatch_locked (pool);
}

void
tti_pool_fail_growth_locked (TtiPool *pool, GError *error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_clear_error (&pool->growth_error);
  pool->growth_error = error;
  pool->goal = pool->size;
  pool->client.must_wake = TRUE;
  for (guint i = pool->size; i < pool->n_slots; i++)
    tti_pool_release_locked (pool, pool->slots[i]);
}

void
tti_pool_look_at_growth_locked (TtiPool *pool, gint64 now)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->goal == pool->size)
    return;
  if (now < pool->grow_until)
    {
      tti_engine_set_deadline_locked (pool->engine, pool->grow_until);
      return;
    }
  tti_pool_fail_growth_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: the %u workers more were not started within %d s",
                                                  pool->name, pool->goal - pool->size, (int) (GROWTH_LIMIT_US / G_USEC_PER_SEC)));
}

static void
pool_begin_growth_locked (TtiPool *pool, guint n)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool->goal = pool->size + n;
  pool->grow_until = g_get_monotonic_time () + GROWTH_LIMIT_US;
  tti_engine_set_deadline_locked (pool->engine, pool->grow_until);
  g_clear_error (&pool->growth_error);
  for (guint i = pool->size; i < pool->size + n && pool->growth_error == NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_new = i == pool->n_slots;

      if (is_new)
        tti_pool_add_slot (pool, 0);
      /* One that has shrunk before may have its workers still; those that are just ending are replaced when they have. */
      if (pool->slots[i]->worker == NULL && !tti_pool_start_worker_locked (pool, pool->slots[i], &error))
        tti_pool_fail_growth_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: cannot start worker %u: %s", pool->name, i,
                                                        error->message));
      pool->restarts[i].outlived = pool->slots[i]->worker != NULL && pool->slots[i]->worker->state == TTI_WORKER_ENDING;
      if (is_new)
        pool->restarts[i].home = pool->restarts[i].here;
    }
  tti_pool_check_growth_locked (pool);
}

gboolean
tti_pool_begin_growth (TtiPool *pool, guint n, GError **error)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (error))
    return FALSE;
  tti_engine_lock (engine);
  gboolean begun = pool_accepts_growth_locked (pool, n, error);

  if (begun)
    pool_begin_growth_locked (pool, n);
  tti_engine_unlock (engine);
  return begun;
}

static TtiGrowth
pool_get_growth_locked (TtiPool *pool, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->goal > pool->size)
    return TTI_GROWTH_GOING_ON;
  if (pool->growth_error == NULL)
    return TTI_GROWTH_DONE;
  g_propagate_error (error, g_steal_pointer (&pool->growth_error));
  return TTI_GROWTH_FAILED;
}

TtiGrowth
tti_pool_get_growth (TtiPool *pool, GError **error)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (error))
    return TTI_GROWTH_FAILED;
  tti_engine_lock (engine);
  TtiGrowth growth = pool_get_growth_locked (pool, error);

  tti_engine_unlock (engine);
  return growth;
}

void
tti_pool_cancel_growth (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  if (pool->goal > pool->size)
    tti_pool_fail_growth_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_CANCELLED, "%s was not to grow any more", pool->name));
  tti_engine_unlock (engine);
}

gboolean
tti_pool_grow (TtiPool *pool, guint n, GError **error)
{
  TtiEngine *engine = pool->engine;
  TtiGrowth growth;

  if (!tti_pool_begin_growth (pool, n, error))
    return FALSE;
  tti_engine_lock (engine);
  while ((growth = pool_get_growth_locked (pool, error)) == TTI_GROWTH_GOING_ON)
    (void) tti_engine_wait_locked (engine, -1); /* the growth has a limit of its own */
  tti_engine_unlock (engine);
  return growth == TTI_GROWTH_DONE;
}

/* --- shrinking --------------------------------------------------------------------------------------------------------------- */

static void
pool_shrink_locked (TtiPool *pool, guint size)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool->goal = size;
  if (size < pool->size)
    pool_set_size_locked (pool, size);
  for (guint i = size; i < pool->n_slots; i++)
    {
      tti_slot_recall_all_locked (pool->slots[i], FALSE);
      tti_pool_release_locked (pool, pool->slots[i]);
    }
  tti_pool_check_growth_locked (pool);
  tti_pool_dispatch_locked (pool);
}

gboolean
tti_pool_shrink (TtiPool *pool, guint n, GError **error)
{
  TtiEngine *engine = pool->engine;
  gboolean shrinks = FALSE;

  if (tti_engine_is_copy (error))
    return FALSE;
  tti_engine_lock (engine);
  if (pool->state != POOL_OPEN)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s is closed", pool->name);
  else if (n < 1 || n >= pool->goal)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a pool has at least one worker: %s, which has %u, cannot have %u less",
                 pool->name, pool->goal, n);
  else
    {
      pool_shrink_locked (pool, pool->goal - n);
      shrinks = TRUE;
    }
  tti_engine_unlock (engine);
  return shrinks;
}
