/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The held objects of one worker: which it has, which are being made for it, how they get there and how they are forgotten. */
#include "pool/slot-private.h"

static gboolean
held_is_known (TtiHeld *held, TtiSlot *slot)
{
  guint64 id = tti_held_get_id (held);

  return g_hash_table_contains (slot->known, &id);
}

static TtiWalkStep
find_unmade (TtiHeld *held, gpointer slot)
{
  if (held_is_known (held, slot))
    return TTI_WALK_PAST;
  return tti_held_get_kind (held) == TTI_HELD_MADE ? TTI_WALK_STOP : TTI_WALK_IN;
}

TtiHeld *
tti_slot_find_unmade_locked (TtiSlot *slot, TtiHeld *held)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return tti_held_walk_locked (held, find_unmade, NULL, slot);
}

/* --- what the worker has ---------------------------------------------------------------------------------------------------- */

void
tti_slot_note_held_locked (TtiSlot *slot, TtiHeld *held)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint64 id = tti_held_get_id (held);

  g_hash_table_add (slot->known, g_memdup2 (&id, sizeof id));
}

typedef struct
{
  TtiSlot *slot;
  GError **error;
} SendWalk;

static TtiWalkStep
send_needed (TtiHeld *held, gpointer data)
{
  const SendWalk *walk = data;

  return held_is_known (held, walk->slot) ? TTI_WALK_PAST : TTI_WALK_IN;
}

static gboolean
send_held (TtiHeld *held, gpointer data)
{
  const SendWalk *walk = data;
  TtiWorker *worker = walk->slot->worker;
  TtiMessage message = { .kind = TTI_MESSAGE_HOLD, .generation = worker->generation, .id = tti_held_get_id (held),
                           .payload = tti_held_get_payload (held, walk->slot->index) };

  g_assert (tti_held_get_kind (held) == TTI_HELD_GIVEN); /* what is made was made before */
  if (!tti_transport_send (worker->transport, &message, walk->error))
    return FALSE;
  tti_slot_note_held_locked (walk->slot, held);
  return TRUE;
}

gboolean
tti_slot_send_held_locked (TtiSlot *slot, TtiHeld *held, GError **error)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  SendWalk walk = { slot, error };

  return tti_held_walk_locked (held, send_needed, send_held, &walk) == NULL;
}

void
tti_slot_forget_locked (TtiSlot *slot, const GArray *ids)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gboolean told = FALSE;

  for (guint i = 0; i < ids->len; i++)
    {
      guint64 id = g_array_index (ids, guint64, i);
      TtiMessage message = { .kind = TTI_MESSAGE_DROP, .id = id };

      if (!g_hash_table_remove (slot->known, &id) || slot->worker == NULL || slot->worker->transport == NULL)
        continue;
      message.generation = slot->worker->generation;
      /* A worker that is gone has forgotten it as well. */
      (void) tti_transport_send (slot->worker->transport, &message, NULL);
      told = TRUE;
    }
  if (told)
    tti_slot_update_events_locked (slot);
}

/* --- what is being made for it ---------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiHeld *wanted;
  TtiSlot *slot;
} WantedWalk;

static TtiWalkStep
find_wanted (TtiHeld *held, gpointer data)
{
  const WantedWalk *walk = data;

  if (held == walk->wanted)
    return TTI_WALK_STOP;
  return held_is_known (held, walk->slot) ? TTI_WALK_PAST : TTI_WALK_IN;
}

/* Has SLOT's worker to be given WANTED before it can be given what TASK needs? */
static gboolean
slot_needs_held_locked (TtiSlot *slot, TtiTask *task, TtiHeld *wanted)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  WantedWalk walk = { wanted, slot };

  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (tti_held_walk_locked (g_ptr_array_index (task->held, i), find_wanted, NULL, &walk) != NULL)
      return TRUE;
  return FALSE;
}

void
tti_slot_begin_making_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (!g_hash_table_contains (slot->making, task->makes))
    g_hash_table_insert (slot->making, task->makes, task);
}

void
tti_slot_end_making_locked (TtiSlot *slot, TtiTask *task, TtiTaskState state)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GQueue *pinned = &slot->queue->pinned[slot->index];

  if (g_hash_table_lookup (slot->making, task->makes) != task)
    return;
  g_hash_table_remove (slot->making, task->makes);
  for (GList *l = state != TTI_TASK_DONE ? pinned->head : NULL, *next; l != NULL; l = next)
    {
      TtiTask *other = l->data;

      next = l->next;
      if (other == task || tti_task_has_ended (other) || !slot_needs_held_locked (slot, other, task->makes))
        continue;
      tti_queue_await_locked (slot->queue, other, task);
      g_queue_delete_link (pinned, l);
      tti_task_unref (other);
    }
}

/* Does anybody still need what MAKER, which has not ended, makes? */
static gboolean
slot_needs_maker_locked (TtiSlot *slot, TtiTask *maker)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  for (guint i = 0; maker->dependents != NULL && i < maker->dependents->len; i++)
    if (!tti_task_has_ended (g_ptr_array_index (maker->dependents, i)))
      return TRUE;
  for (GList *l = slot->queue->pinned[slot->index].head; l != NULL; l = l->next)
    if (l->data != maker && !tti_task_has_ended (l->data) && slot_needs_held_locked (slot, l->data, maker->makes))
      return TRUE;
  return FALSE;
}

TtiTask *
tti_slot_find_unneeded_maker_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GHashTableIter iter;
  gpointer maker;

  g_hash_table_iter_init (&iter, slot->making);
  while (g_hash_table_iter_next (&iter, NULL, &maker))
    if (((TtiTask *) maker)->is_maker && !slot_needs_maker_locked (slot, maker))
      return maker;
  return NULL;
}
