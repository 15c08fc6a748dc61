/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The contract of transports, tested with each implementation. After each test all descriptors and mappings are gone. */
#define WITH_BUFFERED_TRANSPORT
#include "payload-check.h"
#include "transport-pair.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_kinds_and_order (Pair *pair, gconstpointer data)
{
  (void) data;
  for (guint round = 0; round < 3; round++)
    for (TtiMessageKind kind = TTI_MESSAGE_HELLO; kind <= TTI_MESSAGE_LAST; kind++)
      {
        TtiMessage message = { .kind = kind, .attempt = round, .generation = G_MAXUINT64 - kind, .id = 100 * round + kind,
                                 .detail = G_MAXUINT64 / 3 };

        send_message (kind % 2 ? pair->master : pair->worker, &message);
      }
  for (guint round = 0; round < 3; round++)
    for (TtiMessageKind kind = TTI_MESSAGE_HELLO; kind <= TTI_MESSAGE_LAST; kind++)
      {
        TtiMessage message;

        receive_message (kind % 2 ? pair->worker : pair->master, NULL, &message);
        g_assert_cmpint (message.kind, ==, kind);
        g_assert_cmpuint (message.attempt, ==, round);
        g_assert_cmpuint (message.generation, ==, G_MAXUINT64 - kind);
        g_assert_cmpuint (message.id, ==, 100 * round + kind);
        g_assert_cmpuint (message.detail, ==, G_MAXUINT64 / 3);
        g_assert_null (message.payload);
      }
  TtiMessage none;

  g_assert_cmpint (tti_transport_receive (pair->worker, &none, NULL), ==, TTI_RECEIVED_NOTHING);
  g_assert_cmpint (tti_transport_get_events (pair->master), ==, POLLIN);
}

static void
test_bytes_of_all_sizes (Pair *pair, gconstpointer data)
{
  gsize sizes[] = { 0, 1, 1000, 16 * 1024 - 80, 16 * 1024 - 77, 16 * 1024 - 76, 16 * 1024 - 75, 16 * 1024 - 1, 16 * 1024,
                    16 * 1024 + 1, 1000000, 10000000 };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (guint back = 0; back < 2; back++)
      {
        g_autoptr (TtiPayload) payload = payload_of_text (sizes[i]);
        TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = i, .payload = payload }, received;
        TtiTransport *from = back ? pair->worker : pair->master, *to = back ? pair->master : pair->worker;

        send_message (from, &message);
        receive_message (to, from, &received);
        g_assert_cmpuint (received.id, ==, i);
        g_assert_true (tti_payload_is_equal (received.payload, payload));
        tti_message_clear (&received);
      }
}

/* A transport carries any bytes, even if no codec would write them. */
static void
test_empty_payload (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = tti_payload_new (g_bytes_new (NULL, 0), NULL, NULL);
  TtiMessage message = { .kind = TTI_MESSAGE_RESULT, .payload = payload }, received;

  (void) data;
  send_message (pair->worker, &message);
  receive_message (pair->master, NULL, &received);
  g_assert_nonnull (received.payload);
  g_assert_cmpuint (tti_payload_get_n_bytes (received.payload), ==, 0);
  g_assert_cmpuint (tti_payload_get_n_vectors (received.payload), ==, 0);
  tti_message_clear (&received);
}

static void
vectors_go (TtiTransport *from, TtiTransport *to, GPtrArray *vectors, TtiTravel travel)
{
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, travel);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = payload }, received;

  send_message (from, &message);
  receive_message (to, from, &received);
  g_assert_true (payload_check (received.payload, NULL));
  g_assert_cmpuint (tti_payload_get_n_vectors (received.payload), ==, vectors->len);
  for (guint i = 0; i < vectors->len; i++)
    {
      TtiTravel travelled;
      TtiVector *sent = g_ptr_array_index (vectors, i);
      TtiVector *arrived = tti_payload_get_vector (received.payload, i, &travelled);

      g_assert_cmpint (travelled, ==, travel);
      g_assert_cmpmem (tti_vector_get_data (arrived), tti_vector_get_size (arrived), tti_vector_get_data (sent),
                       tti_vector_get_size (sent));
    }
  tti_message_clear (&received);
}

static void
test_vectors (Pair *pair, gconstpointer data)
{
  gsize sizes[] = { 0, 1, TTI_INLINE_LIMIT, TTI_INLINE_LIMIT + 1, 1024 * 1024, 5000000 };
  g_autoptr (GPtrArray) all = vector_array ();

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GPtrArray) vectors = vector_array ();

      g_ptr_array_add (vectors, vector_filled (sizes[i], i));
      g_ptr_array_add (all, tti_vector_ref (g_ptr_array_index (vectors, 0)));
      for (TtiTravel travel = TTI_TRAVEL_SHARED; travel <= TTI_TRAVEL_COPY; travel++)
        {
          vectors_go (pair->master, pair->worker, vectors, travel);
          vectors_go (pair->worker, pair->master, vectors, travel);
        }
    }
  vectors_go (pair->master, pair->worker, all, TTI_TRAVEL_SHARED);
  vectors_go (pair->worker, pair->master, all, TTI_TRAVEL_COPY);
}

/* Slices of any size, into which a task writes: what it has written is in them when its result is here. */
static void
test_destinations (Pair *pair, gconstpointer data)
{
  const gsize sizes[] = { 1, 0, TTI_INLINE_LIMIT, TTI_INLINE_LIMIT + 1, 1024 * 1024, 5000000 };
  g_autoptr (TtiVector) whole = tti_vector_new (6100000, NULL);
  g_autoptr (TtiPayload) value = payload_of_text (10);
  const guint8 *bytes = tti_vector_get_data (whole);

  (void) data;
  for (guint round = 1; round < 3; round++)
    {
      g_autoptr (GPtrArray) slices = vector_array ();
      TtiMessage received;
      gsize start = 0;

      for (guint i = 0; i < G_N_ELEMENTS (sizes); start += sizes[i++] + 1)
        g_ptr_array_add (slices, tti_vector_slice (whole, start, sizes[i]));
      g_autoptr (TtiPayload) payload = payload_of_vectors (slices, TTI_TRAVEL_WRITE);

      send_message (pair->master, &(TtiMessage) { .kind = TTI_MESSAGE_TASK, .id = round, .attempt = 1, .payload = payload });
      receive_message (pair->worker, pair->master, &received);
      for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
        {
          TtiVector *slice = tti_payload_get_vector (received.payload, i, NULL);

          g_assert_cmpuint (tti_vector_get_size (slice), ==, sizes[i]);
          for (gsize k = 0; k < sizes[i]; k++)
            ((guint8 *) tti_vector_get_data (slice))[k] = (guint8) (10 * round + i);
        }
      tti_message_clear (&received);
      send_message (pair->worker, &(TtiMessage) { .kind = TTI_MESSAGE_RESULT, .id = round, .attempt = 1, .payload = value });
      receive_message (pair->master, pair->worker, &received);
      g_assert_cmpuint (tti_payload_get_n_vectors (received.payload), ==, 0);
      tti_message_clear (&received);
      start = 0;
      for (guint i = 0; i < G_N_ELEMENTS (sizes); start += sizes[i++] + 1)
        for (gsize k = start; k <= start + sizes[i]; k++)
          g_assert_cmpuint (bytes[k], ==, k < start + sizes[i] ? 10 * round + i : 0);
    }
}

static void
test_many_vectors (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  (void) data;
  for (guint i = 0; i < 600; i++)
    g_ptr_array_add (vectors, vector_filled (20000, i));
  vectors_go (pair->master, pair->worker, vectors, TTI_TRAVEL_SHARED);
  vectors_go (pair->worker, pair->master, vectors, TTI_TRAVEL_SHARED);
}

/* More storages than descriptors go with one packet; the second time there is no room for any packet at first. */
static void
test_many_storages (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) slices = vector_array ();
  guint n = 0;

  (void) data;
  for (guint i = 0; i < 255; i++)
    {
      g_autoptr (TtiVector) vector = tti_vector_new (1024 * 1024 + 1, NULL);
      TtiVector *slice = tti_vector_slice (vector, 5, TTI_INLINE_LIMIT + 1);

      memset (tti_vector_get_data (slice), (int) i, 100);
      g_ptr_array_add (slices, slice);
    }
  vectors_go (pair->master, pair->worker, slices, TTI_TRAVEL_SHARED);
  vectors_go (pair->worker, pair->master, slices, TTI_TRAVEL_SHARED);
  for (; !(tti_transport_get_events (pair->master) & POLLOUT); n++)
    send_message (pair->master, &(TtiMessage) { .kind = TTI_MESSAGE_BYE });
  g_autoptr (TtiPayload) payload = payload_of_vectors (slices, TTI_TRAVEL_SHARED);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .payload = payload }, received;

  send_message (pair->master, &message);
  /* Messages in the queue keep what they need. */
  g_clear_pointer (&payload, tti_payload_unref);
  g_ptr_array_set_size (slices, 0);
  for (; n > 0; n--)
    receive_message (pair->worker, pair->master, &received);
  receive_message (pair->worker, pair->master, &received);
  for (guint i = 0; i < 255; i++)
    g_assert_cmpuint (*(guint8 *) tti_vector_get_data (tti_payload_get_vector (received.payload, i, NULL)), ==, i);
  tti_message_clear (&received);
}

static void
test_slices_and_files (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();
  g_autoptr (TtiVector) whole = vector_filled (3000000, 1);
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  tti_autofd int fd = g_file_open_tmp ("tutti-test-XXXXXX", &path, &error);

  (void) data;
  g_assert_cmpint (write (fd, tti_vector_get_data (whole), 3000000), ==, 3000000);
  g_ptr_array_add (vectors, tti_vector_slice (whole, 12345, 100001));
  g_ptr_array_add (vectors, tti_vector_slice (whole, 2900000, 100));
  g_ptr_array_add (vectors, tti_vector_open_file (path, 4097, 2000001, FALSE, &error));
  g_assert_no_error (error);
  g_ptr_array_add (vectors, tti_vector_open_file (path, 1, 20000, TRUE, &error));
  g_assert_no_error (error);
  vectors_go (pair->master, pair->worker, vectors, TTI_TRAVEL_SHARED);
  vectors_go (pair->worker, pair->master, vectors, TTI_TRAVEL_SHARED);
  vectors_go (pair->master, pair->worker, vectors, TTI_TRAVEL_COPY);
  unlink (path);
}

/* The signal that ends a process that writes to DATA; 0: none. */
static int
signal_of_write (volatile guint8 *data)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      signal (SIGSEGV, SIG_DFL);
      *data = 1;
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return WIFSIGNALED (status) ? WTERMSIG (status) : 0;
}

/* The same for sending over TRANSPORT. */
static int
signal_of_send (TtiTransport *transport)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      signal (SIGPIPE, SIG_DFL);
      tti_transport_send (transport, &(TtiMessage) { .kind = TTI_MESSAGE_BYE }, NULL);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return WIFSIGNALED (status) ? WTERMSIG (status) : 0;
}

static TtiVector *
travel_one (TtiTransport *from, TtiTransport *to, TtiVector *vector, TtiTravel travel, TtiMessage *received)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  g_ptr_array_add (vectors, tti_vector_ref (vector));
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, travel);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .payload = payload };

  send_message (from, &message);
  receive_message (to, from, received);
  return tti_payload_get_vector (received->payload, 0, NULL);
}

static void
test_shared_is_read_only_for_workers (Pair *pair, gconstpointer data)
{
  gsize sizes[] = { 1000, 20000, 2000000 };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (TtiVector) vector = vector_filled (sizes[i], i);
      TtiMessage received;
      TtiVector *arrived = travel_one (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED, &received);

      g_assert_false (tti_vector_is_writable (arrived));
      if (sizes[i] > TTI_INLINE_LIMIT)
        {
          guint8 *last = (guint8 *) tti_vector_get_data (arrived) + sizes[i] - 1;
          gsize found;

          g_assert_cmpint (signal_of_write (last), ==, SIGSEGV);
          g_assert_true (tti_vector_find (last, &found));
          g_assert_cmpuint (found, ==, sizes[i]);
        }
      tti_message_clear (&received);
      arrived = travel_one (pair->worker, pair->master, vector, TTI_TRAVEL_SHARED, &received);
      g_assert_true (tti_vector_is_writable (arrived));
      *(guint8 *) tti_vector_get_data (arrived) = 1;
      tti_message_clear (&received);
    }
}

static void
test_copy_is_private (Pair *pair, gconstpointer data)
{
  gsize sizes[] = { 1000, 20000, 2000000 };

  (void) data;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (guint back = 0; back < 2; back++)
      {
        g_autoptr (TtiVector) vector = vector_filled (sizes[i], i);
        guint8 *mine = tti_vector_get_data (vector);
        guint8 before = mine[100];
        TtiMessage received, returned;
        TtiVector *arrived = travel_one (back ? pair->worker : pair->master, back ? pair->master : pair->worker, vector,
                                         TTI_TRAVEL_COPY, &received);

        g_assert_true (tti_vector_is_writable (arrived));
        ((guint8 *) tti_vector_get_data (arrived))[100] = (guint8) (before + 1);
        g_assert_cmpuint (mine[100], ==, before);
        /* If it is forwarded, the local writes travel. */
        TtiVector *onward = travel_one (back ? pair->master : pair->worker, back ? pair->worker : pair->master, arrived,
                                        TTI_TRAVEL_SHARED, &returned);
        g_assert_cmpuint (((guint8 *) tti_vector_get_data (onward))[100], ==, (guint8) (before + 1));
        tti_message_clear (&returned);
        tti_message_clear (&received);
      }
}

/* If a worker returns its input, the result is another vector, not the input under another name. */
static void
test_result_is_not_the_input (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiVector) vector = vector_filled (3000000, 1);
  TtiMessage received, returned;

  (void) data;
  TtiVector *arrived = travel_one (pair->master, pair->worker, vector, TTI_TRAVEL_SHARED, &received);
  TtiVector *result = travel_one (pair->worker, pair->master, arrived, TTI_TRAVEL_SHARED, &returned);
  guint8 before = *(guint8 *) tti_vector_get_data (vector);

  *(guint8 *) tti_vector_get_data (result) = (guint8) (before + 1);
  g_assert_cmpuint (*(guint8 *) tti_vector_get_data (vector), ==, before);
  tti_message_clear (&received);
  tti_message_clear (&returned);
}

static void
test_queue (Pair *pair, gconstpointer data)
{
  enum { N = 100000 };
  g_autoptr (TtiPayload) small = payload_of_text (20);
  g_autoptr (TtiPayload) large = payload_of_text (20000);

  (void) data;
  for (guint i = 0; i < N; i++)
    {
      TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = i, .payload = i % 1000 == 0 ? large : small };

      send_message (pair->master, &message);
    }
  g_assert_cmpint (tti_transport_get_events (pair->master), ==, POLLIN | POLLOUT);
  g_assert_cmpuint (count_descriptors () - pair->descriptors, <, 50); /* long bodies share their storage */
  for (guint i = 0; i < N; i++)
    {
      TtiMessage message;

      receive_message (pair->worker, pair->master, &message);
      g_assert_cmpuint (message.id, ==, i);
      g_assert_true (tti_payload_is_equal (message.payload, i % 1000 == 0 ? large : small));
      tti_message_clear (&message);
    }
  g_assert_cmpint (tti_transport_get_events (pair->master), ==, POLLIN);
}

/* Messages sent before closing arrive, although the closing side had not read everything. */
static void
test_close_in_flight (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = payload_of_text (30000);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 7, .payload = payload }, received;
  g_autoptr (GError) error = NULL;

  (void) data;
  send_message (pair->worker, &message);
  for (guint i = 0; i < 3; i++)
    send_message (pair->master, &message);
  g_clear_pointer (&pair->master, tti_transport_free);
  for (guint i = 0; i < 3; i++)
    {
      receive_message (pair->worker, NULL, &received);
      g_assert_cmpuint (received.id, ==, 7);
      g_assert_true (tti_payload_is_equal (received.payload, payload));
      tti_message_clear (&received);
    }
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (receive_any (pair->worker, NULL, &received, &error), ==, TTI_RECEIVED_END);
  g_assert_no_error (error);
}

static void
test_peer_gone (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = payload_of_text (30000);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .payload = payload }, received;
  g_autoptr (GError) error = NULL;

  (void) data;
  while (!(tti_transport_get_events (pair->master) & POLLOUT))
    send_message (pair->master, &message);
  g_clear_pointer (&pair->worker, tti_transport_free);
  g_assert_false (tti_transport_flush (pair->master, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (tti_transport_send (pair->master, &message, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  g_assert_cmpint (tti_transport_get_events (pair->master), ==, POLLIN);
  g_assert_cmpint (receive_any (pair->master, NULL, &received, NULL), ==, TTI_RECEIVED_END);
}

/* If the other side has read everything, the error is EPIPE, and must not be SIGPIPE. */
static void
test_peer_gone_quietly (Pair *pair, gconstpointer data)
{
  TtiMessage message = { .kind = TTI_MESSAGE_BYE };
  g_autoptr (GError) error = NULL;

  (void) data;
  g_clear_pointer (&pair->worker, tti_transport_free);
  g_assert_cmpint (signal_of_send (pair->master), ==, 0);
  g_assert_false (tti_transport_send (pair->master, &message, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
}

/* Leave room for N more descriptors; returns the limit as it was. */
static struct rlimit
limit_descriptors (guint n)
{
  struct rlimit before, now;
  int next = dup (0);

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  now = before;
  now.rlim_cur = (rlim_t) next + n;
  close (next);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &now), ==, 0);
  return before;
}

/* A message that cannot be sent for lack of descriptors is refused as a whole, and does not affect the next one. */
static void
test_no_descriptors_to_send (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) payload = payload_of_text (100000);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = payload }, received;
  g_autoptr (GError) error = NULL;
  struct rlimit before = limit_descriptors (0);
  gboolean sent = tti_transport_send (pair->master, &message, &error);

  (void) data;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  if (pair->implementation->type == SOCK_SEQPACKET)
    {
      g_assert_false (sent);
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
      send_message (pair->master, &(TtiMessage) { .kind = TTI_MESSAGE_BYE, .id = 2 });
      receive_message (pair->worker, NULL, &received);
      g_assert_cmpuint (received.id, ==, 2);
      return;
    }
  g_assert_no_error (error);
  receive_message (pair->worker, pair->master, &received);
  tti_message_clear (&received);
}

static void
test_no_descriptors_to_receive (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();
  g_autoptr (GError) error = NULL;
  TtiMessage received;

  (void) data;
  for (guint i = 0; i < 5; i++)
    g_ptr_array_add (vectors, vector_filled (2000000, i));
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, TTI_TRAVEL_SHARED);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .id = 1, .payload = payload };

  send_message (pair->master, &message);
  /* Meanwhile the test must not open descriptors either. */
  guint descriptors = count_descriptors ();
  struct rlimit before = limit_descriptors (pair->implementation->type == SOCK_SEQPACKET ? 2 : 0);
  TtiReceived outcome = receive_any (pair->worker, pair->master, &received, &error);
  GError *again = NULL;

  g_assert_cmpint (tti_transport_receive (pair->worker, &received, &again), ==, TTI_RECEIVED_ERROR);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (outcome, ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_assert_cmpstr (again->message, ==, error->message);
  g_assert_cmpuint (count_descriptors (), ==, descriptors);
  g_error_free (again);
}

/* A master does not keep a descriptor for each of many results. */
static void
test_results_share_descriptors (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_payload_unref);

  (void) data;
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (TtiVector) vector = vector_filled (20000, i);
      TtiMessage received;

      travel_one (pair->worker, pair->master, vector, TTI_TRAVEL_SHARED, &received);
      g_ptr_array_add (kept, g_steal_pointer (&received.payload));
    }
  g_assert_cmpuint (count_descriptors () - pair->descriptors, <, 20);
}

static void
test_free_with_queue (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();

  (void) data;
  g_ptr_array_add (vectors, vector_filled (2000000, 1));
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, TTI_TRAVEL_SHARED);

  for (guint i = 0; i < 1000; i++)
    send_message (pair->worker, &(TtiMessage) { .kind = TTI_MESSAGE_RESULT, .payload = payload });
  tti_transport_free (NULL);
  tti_message_clear (&(TtiMessage) { 0 });
}

static void
test_joined_from_worker_is_refused (Pair *pair, gconstpointer data)
{
  g_autoptr (TtiPayload) value = payload_of_text (5);
  g_autoptr (TtiPayload) joined = tti_payload_join (value, &value, 1);
  TtiMessage message = { .kind = TTI_MESSAGE_TASK, .payload = joined }, received;
  g_autoptr (GError) error = NULL;

  (void) data;
  send_message (pair->master, &message);
  receive_message (pair->worker, NULL, &received);
  g_assert_true (payload_check (received.payload, NULL));
  tti_message_clear (&received);
  send_message (pair->worker, &message);
  g_assert_cmpint (receive_any (pair->master, NULL, &received, &error), ==, TTI_RECEIVED_ERROR);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_test ("kinds-and-order", test_kinds_and_order);
  add_contract_test ("bytes-of-all-sizes", test_bytes_of_all_sizes);
  add_contract_test ("empty-payload", test_empty_payload);
  add_contract_test ("vectors", test_vectors);
  add_contract_test ("destinations", test_destinations);
  add_contract_test ("many-vectors", test_many_vectors);
  add_contract_test ("many-storages", test_many_storages);
  add_contract_test ("slices-and-files", test_slices_and_files);
  add_contract_test ("shared-is-read-only-for-workers", test_shared_is_read_only_for_workers);
  add_contract_test ("copy-is-private", test_copy_is_private);
  add_contract_test ("result-is-not-the-input", test_result_is_not_the_input);
  add_contract_test ("queue", test_queue);
  add_contract_test ("close-in-flight", test_close_in_flight);
  add_contract_test ("peer-gone", test_peer_gone);
  add_contract_test ("peer-gone-quietly", test_peer_gone_quietly);
  add_contract_test ("no-descriptors-to-send", test_no_descriptors_to_send);
  add_contract_test ("no-descriptors-to-receive", test_no_descriptors_to_receive);
  add_contract_test ("results-share-descriptors", test_results_share_descriptors);
  add_contract_test ("free-with-queue", test_free_with_queue);
  add_contract_test ("joined-from-worker-is-refused", test_joined_from_worker_is_refused);
  return g_test_run ();
}
