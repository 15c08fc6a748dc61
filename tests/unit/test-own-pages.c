/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Received vectors whose contents are kept: nobody else's writes show in them, and they hold nobody else's memory. */
#include "keep-fixture.h"
#include "transport/vector-private.h"

/* --- leased ---------------------------------------------------------------------------------------------------------------- */
static void
test_lessor_writes (Pair *pair, gconstpointer data)
{
  static const gsize sizes[] = { 20000, SIZE, SIZE + 1 };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (TtiVector) vector = vector_new (sizes[i]);

      fill (vector, 1);
      g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);

      keep (seen);
      fill (vector, 2);
      assert_all (seen, 1);
      g_autoptr (TtiVector) next = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);

      assert_all (next, 2);
      keep (next);
      fill (vector, 3);
      assert_all (seen, 1);
      assert_all (next, 2);
    }
}

static void
test_protection (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) vector = vector_new (SIZE);
  g_autoptr (TtiVector) shared = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  g_autoptr (TtiVector) copied = pass (pair->master, pair->worker, vector, TTI_TRAVEL_COPY);
  gsize found;

  keep (shared);
  keep (copied);
  g_assert_false (is_writable ((guint8 *) tti_vector_get_data (shared) + SIZE - 1));
  g_assert_true (is_writable ((guint8 *) tti_vector_get_data (copied) + SIZE - 1));
  g_assert_false (tti_vector_is_writable (shared));
  g_assert_true (tti_vector_is_writable (copied));
  g_assert_true (tti_vector_find ((guint8 *) tti_vector_get_data (shared) + SIZE - 1, &found));
  g_assert_cmpuint (found, ==, SIZE);
}

/* What is kept does not keep the lessor's memory, and counts as this process's. */
static void
test_released (Pair *pair, gconstpointer data)
{
  TtiVector *vector = vector_new (SIZE);
  gpointer memory = tti_vector_get_data (vector);
  gsize before;

  (void) data;
  fill (vector, 1);
  g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);

  before = used_bytes ();
  keep (seen);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (used_bytes (), ==, before);
  tti_vector_unref (vector);
  g_assert_cmpuint (leased_bytes (), ==, 0);
  g_assert_cmpuint (used_bytes (), ==, before - SIZE);
  vector = vector_new (SIZE);
  g_assert_true (tti_vector_get_data (vector) == memory);
  fill (vector, 9);
  assert_all (seen, 1);
  tti_vector_unref (vector);
  drop_kept_memory ();
  nudge (pair->master, pair->worker); /* it is forgotten */
  g_assert_cmpuint (count_mappings (), ==, pair->mappings);
  g_assert_cmpuint (used_bytes (), ==, SIZE);
  assert_all (seen, 1);
}

/* Also if it is used no more before the lessor is there again. */
static void
test_closed (Pair *pair, gconstpointer data)
{
  (void) data;
  TtiVector *vector = vector_new (SIZE);

  fill (vector, 1);
  g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  g_autoptr (TtiVector) other = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  g_autoptr (TtiVector) copied = pass (pair->master, pair->worker, vector, TTI_TRAVEL_COPY);

  g_clear_pointer (&pair->worker, tti_transport_free);
  keep (seen);
  keep (copied);
  fill (vector, 2);
  assert_all (seen, 1);
  assert_all (other, 1);
  assert_all (copied, 1);
  tti_vector_unref (vector);
  g_clear_pointer (&pair->master, tti_transport_free);
}

/* Parts of one storage, two of which share a page. */
static void
test_neighbours (Pair *pair, gconstpointer data)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), middle = 100 * page + 100, large = 50000;
  TtiVector *vector = vector_new (SIZE);
  g_autoptr (GPtrArray) parts = vector_array ();

  (void) data;
  fill (vector, 1);
  g_ptr_array_add (parts, tti_vector_slice (vector, 0, middle));
  g_ptr_array_add (parts, tti_vector_slice (vector, middle, large));
  g_ptr_array_add (parts, tti_vector_slice (vector, middle, SIZE - middle));
  g_autoptr (GPtrArray) seen = pass_all (pair->master, pair->worker, parts, TTI_TRAVEL_SHARED);
  const guint8 *rest = tti_vector_get_data (g_ptr_array_index (seen, 2));

  keep (g_ptr_array_index (seen, 1));
  fill (vector, 2);
  assert_all (g_ptr_array_index (seen, 1), 1);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (g_ptr_array_index (seen, 0)))[0], ==, 2);
  g_assert_cmpuint (rest[0], ==, 1);
  g_assert_cmpuint (rest[SIZE - middle - 1], ==, 2);
  keep (g_ptr_array_index (seen, 2));
  fill (vector, 3);
  assert_all (g_ptr_array_index (seen, 1), 1);
  g_assert_cmpuint (rest[0], ==, 1);
  g_assert_cmpuint (rest[SIZE - middle - 1], ==, 2);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (g_ptr_array_index (seen, 0)))[0], ==, 3);
  g_ptr_array_set_size (parts, 0);
  tti_vector_unref (vector);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (leased_bytes (), >=, SIZE);
  tti_vector_unref (g_ptr_array_steal_index (seen, 0));
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (leased_bytes (), ==, 0);
  g_assert_cmpuint (rest[SIZE - middle - 1], ==, 2);
}

/* Slots of one arena. */
static void
test_slots (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  (void) data;
  for (guint i = 0; i < 3; i++)
    {
      g_ptr_array_add (vectors, vector_new (20001));
      fill (g_ptr_array_index (vectors, i), 1);
    }
  g_autoptr (GPtrArray) seen = pass_all (pair->master, pair->worker, vectors, TTI_TRAVEL_SHARED);

  g_assert_true (tti_vector_get_storage (g_ptr_array_index (seen, 0)) == tti_vector_get_storage (g_ptr_array_index (seen, 1)));
  keep (g_ptr_array_index (seen, 1));
  for (guint i = 0; i < 3; i++)
    fill (g_ptr_array_index (vectors, i), 2);
  for (guint i = 0; i < 3; i++)
    assert_all (g_ptr_array_index (seen, i), i == 1 ? 1 : 2);
}

/* A slice is kept alone: what it is a slice of is not used any more. */
static void
test_slice (Pair *pair, gconstpointer data)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  TtiVector *vector = vector_new (SIZE), *seen, *empty;
  guint before = count_mappings ();

  (void) data;
  fill (vector, 1);
  seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED);
  g_autoptr (TtiVector) slice = tti_vector_slice (seen, 5 * page + 1, 2 * page);
  g_autoptr (TtiVector) inner = tti_vector_slice (slice, 10, page);

  empty = tti_vector_slice (slice, 3, 0);
  keep (slice);
  keep (inner);
  keep (empty);
  tti_vector_unref (empty);
  fill (vector, 2);
  assert_all (slice, 1);
  assert_all (inner, 1);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (seen))[0], ==, 2);
  tti_vector_unref (seen);
  nudge (pair->worker, pair->master);
  tti_vector_unref (vector);
  g_assert_cmpuint (leased_bytes (), ==, 0);
  drop_kept_memory ();
  nudge (pair->master, pair->worker);
  g_assert_cmpuint (count_mappings (), ==, before - 1);
  g_assert_cmpuint (used_bytes (), ==, 3 * page);
  assert_all (slice, 1);
  g_autoptr (TtiVector) late = tti_vector_slice (slice, 1, 5);

  assert_all (late, 1);
  tti_vector_borrow (late);
  g_assert_true (tti_vector_is_borrowed (slice));
  tti_vector_give_back (slice);
}

static void
test_twice (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiVector) vector = vector_new (SIZE), seen = NULL, slice = NULL;
  guint mappings;

  (void) data;
  fill (vector, 1);
  seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_COPY);
  slice = tti_vector_slice (seen, 10000, 50000);
  keep (slice);
  fill (slice, 4);
  fill (vector, 2);
  keep (seen);
  mappings = count_mappings ();
  for (guint i = 0; i < 3; i++)
    {
      keep (seen);
      keep (slice);
    }
  fill (vector, 3);
  assert_all (slice, 4);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (seen))[SIZE - 1], ==, 2);
  g_assert_cmpuint (count_mappings (), ==, mappings);
}

/* A private mapping: what was not written in it still shows the lessor's writes. */
static void
test_copy (Pair *pair, gconstpointer data)
{
  TtiVector *vector = vector_new (SIZE);

  (void) data;
  fill (vector, 1);
  g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_COPY);

  ((guint8 *) tti_vector_get_data (seen))[SIZE / 2] = 7;
  keep (seen);
  fill (vector, 2);
  g_assert_cmpuint (((guint8 *) tti_vector_get_data (seen))[SIZE / 2], ==, 7);
  ((guint8 *) tti_vector_get_data (seen))[SIZE / 2] = 1;
  assert_all (seen, 1);
  assert_all (vector, 2);
  tti_vector_unref (vector);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (leased_bytes (), ==, 0);
}

/* --- written for others ---------------------------------------------------------------------------------------------------- */
static void
test_destination (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiVector) vector = vector_new (SIZE);

  (void) data;
  for (guint8 round = 1; round < 4; round++)
    {
      g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_WRITE);

      fill (seen, round);
      keep (seen);
      assert_all (vector, round);
      fill (vector, 99);
      assert_all (seen, round);
      fill (seen, 98);
      assert_all (vector, 99);
    }
}

/* What the next task writes into the same page must arrive. */
static void
test_destinations_in_one_page (Pair *pair, gconstpointer data)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), middle = 100 * page + 8;
  g_autoptr (TtiVector) vector = vector_new (SIZE);
  g_autoptr (TtiVector) first = tti_vector_slice (vector, 0, middle), second = tti_vector_slice (vector, middle, SIZE - middle);
  TtiVector *seen = pass (pair->master, pair->worker, first, TTI_TRAVEL_WRITE);
  TtiVector *next = pass (pair->master, pair->worker, second, TTI_TRAVEL_WRITE);

  (void) data;
  fill (seen, 1);
  assert_not_kept (seen);
  fill (next, 2);
  assert_all (first, 1);
  assert_all (second, 2);
  tti_vector_unref (g_steal_pointer (&next));
  keep (seen);
  fill (vector, 3);
  assert_all (seen, 1);
  next = pass (pair->master, pair->worker, second, TTI_TRAVEL_WRITE);
  fill (next, 4);
  assert_all (second, 4);
  assert_all (seen, 1);
  tti_vector_unref (next);
  tti_vector_unref (seen);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define add(name, test) g_test_add ("/own-pages/" name, Pair, &implementations[0], pair_open, test, pair_close)
  add ("lessor-writes", test_lessor_writes);
  add ("protection", test_protection);
  add ("released", test_released);
  add ("closed", test_closed);
  add ("neighbours", test_neighbours);
  add ("slots", test_slots);
  add ("slice", test_slice);
  add ("twice", test_twice);
  add ("copy", test_copy);
  add ("destination", test_destination);
  add ("destinations-in-one-page", test_destinations_in_one_page);
  return g_test_run ();
}
