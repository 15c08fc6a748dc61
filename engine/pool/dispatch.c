/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which worker gets which task, and how many workers get tasks at all. How many each of them gets at once is decided in prefetch.c.
 *
 * Waking a worker that sleeps costs more than a very small task takes. So while as many workers run such tasks as there are processors, the
 * pool leaves the other workers asleep, until one of these tasks takes longer. That is about the workers of this machine: others have
 * processors of their own. */
#include "platform/processors.h"
#include "pool/pool-private.h"

enum
{
  QUICK_US = 20,       /* a task that takes longer than this is worth waking a worker */
  ASLEEP_US = 5000     /* a worker that has not answered for so long does not only wait for a processor that many want */
};

/* Does its worker need our processors? */
static gboolean
slot_is_here (const TtiSlot *slot)
{
  return slot->life.node->shares_memory;
}

gboolean
tti_pool_has_enough_busy_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiEngine *engine = pool->engine;
  guint n = 0, enough = tti_processors ();

  if (pool->n_slots <= enough)
    return FALSE;
  for (guint i = 0; i < pool->n_slots && n < enough; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->running.length > 0 && slot_is_here (slot) && slot->service >= 0 && slot->service < QUICK_US && !slot->waits
          && engine->clock - slot->since < ASLEEP_US)
        n++;
    }
  if (n >= enough)
    tti_engine_want_relief_locked (engine, engine->clock + TTI_PATIENCE_US);
  return n >= enough;
}

static void
pool_feed_one_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean idle = slot->running.length == 0 && pool->queue.pinned[slot->index].length == 0;

  if (pool->state != POOL_OPEN || !tti_slot_can_take_locked (slot)
      || (idle && slot_is_here (slot) && tti_pool_has_enough_busy_locked (pool)))
    return;
  if (idle && pool->queue.any.length == 0 && tti_pool_recall_waiting_locked (pool))
    tti_pool_dispatch_locked (pool); /* other workers may have nothing to do as well */
  while (pool->state == POOL_OPEN && tti_slot_can_take_locked (slot) && tti_slot_feed_locked (slot))
    ;
}

/* SLOT, which was fed, may be one that does what it has and then ends. */
static void
pool_end_if_done_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (slot->resting || slot->index >= pool->goal)
    tti_pool_release_locked (pool, slot);
}

void
tti_pool_feed_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  /* What SLOT has done may be what others wait for. */
  if (tti_pool_has_wide_locked (pool))
    tti_pool_dispatch_locked (pool);
  else
    pool_feed_one_locked (pool, slot);
  pool_end_if_done_locked (pool, slot);
}

/* The slot that gets the next task that any worker may run: among those that can take one, the one with the fewest; but no worker is
 * woken for it while enough others are busy. NULL: there is none now. */
static TtiSlot *
pool_find_taker_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean may_wake = !tti_pool_has_enough_busy_locked (pool);
  TtiSlot *taker = NULL;

  for (guint i = 0; i < pool->size && (taker == NULL || taker->running.length > 0); i++)
    {
      TtiSlot *slot = pool->slots[i];

      if ((slot->running.length > 0 || may_wake || !slot_is_here (slot)) && tti_slot_can_take_locked (slot)
          && (taker == NULL || slot->running.length < taker->running.length))
        taker = slot;
    }
  return taker;
}

void
tti_pool_dispatch_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiSlot *taker;

  tti_engine_read_clock_locked (pool->engine);
  tti_pool_serve_wide_locked (pool);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->queue.pinned[i].length > 0)
      {
        pool_feed_one_locked (pool, pool->slots[i]);
        pool_end_if_done_locked (pool, pool->slots[i]);
      }
  tti_pool_serve_wide_locked (pool);
  while (pool->state == POOL_OPEN && pool->queue.any.length > 0 && (taker = pool_find_taker_locked (pool)) != NULL
         && tti_slot_feed_locked (taker))
    tti_pool_serve_wide_locked (pool); /* it may be its turn now */
}
