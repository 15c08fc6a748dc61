/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The callbacks of a pool: what its engine, its tasks and its slots tell it or ask of it. */
#include "pool/pool-private.h"

/* --- its engine ------------------------------------------------------------------------------------------------------------- */

static TtiPool *
pool_of_client (TtiEngineClient *client)
{
  return (TtiPool *) client;
}

static gboolean
pool_poll (TtiEngineClient *client, gboolean all)
{
  TtiPool *pool = pool_of_client (client);
  gboolean taken = FALSE;

  for (guint i = 0; i < pool->n_slots && pool->state != POOL_QUIET; i++)
    if ((all || pool->slots[i]->running.length > 0) && tti_slot_is_heard_locked (pool->slots[i])
        && tti_transport_has_message (pool->slots[i]->worker->transport))
      {
        tti_slot_poll_mailbox_locked (pool->slots[i]);
        taken = TRUE;
      }
  return taken;
}

static double
pool_get_work_ahead (TtiEngineClient *client, gint64 now)
{
  TtiPool *pool = pool_of_client (client);
  double least = G_MAXDOUBLE;

  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->running.length > 0)
      least = MIN (least, tti_slot_get_work_ahead_locked (pool->slots[i], now));
  return least;
}

static gboolean
pool_park (TtiEngineClient *client, gboolean park)
{
  TtiPool *pool = pool_of_client (client);
  gboolean parked = TRUE;

  for (guint i = 0; i < pool->n_slots && pool->state != POOL_QUIET; i++)
    if (!tti_slot_is_heard_locked (pool->slots[i]))
      continue;
    else if (park)
      parked = tti_transport_park (pool->slots[i]->worker->transport) && parked;
    else
      tti_transport_unpark (pool->slots[i]->worker->transport);
  return parked;
}

static void
pool_relieve (TtiEngineClient *client)
{
  tti_pool_relieve_locked (pool_of_client (client));
}

static void
pool_look_at_deadlines (TtiEngineClient *client, gint64 due, gint64 now)
{
  TtiPool *pool = pool_of_client (client);

  if (pool->must_dispatch)
    {
      pool->must_dispatch = FALSE;
      tti_pool_dispatch_locked (pool);
    }
  for (guint i = 0; i < pool->n_slots; i++)
    {
      if (due >= 0)
        tti_slot_note_lateness_locked (pool->slots[i], due, now);
      if (pool->slots[i]->worker != NULL)
        tti_slot_look_at_deadlines_locked (pool->slots[i], now);
      else
        tti_pool_fill_locked (pool, pool->slots[i], now);
    }
  tti_pool_look_at_growth_locked (pool, now);
}

static void
pool_node_lost (TtiEngineClient *client, TtiNode *node, const char *reason)
{
  tti_pool_note_lost_locked (pool_of_client (client), node, reason);
}

static void
pool_node_draining (TtiEngineClient *client, TtiNode *node, const char *reason)
{
  tti_pool_note_draining_locked (pool_of_client (client), node, reason);
}

static void
pool_node_ready (TtiEngineClient *client, TtiNode *node)
{
  tti_pool_note_ready_locked (pool_of_client (client), node);
}

static void
pool_node_hopeless (TtiEngineClient *client, TtiNode *node, const GError *error)
{
  tti_pool_note_hopeless_locked (pool_of_client (client), node, error);
}

static void
pool_close (TtiEngineClient *client, int grace_ms)
{
  tti_pool_close_locked (pool_of_client (client), grace_ms);
}

static gboolean
pool_is_quiet (TtiEngineClient *client)
{
  return pool_of_client (client)->state == POOL_QUIET;
}

static guint
pool_show (TtiEngineClient *client)
{
  return tti_pool_show_all_locked (pool_of_client (client));
}

static gboolean
pool_show_task (TtiEngineClient *client, guint64 id, guint64 *n_ahead)
{
  return tti_pool_show_task_locked (pool_of_client (client), id, n_ahead);
}

static void
pool_pulse (TtiEngineClient *client)
{
  tti_pool_show_pulse_locked (pool_of_client (client));
}

static void
pool_end (TtiEngineClient *client)
{
  tti_pool_end_output (pool_of_client (client));
}

static void
pool_free (TtiEngineClient *client)
{
  tti_pool_free (pool_of_client (client));
}

const TtiEngineClientOps tti_pool_client_ops = {
  .poll = pool_poll, .get_work_ahead = pool_get_work_ahead, .park = pool_park, .relieve = pool_relieve,
  .look_at_deadlines = pool_look_at_deadlines,
  .node_lost = pool_node_lost, .node_draining = pool_node_draining, .node_ready = pool_node_ready, .node_hopeless = pool_node_hopeless,
  .close = pool_close, .is_quiet = pool_is_quiet, .show = pool_show, .show_task = pool_show_task, .pulse = pool_pulse,
  .end = pool_end, .free = pool_free,
};

/* --- its tasks -------------------------------------------------------------------------------------------------------------- */

static TtiPool *
pool_of_runner (TtiTaskRunner *runner)
{
  return (TtiPool *) (gpointer) ((char *) runner - G_STRUCT_OFFSET (TtiPool, runner));
}

TtiPool *
tti_pool_of_task (TtiTask *task)
{
  return pool_of_runner (task->runner);
}

static void
task_ready (TtiTaskRunner *runner, TtiTask *task, gboolean first)
{
  TtiQueue *queue = &pool_of_runner (runner)->queue;

  tti_queue_stop_waiting_locked (queue, task);
  tti_queue_add_locked (queue, task, first);
}

static void
task_ending (TtiTaskRunner *runner, TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error)
{
  TtiPool *pool = pool_of_runner (runner);
  TtiWorker *worker = task->state == TTI_TASK_RUNNING ? pool->slots[task->worker]->worker : NULL;

  tti_queue_stop_waiting_locked (&pool->queue, task);
  if (state == TTI_TASK_FAILED && worker != NULL && worker->transport != NULL)
    tti_transport_forget (worker->transport, task->id);
  if (task->makes != NULL)
    tti_slot_end_making_locked (pool->slots[task->slot], task, state);
  tti_pool_note_wide_end_locked (pool, task);
  if (state != TTI_TASK_DONE)
    tti_pool_remember_failure_locked (pool, task, state, result, error);
  if (!task->is_maker)
    {
      pool->n_ended++;
      pool->n_failed += state != TTI_TASK_DONE;
      pool->n_ends[tti_task_look_end (state, error)]++;
    }
  gboolean watched = tti_engine_is_watched_locked (pool->engine);

  if (watched)
    tti_task_show_ending_locked (task, state, result, error);
  if (watched && state != TTI_TASK_DONE)
    tti_task_encapsulate_locked (task, state, result, error);
  pool->client.must_wake = TRUE;
}

static void
tasks_dispatch (TtiTaskRunner *runner)
{
  tti_pool_dispatch_locked (pool_of_runner (runner));
}

const TtiTaskRunnerOps tti_pool_runner_ops = { .ready = task_ready, .ending = task_ending, .dispatch = tasks_dispatch };

/* --- its slots -------------------------------------------------------------------------------------------------------------- */

static void
slot_line (TtiSlot *slot, gboolean is_error, const char *text, gsize length)
{
  tti_pool_add_output_locked (slot->user_data, slot->index, is_error, text, length);
}

static gboolean
slot_flood (TtiSlot *slot, const char *bytes, gsize length)
{
  return tti_pool_flood_locked (slot->user_data, slot->index, bytes, length);
}

static void
slot_spawned (TtiSlot *slot)
{
  TtiPool *pool = slot->user_data;

  pool->client.must_wake = TRUE;
  tti_pool_check_growth_locked (pool);
  /* One that said hello before can lead others now. */
  if (tti_pool_has_wide_locked (pool))
    tti_pool_dispatch_locked (pool);
}

static void
slot_changed (TtiSlot *slot)
{
  tti_pool_show_worker_locked (slot->user_data, slot);
}

static void
slot_completed (TtiSlot *slot)
{
  tti_pool_note_completed_locked (slot->user_data, slot);
}

static void
slot_wants_task (TtiSlot *slot)
{
  tti_pool_feed_locked (slot->user_data, slot);
}

static void
slot_told (TtiSlot *slot)
{
  ((TtiPool *) slot->user_data)->client.must_wake = TRUE;
}

static void
slot_returned (TtiSlot *slot)
{
  tti_pool_dispatch_locked (slot->user_data);
}

static void
slot_died (TtiSlot *slot, const TtiSlotDeath *death)
{
  tti_pool_note_death_locked (slot->user_data, slot, death);
}

const TtiSlotEvents tti_pool_slot_events = {
  .line = slot_line, .flood = slot_flood, .spawned = slot_spawned, .changed = slot_changed, .completed = slot_completed,
  .wants_task = slot_wants_task, .told = slot_told, .returned = slot_returned, .died = slot_died,
};
