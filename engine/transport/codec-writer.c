/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values to bytes. The buffer doubles when it is full; no item allocates. (A GByteArray ends at 4 GiB, a payload does not.) */
#include "transport/codec-private.h"
#include <string.h>

enum { FIRST_CAPACITY = TTI_PAYLOAD_SMALL, ITEM_HEAD_MAX = 2 + 2 * TTI_COUNT_MAX_BYTES };

struct _TtiWriter
{
  guint8 *data;                      /* FIRST, or from malloc */
  gsize used, capacity;
  GPtrArray *vectors;                /* NULL: none so far */
  GArray *travels;
  GHashTable *known[3];              /* for each TtiTravel: vector -> its number + 1 */
  guint8 first[FIRST_CAPACITY];
};

gsize
tti_number_size (TtiNumberKind kind)
{
  static const guint8 sizes[] = {
    [TTI_NUMBER_U8] = 1, [TTI_NUMBER_S8] = 1, [TTI_NUMBER_U16] = 2, [TTI_NUMBER_S16] = 2, [TTI_NUMBER_U32] = 4,
    [TTI_NUMBER_S32] = 4, [TTI_NUMBER_U64] = 8, [TTI_NUMBER_S64] = 8, [TTI_NUMBER_F32] = 4, [TTI_NUMBER_F64] = 8,
    [TTI_NUMBER_C32] = 8, [TTI_NUMBER_C64] = 16, [TTI_NUMBER_VU8] = 1, [TTI_NUMBER_BIT] = 0,
  };

  g_return_val_if_fail ((guint) kind <= TTI_NUMBER_LAST, 0);
  return sizes[kind];
}

static void
writer_begin (TtiWriter *writer)
{
  writer->data = writer->first;
  writer->used = 0;
  writer->capacity = FIRST_CAPACITY;
}

TtiWriter *
tti_writer_new (void)
{
  TtiWriter *writer = g_malloc (sizeof *writer);

  memset (writer, 0, offsetof (TtiWriter, first));
  writer_begin (writer);
  return writer;
}

static void
writer_forget_vectors (TtiWriter *writer)
{
  g_clear_pointer (&writer->vectors, g_ptr_array_unref);
  g_clear_pointer (&writer->travels, g_array_unref);
  for (guint i = 0; i < G_N_ELEMENTS (writer->known); i++)
    g_clear_pointer (&writer->known[i], g_hash_table_unref);
}

void
tti_writer_free (TtiWriter *writer)
{
  if (writer == NULL)
    return;
  writer_forget_vectors (writer);
  if (writer->data != writer->first)
    g_free (writer->data);
  g_free (writer);
}

static G_GNUC_NO_INLINE void
writer_grow (TtiWriter *writer, gsize needed)
{
  gsize wanted;

  if (!g_size_checked_add (&wanted, writer->used, needed))
    g_error ("value of more than %" G_GSIZE_FORMAT " bytes", G_MAXSIZE);
  writer->capacity = MAX (wanted, writer->capacity <= G_MAXSIZE / 2 ? 2 * writer->capacity : 0);
  if (writer->data != writer->first)
    writer->data = g_realloc (writer->data, writer->capacity);
  else
    {
      writer->data = g_malloc (writer->capacity);
      memcpy (writer->data, writer->first, writer->used);
    }
}

/* Where the next SIZE bytes go; the caller adds the number of bytes that it wrote to writer->used. */
static inline guint8 *
writer_room (TtiWriter *writer, gsize size)
{
  if (G_UNLIKELY (size > writer->capacity - writer->used))
    writer_grow (writer, size);
  return writer->data + writer->used;
}

static inline void
put_fixed (TtiWriter *writer, TtiItemTag tag, gconstpointer data, gsize size)
{
  guint8 *to = writer_room (writer, 1 + size);

  to[0] = (guint8) tag;
  memcpy (to + 1, data, size);
  writer->used += 1 + size;
}

/* Write TAG, KIND if it is not negative, and COUNT; return the place of the SIZE bytes that follow. */
static inline guint8 *
put_sized (TtiWriter *writer, TtiItemTag tag, int kind, guint64 count, gsize size)
{
  gsize most;

  if (!g_size_checked_add (&most, size, ITEM_HEAD_MAX))
    g_error ("value of more than %" G_GSIZE_FORMAT " bytes", G_MAXSIZE);
  guint8 *to = writer_room (writer, most);

  *to++ = (guint8) tag;
  if (kind >= 0)
    *to++ = (guint8) kind;
  to = tti_count_put (to, count);
  writer->used = (gsize) (to - writer->data) + size;
  return to;
}

void
tti_writer_constant (TtiWriter *writer, TtiItemTag tag)
{
  g_return_if_fail (tag == TTI_ITEM_RATIONAL || (tag >= TTI_ITEM_NIL && tag <= TTI_ITEM_UNSPECIFIED));
  *writer_room (writer, 1) = (guint8) tag;
  writer->used++;
}

void
tti_writer_undefined (TtiWriter *writer, gint64 which)
{
  put_fixed (writer, TTI_ITEM_UNDEFINED, &which, sizeof which);
}

void
tti_writer_integer (TtiWriter *writer, gint64 value)
{
  put_fixed (writer, TTI_ITEM_INTEGER, &value, sizeof value);
}

void
tti_writer_big_integer (TtiWriter *writer, gboolean negative, const guint8 *magnitude, gsize n_bytes)
{
  guint8 *to = put_sized (writer, TTI_ITEM_BIG_INTEGER, negative ? 1 : 0, n_bytes, n_bytes);

  if (n_bytes > 0)
    memcpy (to, magnitude, n_bytes);
}

void
tti_writer_real (TtiWriter *writer, double value)
{
  put_fixed (writer, TTI_ITEM_REAL, &value, sizeof value);
}

void
tti_writer_complex (TtiWriter *writer, double real, double imaginary)
{
  double parts[] = { real, imaginary };

  put_fixed (writer, TTI_ITEM_COMPLEX, parts, sizeof parts);
}

void
tti_writer_character (TtiWriter *writer, guint32 code)
{
  g_return_if_fail (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
  put_fixed (writer, TTI_ITEM_CHARACTER, &code, sizeof code);
}

void
tti_writer_text (TtiWriter *writer, TtiItemTag tag, const char *utf8, gsize n_bytes)
{
  g_return_if_fail (tag >= TTI_ITEM_STRING && tag <= TTI_ITEM_KEYWORD);
  guint8 *to = put_sized (writer, tag, -1, n_bytes, n_bytes);

  if (n_bytes > 0)
    memcpy (to, utf8, n_bytes);
}

void
tti_writer_open (TtiWriter *writer, TtiItemTag tag, guint8 kind, guint64 count)
{
  gboolean has_kind = tag == TTI_ITEM_TABLE || tag == TTI_ITEM_EXTENSION;

  g_return_if_fail (has_kind || tag == TTI_ITEM_ARRAY || (tag >= TTI_ITEM_LIST && tag <= TTI_ITEM_VECTOR));
  put_sized (writer, tag, has_kind ? kind : -1, count, 0);
}

gpointer
tti_writer_run (TtiWriter *writer, TtiItemTag tag, TtiItemTag kind, guint64 count)
{
  gsize size;

  g_return_val_if_fail (tag == TTI_ITEM_LIST_RUN || tag == TTI_ITEM_VECTOR_RUN, NULL);
  g_return_val_if_fail (kind == TTI_ITEM_INTEGER || kind == TTI_ITEM_REAL, NULL);
  g_return_val_if_fail (g_size_checked_mul (&size, (gsize) count, 8), NULL);
  return put_sized (writer, tag, kind, count, size);
}

void
tti_writer_numbers (TtiWriter *writer, TtiNumberKind kind, gboolean shared, gconstpointer data, guint64 count)
{
  gsize size;

  g_return_if_fail ((guint) kind <= TTI_NUMBER_LAST && tti_numbers_size (kind, count, &size));
  guint8 *to = put_sized (writer, TTI_ITEM_NUMBERS, (int) kind | (shared ? SHARED_NUMBERS : 0), count, size);

  if (size > 0)
    memcpy (to, data, size);
}

/* The number of VECTOR in this payload, assigned if it has none yet. */
static guint
writer_vector_index (TtiWriter *writer, TtiVector *vector, TtiTravel travel)
{
  if (writer->vectors == NULL)
    {
      writer->vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
      writer->travels = g_array_new (FALSE, FALSE, 1);
    }
  if (writer->known[travel] == NULL)
    writer->known[travel] = g_hash_table_new (NULL, NULL);
  guint index = GPOINTER_TO_UINT (g_hash_table_lookup (writer->known[travel], vector));

  if (index == 0)
    {
      guint8 byte = (guint8) travel;

      g_ptr_array_add (writer->vectors, tti_vector_ref (vector));
      g_array_append_val (writer->travels, byte);
      index = writer->vectors->len;
      g_hash_table_insert (writer->known[travel], vector, GUINT_TO_POINTER (index));
    }
  return index - 1;
}

void
tti_writer_attach (TtiWriter *writer, TtiNumberKind kind, TtiVector *vector, guint64 count, TtiTravel travel)
{
  gsize size;

  g_return_if_fail (vector != NULL && (guint) travel <= TTI_TRAVEL_WRITE);
  g_return_if_fail ((guint) kind <= TTI_NUMBER_LAST && tti_numbers_size (kind, count, &size));
  g_return_if_fail (size <= tti_vector_get_size (vector));
  put_sized (writer, TTI_ITEM_ATTACHED, kind, writer_vector_index (writer, vector, travel), 0);
  writer->used = (gsize) (tti_count_put (writer_room (writer, TTI_COUNT_MAX_BYTES), count) - writer->data);
}

void
tti_writer_held (TtiWriter *writer, guint64 id)
{
  put_fixed (writer, TTI_ITEM_HELD, &id, sizeof id);
}

void
tti_writer_embedded (TtiWriter *writer, guint32 k)
{
  put_sized (writer, TTI_ITEM_EMBEDDED, -1, k, 0);
}

gsize
tti_writer_get_size (TtiWriter *writer)
{
  return writer->used;
}

TtiPayload *
tti_writer_finish (TtiWriter *writer)
{
  GPtrArray *vectors = g_steal_pointer (&writer->vectors);
  GArray *travels = g_steal_pointer (&writer->travels);
  TtiPayload *payload;

  if (writer->data == writer->first)
    payload = tti_payload_new_copy (writer->data, writer->used, vectors, travels);
  else /* it may be kept for long: free what the doubling has allocated too much */
    payload = tti_payload_new (g_bytes_new_take (g_realloc (writer->data, writer->used), writer->used), vectors, travels);
  writer_begin (writer);
  writer_forget_vectors (writer);
  return payload;
}
