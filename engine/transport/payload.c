/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Payloads: encoded bytes with their vectors, and joining several into one. */
#include "platform/slab.h"
#include "transport/codec-private.h"
#include "transport/vector-private.h"
#include <string.h>

struct _TtiPayload
{
  gint refs;          /* atomic */
  gsize size;
  const guint8 *data; /* that many bytes: of BYTES, or OWN */
  GBytes *bytes;      /* NULL: they are in OWN */
  GPtrArray *vectors; /* NULL: none */
  GArray *travels;    /* NULL: all shared */
  guint8 own[];
};

/* Most requests and answers have no more bytes than that. */
enum { SMALLEST = 64 };

static TtiSlab smallest = TTI_SLAB_INIT (sizeof (TtiPayload) + SMALLEST);

TtiPayload *
tti_payload_new_copy (gconstpointer data, gsize size, GPtrArray *vectors, GArray *travels)
{
  g_return_val_if_fail (travels == NULL || (vectors != NULL && travels->len == vectors->len), NULL);
  TtiPayload *payload = size <= SMALLEST ? tti_slab_alloc (&smallest) : g_malloc (sizeof *payload + size);

  *payload = (TtiPayload) { .refs = 1, .size = size, .data = payload->own, .vectors = vectors, .travels = travels };
  if (size > 0)
    memcpy (payload->own, data, size);
  return payload;
}

TtiPayload *
tti_payload_new (GBytes *bytes, GPtrArray *vectors, GArray *travels)
{
  g_return_val_if_fail (bytes != NULL, NULL);
  g_return_val_if_fail (travels == NULL || (vectors != NULL && travels->len == vectors->len), NULL);
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  TtiPayload *payload;

  if (size <= TTI_PAYLOAD_SMALL)
    {
      payload = tti_payload_new_copy (data, size, vectors, travels);
      g_bytes_unref (bytes);
      return payload;
    }
  payload = g_malloc (sizeof *payload);
  *payload = (TtiPayload) { .refs = 1, .size = size, .data = data, .bytes = bytes, .vectors = vectors, .travels = travels };
  return payload;
}

TtiPayload *
tti_payload_ref (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, NULL);
  g_atomic_int_inc (&payload->refs);
  return payload;
}

void
tti_payload_unref (TtiPayload *payload)
{
  if (payload == NULL || !g_atomic_int_dec_and_test (&payload->refs))
    return;
  g_clear_pointer (&payload->bytes, g_bytes_unref);
  g_clear_pointer (&payload->vectors, g_ptr_array_unref);
  g_clear_pointer (&payload->travels, g_array_unref);
  if (payload->data == payload->own && payload->size <= SMALLEST)
    tti_slab_free (&smallest, payload);
  else
    g_free (payload);
}

gconstpointer
tti_payload_get_data (TtiPayload *payload, gsize *size)
{
  g_return_val_if_fail (payload != NULL, NULL);
  *size = payload->size;
  return payload->data;
}

gsize
tti_payload_get_n_bytes (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, 0);
  return payload->size;
}

guint
tti_payload_get_n_vectors (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, 0);
  return payload->vectors != NULL ? payload->vectors->len : 0;
}

TtiVector *
tti_payload_get_vector (TtiPayload *payload, guint index, TtiTravel *travel)
{
  g_return_val_if_fail (payload != NULL && index < tti_payload_get_n_vectors (payload), NULL);
  if (travel != NULL)
    *travel = payload->travels != NULL ? (TtiTravel) g_array_index (payload->travels, guint8, index) : TTI_TRAVEL_SHARED;
  return g_ptr_array_index (payload->vectors, index);
}

gsize
tti_payload_get_size (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, 0);
  gsize size = payload->size;

  for (guint i = 0; i < tti_payload_get_n_vectors (payload); i++)
    size += tti_vector_get_size (g_ptr_array_index (payload->vectors, i));
  return size;
}

gsize
tti_payload_get_usage (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, 0);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  gsize usage = 0;

  for (guint i = 0; i < tti_payload_get_n_vectors (payload); i++)
    {
      TtiStorage *storage = tti_vector_get_storage (g_ptr_array_index (payload->vectors, i));

      if (g_hash_table_add (seen, storage))
        usage += storage->charged;
    }
  return usage;
}

/* Hash of SIZE and of a sample of the SIZE bytes at DATA, which includes the first and the last. FNV-1a. */
static guint
mix_sample (guint hash, const guint8 *data, gsize size)
{
  enum { SAMPLES = 512, ENDS = 64 };
  gsize step = MAX (size / SAMPLES, 1) | 1; /* odd, or the sample would contain the same byte of each number */

  for (guint i = 0; i < sizeof size; i++)
    hash = (hash ^ (guint) (size >> (8 * i) & 0xff)) * 16777619u;
  for (gsize i = 0; i < size; i += i < ENDS || i + ENDS >= size ? 1 : MIN (step, size - ENDS - i))
    hash = (hash ^ data[i]) * 16777619u;
  return hash;
}

guint
tti_payload_hash (TtiPayload *payload)
{
  g_return_val_if_fail (payload != NULL, 0);
  guint hash = mix_sample (2166136261u, payload->data, payload->size);

  for (guint i = 0; i < tti_payload_get_n_vectors (payload); i++)
    {
      TtiVector *vector = g_ptr_array_index (payload->vectors, i);

      hash = mix_sample (hash, tti_vector_get_data (vector), tti_vector_get_size (vector));
    }
  return hash;
}

gboolean
tti_payload_is_equal (TtiPayload *one, TtiPayload *other)
{
  guint n = tti_payload_get_n_vectors (one);

  if (n != tti_payload_get_n_vectors (other) || one->size != other->size
      || (one->size > 0 && memcmp (one->data, other->data, one->size) != 0))
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      TtiVector *a = g_ptr_array_index (one->vectors, i), *b = g_ptr_array_index (other->vectors, i);
      gsize size = tti_vector_get_size (a);

      if (size != tti_vector_get_size (b))
        return FALSE;
      if (a != b && size > 0 && memcmp (tti_vector_get_data (a), tti_vector_get_data (b), size) != 0)
        return FALSE;
    }
  return TRUE;
}

TtiPayload *
tti_payload_freeze (TtiPayload *payload, gboolean snapshot, gboolean read_only, GError **error)
{
  guint n = tti_payload_get_n_vectors (payload);
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  g_autoptr (GArray) travels = g_array_new (FALSE, FALSE, 1);

  for (guint i = 0; i < n; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel), *own;
      gsize size = tti_vector_get_size (vector);
      guint8 frozen = read_only ? TTI_TRAVEL_SHARED : travel;

      if (travel == TTI_TRAVEL_COPY || !snapshot) /* vectors that travel as copies were made for this payload alone */
        own = tti_vector_ref (vector);
      else if ((own = tti_vector_new_to_fill (size, error)) == NULL)
        return NULL;
      else
        tti_memory_copy (tti_vector_get_data (own), tti_vector_get_data (vector), size);
      g_ptr_array_add (vectors, own);
      g_array_append_val (travels, frozen);
    }
  if (n == 0)
    return tti_payload_ref (payload);
  if (payload->bytes != NULL)
    return tti_payload_new (g_bytes_ref (payload->bytes), g_steal_pointer (&vectors), g_steal_pointer (&travels));
  return tti_payload_new_copy (payload->own, payload->size, g_steal_pointer (&vectors), g_steal_pointer (&travels));
}

void
tti_payload_foreach_shared (TtiPayload *payload, void (*visit) (TtiVector *))
{
  for (guint i = 0; i < tti_payload_get_n_vectors (payload); i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel);

      if (travel != TTI_TRAVEL_COPY)
        visit (vector);
    }
}

gboolean
tti_payload_is_joined (TtiPayload *payload)
{
  return payload->size > 0 && payload->data[0] == TTI_ITEM_JOIN;
}

static void
collect_vectors (TtiPayload *payload, GPtrArray *vectors, GArray *travels)
{
  for (guint i = 0; i < tti_payload_get_n_vectors (payload); i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel);
      guint8 byte = (guint8) travel;

      g_ptr_array_add (vectors, tti_vector_ref (vector));
      g_array_append_val (travels, byte);
    }
}

static guint8 *
bytes_put (guint8 *to, TtiPayload *payload)
{
  if (payload->size > 0)
    memcpy (to, payload->data, payload->size);
  return to + payload->size;
}

/* JOIN, the number of dependencies, for each its size and the number of its first vector, the dependencies, the request. */
TtiPayload *
tti_payload_join (TtiPayload *request, TtiPayload *const *dependencies, guint n_dependencies)
{
  g_return_val_if_fail (request != NULL && !tti_payload_is_joined (request), NULL);
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  g_autoptr (GArray) travels = g_array_new (FALSE, FALSE, 1);
  gsize most = 1 + TTI_COUNT_MAX_BYTES * (1 + 2 * (gsize) n_dependencies) + request->size;

  for (guint i = 0; i < n_dependencies; i++)
    {
      g_return_val_if_fail (dependencies[i] != NULL && !tti_payload_is_joined (dependencies[i]), NULL);
      most += dependencies[i]->size;
    }
  guint8 *data = g_malloc (most), *end = data;

  *end++ = TTI_ITEM_JOIN;
  end = tti_count_put (end, n_dependencies);
  collect_vectors (request, vectors, travels);
  for (guint i = 0; i < n_dependencies; i++)
    {
      end = tti_count_put (end, dependencies[i]->size);
      end = tti_count_put (end, vectors->len);
      collect_vectors (dependencies[i], vectors, travels);
    }
  for (guint i = 0; i < n_dependencies; i++)
    end = bytes_put (end, dependencies[i]);
  end = bytes_put (end, request);
  gsize size = (gsize) (end - data);

  return tti_payload_new (g_bytes_new_take (g_realloc (data, size), size), g_steal_pointer (&vectors), g_steal_pointer (&travels));
}
