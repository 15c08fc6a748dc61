/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reuse of memory: its contents, when it is allowed, and how much is kept. */
#include "transport-pair.h"
#include "transport/leases.h"
#include <sys/wait.h>
#include <time.h>

enum { SIZE = 3 * 1024 * 1024 };

static TtiKept
kept_now (void)
{
  TtiKept kept;

  tti_vector_get_kept (&kept);
  return kept;
}

static TtiVector *
vector_new (gsize size)
{
  g_autoptr (GError) error = NULL;
  TtiVector *vector = tti_vector_new (size, &error);

  g_assert_no_error (error);
  return vector;
}

static void
assert_all (TtiVector *vector, guint8 byte)
{
  const guint8 *data = tti_vector_get_data (vector);

  for (gsize i = 0; i < tti_vector_get_size (vector); i++)
    g_assert_cmpuint (data[i], ==, byte);
}

static void
fill (TtiVector *vector, guint8 byte)
{
  memset (tti_vector_get_data (vector), byte, tti_vector_get_size (vector));
}

static void
test_zeros (void)
{
  static const gsize sizes[] = { 20000, 300000, 1024 * 1024, SIZE, SIZE - 5 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (guint round = 0; round < 3; round++)
      {
        g_autoptr (TtiVector) vector = vector_new (sizes[i]);

        assert_all (vector, 0);
        fill (vector, 0xa5);
      }
  g_assert_cmpuint (kept_now ().hits, >=, 5);
  drop_kept_memory ();
}

static void
test_same_memory (void)
{
  drop_kept_memory ();
  TtiVector *first = vector_new (SIZE);
  gpointer data = tti_vector_get_data (first);

  g_assert_cmpuint (kept_now ().bytes, ==, 0);
  tti_vector_unref (first);
  g_assert_cmpuint (kept_now ().bytes, >=, SIZE);
  g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
  g_autoptr (TtiVector) second = vector_new (SIZE);

  g_assert_true (tti_vector_get_data (second) == data);
  g_assert_cmpuint (kept_now ().bytes, ==, 0);
}

/* A slice has the same storage. */
static void
test_slice_keeps (void)
{
  drop_kept_memory ();
  TtiVector *vector = vector_new (SIZE);
  g_autoptr (TtiVector) slice = tti_vector_slice (vector, 1000, 20);

  fill (vector, 7);
  tti_vector_unref (vector);
  g_assert_cmpuint (kept_now ().bytes, ==, 0);
  g_autoptr (TtiVector) other = vector_new (SIZE);

  fill (other, 9);
  assert_all (slice, 7);
}

/* So has a copy on write, as long as it is not written to. */
static void
test_copy_on_write_keeps (void)
{
  drop_kept_memory ();
  g_autoptr (GError) error = NULL;
  TtiVector *vector = vector_new (SIZE);

  fill (vector, 7);
  g_autoptr (TtiVector) copy = tti_vector_copy_on_write (vector, SIZE, &error);

  g_assert_no_error (error);
  tti_vector_unref (vector);
  g_autoptr (TtiVector) other = vector_new (SIZE);

  fill (other, 9);
  assert_all (copy, 7);
}

static void
test_limit (void)
{
  drop_kept_memory ();
  gsize before = kept_now ().limit;
  g_autoptr (GPtrArray) vectors = vector_array ();
  guint descriptors = count_descriptors ();

  tti_vector_set_kept_limit (2 * (gsize) SIZE + SIZE / 2);
  for (guint i = 0; i < 6; i++)
    g_ptr_array_add (vectors, vector_new (SIZE));
  g_ptr_array_set_size (vectors, 0);
  g_assert_cmpuint (kept_now ().bytes, <=, kept_now ().limit);
  g_assert_cmpuint (kept_now ().bytes, >=, 2 * SIZE);
  g_assert_cmpuint (count_descriptors (), ==, descriptors + 2);
  tti_vector_unref (vector_new (4 * (gsize) SIZE)); /* larger than the limit: not kept, and nothing else is freed for it */
  g_assert_cmpuint (kept_now ().bytes, >=, 2 * SIZE);
  tti_vector_set_kept_limit (0);
  g_assert_cmpuint (kept_now ().bytes, ==, 0);
  g_assert_cmpuint (count_descriptors (), ==, descriptors);
  tti_vector_set_kept_limit (before);
}

static void
test_no_growth (void)
{
  guint mappings = 0;

  for (guint round = 0; round < 1000; round++)
    {
      g_autoptr (TtiVector) one = vector_new (SIZE), small = vector_new (30000);

      ((guint8 *) tti_vector_get_data (one))[round] = 1;
      ((guint8 *) tti_vector_get_data (small))[round] = 1;
      if (round == 1)
        mappings = count_mappings ();
      if (round > 1 && round % 100 == 0)
        g_assert_cmpuint (count_mappings (), ==, mappings);
    }
  drop_kept_memory ();
}

/* --- leased -------------------------------------------------------------------------------------------------------------- */
static TtiPayload *
payload_of_one (TtiVector *vector, TtiTravel travel)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  g_ptr_array_add (vectors, tti_vector_ref (vector));
  return payload_of_vectors (vectors, travel);
}

/* Send VECTOR from FROM to TO, and return what arrives there. */
static TtiVector *
pass (TtiTransport *from, TtiTransport *to, TtiVector *vector, TtiTravel travel, TtiMessageKind kind)
{
  g_autoptr (TtiPayload) payload = payload_of_one (vector, travel);
  TtiMessage message = { .kind = kind, .id = 1, .payload = payload }, arrived;

  send_message (from, &message);
  receive_message (to, from, &arrived);
  TtiVector *view = tti_vector_ref (tti_payload_get_vector (arrived.payload, 0, NULL));

  tti_message_clear (&arrived);
  return view;
}

/* Send any message from FROM to TO, so that TO receives the news that precede it. */
static void
nudge (TtiTransport *from, TtiTransport *to)
{
  TtiMessage message = { .kind = TTI_MESSAGE_HELLO, .id = 2 }, arrived;

  send_message (from, &message);
  receive_message (to, from, &arrived);
  tti_message_clear (&arrived);
}

static void
test_leased_is_not_used (Pair *pair, gconstpointer data)
{
  static const TtiTravel travels[] = { TTI_TRAVEL_SHARED, TTI_TRAVEL_COPY };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (travels); i++)
    {
      TtiVector *vector = vector_filled (SIZE, 3);
      gpointer memory = tti_vector_get_data (vector);
      TtiVector *seen = pass (pair->master, pair->worker, vector, travels[i], TTI_MESSAGE_TASK);

      tti_vector_unref (vector);
      g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE);
      g_autoptr (TtiVector) other = vector_new (SIZE);

      g_assert_true (tti_vector_get_data (other) != memory);
      fill (other, 9);
      g_autoptr (TtiVector) expected = vector_filled (SIZE, 3);

      g_assert_cmpmem (tti_vector_get_data (seen), SIZE, tti_vector_get_data (expected), SIZE);
      tti_vector_unref (seen);
      g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE); /* no news was sent yet */
      nudge (pair->worker, pair->master);
      g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
      g_autoptr (TtiVector) again = vector_new (SIZE);

      g_assert_true (tti_vector_get_data (again) == memory);
      tti_vector_unref (g_steal_pointer (&again));
      tti_vector_unref (g_steal_pointer (&other));
      tti_vector_unref (g_steal_pointer (&expected));
      drop_kept_memory ();
    }
}

/* A release that crossed a new message does not cover that. */
static void
test_late_release (Pair *pair, gconstpointer data)
{
  (void) data;
  TtiVector *vector = vector_filled (SIZE, 1);
  g_autoptr (TtiPayload) payload = payload_of_one (vector, TTI_TRAVEL_SHARED);
  TtiMessage task = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = payload }, arrived;

  tti_vector_unref (pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED, TTI_MESSAGE_TASK));
  send_message (pair->master, &task); /* before the release is sent */
  nudge (pair->worker, pair->master);
  g_clear_pointer (&payload, tti_payload_unref);
  tti_vector_unref (vector);
  g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE);
  receive_message (pair->worker, pair->master, &arrived);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE);
  tti_message_clear (&arrived);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
}

/* Storages of recalled messages do not stay leased, whichever way they went: the first message has a descriptor, the second a number. */
static void
test_recalled (Pair *pair, gconstpointer data)
{
  (void) data;
  TtiVector *vector = vector_filled (SIZE, 1);
  g_autoptr (TtiPayload) payload = payload_of_one (vector, TTI_TRAVEL_SHARED);
  guint32 tickets[3];

  for (guint i = 0; i < 3; i++)
    {
      TtiMessage task = { .kind = TTI_MESSAGE_TASK, .id = i + 1, .payload = payload };

      send_message (pair->master, &task);
      tickets[i] = tti_transport_get_ticket (pair->master);
      g_assert_cmpuint (tickets[i], !=, 0);
    }
  g_assert_true (tti_transport_recall (pair->master, tickets[0]));
  g_assert_true (tti_transport_recall (pair->master, tickets[1]));
  g_assert_false (tti_transport_recall (pair->master, tickets[1]));
  g_clear_pointer (&payload, tti_payload_unref);
  tti_vector_unref (vector);
  TtiMessage arrived;

  receive_message (pair->worker, pair->master, &arrived);
  g_assert_cmpuint (arrived.id, ==, 3);
  g_assert_false (tti_transport_recall (pair->master, tickets[0]));
  g_assert_false (tti_transport_recall (pair->master, tickets[2]));
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE);
  tti_message_clear (&arrived);
  nudge (pair->worker, pair->master);
  g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
}

/* The master's end is freed when the worker's exit is confirmed: not before that. */
static void
test_leased_to_the_dead (Pair *pair, gconstpointer data)
{
  (void) data;
  TtiVector *vector = vector_new (SIZE);
  g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_WRITE, TTI_MESSAGE_TASK);
  TtiMessage message;

  tti_vector_unref (vector);
  g_assert_true (tti_vector_is_writable (seen));
  g_clear_pointer (&pair->worker, tti_transport_free);
  g_assert_cmpint (receive_any (pair->master, NULL, &message, NULL), ==, TTI_RECEIVED_END);
  g_assert_cmpuint (kept_now ().leased_bytes, >=, SIZE);
  fill (seen, 1); /* it may still be writing */
  g_clear_pointer (&pair->master, tti_transport_free);
  g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
  g_assert_cmpuint (kept_now ().bytes, >=, SIZE);
}

static void
test_written_in_place (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) vector = vector_new (SIZE);

  for (guint round = 0; round < 3; round++)
    {
      g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_WRITE, TTI_MESSAGE_TASK);

      fill (seen, (guint8) round);
      assert_all (vector, (guint8) round);
    }
}

/* The second time nothing is mapped and no descriptor travels. */
static void
test_mapped_once (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) vector = vector_filled (SIZE, 5), small = vector_filled (50000, 6);
  gpointer where[2] = { NULL, NULL };

  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (TtiVector) seen = pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED, TTI_MESSAGE_TASK);
      g_autoptr (TtiVector) seen_small = pass (pair->master, pair->worker, small, TTI_TRAVEL_SHARED, TTI_MESSAGE_TASK);

      g_assert_true (round == 0 || (where[0] == tti_vector_get_data (seen) && where[1] == tti_vector_get_data (seen_small)));
      where[0] = tti_vector_get_data (seen);
      where[1] = tti_vector_get_data (seen_small);
      g_assert_cmpmem (where[0], SIZE, tti_vector_get_data (vector), SIZE);
      nudge (pair->worker, pair->master);
    }
}

/* When the master frees a storage, the worker forgets it with the next message. */
static void
test_forgotten (Pair *pair, gconstpointer data)
{
  (void) data;
  TtiVector *vector = vector_filled (SIZE, 5);
  guint before = count_mappings ();

  tti_vector_unref (pass (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED, TTI_MESSAGE_TASK));
  tti_vector_unref (vector);
  drop_kept_memory ();
  g_assert_cmpuint (count_mappings (), ==, before);
  nudge (pair->master, pair->worker);
  g_assert_cmpuint (count_mappings (), ==, before - 1);
}

/* More storages than are remembered, in several orders. */
static void
test_many (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  (void) data;
  for (guint i = 0; i < 100; i++)
    g_ptr_array_add (vectors, vector_filled (SIZE / 2, i));
  for (guint round = 0; round < 200; round++)
    {
      guint i = round * round % 100;
      g_autoptr (TtiVector) seen
        = pass (pair->master, pair->worker, g_ptr_array_index (vectors, i), TTI_TRAVEL_SHARED, TTI_MESSAGE_TASK);

      g_assert_cmpmem (tti_vector_get_data (seen), SIZE / 2, tti_vector_get_data (g_ptr_array_index (vectors, i)), SIZE / 2);
    }
  g_autoptr (TtiPayload) all = payload_of_vectors (vectors, TTI_TRAVEL_SHARED);

  for (guint round = 0; round < 3; round++)
    {
      TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = all }, arrived;

      send_message (pair->master, &message);
      receive_message (pair->worker, pair->master, &arrived);
      for (guint i = 0; i < 100; i++)
        g_assert_cmpmem (tti_vector_get_data (tti_payload_get_vector (arrived.payload, i, NULL)), SIZE / 2,
                         tti_vector_get_data (g_ptr_array_index (vectors, i)), SIZE / 2);
      tti_message_clear (&arrived);
    }
}

/* Results: the worker can reuse the memory when the master has released it. */
static void
test_results (Pair *pair, gconstpointer data)
{
  gpointer memory = NULL;

  (void) data;
  for (guint round = 0; round < 20; round++)
    {
      TtiVector *result = vector_filled (SIZE, round);
      g_autoptr (TtiVector) expected = vector_filled (SIZE / 2, round);

      g_assert_true (round == 0 || tti_vector_get_data (result) == memory);
      memory = tti_vector_get_data (result);
      TtiVector *seen = pass (pair->worker, pair->master, result, TTI_TRAVEL_SHARED, TTI_MESSAGE_RESULT);

      tti_vector_unref (result);
      g_assert_true (tti_vector_is_writable (seen));
      g_assert_cmpmem (tti_vector_get_data (seen), SIZE / 2, tti_vector_get_data (expected), SIZE / 2);
      tti_vector_unref (seen);
      nudge (pair->master, pair->worker);
    }
}

/* One end sends more vectors than are remembered, and drops each at once; the other keeps them all. None of their memory is used for
 * others, and none stays when they are gone. */
static void
assert_stay (TtiTransport *from, TtiTransport *to, TtiMessageKind kind)
{
  enum { N = 80 };
  g_autoptr (GPtrArray) seen = vector_array ();

  for (guint i = 0; i < N; i++)
    {
      g_autoptr (TtiVector) vector = vector_filled (SIZE, i);

      g_ptr_array_add (seen, pass (from, to, vector, TTI_TRAVEL_SHARED, kind));
    }
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (TtiVector) expected = vector_filled (SIZE, i);

      g_assert_cmpmem (tti_vector_get_data (g_ptr_array_index (seen, i)), SIZE, tti_vector_get_data (expected), SIZE);
    }
  g_ptr_array_set_size (seen, 0);
  nudge (to, from);
  g_assert_cmpuint (kept_now ().leased_bytes, ==, 0);
}

static void
test_more_than_remembered (Pair *pair, gconstpointer data)
{
  (void) data;
  assert_stay (pair->worker, pair->master, TTI_MESSAGE_RESULT);
  assert_stay (pair->master, pair->worker, TTI_MESSAGE_TASK);
}

/* A worker must not refer to storages that it never leased, nor let the master write. */
static void
test_destination_from_worker (Pair *pair, gconstpointer data)
{
  (void) data;
  g_autoptr (TtiVector) vector = vector_new (SIZE);
  g_autoptr (TtiPayload) payload = payload_of_one (vector, TTI_TRAVEL_WRITE);
  TtiMessage message = { .kind = TTI_MESSAGE_RESULT, .id = 1, .payload = payload }, arrived;
  g_autoptr (GError) error = NULL;

  send_message (pair->worker, &message);
  g_assert_cmpint (receive_any (pair->master, pair->worker, &arrived, &error), ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
}

/* Seconds of processor time to lease N storages at once, to forget all of them with the next message, and to send that news. */
static double
time_many_news (guint n)
{
  TtiLeases *leases = tti_leases_new (4);
  g_autoptr (GPtrArray) storages = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_storage_unref);
  g_autoptr (GPtrArray) one = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_storage_unref);
  TtiLeaseNews news;
  guint n_news = 0;

  for (guint i = 0; i <= n; i++)
    {
      TtiStorage *storage = tti_storage_new_heap (1);

      storage->id = i + 1;
      g_ptr_array_add (i < n ? storages : one, storage);
    }
  clock_t start = clock ();
  tti_leases_grant (leases, storages);
  tti_leases_grant (leases, one);
  while (tti_leases_take_news (leases, &news))
    {
      g_assert_cmpint (news.kind, ==, TTI_LEASE_FORGET);
      n_news++;
    }
  double seconds = (double) (clock () - start) / CLOCKS_PER_SEC;

  g_assert_cmpuint (n_news, ==, n - 3);
  tti_leases_close (leases);
  return seconds;
}

/* Eight times as many take about eight times as long, not sixty-four times, relative to this machine's own pace. */
static void
test_many_news (void)
{
  double few = G_MAXDOUBLE, many = G_MAXDOUBLE;

  for (guint i = 0; i < 3; i++)
    {
      few = MIN (few, time_many_news (10000));
      many = MIN (many, time_many_news (80000));
    }
  g_test_message ("%g s, then %g s", few, many);
  g_assert_cmpfloat (many, <, 30 * few);
}

/* In a forked copy DONE says whether everything is correct; the copy exits with that. */
static void
assert_in_copy (gboolean (*done) (TtiVector *), TtiVector *vector)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (done (vector) ? 0 : 1);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static gboolean
use_memory (TtiVector *seen)
{
  static const gsize sizes[] = { SIZE, 20000, SIZE };

  if (*(guint8 *) tti_vector_get_data (seen) != 7)
    return FALSE;
  tti_vector_unref (seen);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (TtiVector) own = tti_vector_new (sizes[i], NULL);

      if (own == NULL)
        return FALSE;
      fill (own, 9);
    }
  return TRUE;
}

/* A forked copy makes and frees memory of its own: kept memory, and free slots of arenas, belong to the original. */
static void
test_forked (void)
{
  drop_kept_memory ();
  g_autoptr (TtiVector) large = vector_new (SIZE), small = vector_new (20000);
  TtiVector *kept = vector_new (SIZE);

  fill (large, 7);
  fill (small, 7);
  tti_vector_unref (kept);
  for (guint i = 0; i < 2; i++)
    {
      TtiVector *seen = i == 0 ? large : small;
      gsize before = kept_now ().bytes;
      g_autoptr (TtiVector) slot = vector_new (20000), again = NULL;

      assert_in_copy (use_memory, seen);
      assert_all (large, 7);
      assert_all (small, 7);
      assert_all (slot, 0);
      g_assert_cmpuint (kept_now ().bytes, ==, before);
      again = tti_vector_new_to_fill (SIZE, NULL);
      g_assert_nonnull (again);
      assert_all (again, 0);
      g_autoptr (TtiVector) next = vector_new (20000);
      assert_all (next, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/storage-pool/zeros", test_zeros);
  g_test_add_func ("/storage-pool/same-memory", test_same_memory);
  g_test_add_func ("/storage-pool/slice-keeps", test_slice_keeps);
  g_test_add_func ("/storage-pool/copy-on-write-keeps", test_copy_on_write_keeps);
  g_test_add_func ("/storage-pool/forked", test_forked);
  g_test_add_func ("/storage-pool/limit", test_limit);
  g_test_add_func ("/storage-pool/no-growth", test_no_growth);
  g_test_add_func ("/storage-pool/many-news", test_many_news);
#define add(name, test) g_test_add ("/storage-pool/" name, Pair, &implementations[0], pair_open, test, pair_close)
  add ("leased-is-not-used", test_leased_is_not_used);
  add ("late-release", test_late_release);
  g_test_add ("/storage-pool/recalled", Pair, &implementations[2], pair_open, test_recalled, pair_close);
  add ("leased-to-the-dead", test_leased_to_the_dead);
  add ("written-in-place", test_written_in_place);
  add ("mapped-once", test_mapped_once);
  add ("forgotten", test_forgotten);
  add ("many", test_many);
  add ("results", test_results);
  add ("more-than-remembered", test_more_than_remembered);
  add ("destination-from-worker", test_destination_from_worker);
  return g_test_run ();
}
