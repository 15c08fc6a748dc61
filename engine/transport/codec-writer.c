/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values to bytes. The buffer doubles when it is full; no item allocates. (A GByteArray ends at 4 GiB, a payload does not.) */
#include "transport/codec-private.h"
#include <string.h>

enum { FIRST_CAPACITY = 256, ITEM_HEAD_MAX = 2 + 2 * TUTTI_COUNT_MAX_BYTES };

struct _TuttiWriter
{
  guint8 *data;
  gsize used, capacity;
  GPtrArray *vectors;                /* NULL: none so far */
  GArray *travels;
  GHashTable *known[3];              /* for each TuttiTravel: vector -> its number + 1 */
};

gsize
tutti_number_size (TuttiNumberKind kind)
{
  static const guint8 sizes[] = {
    [TUTTI_NUMBER_U8] = 1, [TUTTI_NUMBER_S8] = 1, [TUTTI_NUMBER_U16] = 2, [TUTTI_NUMBER_S16] = 2, [TUTTI_NUMBER_U32] = 4,
    [TUTTI_NUMBER_S32] = 4, [TUTTI_NUMBER_U64] = 8, [TUTTI_NUMBER_S64] = 8, [TUTTI_NUMBER_F32] = 4, [TUTTI_NUMBER_F64] = 8,
    [TUTTI_NUMBER_C32] = 8, [TUTTI_NUMBER_C64] = 16, [TUTTI_NUMBER_VU8] = 1, [TUTTI_NUMBER_BIT] = 0,
  };

  g_return_val_if_fail ((guint) kind <= TUTTI_NUMBER_LAST, 0);
  return sizes[kind];
}

TuttiWriter *
tutti_writer_new (void)
{
  return g_new0 (TuttiWriter, 1);
}

static void
writer_forget_vectors (TuttiWriter *writer)
{
  g_clear_pointer (&writer->vectors, g_ptr_array_unref);
  g_clear_pointer (&writer->travels, g_array_unref);
  for (guint i = 0; i < G_N_ELEMENTS (writer->known); i++)
    g_clear_pointer (&writer->known[i], g_hash_table_unref);
}

void
tutti_writer_free (TuttiWriter *writer)
{
  if (writer == NULL)
    return;
  writer_forget_vectors (writer);
  g_free (writer->data);
  g_free (writer);
}

static G_GNUC_NO_INLINE void
writer_grow (TuttiWriter *writer, gsize needed)
{
  gsize wanted;

  if (!g_size_checked_add (&wanted, writer->used, needed))
    g_error ("value of more than %" G_GSIZE_FORMAT " bytes", G_MAXSIZE);
  writer->capacity = MAX (MAX (wanted, FIRST_CAPACITY), writer->capacity <= G_MAXSIZE / 2 ? 2 * writer->capacity : 0);
  writer->data = g_realloc (writer->data, writer->capacity);
}

/* Where the next SIZE bytes go; the caller adds the number of bytes that it wrote to writer->used. */
static inline guint8 *
writer_room (TuttiWriter *writer, gsize size)
{
  if (G_UNLIKELY (size > writer->capacity - writer->used))
    writer_grow (writer, size);
  return writer->data + writer->used;
}

static inline void
put_fixed (TuttiWriter *writer, TuttiItemTag tag, gconstpointer data, gsize size)
{
  guint8 *to = writer_room (writer, 1 + size);

  to[0] = (guint8) tag;
  memcpy (to + 1, data, size);
  writer->used += 1 + size;
}

/* Write TAG, KIND if it is not negative, and COUNT; return the place of the SIZE bytes that follow. */
static inline guint8 *
put_sized (TuttiWriter *writer, TuttiItemTag tag, int kind, guint64 count, gsize size)
{
  gsize most;

  if (!g_size_checked_add (&most, size, ITEM_HEAD_MAX))
    g_error ("value of more than %" G_GSIZE_FORMAT " bytes", G_MAXSIZE);
  guint8 *to = writer_room (writer, most);

  *to++ = (guint8) tag;
  if (kind >= 0)
    *to++ = (guint8) kind;
  to = tutti_count_put (to, count);
  writer->used = (gsize) (to - writer->data) + size;
  return to;
}

void
tutti_writer_constant (TuttiWriter *writer, TuttiItemTag tag)
{
  g_return_if_fail (tag == TUTTI_ITEM_RATIONAL || (tag >= TUTTI_ITEM_NIL && tag <= TUTTI_ITEM_UNSPECIFIED));
  *writer_room (writer, 1) = (guint8) tag;
  writer->used++;
}

void
tutti_writer_undefined (TuttiWriter *writer, gint64 which)
{
  put_fixed (writer, TUTTI_ITEM_UNDEFINED, &which, sizeof which);
}

void
tutti_writer_integer (TuttiWriter *writer, gint64 value)
{
  put_fixed (writer, TUTTI_ITEM_INTEGER, &value, sizeof value);
}

void
tutti_writer_big_integer (TuttiWriter *writer, gboolean negative, const guint8 *magnitude, gsize n_bytes)
{
  guint8 *to = put_sized (writer, TUTTI_ITEM_BIG_INTEGER, negative ? 1 : 0, n_bytes, n_bytes);

  if (n_bytes > 0)
    memcpy (to, magnitude, n_bytes);
}

void
tutti_writer_real (TuttiWriter *writer, double value)
{
  put_fixed (writer, TUTTI_ITEM_REAL, &value, sizeof value);
}

void
tutti_writer_complex (TuttiWriter *writer, double real, double imaginary)
{
  double parts[] = { real, imaginary };

  put_fixed (writer, TUTTI_ITEM_COMPLEX, parts, sizeof parts);
}

void
tutti_writer_character (TuttiWriter *writer, guint32 code)
{
  g_return_if_fail (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
  put_fixed (writer, TUTTI_ITEM_CHARACTER, &code, sizeof code);
}

void
tutti_writer_text (TuttiWriter *writer, TuttiItemTag tag, const char *utf8, gsize n_bytes)
{
  g_return_if_fail (tag >= TUTTI_ITEM_STRING && tag <= TUTTI_ITEM_KEYWORD);
  guint8 *to = put_sized (writer, tag, -1, n_bytes, n_bytes);

  if (n_bytes > 0)
    memcpy (to, utf8, n_bytes);
}

void
tutti_writer_open (TuttiWriter *writer, TuttiItemTag tag, guint8 kind, guint64 count)
{
  gboolean has_kind = tag == TUTTI_ITEM_TABLE || tag == TUTTI_ITEM_EXTENSION;

  g_return_if_fail (has_kind || tag == TUTTI_ITEM_ARRAY || (tag >= TUTTI_ITEM_LIST && tag <= TUTTI_ITEM_VECTOR));
  put_sized (writer, tag, has_kind ? kind : -1, count, 0);
}

gpointer
tutti_writer_run (TuttiWriter *writer, TuttiItemTag tag, TuttiItemTag kind, guint64 count)
{
  gsize size;

  g_return_val_if_fail (tag == TUTTI_ITEM_LIST_RUN || tag == TUTTI_ITEM_VECTOR_RUN, NULL);
  g_return_val_if_fail (kind == TUTTI_ITEM_INTEGER || kind == TUTTI_ITEM_REAL, NULL);
  g_return_val_if_fail (g_size_checked_mul (&size, (gsize) count, 8), NULL);
  return put_sized (writer, tag, kind, count, size);
}

void
tutti_writer_numbers (TuttiWriter *writer, TuttiNumberKind kind, gboolean shared, gconstpointer data, guint64 count)
{
  gsize size;

  g_return_if_fail ((guint) kind <= TUTTI_NUMBER_LAST && tutti_numbers_size (kind, count, &size));
  guint8 *to = put_sized (writer, TUTTI_ITEM_NUMBERS, (int) kind | (shared ? SHARED_NUMBERS : 0), count, size);

  if (size > 0)
    memcpy (to, data, size);
}

/* The number of VECTOR in this payload, assigned if it has none yet. */
static guint
writer_vector_index (TuttiWriter *writer, TuttiVector *vector, TuttiTravel travel)
{
  if (writer->vectors == NULL)
    {
      writer->vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_vector_unref);
      writer->travels = g_array_new (FALSE, FALSE, 1);
    }
  if (writer->known[travel] == NULL)
    writer->known[travel] = g_hash_table_new (NULL, NULL);
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (writer->known[travel], vector));

  if (index == 0)
    {
      guint8 byte = (guint8) travel;

      g_ptr_array_add (writer->vectors, tutti_vector_ref (vector));
      g_array_append_val (writer->travels, byte);
      index = writer->vectors->len;
      g_hash_table_insert (writer->known[travel], vector, GUINT_TO_POINTER (index));
    }
  return index - 1;
}

void
tutti_writer_attach (TuttiWriter *writer, TuttiNumberKind kind, TuttiVector *vector, guint64 count, TuttiTravel travel)
{
  gsize size;

  g_return_if_fail (vector != NULL && (guint) travel <= TUTTI_TRAVEL_WRITE);
  g_return_if_fail ((guint) kind <= TUTTI_NUMBER_LAST && tutti_numbers_size (kind, count, &size));
  g_return_if_fail (size <= tutti_vector_get_size (vector));
  put_sized (writer, TUTTI_ITEM_ATTACHED, kind, writer_vector_index (writer, vector, travel), 0);
  writer->used = (gsize) (tutti_count_put (writer_room (writer, TUTTI_COUNT_MAX_BYTES), count) - writer->data);
}

void
tutti_writer_held (TuttiWriter *writer, guint64 id)
{
  put_fixed (writer, TUTTI_ITEM_HELD, &id, sizeof id);
}

void
tutti_writer_embedded (TuttiWriter *writer, guint32 k)
{
  put_sized (writer, TUTTI_ITEM_EMBEDDED, -1, k, 0);
}

gsize
tutti_writer_get_size (TuttiWriter *writer)
{
  return writer->used;
}

TuttiPayload *
tutti_writer_finish (TuttiWriter *writer)
{
  /* Payloads may be kept for long: free what the doubling has allocated too much. */
  guint8 *data = g_realloc (g_steal_pointer (&writer->data), writer->used);
  GBytes *bytes = g_bytes_new_take (data, writer->used);
  TuttiPayload *payload = tutti_payload_new (bytes, g_steal_pointer (&writer->vectors), g_steal_pointer (&writer->travels));

  writer->used = writer->capacity = 0;
  writer_forget_vectors (writer);
  return payload;
}
