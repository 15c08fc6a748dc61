/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The held objects of one worker: which it has, which are being made for it, how they get there and how they are forgotten. */
#include "pool/slot-private.h"

/* --- places ------------------------------------------------------------------------------------------------------------------ */

static guint
placed_hash (gconstpointer key)
{
  const TtiPlaced *placed = key;

  return (guint) placed->id * 31 + placed->place;
}

static gboolean
placed_equal (gconstpointer a, gconstpointer b)
{
  const TtiPlaced *one = a, *other = b;

  return one->id == other->id && one->place == other->place;
}

void
tti_slot_init_held (TtiSlot *slot)
{
  slot->known = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  slot->known_apart = g_hash_table_new_full (placed_hash, placed_equal, g_free, NULL);
  slot->making = g_hash_table_new_full (placed_hash, placed_equal, g_free, NULL);
}

void
tti_slot_clear_held (TtiSlot *slot)
{
  g_clear_pointer (&slot->known, g_hash_table_unref);
  g_clear_pointer (&slot->known_apart, g_hash_table_unref);
  g_clear_pointer (&slot->making, g_hash_table_unref);
}

guint
tti_slot_get_place (TtiSlot *slot, TtiTask *task)
{
  return task->pinned_to >= 0 ? (guint) task->pinned_to : slot->index;
}

guint64
tti_slot_get_place_detail (TtiSlot *slot, guint place)
{
  return place == slot->index ? 0 : tti_place_to_detail (place);
}

/* Is HELD with the worker of SLOT in a table of its own, as there may be others with its id? */
static gboolean
held_is_apart (TtiHeld *held, TtiSlot *slot, guint place)
{
  return place != slot->index && !tti_held_is_same (held);
}

static gboolean
held_is_known (TtiHeld *held, TtiSlot *slot, guint place)
{
  const TtiPlaced placed = { tti_held_get_id (held), place };

  return held_is_apart (held, slot, place) ? g_hash_table_contains (slot->known_apart, &placed)
                                           : g_hash_table_contains (slot->known, &placed.id);
}

/* A walk over held objects, to see what is with the worker of SLOT for PLACE. */
typedef struct
{
  TtiSlot *slot;
  guint place;
  TtiHeld *wanted;
  GError **error;
} HeldWalk;

static TtiWalkStep
find_unmade (TtiHeld *held, gpointer data)
{
  const HeldWalk *walk = data;

  if (held_is_known (held, walk->slot, walk->place))
    return TTI_WALK_PAST;
  return tti_held_get_kind (held) == TTI_HELD_MADE ? TTI_WALK_STOP : TTI_WALK_IN;
}

TtiHeld *
tti_slot_find_unmade_locked (TtiSlot *slot, TtiHeld *held, guint place)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  HeldWalk walk = { .slot = slot, .place = place };

  return tti_held_walk_locked (held, find_unmade, NULL, &walk);
}

/* --- what the worker has ---------------------------------------------------------------------------------------------------- */

void
tti_slot_note_held_locked (TtiSlot *slot, TtiHeld *held, guint place)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiPlaced placed = { tti_held_get_id (held), place };

  if (held_is_apart (held, slot, place))
    g_hash_table_add (slot->known_apart, g_memdup2 (&placed, sizeof placed));
  else
    g_hash_table_add (slot->known, g_memdup2 (&placed.id, sizeof placed.id));
}

void
tti_slot_lose_held_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  g_hash_table_remove_all (slot->known);
  g_hash_table_remove_all (slot->known_apart);
}

static TtiWalkStep
send_needed (TtiHeld *held, gpointer data)
{
  const HeldWalk *walk = data;

  return held_is_known (held, walk->slot, walk->place) ? TTI_WALK_PAST : TTI_WALK_IN;
}

static gboolean
send_held (TtiHeld *held, gpointer data)
{
  const HeldWalk *walk = data;
  TtiWorker *worker = walk->slot->worker;
  gboolean apart = held_is_apart (held, walk->slot, walk->place);
  TtiMessage message = { .kind = TTI_MESSAGE_HOLD, .generation = worker->generation, .id = tti_held_get_id (held),
                           .detail = apart ? tti_place_to_detail (walk->place) : 0,
                           .payload = tti_held_get_payload (held, walk->place) };

  g_assert (tti_held_get_kind (held) == TTI_HELD_GIVEN); /* what is made was made before */
  if (!tti_transport_send (worker->transport, &message, walk->error))
    return FALSE;
  tti_slot_note_held_locked (walk->slot, held, walk->place);
  return TRUE;
}

gboolean
tti_slot_send_held_locked (TtiSlot *slot, TtiHeld *held, guint place, GError **error)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  HeldWalk walk = { .slot = slot, .place = place, .error = error };

  return tti_held_walk_locked (held, send_needed, send_held, &walk) == NULL;
}

/* Tell the worker of SLOT to forget ID; DETAIL says of which place. */
static void
slot_send_drop_locked (TtiSlot *slot, guint64 id, guint64 detail)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiMessage message = { .kind = TTI_MESSAGE_DROP, .id = id, .detail = detail, .generation = slot->worker->generation };

  /* A worker that is gone has forgotten it as well. */
  (void) tti_transport_send (slot->worker->transport, &message, NULL);
}

static gboolean
slot_can_be_told (TtiSlot *slot)
{
  return slot->worker != NULL && slot->worker->transport != NULL;
}

static gboolean
slot_forget_apart_locked (TtiSlot *slot, guint64 id)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GHashTableIter iter;
  gpointer key;
  gboolean told = FALSE;

  g_hash_table_iter_init (&iter, slot->known_apart);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      const TtiPlaced placed = *(TtiPlaced *) key;

      if (placed.id != id)
        continue;
      g_hash_table_iter_remove (&iter);
      if (!slot_can_be_told (slot))
        continue;
      slot_send_drop_locked (slot, id, tti_place_to_detail (placed.place));
      told = TRUE;
    }
  return told;
}

void
tti_slot_forget_locked (TtiSlot *slot, const GArray *ids)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gboolean told = FALSE;

  for (guint i = 0; i < ids->len; i++)
    {
      guint64 id = g_array_index (ids, guint64, i);

      if (g_hash_table_size (slot->known_apart) > 0)
        told = slot_forget_apart_locked (slot, id) || told;
      if (!g_hash_table_remove (slot->known, &id) || !slot_can_be_told (slot))
        continue;
      slot_send_drop_locked (slot, id, 0);
      told = TRUE;
    }
  if (told)
    tti_slot_update_events_locked (slot);
}

/* --- what is being made for it ---------------------------------------------------------------------------------------------- */

static TtiWalkStep
find_wanted (TtiHeld *held, gpointer data)
{
  const HeldWalk *walk = data;

  if (held == walk->wanted)
    return TTI_WALK_STOP;
  return held_is_known (held, walk->slot, walk->place) ? TTI_WALK_PAST : TTI_WALK_IN;
}

/* Has SLOT's worker to be given what MAKER makes before it can be given what TASK needs? */
static gboolean
slot_needs_maker_of_locked (TtiSlot *slot, TtiTask *task, TtiTask *maker)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  HeldWalk walk = { .slot = slot, .place = tti_slot_get_place (slot, task), .wanted = maker->makes };

  for (guint i = 0; walk.place == tti_slot_get_place (slot, maker) && task->held != NULL && i < task->held->len; i++)
    if (tti_held_walk_locked (g_ptr_array_index (task->held, i), find_wanted, NULL, &walk) != NULL)
      return TRUE;
  return FALSE;
}

void
tti_slot_begin_making_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiPlaced placed = { tti_held_get_id (task->makes), tti_slot_get_place (slot, task) };

  if (!g_hash_table_contains (slot->making, &placed))
    g_hash_table_insert (slot->making, g_memdup2 (&placed, sizeof placed), task);
}

TtiTask *
tti_slot_find_maker_locked (TtiSlot *slot, TtiHeld *held, guint place)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiPlaced placed = { tti_held_get_id (held), place };

  return g_hash_table_lookup (slot->making, &placed);
}

void
tti_slot_end_making_locked (TtiSlot *slot, TtiTask *task, TtiTaskState state)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GQueue *pinned = &slot->queue->pinned[slot->index];

  const TtiPlaced placed = { tti_held_get_id (task->makes), tti_slot_get_place (slot, task) };

  if (g_hash_table_lookup (slot->making, &placed) != task)
    return;
  g_hash_table_remove (slot->making, &placed);
  for (GList *l = state != TTI_TASK_DONE ? pinned->head : NULL, *next; l != NULL; l = next)
    {
      TtiTask *other = l->data;

      next = l->next;
      if (other == task || tti_task_has_ended (other) || !slot_needs_maker_of_locked (slot, other, task))
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
    if (l->data != maker && !tti_task_has_ended (l->data) && slot_needs_maker_of_locked (slot, l->data, maker))
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
