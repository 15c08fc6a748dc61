/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The codec: round trips of every item, and every way in which bytes can be invalid. */
#include "payload-check.h"
#include "platform/error.h"
#include "transport/codec.h"
#include <math.h>
#include <string.h>

static TtiReader *
reader_of (TtiWriter *writer)
{
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);

  return tti_reader_new (payload);
}

static TtiItem
next_is (TtiReader *reader, TtiItemTag tag)
{
  g_autoptr (GError) error = NULL;
  TtiItem item;
  gboolean found = tti_reader_next (reader, &item, &error);

  g_assert_no_error (error);
  g_assert_true (found);
  g_assert_cmpint (item.tag, ==, tag);
  return item;
}

static void
ends (TtiReader *reader)
{
  TtiItem item;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (tti_reader_next (reader, &item, &error));
      g_assert_no_error (error);
    }
}

static void
test_atoms (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_VECTOR, 0, 13);
  for (TtiItemTag tag = TTI_ITEM_NIL; tag <= TTI_ITEM_UNSPECIFIED; tag++)
    tti_writer_constant (writer, tag);
  tti_writer_undefined (writer, 3);
  tti_writer_integer (writer, G_MININT64);
  tti_writer_integer (writer, G_MAXINT64);
  tti_writer_real (writer, -0.0);
  tti_writer_complex (writer, 1.5, -2.5);
  tti_writer_character (writer, 0x10ffff);
  tti_writer_held (writer, G_MAXUINT64);
  tti_writer_big_integer (writer, TRUE, (const guint8 *) "\1\2\3", 3);
  tti_writer_big_integer (writer, FALSE, NULL, 0);
  g_autoptr (TtiReader) reader = reader_of (writer);

  g_assert_cmpuint (next_is (reader, TTI_ITEM_VECTOR).count, ==, 13);
  for (TtiItemTag tag = TTI_ITEM_NIL; tag <= TTI_ITEM_UNSPECIFIED; tag++)
    next_is (reader, tag);
  g_assert_cmpint (next_is (reader, TTI_ITEM_UNDEFINED).integer, ==, 3);
  g_assert_cmpint (next_is (reader, TTI_ITEM_INTEGER).integer, ==, G_MININT64);
  g_assert_cmpint (next_is (reader, TTI_ITEM_INTEGER).integer, ==, G_MAXINT64);
  g_assert_true (signbit (next_is (reader, TTI_ITEM_REAL).real));
  TtiItem item = next_is (reader, TTI_ITEM_COMPLEX);
  g_assert_true (item.real == 1.5 && item.imaginary == -2.5);
  g_assert_cmpint (next_is (reader, TTI_ITEM_CHARACTER).integer, ==, 0x10ffff);
  g_assert_cmpuint ((guint64) next_is (reader, TTI_ITEM_HELD).integer, ==, G_MAXUINT64);
  item = next_is (reader, TTI_ITEM_BIG_INTEGER);
  g_assert_cmpmem (item.bytes, item.n_bytes, "\1\2\3", 3);
  g_assert_cmpuint (item.kind, ==, 1);
  item = next_is (reader, TTI_ITEM_BIG_INTEGER);
  g_assert_true (item.kind == 0 && item.n_bytes == 0);
  ends (reader);
}

static void
test_texts (void)
{
  static const struct { const char *text; gsize size; } texts[] = {
    { "", 0 }, { "a", 1 }, { "\0", 1 }, { "a\0b\0", 4 }, { "grün und \xe2\x82\xac und \xf0\x9f\x8e\xb5", 22 }, { "\xc3\xa4\0\xc3\xa4", 5 },
    { "more than eight plain bytes, then \xc3\xa4", 36 },
  };
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    for (TtiItemTag tag = TTI_ITEM_STRING; tag <= TTI_ITEM_KEYWORD; tag++)
      {
        tti_writer_text (writer, tag, texts[i].text, texts[i].size);
        g_autoptr (TtiReader) reader = reader_of (writer);
        TtiItem item = next_is (reader, tag);

        g_assert_cmpmem (item.bytes, item.n_bytes, texts[i].text, texts[i].size);
        ends (reader);
      }
}

/* The number of items in a composite depends on its tag, not only on its count. */
static void
test_composites (void)
{
  static const struct { TtiItemTag tag; guint64 count, items; } cases[] = {
    { TTI_ITEM_LIST, 0, 0 }, { TTI_ITEM_LIST, 3, 3 }, { TTI_ITEM_DOTTED, 2, 3 }, { TTI_ITEM_VECTOR, 200, 200 },
    { TTI_ITEM_TABLE, 2, 4 }, { TTI_ITEM_EXTENSION, 2, 2 }, { TTI_ITEM_ARRAY, 2, 5 }, { TTI_ITEM_ARRAY, 0, 1 },
    { TTI_ITEM_DOTTED, 0, 1 }, { TTI_ITEM_RATIONAL, 0, 2 },
  };
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      if (cases[i].tag == TTI_ITEM_RATIONAL)
        tti_writer_constant (writer, TTI_ITEM_RATIONAL);
      else
        tti_writer_open (writer, cases[i].tag, 5, cases[i].count);
      for (guint64 k = 0; k < cases[i].items; k++)
        tti_writer_integer (writer, (gint64) k);
      g_autoptr (TtiReader) reader = reader_of (writer);
      TtiItem item = next_is (reader, cases[i].tag);

      g_assert_cmpuint (item.count, ==, cases[i].count);
      g_assert_cmpuint (item.kind, ==, cases[i].tag == TTI_ITEM_TABLE || cases[i].tag == TTI_ITEM_EXTENSION ? 5 : 0);
      for (guint64 k = 0; k < cases[i].items; k++)
        next_is (reader, TTI_ITEM_INTEGER);
      ends (reader);
    }
}

static void
test_deep (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  guint depth = 1000000;

  for (guint i = 0; i < depth; i++)
    tti_writer_open (writer, TTI_ITEM_LIST, 0, i % 2 + 1);
  tti_writer_constant (writer, TTI_ITEM_NIL);
  for (guint i = 0; i < depth / 2; i++)
    tti_writer_constant (writer, TTI_ITEM_TRUE);
  g_autoptr (TtiReader) reader = reader_of (writer);

  for (guint i = 0; i < depth; i++)
    next_is (reader, TTI_ITEM_LIST);
  next_is (reader, TTI_ITEM_NIL);
  for (guint i = 0; i < depth / 2; i++)
    next_is (reader, TTI_ITEM_TRUE);
  ends (reader);
}

static void
test_runs (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  gint64 numbers[] = { 1, -2, 3 };

  for (guint64 n = 0; n <= 3; n++)
    {
      memcpy (tti_writer_run (writer, TTI_ITEM_LIST_RUN, TTI_ITEM_INTEGER, n), numbers, n * 8);
      g_autoptr (TtiReader) reader = reader_of (writer);
      TtiItem item = next_is (reader, TTI_ITEM_LIST_RUN);

      g_assert_cmpuint (item.count, ==, n);
      g_assert_cmpuint (item.kind, ==, TTI_ITEM_INTEGER);
      g_assert_cmpmem (item.bytes, item.n_bytes, numbers, n * 8);
      ends (reader);
    }
}

static void
test_numbers (void)
{
  static const guint8 data[64] = "some bytes";
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  for (TtiNumberKind kind = 0; kind <= TTI_NUMBER_LAST; kind++)
    {
      guint64 count = kind == TTI_NUMBER_BIT ? 13 : 3;
      gsize size = kind == TTI_NUMBER_BIT ? 2 : 3 * tti_number_size (kind);

      tti_writer_numbers (writer, kind, kind % 2 == 0, data, count);
      g_autoptr (TtiReader) reader = reader_of (writer);
      TtiItem item = next_is (reader, TTI_ITEM_NUMBERS);

      g_assert_cmpuint (item.kind, ==, kind);
      g_assert_cmpint (item.shared, ==, kind % 2 == 0);
      g_assert_cmpuint (item.count, ==, count);
      g_assert_cmpmem (item.bytes, item.n_bytes, data, size);
      ends (reader);
    }
}

static void
test_attached_once (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  g_autoptr (TtiVector) a = tti_vector_new (80, NULL);
  g_autoptr (TtiVector) b = tti_vector_new (80, NULL);

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 4);
  tti_writer_attach (writer, TTI_NUMBER_F64, a, 10, TTI_TRAVEL_SHARED);
  tti_writer_attach (writer, TTI_NUMBER_C64, b, 5, TTI_TRAVEL_SHARED);
  tti_writer_attach (writer, TTI_NUMBER_BIT, a, 640, TTI_TRAVEL_SHARED);
  tti_writer_attach (writer, TTI_NUMBER_F64, a, 1, TTI_TRAVEL_COPY);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  g_autoptr (TtiReader) reader = tti_reader_new (payload);

  g_assert_cmpuint (tti_payload_get_n_vectors (payload), ==, 3);
  next_is (reader, TTI_ITEM_LIST);
  g_assert_cmpuint (next_is (reader, TTI_ITEM_ATTACHED).index, ==, 0);
  g_assert_cmpuint (next_is (reader, TTI_ITEM_ATTACHED).index, ==, 1);
  g_assert_cmpuint (next_is (reader, TTI_ITEM_ATTACHED).index, ==, 0);
  g_assert_cmpuint (next_is (reader, TTI_ITEM_ATTACHED).index, ==, 2);
  ends (reader);
}

static void
test_writer_starts_again (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  g_autoptr (TtiVector) vector = tti_vector_new (8, NULL);

  tti_writer_attach (writer, TTI_NUMBER_F64, vector, 1, TTI_TRAVEL_SHARED);
  g_assert_cmpuint (tti_writer_get_size (writer), ==, 4);
  tti_payload_unref (tti_writer_finish (writer));
  g_assert_cmpuint (tti_writer_get_size (writer), ==, 0);
  tti_writer_integer (writer, 1);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  g_assert_cmpuint (tti_payload_get_n_vectors (payload), ==, 0);
  g_assert_true (payload_check (payload, NULL));
}

static void
refused (const guint8 *bytes, gsize size, const char *part)
{
  /* A copy of exactly this size, so that an address checker sees a read beyond it. */
  GPtrArray *vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

  g_ptr_array_add (vectors, tti_vector_new (16, NULL));
  g_autoptr (TtiPayload) payload = tti_payload_new (g_bytes_new (bytes, size), vectors, NULL);
  g_autoptr (TtiReader) reader = tti_reader_new (payload);
  g_autoptr (GError) error = NULL, again = NULL;
  TtiItem item;

  while (tti_reader_next (reader, &item, &error))
    ;
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  if (strstr (error->message, part) == NULL)
    g_error ("expected '%s' in '%s'", part, error->message);
  g_assert_false (tti_reader_next (reader, &item, &again));
  g_assert_cmpstr (again->message, ==, error->message);
}

#define refuse(part, ...) refused ((const guint8[]) { __VA_ARGS__ }, sizeof ((const guint8[]) { __VA_ARGS__ }), part)
#define FULL 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 /* the count 2^64 - 1 */

static void
test_refused (void)
{
  enum { NIL = TTI_ITEM_NIL, LIST = TTI_ITEM_LIST, S = TTI_ITEM_STRING, N = TTI_ITEM_NUMBERS, A = TTI_ITEM_ATTACHED };

  refused (NULL, 0, "announced");
  refuse ("unexpected item 0", 0);
  refuse ("unexpected item 200", 200);
  refuse ("after the end", NIL, NIL);
  refuse ("announced", TTI_ITEM_INTEGER, 1, 2, 3, 4, 5, 6, 7);
  refuse ("items begin", LIST, 2, NIL);
  refuse ("items begin", LIST, FULL, NIL);
  refuse ("items begin", TTI_ITEM_TABLE, 0, FULL, NIL);
  refuse ("items begin", TTI_ITEM_DOTTED, FULL, NIL);
  refuse ("items begin", TTI_ITEM_ARRAY, FULL, NIL);
  refuse ("items begin", LIST, 2, LIST, 2, NIL, NIL); /* each alone would fit, not both */
  refuse ("more than 64 bits", LIST, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, NIL);
  refuse ("announced", LIST, 0x80);
  refuse ("announced", S, 3, 'a', 'b');
  refuse ("announced", S, FULL, 'a', 'b');
  refuse ("not UTF-8", S, 1, 0x80);
  refuse ("not UTF-8", S, 3, 0xed, 0xa0, 0x80);       /* a surrogate */
  refuse ("not UTF-8", S, 2, 0xc0, 0x80);             /* NUL in two bytes */
  refuse ("not UTF-8", S, 10, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 0, 0xc3);
  refuse ("not a character", TTI_ITEM_CHARACTER, 0, 0xd8, 0, 0);
  refuse ("not a character", TTI_ITEM_CHARACTER, 0, 0, 0x11, 0);
  refuse ("not a sign", TTI_ITEM_BIG_INTEGER, 2, 1, 1);
  refuse ("run of items", TTI_ITEM_LIST_RUN, NIL, 0);
  refuse ("announced", TTI_ITEM_LIST_RUN, TTI_ITEM_REAL, 2, 1, 2, 3, 4, 5, 6, 7, 8);
  refuse ("announced", TTI_ITEM_VECTOR_RUN, TTI_ITEM_REAL, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20); /* 2^61 x 8 */
  refuse ("unknown kind", N, TTI_NUMBER_LAST + 1, 0);
  refuse ("announced", N, TTI_NUMBER_U16, 2, 1, 2, 3);
  refuse ("announced", N, TTI_NUMBER_BIT, 9, 1);
  refuse ("announced", N, TTI_NUMBER_BIT, FULL, 1);
  refuse ("announced", N, TTI_NUMBER_C64, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);                    /* 2^60 x 16 */
  refuse ("vector 1 (from 0) of 1", A, TTI_NUMBER_U8, 1, 1);
  refuse ("vector 0 has 16 bytes", A, TTI_NUMBER_U8, 0, 17);
  refuse ("vector 0 has 16 bytes", A, TTI_NUMBER_C64, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);
  refuse ("part of a rational", TTI_ITEM_RATIONAL, NIL, NIL);
  refuse ("bound of an array", TTI_ITEM_ARRAY, 1, NIL, NIL, NIL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/codec/atoms", test_atoms);
  g_test_add_func ("/codec/texts", test_texts);
  g_test_add_func ("/codec/composites", test_composites);
  g_test_add_func ("/codec/deep", test_deep);
  g_test_add_func ("/codec/runs", test_runs);
  g_test_add_func ("/codec/numbers", test_numbers);
  g_test_add_func ("/codec/attached-once", test_attached_once);
  g_test_add_func ("/codec/writer-starts-again", test_writer_starts_again);
  g_test_add_func ("/codec/refused", test_refused);
  return g_test_run ();
}
