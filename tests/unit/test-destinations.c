/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors that tasks write into: what is noted of them, and how their contents come back over a stream. */
#include "transport-pair.h"
#include "transport/destinations.h"
#include <unistd.h>

enum { ID = 77, ATTEMPT = 2, FEW = 1000, MANY = 300000 };

/* --- notes ------------------------------------------------------------------------------------------------------------------- */

/* A task with a vector for each letter of TRAVELS: w to be written into, s shared, c copied; of 1, 2, 3 … bytes. */
static TtiMessage
task_of (const char *travels, guint64 id, guint32 attempt)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, strlen (travels));
  for (guint i = 0; travels[i] != '\0'; i++)
    {
      g_autoptr (TtiVector) vector = vector_filled (i + 1, i);

      tti_writer_attach (writer, TTI_NUMBER_U8, vector, i + 1,
                         travels[i] == 'w' ? TTI_TRAVEL_WRITE : travels[i] == 'c' ? TTI_TRAVEL_COPY : TTI_TRAVEL_SHARED);
    }
  return (TtiMessage) { .kind = TTI_MESSAGE_TASK, .id = id, .attempt = attempt, .payload = tti_writer_finish (writer) };
}

static void
note (TtiDestinations *destinations, const char *travels, guint64 id, guint32 attempt)
{
  TtiMessage task = task_of (travels, id, attempt);

  tti_destinations_note (destinations, &task);
  tti_message_clear (&task);
}

static void
assert_sizes (GPtrArray *vectors, const gsize *sizes, guint n)
{
  g_assert_nonnull (vectors);
  g_assert_cmpuint (vectors->len, ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (tti_vector_get_size (g_ptr_array_index (vectors, i)), ==, sizes[i]);
  g_ptr_array_unref (vectors);
}

static void
test_notes (void)
{
  g_autoptr (TtiDestinations) destinations = tti_destinations_new ();
  const gsize of_mixed[] = { 2, 4, 5 }, of_later[] = { 1 };
  guint storages;

  note (destinations, "sc", 1, 1);
  g_assert_null (tti_destinations_take (destinations, 1, 1));
  note (destinations, "swcww", 1, 1);
  note (destinations, "w", 2, 1);
  g_assert_null (tti_destinations_take (destinations, 3, 1));
  assert_sizes (tti_destinations_take (destinations, 1, 1), of_mixed, 3);
  g_assert_null (tti_destinations_take (destinations, 1, 1));
  /* A later attempt is in the place of an earlier one, whose answer is late. */
  note (destinations, "ww", 4, 1);
  note (destinations, "w", 4, 2);
  g_assert_null (tti_destinations_take (destinations, 4, 1));
  assert_sizes (tti_destinations_take (destinations, 4, 2), of_later, 1);
  /* And one that writes nothing leaves no note of the one before. */
  note (destinations, "w", 4, 3);
  note (destinations, "s", 4, 4);
  g_assert_null (tti_destinations_take (destinations, 4, 3));
  tti_destinations_forget (destinations, 2);
  tti_destinations_forget (destinations, 2);
  g_assert_null (tti_destinations_take (destinations, 2, 1));
  tti_vector_get_usage (NULL, &storages);
  g_assert_cmpuint (storages, ==, 0);
  note (destinations, "w", 5, 1);
  g_clear_pointer (&destinations, tti_destinations_free);
  tti_vector_get_usage (NULL, &storages);
  g_assert_cmpuint (storages, ==, 0);
  tti_destinations_free (NULL);
}

static void
test_sizes (void)
{
  g_autoptr (GPtrArray) vectors = vector_array ();
  const TtiAttachment table[] = { { .size = 10 }, { .size = 20 } };
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_destinations_check (NULL, table, 0, &error));
  g_assert_false (tti_destinations_check (NULL, table, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
  g_clear_error (&error);
  g_ptr_array_add (vectors, vector_filled (10, 0));
  g_assert_true (tti_destinations_check (vectors, table, 1, &error));
  g_assert_false (tti_destinations_check (vectors, table, 2, &error));
  g_clear_error (&error);
  g_ptr_array_add (vectors, vector_filled (21, 0));
  g_assert_false (tti_destinations_check (vectors, table, 2, &error));
  g_assert_nonnull (strstr (error->message, "destination 1 have 20 bytes, expected 21"));
}

/* --- over a stream ----------------------------------------------------------------------------------------------------------- */

/* A vector of MANY bytes, all 9, of which the first FEW and the last are the parts of a task. */
static GPtrArray *
parts_of (TtiVector **whole)
{
  GPtrArray *parts = vector_array ();

  *whole = tti_vector_new (MANY, NULL);
  memset (tti_vector_get_data (*whole), 9, MANY);
  g_ptr_array_add (parts, tti_vector_slice (*whole, 0, FEW));
  g_ptr_array_add (parts, tti_vector_slice (*whole, FEW, 0));
  g_ptr_array_add (parts, tti_vector_slice (*whole, 2 * FEW, MANY - 2 * FEW));
  return parts;
}

static void
assert_all (TtiVector *vector, gsize start, gsize end, guint8 byte)
{
  const guint8 *bytes = tti_vector_get_data (vector);

  for (gsize i = start; i < end; i++)
    g_assert_cmpuint (bytes[i], ==, byte);
}

static void
give_task (Pair *pair, GPtrArray *parts, TtiMessage *received)
{
  g_autoptr (TtiPayload) payload = payload_of_vectors (parts, TTI_TRAVEL_WRITE);
  const TtiMessage task = { .kind = TTI_MESSAGE_TASK, .id = ID, .attempt = ATTEMPT, .payload = payload };

  send_message (pair->master, &task);
  receive_message (pair->worker, pair->master, received);
  g_assert_cmpuint (tti_payload_get_n_vectors (received->payload), ==, parts->len);
  for (guint i = 0; i < parts->len; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (received->payload, i, &travel);

      g_assert_cmpint (travel, ==, TTI_TRAVEL_WRITE);
      g_assert_true (tti_vector_is_writable (vector));
      assert_all (vector, 0, tti_vector_get_size (vector), 0);
      if (tti_vector_get_size (vector) > 0)
        memset (tti_vector_get_data (vector), (int) i + 1, tti_vector_get_size (vector));
    }
}

/* The worker's answer of KIND, with a vector of its own. */
static TtiPayload *
answer_task (Pair *pair, TtiMessageKind kind, guint32 attempt)
{
  g_autoptr (GPtrArray) own = vector_array ();

  g_ptr_array_add (own, vector_filled (5000, 3));
  TtiPayload *payload = payload_of_vectors (own, TTI_TRAVEL_SHARED);
  const TtiMessage answer = { .kind = kind, .id = ID, .attempt = attempt, .payload = payload };

  send_message (pair->worker, &answer);
  return payload;
}

static void
assert_answer (Pair *pair, TtiMessageKind kind)
{
  g_autoptr (TtiVector) expected = vector_filled (5000, 3);
  TtiMessage answer;

  receive_message (pair->master, pair->worker, &answer);
  g_assert_cmpint (answer.kind, ==, kind);
  g_assert_cmpuint (tti_payload_get_n_vectors (answer.payload), ==, 1);
  g_assert_cmpmem (tti_vector_get_data (tti_payload_get_vector (answer.payload, 0, NULL)), 5000, tti_vector_get_data (expected), 5000);
  tti_message_clear (&answer);
}

/* What was written is here before anybody sees the answer. The worker may have let go of the vectors. */
static void
test_result (Pair *pair, gconstpointer data)
{
  TtiVector *whole;
  g_autoptr (GPtrArray) parts = parts_of (&whole);
  TtiMessage task;

  (void) data;
  for (guint round = 0; round < 2; round++)
    {
      memset (tti_vector_get_data (whole), 9, MANY);
      give_task (pair, parts, &task);
      tti_message_clear (&task);
      assert_all (whole, 0, MANY, 9);
      tti_payload_unref (answer_task (pair, TTI_MESSAGE_RESULT, ATTEMPT));
      assert_answer (pair, TTI_MESSAGE_RESULT);
      assert_all (whole, 0, FEW, 1);
      assert_all (whole, FEW, 2 * FEW, 9);
      assert_all (whole, 2 * FEW, MANY, 3);
    }
  tti_vector_unref (whole);
}

/* An exception brings nothing, and a result that follows it is late. */
static void
test_exception (Pair *pair, gconstpointer data)
{
  TtiVector *whole;
  g_autoptr (GPtrArray) parts = parts_of (&whole);
  TtiMessage task;

  (void) data;
  give_task (pair, parts, &task);
  tti_payload_unref (answer_task (pair, TTI_MESSAGE_EXCEPTION, ATTEMPT));
  assert_answer (pair, TTI_MESSAGE_EXCEPTION);
  tti_payload_unref (answer_task (pair, TTI_MESSAGE_RESULT, ATTEMPT));
  assert_answer (pair, TTI_MESSAGE_RESULT);
  assert_all (whole, 0, MANY, 9);
  tti_message_clear (&task);
  tti_vector_unref (whole);
}

/* The answer to a task that has ended is received, and what it brings goes nowhere. */
static void
test_late (Pair *pair, gconstpointer data)
{
  TtiVector *whole;
  g_autoptr (GPtrArray) parts = parts_of (&whole);
  TtiMessage task;

  (void) data;
  give_task (pair, parts, &task);
  tti_transport_forget (pair->master, ID);
  tti_payload_unref (answer_task (pair, TTI_MESSAGE_RESULT, ATTEMPT));
  assert_answer (pair, TTI_MESSAGE_RESULT);
  assert_all (whole, 0, MANY, 9);
  tti_message_clear (&task);
  tti_vector_unref (whole);
}

/* It may be forgotten while its answer comes: from then on nothing is written. */
static void
test_late_in_between (Pair *pair, gconstpointer data)
{
  TtiVector *whole;
  g_autoptr (GPtrArray) parts = parts_of (&whole);
  const guint8 *last;
  TtiMessage task, answer;

  (void) data;
  give_task (pair, parts, &task);
  tti_payload_unref (answer_task (pair, TTI_MESSAGE_RESULT, ATTEMPT));
  /* The socket is full before all of it is sent. */
  g_assert_true (tti_transport_get_events (pair->worker) & POLLOUT);
  g_assert_cmpint (tti_transport_receive (pair->master, &answer, NULL), ==, TTI_RECEIVED_NOTHING);
  assert_all (whole, 0, FEW, 1);
  last = (const guint8 *) tti_vector_get_data (whole) + MANY - 1;
  g_assert_cmpuint (*last, ==, 9);
  tti_transport_forget (pair->master, ID + 1);
  tti_transport_forget (pair->master, ID);
  assert_answer (pair, TTI_MESSAGE_RESULT);
  g_assert_cmpuint (*last, ==, 9);
  tti_message_clear (&task);
  tti_vector_unref (whole);
}

/* Whoever frees a transport forgets, at both ends: the pair is checked for what is left. */
static void
test_freed (Pair *pair, gconstpointer data)
{
  TtiVector *whole;
  g_autoptr (GPtrArray) parts = parts_of (&whole);
  TtiMessage task;

  (void) data;
  give_task (pair, parts, &task);
  tti_message_clear (&task);
  tti_vector_unref (whole);
}

/* The worker has no such thing to give, and only a task is given one. */
static void
test_refused (Pair *pair, gconstpointer data)
{
  g_autoptr (GPtrArray) vectors = vector_array ();
  g_autoptr (GError) error = NULL, another = NULL;

  (void) data;
  g_ptr_array_add (vectors, vector_filled (100000, 1));
  g_autoptr (TtiPayload) payload = payload_of_vectors (vectors, TTI_TRAVEL_WRITE);
  const TtiMessage result = { .kind = TTI_MESSAGE_RESULT, .payload = payload }, hold = { .kind = TTI_MESSAGE_HOLD, .payload = payload };

  g_assert_false (tti_transport_send (pair->worker, &result, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT);
  g_assert_false (tti_transport_send (pair->master, &hold, &another));
  g_assert_error (another, TUTTI_ERROR, TUTTI_ERROR_LIMIT);
}

/* --- what no honest end sends ------------------------------------------------------------------------------------------------ */

typedef struct
{
  TtiFrame frame;
  TtiAttachment table[2];
} Head;

/* A result with the contents of two destinations, of 10 and 20 bytes. */
static Head
head_make (void)
{
  return (Head) {
    .frame = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_MESSAGE_RESULT, .has_payload = 1, .id = ID,
               .attempt = ATTEMPT, .n_vectors = 2, .n_bytes = 1, .n_contents = 30, .body_descriptor = TTI_BY_VALUE },
    .table = { { .size = 10, .travel = TTI_TRAVEL_WRITE, .descriptor = TTI_BY_VALUE },
               { .size = 20, .travel = TTI_TRAVEL_WRITE, .descriptor = TTI_BY_VALUE } },
  };
}

#define corruption(name, ...) static void name (Head *head) { __VA_ARGS__; }
corruption (size_more, head->table[1].size++; head->frame.n_contents++)
corruption (size_less, head->table[0].size--; head->frame.n_contents--)
corruption (one_less, head->frame.n_vectors = 1; head->frame.n_contents = 10)
corruption (in_exception, head->frame.kind = TTI_MESSAGE_EXCEPTION)
corruption (not_behind, head->table[1].travel = TTI_TRAVEL_SHARED)
corruption (by_size, head->table[1].descriptor = TTI_BY_SIZE; head->frame.n_contents = 10)
corruption (shared_by_size, head->table[0].descriptor = TTI_BY_SIZE; head->table[0].travel = TTI_TRAVEL_SHARED; head->frame.n_contents = 20)
corruption (contents_more, head->frame.n_contents = 31)
corruption (to_worker, (void) head)
corruption (size_to_worker, head->table[0].descriptor = head->table[1].descriptor = TTI_BY_SIZE; head->frame.n_contents = 0)
corruption (endless, head->frame.kind = TTI_MESSAGE_TASK; head->table[0].descriptor = head->table[1].descriptor = TTI_BY_SIZE;
            head->table[0].size = head->table[1].size = TTI_MESSAGE_MAX_BYTES / 2 + 1; head->frame.n_contents = 0)

static const struct
{
  const char *part;
  void (*corrupt) (Head *head);
  gboolean to_worker;
} cases[] = {
  { "destination 1 have 21 bytes, expected 20", size_more, FALSE },
  { "destination 0 have 9 bytes, expected 10", size_less, FALSE },
  { "contents of 1 destinations, expected 2", one_less, FALSE },
  { "come only with a worker's result", in_exception, FALSE },
  { "behind the contents", not_behind, FALSE },
  { "behind the contents", by_size, FALSE },
  { "a vector in descriptor", shared_by_size, FALSE },
  { "belong to no vector", contents_more, FALSE },
  { "come only with a worker's result", to_worker, TRUE },
  { "which only a master may send, with a task", size_to_worker, TRUE },
  { "vectors to write into of more than", endless, TRUE },
};

static void
test_corrupted (gconstpointer implementation)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GPtrArray) parts = vector_array ();
      g_autoptr (GError) error = NULL;
      Head head = head_make ();
      TtiMessage message;
      Pair pair;

      g_test_message ("%s", cases[i].part);
      pair_open (&pair, implementation);
      g_ptr_array_add (parts, vector_filled (10, 1));
      g_ptr_array_add (parts, vector_filled (20, 1));
      give_task (&pair, parts, &message);
      tti_message_clear (&message);
      g_clear_pointer (&parts, g_ptr_array_unref);
      cases[i].corrupt (&head);
      TtiTransport *from = cases[i].to_worker ? pair.master : pair.worker, *to = cases[i].to_worker ? pair.worker : pair.master;

      g_assert_cmpint (write (tti_transport_get_fd (from), &head, sizeof head), ==, sizeof head);
      g_assert_cmpint (receive_any (to, NULL, &message, &error), ==, TTI_RECEIVED_ERROR);
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL);
      if (strstr (error->message, cases[i].part) == NULL)
        g_error ("expected '%s' in '%s'", cases[i].part, error->message);
      pair_close (&pair, implementation);
    }
}

#define stream_test(name, test) g_test_add ("/destinations/stream/" name, Pair, &implementations[1], pair_open, test, pair_close)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/destinations/notes", test_notes);
  g_test_add_func ("/destinations/sizes", test_sizes);
  stream_test ("result", test_result);
  stream_test ("exception", test_exception);
  stream_test ("late", test_late);
  stream_test ("late-in-between", test_late_in_between);
  stream_test ("freed", test_freed);
  stream_test ("refused", test_refused);
  g_test_add_data_func ("/destinations/stream/corrupted", &implementations[1], test_corrupted);
  return g_test_run ();
}
