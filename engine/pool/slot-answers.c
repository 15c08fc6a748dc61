/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a slot's worker sends: hello, answers to tasks, and what no honest worker sends. */
#include "platform/error.h"
#include "pool/slot-private.h"

/* A worker that sends without end must not keep the others, and deadlines, from having their turn. An honest one has at most the answers
 * to what it was given, and news of as many leases. */
enum { MESSAGES_AT_ONCE = 128, MESSAGES_AT_END = 4096, MOST_LATE_TOLD = 100, MOST_TOLD = 256 * 1024 /* bytes */ };

/* The running task that MESSAGE speaks of, taken out of the slot's list; NULL: late news, or a lie. */
static TtiTask *
slot_take_running_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  for (GList *l = slot->running.head; l != NULL; l = l->next)
    {
      TtiTask *task = l->data;

      if (task->id == message->id && task->attempts == message->attempt)
        {
          g_queue_delete_link (&slot->running, l);
          return task;
        }
    }
  return NULL;
}

static void
slot_answered_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  g_autoptr (TtiTask) task = slot_take_running_locked (slot, message);

  if (task == NULL)
    {
      if (slot->n_late++ < MOST_LATE_TOLD)
        g_debug ("worker %u: dropped an answer to task %" G_GUINT64_FORMAT ", attempt %u", slot->index, message->id, message->attempt);
      return;
    }
  slot->tasks_done++;
  task->took = (gint64) message->detail;
  tti_slot_note_answer_locked (slot, message->detail);
  if (task->makes == NULL)
    slot->events->completed (slot);
  else if (message->kind == TTI_MESSAGE_RESULT)
    tti_slot_note_held_locked (slot, task->makes, tti_slot_get_place (slot, task));
  if (!tti_task_has_ended (task))
    {
      if (message->payload == NULL)
        tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                             g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                                          "worker %u answered task %" G_GUINT64_FORMAT " without a value",
                                          slot->index, task->id), NULL);
      else
        tti_task_end_locked (task, message->kind == TTI_MESSAGE_RESULT ? TTI_TASK_DONE : TTI_TASK_RAISED,
                             message->payload, NULL, NULL);
    }
  /* Whoever keeps the task must not keep what was made: workers forget that with its last user. */
  g_clear_pointer (&task->makes, tti_held_unref);
  if (slot->running.length == 0)
    tti_worker_step (slot->worker, TTI_WORKER_EVENT_DONE);
  tti_slot_set_timeout_locked (slot);
}

static void
slot_faulted_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *first = g_queue_peek_head (&slot->running);
  guint begun = first != NULL ? tti_slot_get_parts_begun_locked (slot, first) : 0;
  g_autoptr (TtiTask) task = slot_take_running_locked (slot, message);

  slot->culprit = task != NULL ? task->id : 0;
  slot->culprit_begun = task == first ? begun : 0;
  if (task != NULL && !tti_task_has_ended (task))
    tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                         g_error_new (TUTTI_ERROR, TUTTI_ERROR_FAULT,
                                      "the task wrote to a vector that it may only read, in memory of %" G_GUINT64_FORMAT
                                      " bytes; shared vectors, and those that are captured, pushed or made by define-remote, "
                                      "are the same for all tasks: copy it first", message->detail), NULL);
  tti_slot_end_locked (slot, TUTTI_DEATH_FAULT, 0, NULL);
}

/* Whoever breaks the protocol is not listened to any more: what it says after that may be as wrong. */
static void
slot_distrust_locked (TtiSlot *slot, const char *detail)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  tti_slot_unwatch_transport_locked (slot);
  tti_slot_end_locked (slot, TUTTI_DEATH_PROTOCOL, 0, detail);
}

static void
slot_hello_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (message->id != TTI_WORKER_PROTOCOL || !tti_worker_step (slot->worker, TTI_WORKER_EVENT_HELLO))
    {
      g_autofree char *detail = g_strdup_printf ("it speaks version %" G_GUINT64_FORMAT " of the protocol, not %d", message->id,
                                                 TTI_WORKER_PROTOCOL);

      slot_distrust_locked (slot, detail);
      return;
    }
  tti_slot_show_locked (slot);
}

/* A task that was asked back, and has not begun. */
static void
slot_returned_locked (TtiSlot *slot, guint64 id)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GList *link = slot->running.tail;

  while (link != NULL && ((TtiTask *) link->data)->id != id)
    link = link->prev;
  if (link == NULL || !((TtiTask *) link->data)->asked_back)
    return;
  g_autoptr (TtiTask) task = link->data;
  gboolean first = link == slot->running.head;

  g_queue_delete_link (&slot->running, link);
  task->asked_back = FALSE;
  if (!tti_task_has_ended (task)) /* what has ended is its users' to read */
    {
      task->attempts--;
      tti_queue_add_locked (slot->queue, task, TRUE);
    }
  if (slot->running.length == 0)
    tti_worker_step (slot->worker, TTI_WORKER_EVENT_DONE);
  else if (first)
    tti_slot_note_begin_locked (slot);
  tti_slot_set_timeout_locked (slot);
  slot->has_returned = TRUE;
}

/* Where the worker is. Nobody may want to know any more; or it was asked with the task before, and answers late. */
static void
slot_told_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gsize size = 0;
  const char *text = message->payload != NULL ? tti_payload_get_data (message->payload, &size) : "";

  const TtiTask *task = g_queue_peek_head (&slot->running);

  if (slot->n_asking == 0 || task == NULL || task->id != message->id)
    return;
  g_free (slot->told);
  slot->told = g_utf8_make_valid (text, (gssize) MIN (size, MOST_TOLD));
  slot->n_told++;
  slot->events->told (slot);
}

static void
slot_handle_locked (TtiSlot *slot, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (message->generation != slot->worker->generation)
    return; /* of the worker that was here before */
  switch (message->kind)
    {
    case TTI_MESSAGE_HELLO:
      slot_hello_locked (slot, message);
      return;
    case TTI_MESSAGE_RESULT:
    case TTI_MESSAGE_EXCEPTION:
      slot_answered_locked (slot, message);
      return;
    case TTI_MESSAGE_FAULT:
      slot_faulted_locked (slot, message);
      return;
    case TTI_MESSAGE_RETURNED:
      slot_returned_locked (slot, message->id);
      return;
    case TTI_MESSAGE_STACK:
      slot_told_locked (slot, message);
      return;
    case TTI_MESSAGE_TASK:
    case TTI_MESSAGE_HOLD:
    case TTI_MESSAGE_DROP:
    case TTI_MESSAGE_BYE:
    case TTI_MESSAGE_LEASE:
      break;
    }
  g_autofree char *detail = g_strdup_printf ("it sent a message of kind %d, which only a master sends", (int) message->kind);
  slot_distrust_locked (slot, detail);
}

/* Receive one message. FALSE: no more can be received. */
static gboolean
slot_receive_one_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiMessage message = { 0 };
  g_autoptr (GError) error = NULL;

  switch (tti_transport_receive (slot->worker->transport, &message, &error))
    {
    case TTI_RECEIVED_MESSAGE:
      slot_handle_locked (slot, &message);
      tti_message_clear (&message);
      return TRUE;
    case TTI_RECEIVED_NOTHING:
      return FALSE;
    case TTI_RECEIVED_END:
      tti_slot_unwatch_transport_locked (slot);
      tti_slot_ended_locked (slot);
      return FALSE;
    case TTI_RECEIVED_ERROR:
      slot_distrust_locked (slot, error->message);
      return FALSE;
    }
  return FALSE;
}

static void
slot_received_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gboolean returned = slot->has_returned;

  slot->has_returned = FALSE;
  if (returned)
    slot->events->returned (slot);
  if (!tti_slot_is_heard_locked (slot))
    return;
  slot->events->wants_task (slot);
  tti_slot_update_events_locked (slot);
}

/* Receive up to MOST messages; only those that are in the mailbox if MAILBOX_ONLY. */
static void
slot_receive_some_locked (TtiSlot *slot, gboolean mailbox_only, guint most)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint n = 0;

  tti_engine_read_clock_locked (slot->engine);
  while (n < most && tti_slot_is_heard_locked (slot) && (!mailbox_only || tti_transport_has_message (slot->worker->transport))
         && slot_receive_one_locked (slot))
    n++;
  if (n == most)
    slot->engine->flooded = TRUE;
  slot_received_locked (slot);
}

void
tti_slot_receive_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  slot_receive_some_locked (slot, FALSE, MESSAGES_AT_ONCE);
}

void
tti_slot_receive_last_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  slot_receive_some_locked (slot, FALSE, MESSAGES_AT_END);
}

void
tti_slot_poll_mailbox_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  slot_receive_some_locked (slot, TRUE, MESSAGES_AT_ONCE);
}
