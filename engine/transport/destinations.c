/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/destinations.h"

typedef struct
{
  guint32 attempt;
  GPtrArray *vectors;
} Note;

struct _TtiDestinations
{
  GHashTable *notes; /* number of a task -> Note */
};

static void
note_free (gpointer data)
{
  Note *note = data;

  g_clear_pointer (&note->vectors, g_ptr_array_unref);
  g_free (note);
}

TtiDestinations *
tti_destinations_new (void)
{
  TtiDestinations *destinations = g_new (TtiDestinations, 1);

  destinations->notes = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, note_free);
  return destinations;
}

void
tti_destinations_free (TtiDestinations *destinations)
{
  if (destinations == NULL)
    return;
  g_hash_table_unref (destinations->notes);
  g_free (destinations);
}

void
tti_destinations_note (TtiDestinations *destinations, const TtiMessage *task)
{
  guint n = task->payload != NULL ? tti_payload_get_n_vectors (task->payload) : 0;
  GPtrArray *vectors = NULL;

  for (guint i = 0; i < n; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (task->payload, i, &travel);

      if (travel != TTI_TRAVEL_WRITE)
        continue;
      if (vectors == NULL)
        vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
      g_ptr_array_add (vectors, tti_vector_ref (vector));
    }
  if (vectors == NULL)
    {
      tti_destinations_forget (destinations, task->id);
      return;
    }
  Note *note = g_new (Note, 1);

  *note = (Note) { task->attempt, vectors };
  g_hash_table_replace (destinations->notes, g_memdup2 (&task->id, sizeof task->id), note);
}

GPtrArray *
tti_destinations_take (TtiDestinations *destinations, guint64 id, guint32 attempt)
{
  Note *note = g_hash_table_lookup (destinations->notes, &id);

  if (note == NULL || note->attempt != attempt)
    return NULL;
  GPtrArray *vectors = g_steal_pointer (&note->vectors);

  g_hash_table_remove (destinations->notes, &id);
  return vectors;
}

void
tti_destinations_forget (TtiDestinations *destinations, guint64 id)
{
  g_hash_table_remove (destinations->notes, &id);
}

gboolean
tti_destinations_check (GPtrArray *vectors, const TtiAttachment *table, guint n, GError **error)
{
  guint expected = vectors != NULL ? vectors->len : 0;

  if (n != expected)
    return tti_protocol_error (error, "the contents of %u destinations, expected %u", n, expected);
  for (guint i = 0; i < n; i++)
    {
      gsize size = tti_vector_get_size (g_ptr_array_index (vectors, i));

      if (table[i].size != size)
        return tti_protocol_error (error, "the contents of destination %u have %" G_GUINT64_FORMAT " bytes, expected %" G_GSIZE_FORMAT,
                                   i, table[i].size, size);
    }
  return TRUE;
}
