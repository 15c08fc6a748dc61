/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Feeds arbitrary bytes to the decoder: it must end, in time proportional to their number, and return only data inside them. As a
 * test it corrupts good values; with -DTUTTI_LIBFUZZER it is a target for libFuzzer. */
#include "fuzz-mutate.h"
#include "payload-check.h"
#include "platform/error.h"
#include "transport/codec.h"

enum { MOST_ITEMS = 100000 }; /* a joined value may be read as far more items than it has bytes */

/* Access everything that a user of the decoder would. */
static guint64
item_use (TtiPayload *payload, const TtiItem *item)
{
  const guint8 *bytes = item->bytes;
  guint64 sum = item->count + item->kind + (guint64) item->integer;

  g_assert_cmpint (item->tag, >, 0);
  g_assert_cmpint (item->tag, <, TTI_ITEM_EMBEDDED);
  if (item->tag == TTI_ITEM_ATTACHED)
    {
      TtiVector *vector = tti_payload_get_vector (payload, item->index, NULL);

      g_assert_cmpuint (item->n_bytes, <=, tti_vector_get_size (vector));
      bytes = tti_vector_get_data (vector);
    }
  for (gsize i = 0; i < item->n_bytes; i++)
    sum += bytes[i];
  return sum;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  GPtrArray *vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

  g_ptr_array_add (vectors, tti_vector_new (0, NULL));
  g_ptr_array_add (vectors, tti_vector_new (100, NULL));
  g_autoptr (TtiPayload) payload = tti_payload_new (g_bytes_new (data, size), vectors, NULL);
  g_autoptr (TtiReader) reader = tti_reader_new (payload);
  g_autoptr (GError) error = NULL;
  gboolean joined = size > 0 && data[0] == TTI_ITEM_JOIN;
  volatile guint64 sum = 0;
  gsize n = 0;
  TtiItem item;

  for (; n < MOST_ITEMS && tti_reader_next (reader, &item, &error); n++)
    sum += item_use (payload, &item);
  g_assert_true (joined || n <= size);
  g_assert_true (error == NULL || g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL));
  return 0;
}

#ifndef TUTTI_LIBFUZZER
static void value_write (TtiWriter *writer, guint depth, TtiVector *vector);

static void
atom_write (TtiWriter *writer, TtiVector *vector)
{
  static const guint8 data[16];

  switch (fuzz_below (9))
    {
    case 0: tti_writer_constant (writer, TTI_ITEM_NIL + fuzz_below (4)); break;
    case 1: tti_writer_integer (writer, g_test_rand_int ()); break;
    case 2: tti_writer_text (writer, TTI_ITEM_STRING + fuzz_below (3), "t\xc3\xa4xt", fuzz_below (2) ? 5 : 1); break;
    case 3: tti_writer_character (writer, fuzz_below (0xd800)); break;
    case 4: memset (tti_writer_run (writer, TTI_ITEM_LIST_RUN, TTI_ITEM_REAL, 2), 0, 16); break;
    case 5: tti_writer_numbers (writer, fuzz_below (TTI_NUMBER_LAST + 1), fuzz_below (2) == 1, data, 1); break;
    case 6: tti_writer_attach (writer, TTI_NUMBER_U8, vector, fuzz_below (100), TTI_TRAVEL_SHARED); break;
    case 7: tti_writer_big_integer (writer, fuzz_below (2) != 0, data, fuzz_below (16)); break;
    default: tti_writer_complex (writer, 1, 2);
    }
}

static void
items_write (TtiWriter *writer, guint n, guint depth, TtiVector *vector)
{
  while (n-- > 0)
    value_write (writer, depth + 1, vector);
}

static void
value_write (TtiWriter *writer, guint depth, TtiVector *vector)
{
  guint n = fuzz_below (4);

  switch (depth > 4 ? 0 : fuzz_below (7))
    {
    case 1:
      tti_writer_open (writer, TTI_ITEM_LIST, 0, n);
      items_write (writer, n, depth, vector);
      break;
    case 2:
      tti_writer_open (writer, TTI_ITEM_DOTTED, 0, n);
      items_write (writer, n + 1, depth, vector);
      break;
    case 3:
      tti_writer_open (writer, TTI_ITEM_TABLE, 1, n);
      items_write (writer, 2 * n, depth, vector);
      break;
    case 4:
      tti_writer_open (writer, TTI_ITEM_ARRAY, 0, n);
      for (guint i = 0; i < 2 * n; i++)
        tti_writer_integer (writer, i);
      value_write (writer, depth + 1, vector);
      break;
    case 5:
      tti_writer_constant (writer, TTI_ITEM_RATIONAL);
      tti_writer_integer (writer, 1);
      tti_writer_big_integer (writer, FALSE, (const guint8 *) "\7", 1);
      break;
    default:
      atom_write (writer, vector);
    }
}

static TtiPayload *
value_make (TtiVector *vector)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  value_write (writer, 0, vector);
  return tti_writer_finish (writer);
}

static TtiPayload *
joined_make (TtiVector *vector)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  g_autoptr (TtiPayload) a = value_make (vector);
  g_autoptr (TtiPayload) b = value_make (vector);

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 3);
  for (guint i = 0; i < 3; i++)
    tti_writer_embedded (writer, i % 2);
  g_autoptr (TtiPayload) request = tti_writer_finish (writer);

  return tti_payload_join (request, (TtiPayload *[]) { a, b }, 2);
}

static void
test_fuzz (void)
{
  g_autoptr (GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_byte_array_unref);
  g_autoptr (TtiVector) vector = tti_vector_new (100, NULL);

  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (TtiPayload) payload = i % 5 == 0 ? joined_make (vector) : value_make (vector);
      g_autoptr (GError) error = NULL;
      gsize size;
      const guint8 *data = tti_payload_get_data (payload, &size);
      GByteArray *bytes = g_byte_array_new ();

      payload_check (payload, &error);
      g_assert_no_error (error);
      g_byte_array_append (bytes, data, (guint) size);
      g_ptr_array_add (corpus, bytes);
    }
  fuzz_run (corpus, 200000, (FuzzBound) { 32, 4096, NULL });
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fuzz/codec", test_fuzz);
  return g_test_run ();
}
#endif
