/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Payloads: ownership, and joining a request with the values that it depends on. */
#include "payload-check.h"
#include "platform/error.h"
#include "transport/codec.h"
#include <string.h>

static TuttiPayload *
payload_of_vector (TuttiVector *vector, TuttiTravel travel, gint64 number)
{
  g_autoptr (TuttiWriter) writer = tutti_writer_new ();

  tutti_writer_open (writer, TUTTI_ITEM_LIST, 0, 2);
  tutti_writer_integer (writer, number);
  tutti_writer_attach (writer, TUTTI_NUMBER_U8, vector, 10, travel);
  return tutti_writer_finish (writer);
}

static void
next_is (TuttiReader *reader, TuttiItem *item, TuttiItemTag tag)
{
  g_autoptr (GError) error = NULL;
  gboolean found = tutti_reader_next (reader, item, &error);

  g_assert_no_error (error);
  g_assert_true (found);
  g_assert_cmpint (item->tag, ==, tag);
}

static void
ends (TuttiReader *reader)
{
  g_autoptr (GError) error = NULL;
  TuttiItem item;

  g_assert_false (tutti_reader_next (reader, &item, &error));
  g_assert_no_error (error);
}

static void
refused (TuttiPayload *payload, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (payload_check (payload, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  if (strstr (error->message, part) == NULL)
    g_error ("expected '%s' in '%s'", part, error->message);
  tutti_payload_unref (payload);
}

static void
test_owns (void)
{
  g_autoptr (TuttiVector) vector = tutti_vector_new (100, NULL);
  TuttiPayload *payload = payload_of_vector (vector, TUTTI_TRAVEL_COPY, 1);
  TuttiTravel travel;

  g_assert_cmpuint (tutti_payload_get_n_vectors (payload), ==, 1);
  g_assert_true (tutti_payload_get_vector (payload, 0, &travel) == vector);
  g_assert_cmpint (travel, ==, TUTTI_TRAVEL_COPY);
  g_assert_cmpuint (tutti_payload_get_size (payload), ==, g_bytes_get_size (tutti_payload_get_bytes (payload)) + 100);
  tutti_payload_unref (tutti_payload_ref (payload));
  tutti_payload_unref (payload);
  tutti_payload_unref (NULL);
}

static void
test_travels_default_to_shared (void)
{
  GPtrArray *vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_vector_unref);

  g_ptr_array_add (vectors, tutti_vector_new (5, NULL));
  g_autoptr (TuttiPayload) payload = tutti_payload_new (g_bytes_new_static ("\1", 1), vectors, NULL);
  TuttiTravel travel = TUTTI_TRAVEL_COPY;

  tutti_payload_get_vector (payload, 0, &travel);
  g_assert_cmpint (travel, ==, TUTTI_TRAVEL_SHARED);
}

/* One request (E1 own E0 E1 E2) over three values: two with a vector, one a plain number. */
static TuttiPayload *
joined_make (TuttiVector *own, TuttiVector *const inner[2])
{
  g_autoptr (TuttiWriter) writer = tutti_writer_new ();

  tutti_writer_open (writer, TUTTI_ITEM_LIST, 0, 5);
  tutti_writer_embedded (writer, 1);
  tutti_writer_attach (writer, TUTTI_NUMBER_F64, own, 2, TUTTI_TRAVEL_SHARED);
  tutti_writer_embedded (writer, 0);
  tutti_writer_embedded (writer, 1);
  tutti_writer_embedded (writer, 2);
  g_autoptr (TuttiPayload) request = tutti_writer_finish (writer);
  g_autoptr (TuttiPayload) zero = payload_of_vector (inner[0], TUTTI_TRAVEL_COPY, 100);
  g_autoptr (TuttiPayload) one = payload_of_vector (inner[1], TUTTI_TRAVEL_SHARED, 101);

  tutti_writer_real (writer, 2.5);
  g_autoptr (TuttiPayload) two = tutti_writer_finish (writer);

  return tutti_payload_join (request, (TuttiPayload *[]) { zero, one, two }, 3);
}

static void
embedded_is (TuttiReader *reader, gint64 number, guint index)
{
  TuttiItem item;

  next_is (reader, &item, TUTTI_ITEM_LIST);
  g_assert_cmpuint (item.count, ==, 2);
  next_is (reader, &item, TUTTI_ITEM_INTEGER);
  g_assert_cmpint (item.integer, ==, number);
  next_is (reader, &item, TUTTI_ITEM_ATTACHED);
  g_assert_cmpuint (item.index, ==, index);
}

static void
test_join (void)
{
  g_autoptr (TuttiVector) own = tutti_vector_new (16, NULL);
  g_autoptr (TuttiVector) first = tutti_vector_new (10, NULL);
  g_autoptr (TuttiVector) second = tutti_vector_new (11, NULL);
  g_autoptr (TuttiPayload) joined = joined_make (own, (TuttiVector *[]) { first, second });
  g_autoptr (TuttiReader) reader = tutti_reader_new (joined);
  TuttiItem item;
  TuttiTravel travel;

  g_assert_cmpuint (tutti_payload_get_n_vectors (joined), ==, 3);
  g_assert_true (tutti_payload_get_vector (joined, 1, &travel) == first && travel == TUTTI_TRAVEL_COPY);
  next_is (reader, &item, TUTTI_ITEM_LIST);
  embedded_is (reader, 101, 2);
  next_is (reader, &item, TUTTI_ITEM_ATTACHED);
  g_assert_cmpuint (item.index, ==, 0);
  embedded_is (reader, 100, 1);
  embedded_is (reader, 101, 2);
  next_is (reader, &item, TUTTI_ITEM_REAL);
  g_assert_cmpfloat (item.real, ==, 2.5);
  ends (reader);
}

static void
test_join_only_embedded (void)
{
  g_autoptr (TuttiWriter) writer = tutti_writer_new ();

  tutti_writer_embedded (writer, 0);
  g_autoptr (TuttiPayload) request = tutti_writer_finish (writer);

  tutti_writer_integer (writer, 42);
  g_autoptr (TuttiPayload) value = tutti_writer_finish (writer);
  g_autoptr (TuttiPayload) joined = tutti_payload_join (request, &value, 1);
  g_autoptr (TuttiReader) reader = tutti_reader_new (joined);
  TuttiItem item;

  next_is (reader, &item, TUTTI_ITEM_INTEGER);
  g_assert_cmpint (item.integer, ==, 42);
  ends (reader);
  refused (tutti_payload_ref (request), "embedded value 0 of 0");
}

static TuttiPayload *
payload_of_bytes (const guint8 *bytes, gsize size)
{
  return tutti_payload_new (g_bytes_new (bytes, size), NULL, NULL);
}

#define refuse(part, ...) \
  refused (payload_of_bytes ((const guint8[]) { __VA_ARGS__ }, sizeof ((const guint8[]) { __VA_ARGS__ })), part)

static void
test_join_refused (void)
{
  enum { J = TUTTI_ITEM_JOIN, E = TUTTI_ITEM_EMBEDDED, NIL = TUTTI_ITEM_NIL, LIST = TUTTI_ITEM_LIST };

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
