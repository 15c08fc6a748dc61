/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The held objects of one worker: which it has, which are being made for it, how they get there and how they are forgotten. */
#include "pool/slot-private.h"

static gboolean
held_is_known (TuttiHeld *held, TuttiSlot *slot)
{
  guint64 id = tutti_held_get_id (held);

  return g_hash_table_contains (slot->known, &id);
}

static TuttiWalkStep
find_unmade (TuttiHeld *held, gpointer slot)
{
  if (held_is_known (held, slot))
    return TUTTI_WALK_PAST;
  return tutti_held_get_kind (held) == TUTTI_HELD_MADE ? TUTTI_WALK_STOP : TUTTI_WALK_IN;
}

TuttiHeld *
tutti_slot_find_unmade_locked (TuttiSlot *slot, TuttiHeld *held)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  return tutti_held_walk_locked (held, find_unmade, NULL, slot);
}

/* --- what the worker has ---------------------------------------------------------------------------------------------------- */

void
tutti_slot_note_held_locked (TuttiSlot *slot, TuttiHeld *held)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  guint64 id = tutti_held_get_id (held);

  g_hash_table_add (slot->known, g_memdup2 (&id, sizeof id));
}

typedef struct
{
  TuttiSlot *slot;
  GError **error;
} SendWalk;

static TuttiWalkStep
send_needed (TuttiHeld *held, gpointer data)
{
  const SendWalk *walk = data;

  return held_is_known (held, walk->slot) ? TUTTI_WALK_PAST : TUTTI_WALK_IN;
}

static gboolean
send_held (TuttiHeld *held, gpointer data)
{
  const SendWalk *walk = data;
  TuttiWorker *worker = walk->slot->worker;
  TuttiMessage message = { .kind = TUTTI_MESSAGE_HOLD, .generation = worker->generation, .id = tutti_held_get_id (held),
                           .payload = tutti_held_get_payload (held, walk->slot->index) };

  g_assert (tutti_held_get_kind (held) == TUTTI_HELD_GIVEN); /* what is made was made before */
  if (!tutti_transport_send (worker->transport, &message, walk->error))
    return FALSE;
  tutti_slot_note_held_locked (walk->slot, held);
  return TRUE;
}

gboolean
tutti_slot_send_held_locked (TuttiSlot *slot, TuttiHeld *held, GError **error)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  SendWalk walk = { slot, error };

  return tutti_held_walk_locked (held, send_needed, send_held, &walk) == NULL;
}

void
tutti_slot_forget_locked (TuttiSlot *slot, const GArray *ids)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  gboolean told = FALSE;

  for (guint i = 0; i < ids->len; i++)
    {
      guint64 id = g_array_index (ids, guint64, i);
      TuttiMessage message = { .kind = TUTTI_MESSAGE_DROP, .id = id };

      if (!g_hash_table_remove (slot->known, &id) || slot->worker == NULL || slot->worker->transport == NULL)
        continue;
      message.generation = slot->worker->generation;
      /* A worker that is gone has forgotten it as well. */
      (void) tutti_transport_send (slot->worker->transport, &message, NULL);
      told = TRUE;
    }
  if (told)
    tutti_slot_update_events_locked (slot);
}

/* --- what is being made for it ---------------------------------------------------------------------------------------------- */

typedef struct
{
  TuttiHeld *wanted;
  TuttiSlot *slot;
} WantedWalk;

static TuttiWalkStep
find_wanted (TuttiHeld *held, gpointer data)
{
  const WantedWalk *walk = data;

  if (held == walk->wanted)
    return TUTTI_WALK_STOP;
  return held_is_known (held, walk->slot) ? TUTTI_WALK_PAST : TUTTI_WALK_IN;
}

/* Has SLOT's worker to be given WANTED before it can be given what TASK needs? */
static gboolean
slot_needs_held_locked (TuttiSlot *slot, TuttiTask *task, TuttiHeld *wanted)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  WantedWalk walk = { wanted, slot };

  for (guint i = 0; task->held != NULL && i < task->held->len; i++)
    if (tutti_held_walk_locked (g_ptr_array_index (task->held, i), find_wanted, NULL, &walk) != NULL)
      return TRUE;
  return FALSE;
}

void
tutti_slot_begin_making_locked (TuttiSlot *slot, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  if (!g_hash_table_contains (slot->making, task->makes))
    g_hash_table_insert (slot->making, task->makes, task);
}

void
tutti_slot_end_making_locked (TuttiSlot *slot, TuttiTask *task, TuttiTaskState state)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  GQueue *pinned = &slot->queue->pinned[slot->index];

  if (g_hash_table_lookup (slot->making, task->makes) != task)
    return;
  g_hash_table_remove (slot->making, task->makes);
  for (GList *l = state != TUTTI_TASK_DONE ? pinned->head : NULL, *next; l != NULL; l = next)
    {
      TuttiTask *other = l->data;

      next = l->next;
      if (other == task || tutti_task_has_ended (other) || !slot_needs_held_locked (slot, other, task->makes))
        continue;
      tutti_queue_await_locked (slot->queue, other, task);
      g_queue_delete_link (pinned, l);
      tutti_task_unref (other);
    }
}

/* Does anybody still need what MAKER, which has not ended, makes? */
static gboolean
slot_needs_maker_locked (TuttiSlot *slot, TuttiTask *maker)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  for (guint i = 0; maker->dependents != NULL && i < maker->dependents->len; i++)
    if (!tutti_task_has_ended (g_ptr_array_index (maker->dependents, i)))
      return TRUE;
  for (GList *l = slot->queue->pinned[slot->index].head; l != NULL; l = l->next)
    if (l->data != maker && !tutti_task_has_ended (l->data) && slot_needs_held_locked (slot, l->data, maker->makes))
      return TRUE;
  return FALSE;
}

TuttiTask *
tutti_slot_find_unneeded_maker_locked (TuttiSlot *slot)
{
  TUTTI_ASSERT_LOCKED (&slot->engine->lock);
  GHashTableIter iter;
  gpointer maker;

  g_hash_table_iter_init (&iter, slot->making);
  while (g_hash_table_iter_next (&iter, NULL, &maker))
    if (((TuttiTask *) maker)->is_maker && !slot_needs_maker_locked (slot, maker))
      return maker;
  return NULL;
}
