/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks on their way to a slot's worker: what it must have or make before, the request, and where the task stands then. */
#include "platform/error.h"
#include "platform/processors.h"
#include "pool/slot-private.h"

static gboolean
slot_send_task_locked (TuttiSlot *slot, TuttiTask *task, GError **error)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  g_autoptr (TuttiPayload) request = tutti_task_make_request (task);
  TuttiMessage message = { .kind = TUTTI_MESSAGE_TASK, .attempt = task->attempts + 1, .generation = slot->worker->generation,
                           .id = task->id, .detail = task->handler, .payload = request };

  task->input_size = request != NULL ? tutti_payload_get_size (request) : 0;
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (!tutti_slot_send_held_locked (slot, g_ptr_array_index (task->held, i), error))
      return FALSE;
  /* The worker and this thread count as well. */
  guint n_busy = tutti_worker_count_busy () + (slot->running.length == 0 ? 1 : 0);

  tutti_transport_set_crowded (slot->worker->transport, n_busy + 1 > tutti_processors ());
  return tutti_transport_send (slot->worker->transport, &message, error);
}

/* The first thing that SLOT's worker must make before it can run TASK, or NULL. */
static TuttiHeld *
slot_find_first_unmade_locked (TuttiSlot *slot, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  TuttiHeld *unmade = NULL;

  if (slot->program->setup != NULL && task->makes != slot->program->setup)
    unmade = tutti_slot_find_unmade_locked (slot, slot->program->setup);
  for (guint i = 0; unmade == NULL && task->held != NULL && i < task->held->len; i++)
    unmade = tutti_slot_find_unmade_locked (slot, g_ptr_array_index (task->held, i));
  return unmade;
}

/* What to run now so that TASK can run: TASK itself, or the maker of what it needs, for which it waits meanwhile; NULL: that is being made
 * already. Takes over the reference of TASK and returns one. */
static TuttiTask *
slot_prepare_locked (TuttiSlot *slot, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  TuttiHeld *unmade;

  while (task != NULL && (unmade = slot_find_first_unmade_locked (slot, task)) != NULL)
    {
      TuttiTask *known = g_hash_table_lookup (slot->making, unmade), *maker = known;

      if (known == NULL)
        {
          maker = tutti_held_new_maker (unmade, task->handler, slot->index);
          tutti_task_begin_locked (maker, slot->engine, task->runner);
          tutti_slot_begin_making_locked (slot, maker);
        }
      tutti_queue_await_locked (slot->queue, task, maker);
      task->maker = maker;
      tutti_task_unref (task); /* the maker has a reference */
      task = known == NULL ? maker : NULL;
    }
  return task;
}

/* Is something in the making for SLOT that TASK needs first? */
static gboolean
slot_is_making_for_locked (TuttiSlot *slot, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  return g_hash_table_size (slot->making) > 0 && task->held != NULL
         && g_hash_table_contains (slot->making, slot_find_first_unmade_locked (slot, task));
}

static void
slot_run_task_locked (TuttiSlot *slot, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  TuttiEngine *engine = slot->engine;
  GError *error = NULL;

  if (!slot_send_task_locked (slot, task, &error))
    {
      /* A worker that is gone will be replaced: the task has not been tried. Anything else is the task's own failure. */
      if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
        {
          g_clear_error (&error);
          tutti_queue_add_locked (slot->queue, task, TRUE);
          /* What it died of the watcher will say, and what it had answered before is still to be received. */
          tutti_slot_ended_locked (slot);
        }
      else
        tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL, error, NULL);
      tutti_task_unref (task);
      return;
    }
  task->attempts++;
  task->deadline = 0;
  task->placed = engine->clock;
  task->worker = (int) slot->index;
  g_atomic_int_set (&task->state, TUTTI_TASK_RUNNING);
  task->ticket = tutti_transport_get_ticket (slot->worker->transport);
  if (slot->running.length == 0)
    {
      tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_TASK);
      tutti_slot_note_begin_locked (slot);
    }
  else if (slot->queue->n_workers > 1)
    tutti_engine_want_relief_locked (engine, engine->clock + TUTTI_PATIENCE_US);
  g_queue_push_tail (&slot->running, task);
  tutti_slot_set_timeout_locked (slot);
  tutti_slot_update_events_locked (slot);
}

gboolean
tutti_slot_can_take_locked (TuttiSlot *slot)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  return slot->worker != NULL && slot->worker->transport != NULL
         && (slot->worker->state == TUTTI_WORKER_IDLE || slot->worker->state == TUTTI_WORKER_BUSY)
         && slot->running.length < tutti_slot_get_depth_locked (slot);
}

gboolean
tutti_slot_feed_locked (TuttiSlot *slot)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  TuttiTask *task = tutti_queue_take_locked (slot->queue, slot->index);

  if (task != NULL && task->pinned_to < 0 && slot_is_making_for_locked (slot, task))
    {
      /* Another worker may have it already. */
      tutti_queue_put_back_locked (slot->queue, task);
      task = tutti_queue_take_pinned_locked (slot->queue, slot->index);
    }
  if (task == NULL)
    return FALSE;
  if (tutti_task_has_ended (task)) /* cancelled while it was queued */
    tutti_task_unref (task);
  else if ((task = slot_prepare_locked (slot, task)) != NULL)
    slot_run_task_locked (slot, task);
  return TRUE;
}
