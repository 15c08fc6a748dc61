/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The callbacks of a pool: what its engine, its tasks and its slots tell it or ask of it. */
#include "pool/pool-private.h"

/* --- its engine ------------------------------------------------------------------------------------------------------------- */

static TuttiPool *
pool_of_client (TuttiEngineClient *client)
{
  return (TuttiPool *) client;
}

static gboolean
pool_poll (TuttiEngineClient *client, gboolean all)
{
  TuttiPool *pool = pool_of_client (client);
  gboolean taken = FALSE;

  for (guint i = 0; i < pool->size && pool->state != POOL_QUIET; i++)
    if ((all || pool->slots[i].running.length > 0) && tutti_slot_is_heard_locked (&pool->slots[i])
        && tutti_transport_has_message (pool->slots[i].worker->transport))
      {
        tutti_slot_poll_mailbox_locked (&pool->slots[i]);
        taken = TRUE;
      }
  return taken;
}

static gboolean
pool_park (TuttiEngineClient *client, gboolean park)
{
  TuttiPool *pool = pool_of_client (client);
  gboolean parked = TRUE;

  for (guint i = 0; i < pool->size && pool->state != POOL_QUIET; i++)
    if (!tutti_slot_is_heard_locked (&pool->slots[i]))
      continue;
    else if (park)
      parked = tutti_transport_park (pool->slots[i].worker->transport) && parked;
    else
      tutti_transport_unpark (pool->slots[i].worker->transport);
  return parked;
}

static void
pool_relieve (TuttiEngineClient *client)
{
  tutti_pool_relieve_locked (pool_of_client (client));
}

static void
pool_look_at_deadlines (TuttiEngineClient *client, gint64 due, gint64 now)
{
  TuttiPool *pool = pool_of_client (client);

  for (guint i = 0; i < pool->size; i++)
    {
      if (due >= 0)
        tutti_slot_note_lateness_locked (&pool->slots[i], due, now);
      if (pool->slots[i].worker != NULL)
        tutti_slot_look_at_deadlines_locked (&pool->slots[i], now);
      else
        tutti_pool_fill_locked (pool, &pool->slots[i], now);
    }
}

static void
pool_node_ready (TuttiEngineClient *client, TuttiNode *node)
{
  TuttiPool *pool = pool_of_client (client);

  for (guint i = 0; i < pool->size && pool->state == POOL_OPEN && pool->failure == NULL; i++)
    {
      TuttiSlot *slot = &pool->slots[i];
      g_autoptr (GError) error = NULL;

      if (slot->life.node == node && slot->worker == NULL && !tutti_pool_start_worker_locked (pool, slot, &error))
        tutti_pool_fail_locked (pool, g_steal_pointer (&error), NULL);
    }
}

/* A pool that has workers elsewhere goes on with these. */
static void
pool_node_hopeless (TuttiEngineClient *client, TuttiNode *node, const GError *error)
{
  TuttiPool *pool = pool_of_client (client);
  guint n_here = 0, n_living = 0;

  for (guint i = 0; i < pool->size; i++)
    if (pool->slots[i].life.node == node)
      n_here++;
    else if (pool->slots[i].worker != NULL)
      n_living++;
  if (n_here == 0 || pool->state != POOL_OPEN || pool->failure != NULL)
    return;
  if (n_living == 0)
    tutti_pool_fail_locked (pool, g_error_copy (error), NULL);
  for (guint i = 0; n_living > 0 && i < pool->size; i++)
    if (pool->slots[i].life.node == node)
      tutti_pool_await_node_locked (pool, &pool->slots[i], error->message);
}

static void
pool_close (TuttiEngineClient *client, int grace_ms)
{
  tutti_pool_close_locked (pool_of_client (client), grace_ms);
}

static gboolean
pool_is_quiet (TuttiEngineClient *client)
{
  return pool_of_client (client)->state == POOL_QUIET;
}

static void
pool_end (TuttiEngineClient *client)
{
  tutti_pool_end_output (pool_of_client (client));
}

static void
pool_free (TuttiEngineClient *client)
{
  tutti_pool_free (pool_of_client (client));
}

const TuttiEngineClientOps tutti_pool_client_ops = {
  .poll = pool_poll, .park = pool_park, .relieve = pool_relieve, .look_at_deadlines = pool_look_at_deadlines,
  .node_ready = pool_node_ready, .node_hopeless = pool_node_hopeless,
  .close = pool_close, .is_quiet = pool_is_quiet, .end = pool_end, .free = pool_free,
};

/* --- its tasks -------------------------------------------------------------------------------------------------------------- */

static TuttiPool *
pool_of_runner (TuttiTaskRunner *runner)
{
  return (TuttiPool *) (gpointer) ((char *) runner - G_STRUCT_OFFSET (TuttiPool, runner));
}

TuttiPool *
tutti_pool_of_task (TuttiTask *task)
{
  return pool_of_runner (task->runner);
}

static void
task_ready (TuttiTaskRunner *runner, TuttiTask *task, gboolean first)
{
  TuttiQueue *queue = &pool_of_runner (runner)->queue;

  tutti_queue_stop_waiting_locked (queue, task);
  tutti_queue_add_locked (queue, task, first);
}

static void
task_ending (TuttiTaskRunner *runner, TuttiTask *task, TuttiTaskState state)
{
  TuttiPool *pool = pool_of_runner (runner);

  tutti_queue_stop_waiting_locked (&pool->queue, task);
  if (task->makes != NULL)
    tutti_slot_end_making_locked (&pool->slots[task->pinned_to], task, state);
  pool->client.must_wake = TRUE;
}

static void
tasks_dispatch (TuttiTaskRunner *runner)
{
  tutti_pool_dispatch_locked (pool_of_runner (runner));
}

const TuttiTaskRunnerOps tutti_pool_runner_ops = { .ready = task_ready, .ending = task_ending, .dispatch = tasks_dispatch };

/* --- its slots -------------------------------------------------------------------------------------------------------------- */

static void
slot_line (TuttiSlot *slot, gboolean is_error, const char *text, gsize length)
{
  tutti_pool_add_output_locked (slot->user_data, slot->index, is_error, text, length);
}

static gboolean
slot_flood (TuttiSlot *slot, const char *bytes, gsize length)
{
  return tutti_pool_flood_locked (slot->user_data, slot->index, bytes, length);
}

static void
slot_spawned (TuttiSlot *slot)
{
  TuttiPool *pool = slot->user_data;

  pool->client.must_wake = TRUE;
}

static void
slot_completed (TuttiSlot *slot)
{
  tutti_pool_note_completed_locked (slot->user_data, slot);
}

static void
slot_wants_task (TuttiSlot *slot)
{
  tutti_pool_feed_locked (slot->user_data, slot);
}

static void
slot_died (TuttiSlot *slot, const TuttiSlotDeath *death)
{
  tutti_pool_note_death_locked (slot->user_data, slot, death);
}

const TuttiSlotEvents tutti_pool_slot_events = {
  .line = slot_line, .flood = slot_flood, .spawned = slot_spawned, .completed = slot_completed, .wants_task = slot_wants_task,
  .died = slot_died,
};
