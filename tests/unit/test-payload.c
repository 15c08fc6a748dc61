/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Payloads: ownership, and joining a request with the values that it depends on. */
#include "payload-check.h"
#include "platform/error.h"
#include "transport/codec.h"
#include <string.h>

static TtiPayload *
payload_of_vector (TtiVector *vector, TtiTravel travel, gint64 number)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 2);
  tti_writer_integer (writer, number);
  tti_writer_attach (writer, TTI_NUMBER_U8, vector, 10, travel);
  return tti_writer_finish (writer);
}

static void
next_is (TtiReader *reader, TtiItem *item, TtiItemTag tag)
{
  g_autoptr (GError) error = NULL;
  gboolean found = tti_reader_next (reader, item, &error);

  g_assert_no_error (error);
  g_assert_true (found);
  g_assert_cmpint (item->tag, ==, tag);
}

static void
ends (TtiReader *reader)
{
  g_autoptr (GError) error = NULL;
  TtiItem item;

  g_assert_false (tti_reader_next (reader, &item, &error));
  g_assert_no_error (error);
}

static void
refused (TtiPayload *payload, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (payload_check (payload, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  if (strstr (error->message, part) == NULL)
    g_error ("expected '%s' in '%s'", part, error->message);
  tti_payload_unref (payload);
}

static void
test_owns (void)
{
  g_autoptr (TtiVector) vector = tti_vector_new (100, NULL);
  TtiPayload *payload = payload_of_vector (vector, TTI_TRAVEL_COPY, 1);
  TtiTravel travel;

  g_assert_cmpuint (tti_payload_get_n_vectors (payload), ==, 1);
  g_assert_true (tti_payload_get_vector (payload, 0, &travel) == vector);
  g_assert_cmpint (travel, ==, TTI_TRAVEL_COPY);
  g_assert_cmpuint (tti_payload_get_size (payload), ==, tti_payload_get_n_bytes (payload) + 100);
  tti_payload_unref (tti_payload_ref (payload));
  tti_payload_unref (payload);
  tti_payload_unref (NULL);
}

static void
test_travels_default_to_shared (void)
{
  GPtrArray *vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);

  g_ptr_array_add (vectors, tti_vector_new (5, NULL));
  g_autoptr (TtiPayload) payload = tti_payload_new (g_bytes_new_static ("\1", 1), vectors, NULL);
  TtiTravel travel = TTI_TRAVEL_COPY;

  tti_payload_get_vector (payload, 0, &travel);
  g_assert_cmpint (travel, ==, TTI_TRAVEL_SHARED);
}

/* One request (E1 own E0 E1 E2) over three values: two with a vector, one a plain number. */
static TtiPayload *
joined_make (TtiVector *own, TtiVector *const inner[2])
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 5);
  tti_writer_embedded (writer, 1);
  tti_writer_attach (writer, TTI_NUMBER_F64, own, 2, TTI_TRAVEL_SHARED);
  tti_writer_embedded (writer, 0);
  tti_writer_embedded (writer, 1);
  tti_writer_embedded (writer, 2);
  g_autoptr (TtiPayload) request = tti_writer_finish (writer);
  g_autoptr (TtiPayload) zero = payload_of_vector (inner[0], TTI_TRAVEL_COPY, 100);
  g_autoptr (TtiPayload) one = payload_of_vector (inner[1], TTI_TRAVEL_SHARED, 101);

  tti_writer_real (writer, 2.5);
  g_autoptr (TtiPayload) two = tti_writer_finish (writer);

  return tti_payload_join (request, (TtiPayload *[]) { zero, one, two }, 3);
}

static void
embedded_is (TtiReader *reader, gint64 number, guint index)
{
  TtiItem item;

  next_is (reader, &item, TTI_ITEM_LIST);
  g_assert_cmpuint (item.count, ==, 2);
  next_is (reader, &item, TTI_ITEM_INTEGER);
  g_assert_cmpint (item.integer, ==, number);
  next_is (reader, &item, TTI_ITEM_ATTACHED);
  g_assert_cmpuint (item.index, ==, index);
}

static void
test_join (void)
{
  g_autoptr (TtiVector) own = tti_vector_new (16, NULL);
  g_autoptr (TtiVector) first = tti_vector_new (10, NULL);
  g_autoptr (TtiVector) second = tti_vector_new (11, NULL);
  g_autoptr (TtiPayload) joined = joined_make (own, (TtiVector *[]) { first, second });
  g_autoptr (TtiReader) reader = tti_reader_new (joined);
  TtiItem item;
  TtiTravel travel;

  g_assert_cmpuint (tti_payload_get_n_vectors (joined), ==, 3);
  g_assert_true (tti_payload_get_vector (joined, 1, &travel) == first && travel == TTI_TRAVEL_COPY);
  next_is (reader, &item, TTI_ITEM_LIST);
  embedded_is (reader, 101, 2);
  next_is (reader, &item, TTI_ITEM_ATTACHED);
  g_assert_cmpuint (item.index, ==, 0);
  embedded_is (reader, 100, 1);
  embedded_is (reader, 101, 2);
  next_is (reader, &item, TTI_ITEM_REAL);
  g_assert_cmpfloat (item.real, ==, 2.5);
  ends (reader);
}

static void
test_join_only_embedded (void)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_embedded (writer, 0);
  g_autoptr (TtiPayload) request = tti_writer_finish (writer);

  tti_writer_integer (writer, 42);
  g_autoptr (TtiPayload) value = tti_writer_finish (writer);
  g_autoptr (TtiPayload) joined = tti_payload_join (request, &value, 1);
  g_autoptr (TtiReader) reader = tti_reader_new (joined);
  TtiItem item;

  next_is (reader, &item, TTI_ITEM_INTEGER);
  g_assert_cmpint (item.integer, ==, 42);
  ends (reader);
  refused (tti_payload_ref (request), "embedded value 0 of 0");
}

static TtiPayload *
payload_of_bytes (const guint8 *bytes, gsize size)
{
  return tti_payload_new (g_bytes_new (bytes, size), NULL, NULL);
}

#define refuse(part, ...) \
  refused (payload_of_bytes ((const guint8[]) { __VA_ARGS__ }, sizeof ((const guint8[]) { __VA_ARGS__ })), part)

static void
test_join_refused (void)
{
  enum { J = TTI_ITEM_JOIN, E = TTI_ITEM_EMBEDDED, NIL = TTI_ITEM_NIL, LIST = TTI_ITEM_LIST };

  refuse ("unexpected item", J, 1, 2, 0, E, 0, E, 0);    /* a value that embeds itself */
  refuse ("inside another", J, 1, 4, 0, LIST, 1, E, 0, E, 0);
  refuse ("unexpected item", J, 1, 1, 0, J, E, 0);
  refuse ("embedded value 1 of 1", J, 1, 1, 0, NIL, E, 1);
  refuse ("after the end", J, 1, 2, 0, NIL, NIL, E, 0);  /* two values in one blob */
  refuse ("after the end", J, 1, 1, 0, NIL, E, 0, NIL);
  refuse ("items begin", J, 1, 2, 0, LIST, 1, E, 0);     /* its item is outside the blob */
  refuse ("announced", J, 1, 0, 0, E, 0);                /* empty blob */
  refuse ("announced", J, 1, 100, 0, NIL, E, 0);
  refuse ("from vector 1 of 0", J, 1, 1, 1, NIL, E, 0);
  refuse ("embedded values in", J, 100, 1, 0, NIL, E, 0);
  refuse ("unexpected item", LIST, 1, J);
  refuse ("announced", J);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/payload/owns", test_owns);
  g_test_add_func ("/payload/travels-default-to-shared", test_travels_default_to_shared);
  g_test_add_func ("/payload/join", test_join);
  g_test_add_func ("/payload/join/only-embedded", test_join_only_embedded);
  g_test_add_func ("/payload/join/refused", test_join_refused);
  return g_test_run ();
}
