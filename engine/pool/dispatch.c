/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* From the queue to the workers, and the answers back. */
#include "platform/error.h"
#include "platform/processors.h"
#include "pool/pool-private.h"

/* A worker that sends without end must not keep the others, and deadlines, from having their turn. An honest one has at most the answers
 * to what it was given, and news of as many leases. */
enum { MESSAGES_AT_ONCE = 128, MESSAGES_AT_END = 4096, MOST_LATE_TOLD = 100 };

static gboolean
slot_send_task_locked (TuttiSlot *slot, TuttiTask *task, GError **error)
{
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
  TuttiHeld *unmade = NULL;

  if (slot->pool->setup != NULL && task->makes != slot->pool->setup)
    unmade = tutti_slot_find_unmade_locked (slot, slot->pool->setup);
  for (guint i = 0; unmade == NULL && task->held != NULL && i < task->held->len; i++)
    unmade = tutti_slot_find_unmade_locked (slot, g_ptr_array_index (task->held, i));
  return unmade;
}

/* What to run now so that TASK can run: TASK itself, or the maker of what it needs, for which it waits meanwhile; NULL: that is being made
 * already. Takes over the reference of TASK and returns one. */
static TuttiTask *
slot_prepare_locked (TuttiSlot *slot, TuttiTask *task)
{
  TuttiHeld *unmade;

  while (task != NULL && (unmade = slot_find_first_unmade_locked (slot, task)) != NULL)
    {
      TuttiTask *known = g_hash_table_lookup (slot->making, unmade), *maker = known;

      if (known == NULL)
        {
          maker = tutti_held_new_maker (unmade, task->handler, slot->index);
          tutti_task_begin_locked (maker, slot->pool->engine, task->runner);
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
  return g_hash_table_size (slot->making) > 0 && task->held != NULL
         && g_hash_table_contains (slot->making, slot_find_first_unmade_locked (slot, task));
}

static void
slot_run_task_locked (TuttiSlot *slot, TuttiTask *task)
{
  TuttiEngine *engine = slot->pool->engine;
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
  else if (slot->pool->size > 1)
    tutti_engine_want_relief_locked (engine, engine->clock + TUTTI_PATIENCE_US);
  g_queue_push_tail (&slot->running, task);
  tutti_slot_set_timeout_locked (slot);
  tutti_slot_update_events_locked (slot);
}

static gboolean
slot_can_take_locked (TuttiSlot *slot)
{
  return slot->worker != NULL && slot->worker->transport != NULL
         && (slot->worker->state == TUTTI_WORKER_IDLE || slot->worker->state == TUTTI_WORKER_BUSY)
         && slot->running.length < tutti_slot_get_depth_locked (slot);
}

/* Give SLOT its next task. FALSE: there is none for it. */
static gboolean
slot_feed_one_locked (TuttiSlot *slot)
{
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

static void
slot_feed_locked (TuttiSlot *slot)
{
  TuttiPool *pool = slot->pool;
  gboolean idle = slot->running.length == 0 && pool->queue.pinned[slot->index].length == 0;

  if (pool->state != POOL_OPEN || !slot_can_take_locked (slot) || (idle && tutti_pool_has_enough_busy_locked (pool)))
    return;
  if (idle && pool->queue.any.length == 0 && tutti_pool_recall_waiting_locked (pool))
    tutti_pool_dispatch_locked (pool); /* others may have nothing to do as well */
  while (pool->state == POOL_OPEN && slot_can_take_locked (slot) && slot_feed_one_locked (slot))
    ;
}

/* The slot that gets the next task that any worker may run: among those that can take one, the one with the fewest; but no worker is
 * woken for it while enough others are busy. NULL: there is none now. */
static TuttiSlot *
pool_find_taker_locked (TuttiPool *pool)
{
  gboolean may_wake = !tutti_pool_has_enough_busy_locked (pool);
  TuttiSlot *taker = NULL;

  for (guint i = 0; i < pool->size && (taker == NULL || taker->running.length > 0); i++)
    {
      TuttiSlot *slot = &pool->slots[i];

      if ((slot->running.length > 0 || may_wake) && slot_can_take_locked (slot)
          && (taker == NULL || slot->running.length < taker->running.length))
        taker = slot;
    }
  return taker;
}

void
tutti_pool_dispatch_locked (TuttiPool *pool)
{
  TuttiSlot *taker;

  tutti_engine_read_clock_locked (pool->engine);
  for (guint i = 0; i < pool->size; i++)
    if (pool->queue.pinned[i].length > 0)
      slot_feed_locked (&pool->slots[i]);
  while (pool->state == POOL_OPEN && pool->queue.any.length > 0 && (taker = pool_find_taker_locked (pool)) != NULL)
    if (!slot_feed_one_locked (taker))
      break;
}

/* The running task that MESSAGE speaks of, taken out of the slot's list; NULL: late news, or a lie. */
static TuttiTask *
slot_take_running_locked (TuttiSlot *slot, const TuttiMessage *message)
{
  for (GList *l = slot->running.head; l != NULL; l = l->next)
    {
      TuttiTask *task = l->data;

      if (task->id == message->id && task->attempts == message->attempt)
        {
          g_queue_delete_link (&slot->running, l);
          return task;
        }
    }
  return NULL;
}

static void
slot_answered_locked (TuttiSlot *slot, const TuttiMessage *message)
{
  g_autoptr (TuttiTask) task = slot_take_running_locked (slot, message);

  if (task == NULL)
    {
      if (slot->n_late++ < MOST_LATE_TOLD)
        g_debug ("worker %u: dropped an answer to task %" G_GUINT64_FORMAT ", attempt %u", slot->index, message->id, message->attempt);
      return;
    }
  slot->tasks_done++;
  tutti_slot_note_answer_locked (slot, message->detail);
  if (task->makes == NULL)
    tutti_slot_proved_locked (slot);
  else if (message->kind == TUTTI_MESSAGE_RESULT)
    tutti_slot_note_held_locked (slot, task->makes);
  if (!tutti_task_has_ended (task))
    {
      if (message->payload == NULL)
        tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                               g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                                            "worker %u answered task %" G_GUINT64_FORMAT " without a value",
                                            slot->index, task->id), NULL);
      else
        tutti_task_end_locked (task, message->kind == TUTTI_MESSAGE_RESULT ? TUTTI_TASK_DONE : TUTTI_TASK_RAISED,
                               message->payload, NULL, NULL);
    }
  /* Whoever keeps the task must not keep what was made: workers forget that with its last user. */
  g_clear_pointer (&task->makes, tutti_held_unref);
  if (slot->running.length == 0)
    tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_DONE);
  tutti_slot_set_timeout_locked (slot);
}

static void
slot_faulted_locked (TuttiSlot *slot, const TuttiMessage *message)
{
  TuttiTask *first = g_queue_peek_head (&slot->running);
  guint begun = first != NULL ? tutti_slot_get_parts_begun_locked (slot, first) : 0;
  g_autoptr (TuttiTask) task = slot_take_running_locked (slot, message);

  slot->culprit = task != NULL ? task->id : 0;
  slot->culprit_begun = task == first ? begun : 0;
  if (task != NULL && !tutti_task_has_ended (task))
    tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                           g_error_new (TUTTI_ERROR, TUTTI_ERROR_FAULT,
                                        "the task wrote to a vector that it may only read, in memory of %" G_GUINT64_FORMAT
                                        " bytes; shared vectors, and those that are captured, pushed or made by define-remote, "
                                        "are the same for all tasks: copy it first", message->detail), NULL);
  tutti_slot_end_locked (slot, TUTTI_DEATH_FAULT, 0, NULL);
}

/* Whoever breaks the protocol is not listened to any more: what it says after that may be as wrong. */
static void
slot_distrust_locked (TuttiSlot *slot, const char *detail)
{
  tutti_slot_unwatch_transport_locked (slot);
  tutti_slot_end_locked (slot, TUTTI_DEATH_PROTOCOL, 0, detail);
}

static void
slot_hello_locked (TuttiSlot *slot, const TuttiMessage *message)
{
  if (message->id != TUTTI_WORKER_PROTOCOL || !tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_HELLO))
    {
      g_autofree char *detail = g_strdup_printf ("it speaks version %" G_GUINT64_FORMAT " of the protocol, not %d", message->id,
                                                 TUTTI_WORKER_PROTOCOL);

      slot_distrust_locked (slot, detail);
    }
}

static void
slot_handle_locked (TuttiSlot *slot, const TuttiMessage *message)
{
  if (message->generation != slot->worker->generation)
    return; /* an answer to the one who was here before */
  switch (message->kind)
    {
    case TUTTI_MESSAGE_HELLO:
      slot_hello_locked (slot, message);
      return;
    case TUTTI_MESSAGE_RESULT:
    case TUTTI_MESSAGE_EXCEPTION:
      slot_answered_locked (slot, message);
      return;
    case TUTTI_MESSAGE_FAULT:
      slot_faulted_locked (slot, message);
      return;
    case TUTTI_MESSAGE_TASK:
    case TUTTI_MESSAGE_HOLD:
    case TUTTI_MESSAGE_DROP:
    case TUTTI_MESSAGE_BYE:
    case TUTTI_MESSAGE_LEASE:
      break;
    }
  g_autofree char *detail = g_strdup_printf ("it sent a message of kind %d, which only a master sends", (int) message->kind);
  slot_distrust_locked (slot, detail);
}

/* Receive one message. FALSE: no more can be received. */
static gboolean
slot_receive_one_locked (TuttiSlot *slot)
{
  TuttiMessage message = { 0 };
  g_autoptr (GError) error = NULL;

  switch (tutti_transport_receive (slot->worker->transport, &message, &error))
    {
    case TUTTI_RECEIVED_MESSAGE:
      slot_handle_locked (slot, &message);
      tutti_message_clear (&message);
      return TRUE;
    case TUTTI_RECEIVED_NOTHING:
      return FALSE;
    case TUTTI_RECEIVED_END:
      tutti_slot_unwatch_transport_locked (slot);
      tutti_slot_ended_locked (slot);
      return FALSE;
    case TUTTI_RECEIVED_ERROR:
      slot_distrust_locked (slot, error->message);
      return FALSE;
    }
  return FALSE;
}

static void
slot_received_locked (TuttiSlot *slot)
{
  if (!tutti_slot_is_heard_locked (slot))
    return;
  slot_feed_locked (slot);
  tutti_slot_update_events_locked (slot);
}

/* Receive up to MOST messages; only those that are in the mailbox if MAILBOX_ONLY. */
static void
slot_receive_some_locked (TuttiSlot *slot, gboolean mailbox_only, guint most)
{
  guint n = 0;

  tutti_engine_read_clock_locked (slot->pool->engine);
  while (n < most && tutti_slot_is_heard_locked (slot) && (!mailbox_only || tutti_transport_has_message (slot->worker->transport))
         && slot_receive_one_locked (slot))
    n++;
  if (n == most)
    slot->pool->engine->flooded = TRUE;
  slot_received_locked (slot);
}

void
tutti_slot_receive_locked (TuttiSlot *slot)
{
  slot_receive_some_locked (slot, FALSE, MESSAGES_AT_ONCE);
}

void
tutti_slot_receive_last_locked (TuttiSlot *slot)
{
  slot_receive_some_locked (slot, FALSE, MESSAGES_AT_END);
}

void
tutti_slot_poll_mailbox_locked (TuttiSlot *slot)
{
  slot_receive_some_locked (slot, TRUE, MESSAGES_AT_ONCE);
}
