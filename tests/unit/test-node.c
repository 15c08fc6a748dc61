/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The contract of nodes, tested with each kind: this machine, and one whose workers speak over a stream. After each test no process and no
 * descriptor is left. */
#include "node-fixture.h"

static void
test_exits (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) one = spawn_stub (fixture, "exit:3"), other = spawn_stub (fixture, "signal:11");

  (void) data;
  await_event (fixture, "exited %" G_GUINT64_FORMAT " 3 0", one.generation);
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 11", other.generation);
  run_for (fixture, 30);
  g_assert_cmpuint (count_events (fixture, "exited"), ==, 2);
  g_assert_cmpuint (count_events (fixture, "spawned"), ==, 2);
  g_assert_cmpuint (fixture->events->len, ==, 4);
  for (guint64 generation = one.generation; generation <= other.generation; generation++)
    {
      g_autofree char *first = g_strdup_printf ("spawned %" G_GUINT64_FORMAT, generation);
      g_autofree char *last = g_strdup_printf ("exited %" G_GUINT64_FORMAT " %s", generation,
                                               generation == one.generation ? "3 0" : "-1 11");

      g_assert_cmpuint (find_event (fixture, first), <, find_event (fixture, last));
      g_assert_true (tti_node_is_gone (fixture->node, generation));
    }
}

/* When the exit of a worker is told, the node has nothing of it any more. */
static void
test_descriptors (Fixture *fixture, gconstpointer data)
{
  guint before = count_descriptors ();

  (void) data;
  for (guint i = 0; i < 10; i++)
    {
      g_auto (Worker) worker = spawn_stub (fixture, "exit:0");

      await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", worker.generation);
    }
  g_assert_cmpuint (count_descriptors (), ==, before);
}

static void
test_cannot_start (Fixture *fixture, gconstpointer data)
{
  const char *const none[] = { NULL };
  g_autoptr (GError) error = NULL;
  g_auto (Worker) worker = worker_none ();

  (void) data;
  g_assert_true (try_to_spawn (fixture, "/nonexistent/worker", none, 0, &worker, &error));
  g_assert_no_error (error);
  await_event (fixture, "failed %" G_GUINT64_FORMAT " %d", worker.generation, ENOENT);
  g_assert_nonnull (strstr (fixture->message, "/nonexistent/worker"));
  g_assert_nonnull (strstr (fixture->message, g_strerror (ENOENT)));
  g_assert_true (tti_node_is_gone (fixture->node, worker.generation));
  /* That is all that is told of it. */
  run_for (fixture, 30);
  g_assert_cmpuint (fixture->events->len, ==, 1);
}

/* Too much for any system. */
static void
test_too_long (Fixture *fixture, gconstpointer data)
{
  g_autofree char *argument = g_strnfill (17 << 20, 'x');
  const char *const arguments[] = { argument, NULL };
  g_autoptr (GError) error = NULL;
  g_auto (Worker) worker = worker_none ();

  (void) data;
  g_assert_false (try_to_spawn (fixture, "/bin/true", arguments, 0, &worker, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT);
  run_for (fixture, 30);
  g_assert_cmpuint (fixture->events->len, ==, 0);
}

/* The three ways to a worker: messages there and back, with vectors, and what it writes. */
static void
test_channels (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);
  g_autoptr (TtiPayload) expected = text_payload ("say so");
  TtiMessage answer;

  (void) data;
  tell (&worker, "say so");
  receive_from (fixture, &worker, &answer);
  g_assert_cmpint (answer.kind, ==, TTI_MESSAGE_RESULT);
  g_assert_true (tti_payload_is_equal (answer.payload, expected));
  tti_message_clear (&answer);
  tell (&worker, "vector");
  receive_from (fixture, &worker, &answer);
  g_assert_cmpuint (tti_payload_get_n_vectors (answer.payload), ==, 1);
  g_assert_cmpuint (tti_vector_get_size (tti_payload_get_vector (answer.payload, 0, NULL)), ==, 8192 * sizeof (double));
  tti_message_clear (&answer);
  tti_transport_send (worker.channels.transport, &(TtiMessage){ .kind = TTI_MESSAGE_BYE, .generation = worker.generation }, NULL);
  await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", worker.generation);
  g_autofree char *out = read_all (fixture, worker.channels.out_fd), *err = read_all (fixture, worker.channels.err_fd);

  g_assert_cmpstr (out, ==, "");
  g_assert_cmpstr (err, ==, "so\n");
}

/* What a worker writes into parts of a vector of the sender's, large and small ones, is there with its answer. */
static void
test_destinations (Fixture *fixture, gconstpointer data)
{
  static const gsize bounds[] = { 0, 9728, 80000, 80008, 100000 };
  g_auto (Worker) worker = spawn_rogue (fixture);
  g_autoptr (TtiVector) whole = tti_vector_new (100000, NULL);
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  TtiMessage answer;

  (void) data;
  tti_vector_set_destination (whole, TRUE);
  tti_writer_open (writer, TTI_ITEM_LIST, 0, G_N_ELEMENTS (bounds));
  tti_writer_text (writer, TTI_ITEM_STRING, "fill 5", strlen ("fill 5"));
  for (guint i = 1; i < G_N_ELEMENTS (bounds); i++)
    {
      g_autoptr (TtiVector) part = tti_vector_slice (whole, bounds[i - 1], bounds[i] - bounds[i - 1]);

      tti_writer_attach (writer, TTI_NUMBER_F64, part, tti_vector_get_size (part) / sizeof (double), TTI_TRAVEL_WRITE);
    }
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);

  tell_payload (&worker, payload);
  receive_from (fixture, &worker, &answer);
  g_assert_cmpint (answer.kind, ==, TTI_MESSAGE_RESULT);
  tti_message_clear (&answer);
  for (gsize i = 0; i < 100000; i++)
    g_assert_cmpint (((guint8 *) tti_vector_get_data (whole))[i], ==, 5);
}

static void
test_signals (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) polite = spawn_rogue (fixture), deaf = spawn_rogue (fixture), killed = spawn_rogue (fixture);
  g_auto (Worker) slow = spawn_rogue (fixture), spared = spawn_rogue (fixture);

  (void) data;
  tell (&polite, "hang");
  tell (&deaf, "deaf");
  g_assert_true (send_signal (fixture, polite.generation, SIGTERM, 60000));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 15", polite.generation);
  g_assert_true (send_signal (fixture, killed.generation, SIGKILL, -1));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", killed.generation);
  /* It may be deaf already, or still about to be: it is ended either way. */
  g_assert_true (send_signal (fixture, deaf.generation, SIGTERM, 100));
  /* No signal, but a limit. */
  g_assert_true (send_signal (fixture, slow.generation, 0, 50));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", slow.generation);
  /* Neither. */
  g_assert_true (send_signal (fixture, spared.generation, 0, -1));
  gint64 limit = LIMIT;

  while (count_events (fixture, "exited") < 4)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      run_for (fixture, 1);
    }
  g_assert_true (tti_node_is_gone (fixture->node, deaf.generation));
  tell (&spared, "well");
  TtiMessage answer;

  receive_from (fixture, &spared, &answer);
  tti_message_clear (&answer);
  g_assert_false (tti_node_is_gone (fixture->node, spared.generation));
  g_assert_cmpuint (count_events (fixture, "exited"), ==, 4);
}

/* A signal right behind the request, before the worker runs, is not lost. */
static void
test_signal_at_once (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) killed = spawn_stub (fixture, "busy");

  (void) data;
  g_assert_true (send_signal (fixture, killed.generation, SIGKILL, -1));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", killed.generation);
}

static void
test_stopped (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);
  gint64 limit = LIMIT;

  (void) data;
  g_assert_false (tti_node_is_stopped (fixture->node, worker.generation));
  g_assert_true (send_signal (fixture, worker.generation, SIGSTOP, -1));
  await_event (fixture, "stopped %" G_GUINT64_FORMAT " %d", worker.generation, SIGSTOP);
  g_assert_true (tti_node_is_stopped (fixture->node, worker.generation));
  g_assert_cmpint (tti_node_get_state (fixture->node, worker.generation), ==, 'T');
  g_assert_false (tti_node_is_gone (fixture->node, worker.generation));
  g_assert_true (send_signal (fixture, worker.generation, SIGCONT, -1));
  while (tti_node_is_stopped (fixture->node, worker.generation))
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      run_for (fixture, 1);
    }
  g_assert_true (send_signal (fixture, worker.generation, SIGSTOP, -1));
  g_assert_true (send_signal (fixture, worker.generation, SIGKILL, -1));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", worker.generation);
}

static void
await_end (int pid)
{
  tti_autofd int pidfd = tti_process_open (pid, NULL);

  g_assert_true (pidfd < 0 || tti_fd_wait (pidfd, POLLIN, LIMIT));
}

/* A line that the worker writes: "pid N". */
static int
read_pid (Worker *worker)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char byte;

  for (;;)
    {
      g_assert_true (tti_fd_wait (worker->channels.out_fd, POLLIN, LIMIT));
      g_assert_cmpint (read (worker->channels.out_fd, &byte, 1), ==, 1);
      if (byte == '\n')
        break;
      g_string_append_c (line, byte);
    }
  g_assert_true (g_str_has_prefix (line->str, "pid "));
  return atoi (line->str + 4);
}

/* SIGKILL takes what a worker has started along. */
static void
test_below (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_stub (fixture, "sleep:2", "busy");

  (void) data;
  await_event (fixture, "spawned %" G_GUINT64_FORMAT, worker.generation);
  int one = read_pid (&worker), other = read_pid (&worker);

  g_assert_true (send_signal (fixture, worker.generation, SIGKILL, -1));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", worker.generation);
  await_end (one);
  await_end (other);
}

static void
test_memory (Fixture *fixture, gconstpointer data)
{
  const char *const modest[] = { "memory:8", "exit:0", NULL }, *const greedy[] = { "hold:96", "busy", NULL };
  g_auto (Worker) one = spawn (fixture, "stub-worker", modest, 64 << 20), other = worker_none ();

  (void) data;
  await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", one.generation);
  g_assert_cmpint (fixture->cause, ==, TTI_EXIT_CAUSE_UNKNOWN);
  g_assert_cmpuint (fixture->peak_memory >> 20, >=, 8);
  other = spawn (fixture, "stub-worker", greedy, 64 << 20);
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", other.generation);
  g_assert_cmpint (fixture->cause, ==, TTI_EXIT_CAUSE_MEMORY_LIMIT);
}

static void
assert_knows_nothing (TtiNode *node, guint64 generation)
{
  g_autofree char *description = tti_node_describe (node, generation);

  g_assert_cmpint (tti_node_get_state (node, generation), ==, '\0');
  g_assert_false (tti_node_is_stopped (node, generation));
  g_assert_false (tti_node_is_stuck (node, generation));
  g_assert_true (tti_node_is_gone (node, generation));
  g_assert_cmpuint (tti_node_get_peak_memory (node, generation), ==, 0);
  g_assert_cmpuint (strlen (description), >, 0);
}

static void
test_unknown (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_stub (fixture, "exit:0");

  (void) data;
  assert_knows_nothing (fixture->node, 123456);
  g_assert_true (send_signal (fixture, 123456, SIGKILL, 0));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", worker.generation);
  assert_knows_nothing (fixture->node, worker.generation);
  g_assert_true (send_signal (fixture, worker.generation, SIGKILL, 0));
  run_for (fixture, 30);
  g_assert_cmpuint (fixture->events->len, ==, 2);
}

static void
test_living (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);

  (void) data;
  await_event (fixture, "spawned %" G_GUINT64_FORMAT, worker.generation);
  g_autofree char *description = tti_node_describe (fixture->node, worker.generation);

  g_assert_nonnull (strchr ("RSD", tti_node_get_state (fixture->node, worker.generation)));
  g_assert_false (tti_node_is_stuck (fixture->node, worker.generation));
  g_assert_false (tti_node_is_gone (fixture->node, worker.generation));
  g_assert_cmpuint (tti_node_get_peak_memory (fixture->node, worker.generation), >, 0);
  g_assert_cmpuint (strlen (description), >, 0);
}

static void
assert_refused (Fixture *fixture)
{
  const char *const none[] = { NULL };
  g_autoptr (GError) error = NULL;
  g_auto (Worker) worker = worker_none ();

  g_assert_false (try_to_spawn (fixture, "/bin/true", none, 0, &worker, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
}

/* All workers at once; then it comes back by itself, and the generations of before are nobody's. */
static void
test_lost (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) done = spawn_stub (fixture, "exit:0"), one = spawn_rogue (fixture), other = spawn_rogue (fixture);

  (void) data;
  tell (&one, "deaf");
  await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", done.generation);
  fixture->expected[0] = one.generation;
  fixture->expected[1] = other.generation;
  int pid = fixture->pid;

  fixture->kind->lose (fixture->node);
  await_event (fixture, "lost");
  g_assert_cmpuint (strlen (fixture->message), >, 0);
  if (find_event (fixture, "ready") == 0)
    {
      assert_refused (fixture);
      g_assert_false (send_signal (fixture, one.generation, SIGTERM, -1));
    }
  await_event (fixture, "settled");
  await_end (pid);
  await_event (fixture, "ready");
  g_assert_cmpuint (find_event (fixture, "lost"), <, find_event (fixture, "settled"));
  g_assert_cmpuint (find_event (fixture, "settled"), <, find_event (fixture, "ready"));
  assert_knows_nothing (fixture->node, one.generation);
  assert_knows_nothing (fixture->node, other.generation);
  g_auto (Worker) next = spawn_rogue (fixture);

  g_assert_true (send_signal (fixture, next.generation, SIGKILL, -1));
  await_event (fixture, "exited %" G_GUINT64_FORMAT " -1 9", next.generation);
  g_assert_cmpuint (count_events (fixture, "exited"), ==, 2);
  g_assert_cmpuint (count_events (fixture, "lost"), ==, 1);
}

/* A request that it was lost with is settled with all others. */
static void
test_lost_at_once (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture), late = worker_none ();

  (void) data;
  fixture->kind->lose (fixture->node);
  const char *const busy[] = { "busy", NULL };
  g_autofree char *path = g_build_filename (g_getenv ("TUTTI_HELPERS"), "stub-worker", NULL);

  /* It may know already that it is lost. */
  (void) try_to_spawn (fixture, path, busy, 0, &late, NULL);
  fixture->expected[0] = worker.generation;
  fixture->expected[1] = late.generation;
  await_event (fixture, "ready");
  g_assert_cmpuint (count_events (fixture, "exited"), ==, 0);
  assert_knows_nothing (fixture->node, late.generation);
}

/* Lost again and again it gives up; and tries once more when somebody wants it. */
static void
test_hopeless (Fixture *fixture, gconstpointer data)
{
  (void) data;
  while (find_event (fixture, "hopeless") == 0)
    {
      guint n = count_events (fixture, "ready") + count_events (fixture, "hopeless");
      gint64 limit = LIMIT;

      g_assert_cmpuint (n, <, 20);
      fixture->kind->lose (fixture->node);
      while (count_events (fixture, "ready") + count_events (fixture, "hopeless") == n)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, limit);
          run_for (fixture, 1);
        }
    }
  g_assert_cmpuint (strlen (fixture->message), >, 0);
  g_assert_cmpuint (count_events (fixture, "lost"), ==, count_events (fixture, "settled"));
  g_assert_cmpuint (count_events (fixture, "ready"), ==, count_events (fixture, "lost") - 1);
  guint n = count_events (fixture, "ready");
  gint64 limit = LIMIT;

  run_for (fixture, 30);
  g_assert_cmpuint (count_events (fixture, "ready"), ==, n);
  assert_refused (fixture);
  while (count_events (fixture, "ready") == n && count_events (fixture, "hopeless") == 1)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      run_for (fixture, 1);
    }
}

/* Once it is to come to its end, nothing starts, and no loss is told. */
static void
test_stop (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);

  (void) data;
  tti_node_stop (fixture->node);
  tti_node_stop (fixture->node);
  assert_refused (fixture);
  fixture->kind->lose (fixture->node);
  run_for (fixture, 100);
  g_assert_cmpuint (count_events (fixture, "lost") + count_events (fixture, "ready"), ==, 0);
}

static void
test_close (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) one = spawn_rogue (fixture), other = spawn_rogue (fixture), asked = worker_none ();

  (void) data;
  tell (&one, "deaf");
  await_event (fixture, "spawned %" G_GUINT64_FORMAT, other.generation);
  asked = spawn_stub (fixture, "busy");
  guint n = fixture->events->len;

  tti_node_close (fixture->node);
  await_end (fixture->pid);
  g_assert_true (tti_node_is_gone (fixture->node, one.generation));
  g_assert_true (tti_node_is_gone (fixture->node, other.generation));
  g_assert_true (tti_node_is_gone (fixture->node, asked.generation));
  assert_refused (fixture);
  g_assert_false (send_signal (fixture, one.generation, SIGKILL, 0));
  assert_knows_nothing (fixture->node, 123456);
  g_autofree char *description = tti_node_describe (fixture->node, one.generation);

  g_assert_nonnull (description);
  tti_node_close (fixture->node);
  run_for (fixture, 30);
  g_assert_cmpuint (fixture->events->len, ==, n);
}

/* While it is away: it does not come back behind the end. */
static void
test_close_away (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);

  (void) data;
  fixture->kind->lose (fixture->node);
  await_event (fixture, "lost");
  guint n = fixture->events->len;

  tti_node_close (fixture->node);
  await_end (fixture->pid);
  run_for (fixture, 30);
  g_assert_cmpuint (fixture->events->len, ==, n);
}

typedef struct
{
  Fixture *fixture;
  gint stop;
  guint64 generation;
} Asking;

static gpointer
ask (gpointer data)
{
  Asking *self = data;
  TtiNode *node = self->fixture->node;

  while (!g_atomic_int_get (&self->stop))
    {
      g_autofree char *description = tti_node_describe (node, self->generation);

      (void) tti_node_get_state (node, self->generation);
      (void) tti_node_is_gone (node, self->generation);
      (void) tti_node_is_stuck (node, self->generation);
      (void) tti_node_get_peak_memory (node, self->generation);
      (void) tti_node_signal (node, self->generation, 0, -1);
    }
  return NULL;
}

/* Operations may come from any thread, at any time. */
static void
test_threads (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);
  Asking asking = { .fixture = fixture, .generation = worker.generation };
  GThread *thread = g_thread_new ("asks", ask, &asking);

  (void) data;
  for (guint i = 0; i < 10; i++)
    {
      g_auto (Worker) other = spawn_stub (fixture, "exit:0");

      await_event (fixture, "exited %" G_GUINT64_FORMAT " 0 0", other.generation);
    }
  fixture->kind->lose (fixture->node);
  await_event (fixture, "ready");
  g_atomic_int_set (&asking.stop, TRUE);
  g_thread_join (thread);
}

/* How long the way is becomes known with the first tasks, where there is one. */
static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  g_auto (Worker) worker = spawn_rogue (fixture);
  gboolean is_far = fixture->kind->new == agent_thread_node_new;

  (void) data;
  g_assert_cmpint (tti_transport_get_round_trip (worker.channels.transport), ==, 0);
  for (guint i = 0; i < 3; i++)
    {
      TtiMessage message;

      tell (&worker, "small");
      receive_from (fixture, &worker, &message);
      g_assert_cmpint (message.kind, ==, TTI_MESSAGE_RESULT);
      tti_message_clear (&message);
    }
  for (gint64 limit = LIMIT; is_far && tti_transport_get_round_trip (worker.channels.transport) == 0; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  gint64 round_trip = tti_transport_get_round_trip (worker.channels.transport);

  g_assert_cmpint (round_trip, >=, is_far ? 1 : 0);
  g_assert_cmpint (round_trip, <=, is_far ? G_USEC_PER_SEC : 0);
  g_assert_cmpstr (tti_node_get_name (fixture->node), ==,
                   is_far ? "host" : g_str_equal (fixture->kind->name, "local") ? g_get_host_name () : "fake");
}

static void
add_contract_test (const char *name, void (*test) (Fixture *fixture, gconstpointer data))
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *path = g_strdup_printf ("/node/%s/%s", kinds[i].name, name);

      g_test_add (path, Fixture, &kinds[i], fixture_open, test, fixture_close);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_contract_test ("exits", test_exits);
  add_contract_test ("descriptors", test_descriptors);
  add_contract_test ("cannot-start", test_cannot_start);
  add_contract_test ("too-long", test_too_long);
  add_contract_test ("channels", test_channels);
  add_contract_test ("destinations", test_destinations);
  add_contract_test ("round-trip", test_round_trip);
  add_contract_test ("signals", test_signals);
  add_contract_test ("signal-at-once", test_signal_at_once);
  add_contract_test ("stopped", test_stopped);
  add_contract_test ("below", test_below);
  add_contract_test ("memory", test_memory);
  add_contract_test ("unknown", test_unknown);
  add_contract_test ("living", test_living);
  add_contract_test ("lost", test_lost);
  add_contract_test ("lost-at-once", test_lost_at_once);
  add_contract_test ("hopeless", test_hopeless);
  add_contract_test ("stop", test_stop);
  add_contract_test ("close", test_close);
  add_contract_test ("close-away", test_close_away);
  add_contract_test ("threads", test_threads);
  return g_test_run ();
}
