/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What nodes report, in the engine's thread, and what becomes of their slots. */
#include "platform/error.h"
#include "pool/pool-private.h"

static TuttiSlot *
slot_of_generation_locked (TuttiEngine *engine, guint64 generation)
{
  return g_hash_table_lookup (engine->slots, &generation);
}

/* --- one worker -------------------------------------------------------------------------------------------------------------- */

static void
on_spawned (TuttiNode *node, gpointer user_data, guint64 generation, int pid)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiSlot *slot = slot_of_generation_locked (engine, generation);

  if (slot != NULL)
    {
      slot->worker->pid = pid;
      tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_SPAWNED);
      slot->pool->must_wake = TRUE;
    }
  tutti_engine_unlock (engine);
}

static void
on_failed (TuttiNode *node, gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiSlot *slot = slot_of_generation_locked (engine, generation);

  if (slot != NULL)
    {
      slot->worker->is_short = tutti_errno_is_shortage (saved_errno);
      tutti_worker_note_end (slot->worker, TUTTI_DEATH_NOT_STARTED, message);
      tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, -1, 0, 0));
    }
  tutti_engine_unlock (engine);
}

static void
on_gone (TuttiNode *node, gpointer user_data, guint64 generation)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiSlot *slot = slot_of_generation_locked (engine, generation);

  if (slot != NULL && slot->worker->reason != TUTTI_DEATH_WATCHER_LOST)
    tutti_slot_ended_locked (slot);
  tutti_engine_unlock (engine);
}

static void
on_exited (TuttiNode *node, gpointer user_data, guint64 generation, const TuttiWorkerExit *exit)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiSlot *slot = slot_of_generation_locked (engine, generation);

  if (slot != NULL)
    {
      /* A worker that answered and then died has still answered. */
      tutti_slot_receive_last_locked (slot);
      tutti_worker_note_cause (slot->worker, exit);
      tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, exit->status, exit->signal, exit->peak_memory));
    }
  else
    g_hash_table_remove (engine->given_up, &generation);
  tutti_engine_unlock (engine);
  if (exit->n_left > 0)
    g_printerr ("tutti: %s\n", exit->detail);
}

static void
on_stopped (TuttiNode *node, gpointer user_data, guint64 generation, int signal)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiSlot *slot = slot_of_generation_locked (engine, generation);

  if (slot != NULL)
    tutti_slot_stopped_locked (slot, signal);
  tutti_engine_unlock (engine);
}

/* --- all workers of a node --------------------------------------------------------------------------------------------------- */

static void
on_lost (TuttiNode *node, gpointer user_data, const char *reason)
{
  TuttiEngine *engine = user_data;
  GHashTableIter iter;
  gpointer value;

  tutti_engine_lock (engine);
  g_hash_table_iter_init (&iter, engine->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TuttiWorker *worker = ((TuttiSlot *) value)->worker;

      if (worker->node != node)
        continue;
      tutti_worker_note_end (worker, TUTTI_DEATH_WATCHER_LOST, reason);
      worker->reason = TUTTI_DEATH_WATCHER_LOST;
      worker->most_ticks = 0;
    }
  tutti_engine_unlock (engine);
}

/* What the lost workers had started is gone: their lives end. */
static void
on_settled (TuttiNode *node, gpointer user_data)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  g_autoptr (GList) slots = g_hash_table_get_values (engine->slots);

  for (GList *l = slots; l != NULL; l = l->next)
    {
      TuttiSlot *slot = l->data;

      if (slot->node != node || slot->worker->reason != TUTTI_DEATH_WATCHER_LOST)
        continue;
      /* Who has answered and then died has still answered. */
      tutti_slot_receive_last_locked (slot);
      if (tutti_node_is_gone (node, slot->worker->generation))
        tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, -1, 0, 0));
      else
        tutti_slot_give_up_locked (slot);
    }
  tutti_engine_unlock (engine);
}

static void
on_ready (TuttiNode *node, gpointer user_data)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  for (guint p = engine->pools->len; p-- > 0;)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, p);

      for (guint i = 0; i < pool->size && pool->state == POOL_OPEN && pool->failure == NULL; i++)
        {
          g_autoptr (GError) error = NULL;

          if (pool->slots[i].node == node && pool->slots[i].worker == NULL && !tutti_slot_start_locked (&pool->slots[i], &error))
            tutti_pool_fail_locked (pool, g_steal_pointer (&error), NULL);
        }
    }
  tutti_engine_unlock (engine);
}

/* A pool that has workers elsewhere goes on with these. */
static void
on_hopeless (TuttiNode *node, gpointer user_data, const GError *error)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  for (guint p = engine->pools->len; p-- > 0;)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, p);
      guint n_here = 0, n_living = 0;

      for (guint i = 0; i < pool->size; i++)
        if (pool->slots[i].node == node)
          n_here++;
        else if (pool->slots[i].worker != NULL)
          n_living++;
      if (n_here == 0 || pool->state != POOL_OPEN || pool->failure != NULL)
        continue;
      if (n_living == 0)
        tutti_pool_fail_locked (pool, g_error_copy (error), NULL);
      for (guint i = 0; n_living > 0 && i < pool->size; i++)
        if (pool->slots[i].node == node)
          tutti_slot_give_up_short_locked (&pool->slots[i], error->message);
    }
  tutti_engine_unlock (engine);
}

const TuttiNodeEvents *
tutti_engine_get_node_events (void)
{
  static const TuttiNodeEvents events = {
    .spawned = on_spawned, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_stopped,
    .lost = on_lost, .settled = on_settled, .ready = on_ready, .hopeless = on_hopeless,
  };

  return &events;
}
