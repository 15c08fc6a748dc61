/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks on their way to a slot's worker: what it must have or make before, the request, and where the task stands then. */
#include "platform/error.h"
#include "platform/processors.h"
#include "pool/slot-private.h"

static gboolean
slot_send_task_locked (TtiSlot *slot, TtiTask *task, GError **error)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint place = tti_slot_get_place (slot, task);
  g_autoptr (TtiPayload) request = tti_task_make_request (task);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .attempt = task->attempts + 1, .generation = slot->worker->generation,
                           .id = task->id, .detail = task->handler | tti_slot_get_place_detail (slot, place), .payload = request,
                           .stays = task->stays };

  task->input_size = request != NULL ? tti_payload_get_size (request) : 0;
  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (!tti_slot_send_held_locked (slot, g_ptr_array_index (task->held, i), place, error))
      return FALSE;
  /* The worker and this thread count as well. */
  guint n_busy = tti_worker_count_busy () + (slot->running.length == 0 ? 1 : 0);

  tti_transport_set_crowded (slot->worker->transport, n_busy + 1 > tti_processors ());
  return tti_transport_send (slot->worker->transport, &message, error);
}

/* The first thing that SLOT's worker must make before it can run TASK, in *PLACE, or NULL. */
static TtiHeld *
slot_find_first_unmade_locked (TtiSlot *slot, TtiTask *task, guint *place)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiHeld *unmade = NULL;

  /* That is for the process, in whatever places it runs tasks. */
  *place = slot->index;
  TtiHeld *files = slot->program->files, *setup = slot->program->setup;
  gboolean makes_files = files != NULL && task->makes == files;

  if (files != NULL && !makes_files)
    unmade = tti_slot_find_unmade_locked (slot, files, *place);
  if (unmade == NULL && setup != NULL && task->makes != setup && !makes_files)
    unmade = tti_slot_find_unmade_locked (slot, setup, *place);
  if (unmade != NULL)
    return unmade;
  *place = tti_slot_get_place (slot, task);
  for (guint i = 0; unmade == NULL && task->held != NULL && i < task->held->len; i++)
    unmade = tti_slot_find_unmade_locked (slot, g_ptr_array_index (task->held, i), *place);
  return unmade;
}

TtiTask *
tti_slot_prepare_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiHeld *unmade;
  guint place;

  while (task != NULL && (unmade = slot_find_first_unmade_locked (slot, task, &place)) != NULL)
    {
      TtiTask *known = tti_slot_find_maker_locked (slot, unmade, place), *maker = known;

      if (known == NULL)
        {
          maker = tti_held_new_maker (unmade, task->handler, slot->index, place);
          tti_task_begin_locked (maker, slot->engine, task->runner);
          tti_slot_begin_making_locked (slot, maker);
        }
      tti_queue_await_locked (slot->queue, task, maker);
      task->maker = maker;
      if (tti_engine_is_watched_locked (slot->engine))
        {
          tti_task_show_submitted_locked (task);
          if (known == NULL)
            tti_task_show_submitted_locked (maker);
        }
      tti_task_unref (task); /* the maker has a reference */
      task = known == NULL ? maker : NULL;
    }
  return task;
}

/* Is something in the making for SLOT that TASK needs first? */
static gboolean
slot_is_making_for_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint place;
  TtiHeld *unmade = g_hash_table_size (slot->making) > 0 && task->held != NULL ? slot_find_first_unmade_locked (slot, task, &place) : NULL;

  return unmade != NULL && tti_slot_find_maker_locked (slot, unmade, place) != NULL;
}

void
tti_slot_run_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiEngine *engine = slot->engine;
  GError *error = NULL;

  if (!slot_send_task_locked (slot, task, &error))
    {
      /* A worker that is gone will be replaced: the task has not been tried. Anything else is the task's own failure. */
      if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
        {
          g_clear_error (&error);
          tti_queue_add_locked (slot->queue, task, TRUE);
          /* What it died of the watcher will say, and what it had answered before is still to be received. */
          tti_slot_ended_locked (slot);
        }
      else
        tti_task_end_locked (task, TTI_TASK_FAILED, NULL, error, NULL);
      tti_task_unref (task);
      return;
    }
  task->attempts++;
  task->deadline = 0;
  task->placed = engine->clock;
  task->worker = (int) slot->index;
  task->host = tti_node_get_name (slot->life.node);
  g_atomic_int_set (&task->state, TTI_TASK_RUNNING);
  if (tti_engine_is_watched_locked (engine))
    tti_task_show_started_locked (task, slot->life.generation);
  task->ticket = tti_transport_get_ticket (slot->worker->transport);
  task->asked_back = FALSE;
  if (slot->running.length == 0)
    {
      tti_worker_step (slot->worker, TTI_WORKER_EVENT_TASK);
      tti_slot_note_begin_locked (slot);
    }
  else if (slot->queue->n_workers > 1)
    tti_engine_want_relief_locked (engine, engine->clock + TTI_PATIENCE_US);
  g_queue_push_tail (&slot->running, task);
  tti_slot_set_timeout_locked (slot);
  tti_slot_update_events_locked (slot);
}

gboolean
tti_slot_can_take_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return slot->worker != NULL && !slot->held && slot->worker->transport != NULL
         && (slot->worker->state == TTI_WORKER_IDLE || slot->worker->state == TTI_WORKER_BUSY)
         && !slot->resting && slot->running.length < tti_slot_get_depth_locked (slot);
}

gboolean
tti_slot_has_work_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return slot->running.length > 0 || slot->queue->pinned[slot->index].length > 0 || g_hash_table_size (slot->making) > 0;
}

gboolean
tti_slot_feed_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *task = tti_queue_take_locked (slot->queue, slot->index);

  if (task != NULL && task->pinned_to < 0 && slot_is_making_for_locked (slot, task))
    {
      /* Another worker may have it already. */
      tti_queue_put_back_locked (slot->queue, task);
      task = tti_queue_take_narrow_locked (slot->queue, slot->index);
    }
  if (task == NULL)
    return FALSE;
  if ((task = tti_slot_prepare_locked (slot, task)) != NULL)
    tti_slot_run_locked (slot, task);
  return TRUE;
}
