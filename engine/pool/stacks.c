/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where a worker is: it is asked by a probe, and says so by a message when its Scheme code comes to a point where it can. */
#include "pool/inspect.h"
#include "pool/pool-private.h"

/* Is it still the worker of GENERATION that SLOT has, and does it run the task TASK? */
static gboolean
slot_still_runs_locked (TtiSlot *slot, guint64 generation, guint64 task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *first = g_queue_peek_head (&slot->running);

  return slot->worker != NULL && slot->worker->generation == generation && first != NULL && first->id == task;
}

/* Ring, and wait for what it says. */
static TtiStackAnswer
slot_ask_locked (TtiSlot *slot, guint64 task, gint64 deadline, char **text)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint64 generation = slot->worker->generation;
  guint before = slot->n_told;
  gboolean in_time = tti_transport_probe (slot->worker->transport);

  slot->n_asking++;
  while (in_time && slot->n_told == before && slot_still_runs_locked (slot, generation, task))
    in_time = tti_engine_wait_locked (slot->engine, deadline);
  slot->n_asking--;
  if (slot->n_told != before)
    {
      *text = g_strdup (slot->told);
      return TTI_STACK_TOLD;
    }
  return slot_still_runs_locked (slot, generation, task) ? TTI_STACK_SILENT : TTI_STACK_IDLE;
}

TtiStackAnswer
tti_pool_ask_stack (TtiPool *pool, guint index, gint64 deadline, TtiWorkerFacts *facts, char **text)
{
  TtiEngine *engine = pool->engine;
  TtiStackAnswer answer = TTI_STACK_NONE;

  *text = NULL;
  *facts = (TtiWorkerFacts){ .index = index, .state = "dead" };
  if (tti_engine_is_copy (NULL))
    return TTI_STACK_NONE;
  tti_engine_lock (engine);
  TtiSlot *slot = index < pool->n_slots ? pool->slots[index] : NULL;

  if (slot != NULL)
    *facts = tti_pool_get_worker_facts_locked (pool, index);
  if (slot != NULL && slot->worker != NULL && slot->worker->transport != NULL)
    answer = facts->task == 0 ? TTI_STACK_IDLE : slot_ask_locked (slot, facts->task, deadline, text);
  /* What it does now may not be what it was asked about. */
  if (answer == TTI_STACK_IDLE)
    *facts = tti_pool_get_worker_facts_locked (pool, index);
  tti_engine_unlock (engine);
  return answer;
}
