/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Held objects: sent once per worker, forgotten when nobody refers to them. */
#include "pool/engine-private.h"

struct _TuttiHeld
{
  gatomicrefcount refs;
  guint64 id;
  TuttiPayload *payload;
};

static guint64
held_next_id (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

TuttiHeld *
tutti_held_new (TuttiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, NULL);
  TuttiHeld *held = g_new0 (TuttiHeld, 1);

  g_atomic_ref_count_init (&held->refs);
  held->id = held_next_id ();
  held->payload = tutti_payload_ref (payload);
  return held;
}

TuttiHeld *
tutti_held_ref (TuttiHeld *held)
{
  g_return_val_if_fail (held != NULL, NULL);
  g_atomic_ref_count_inc (&held->refs);
  return held;
}

guint64
tutti_held_get_id (TuttiHeld *held)
{
  return held->id;
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

  if (engine != NULL)
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_priority (source, G_PRIORITY_DEFAULT);
      g_source_set_static_name (source, "[tutti] forget a held object");
      g_source_set_callback (source, held_forget, g_memdup2 (&held->id, sizeof held->id), g_free);
      g_source_attach (source, engine->context);
    }
  tutti_payload_unref (held->payload);
  g_free (held);
}

void
tutti_held_send_locked (TuttiHeld *held, TuttiSlot *slot, GError **error)
{
  TuttiMessage message = { .kind = TUTTI_MESSAGE_HOLD, .generation = slot->worker->generation, .id = held->id,
                           .payload = held->payload };

  if (g_hash_table_contains (slot->known, &held->id))
    return;
  if (tutti_transport_send (slot->worker->transport, &message, error))
    g_hash_table_add (slot->known, g_memdup2 (&held->id, sizeof held->id));
}
