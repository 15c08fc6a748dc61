/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Held objects: given or made once per worker, forgotten when nobody refers to them. */
#include "platform/error.h"
#include "pool/engine-private.h"

struct _TuttiHeld
{
  gatomicrefcount refs;
  guint64 id;
  TuttiHeldKind kind;
  GPtrArray *payloads; /* one for all workers, or one for each */
  GPtrArray *needs;    /* of TuttiHeld, or NULL */
  gint64 timeout;
  guint retries;
};

guint64
tutti_held_next_id (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

TuttiHeld *
tutti_held_new (guint64 id, TuttiHeldKind kind, TuttiPayload *const *payloads, guint n_payloads)
{
  g_return_val_if_fail (id != 0 && n_payloads > 0, NULL);
  TuttiHeld *held = g_new0 (TuttiHeld, 1);

  g_atomic_ref_count_init (&held->refs);
  held->id = id;
  held->kind = kind;
  held->payloads = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_payload_unref);
  for (guint i = 0; i < n_payloads; i++)
    g_ptr_array_add (held->payloads, tutti_payload_ref (payloads[i]));
  held->retries = 2;
  return held;
}

TuttiHeld *
tutti_held_ref (TuttiHeld *held)
{
  g_return_val_if_fail (held != NULL, NULL);
  g_atomic_ref_count_inc (&held->refs);
  return held;
}

void
tutti_held_add_need (TuttiHeld *held, TuttiHeld *needed)
{
  g_return_if_fail (held != needed);
  if (held->needs == NULL)
    held->needs = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_held_unref);
  g_ptr_array_add (held->needs, tutti_held_ref (needed));
}

void
tutti_held_set_making (TuttiHeld *held, gint64 timeout, guint retries)
{
  g_return_if_fail (timeout >= 0);
  held->timeout = timeout;
  held->retries = retries;
}

guint64
tutti_held_get_id (TuttiHeld *held)
{
  return held->id;
}

gboolean
tutti_held_is_equal (TuttiHeld *one, TuttiHeld *other)
{
  if (one->kind != TUTTI_HELD_GIVEN || other->kind != TUTTI_HELD_GIVEN || one->payloads->len != other->payloads->len)
    return FALSE;
  for (guint i = 0; i < one->payloads->len; i++)
    if (!tutti_payload_is_equal (g_ptr_array_index (one->payloads, i), g_ptr_array_index (other->payloads, i)))
      return FALSE;
  return TRUE;
}

static TuttiPayload *
held_payload (TuttiHeld *held, guint index)
{
  return g_ptr_array_index (held->payloads, held->payloads->len == 1 ? 0 : index);
}

guint
tutti_held_get_n_payloads (TuttiHeld *held)
{
  return held->payloads->len;
}

/* Tell every worker that has HELD to forget it. Runs in the engine's thread, because the last reference may be dropped by a
 * finaliser, or under the lock. */
static gboolean
held_forget (gpointer data)
{
  guint64 *id = data;
  TuttiEngine *engine = tutti_engine_peek ();
  GHashTableIter iter;
  gpointer value;

  tutti_engine_lock (engine);
  g_hash_table_iter_init (&iter, engine->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TuttiSlot *slot = value;
      TuttiMessage message = { .kind = TUTTI_MESSAGE_DROP, .id = *id };

      if (g_hash_table_remove (slot->known, id) && slot->worker != NULL && slot->worker->transport != NULL)
        {
          message.generation = slot->worker->generation;
          /* A worker that is gone has forgotten it as well. */
          (void) tutti_transport_send (slot->worker->transport, &message, NULL);
          tutti_slot_update_events_locked (slot);
        }
    }
  tutti_engine_unlock (engine);
  return G_SOURCE_REMOVE;
}

void
tutti_held_unref (TuttiHeld *held)
{
  if (held == NULL || !g_atomic_ref_count_dec (&held->refs))
    return;
  TuttiEngine *engine = tutti_engine_peek ();

  if (engine != NULL && !tutti_engine_is_copy (NULL))
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_priority (source, G_PRIORITY_DEFAULT);
      g_source_set_static_name (source, "[tutti] forget a held object");
      g_source_set_callback (source, held_forget, g_memdup2 (&held->id, sizeof held->id), g_free);
      g_source_attach (source, engine->context);
    }
  g_ptr_array_unref (held->payloads);
  g_clear_pointer (&held->needs, g_ptr_array_unref);
  g_free (held);
}

void
tutti_held_foreach_vector (TuttiHeld *held, void (*visit) (TuttiVector *))
{
  for (guint p = 0; p < held->payloads->len; p++)
    tutti_payload_foreach_shared (g_ptr_array_index (held->payloads, p), visit);
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    tutti_held_foreach_vector (g_ptr_array_index (held->needs, i), visit);
}

TuttiHeld *
tutti_held_find_unmade_locked (TuttiHeld *held, TuttiSlot *slot)
{
  if (g_hash_table_contains (slot->known, &held->id))
    return NULL;
  if (held->kind == TUTTI_HELD_MADE)
    return held;
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    {
      TuttiHeld *unmade = tutti_held_find_unmade_locked (g_ptr_array_index (held->needs, i), slot);

      if (unmade != NULL)
        return unmade;
    }
  return NULL;
}

TuttiTask *
tutti_held_new_maker (TuttiHeld *held, TuttiHandlerKind handler, guint index)
{
  TuttiTask *maker = tutti_task_new (handler, held_payload (held, index));

  tutti_task_set_worker (maker, (int) index);
  tutti_task_set_timeout (maker, held->timeout);
  tutti_task_set_retries (maker, held->retries);
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    tutti_task_add_held (maker, g_ptr_array_index (held->needs, i));
  tutti_task_set_makes (maker, held);
  return maker;
}

void
tutti_held_made_locked (TuttiHeld *held, TuttiSlot *slot)
{
  g_hash_table_add (slot->known, g_memdup2 (&held->id, sizeof held->id));
}

gboolean
tutti_held_send_locked (TuttiHeld *held, TuttiSlot *slot, GError **error)
{
  TuttiMessage message = { .kind = TUTTI_MESSAGE_HOLD, .generation = slot->worker->generation, .id = held->id };

  if (g_hash_table_contains (slot->known, &held->id))
    return TRUE;
  g_assert (held->kind == TUTTI_HELD_GIVEN); /* what is made was made before */
  for (guint i = 0; held->needs != NULL && i < held->needs->len; i++)
    if (!tutti_held_send_locked (g_ptr_array_index (held->needs, i), slot, error))
      return FALSE;
  message.payload = held_payload (held, slot->index);
  if (!tutti_transport_send (slot->worker->transport, &message, error))
    return FALSE;
  tutti_held_made_locked (held, slot);
  return TRUE;
}
