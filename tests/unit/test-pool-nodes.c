/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools whose workers are on nodes that share nothing with us (support/fake-node.h), also beside this machine: what tasks bring, and what
 * becomes of them when a node is lost, comes back, or does not. */
#include "pool-fixture.h"
#include "pool/held.h"
#include "support/fake-node.h"
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const FakeNodeOptions over_stream = { 0 }, without_descriptor = { .buffered = TRUE };

typedef struct
{
  TuttiEngine *engine;
  TuttiNode *node;
  TuttiPool *pool;
  char *folder, *file; /* in it, for tasks that wait for it: not there yet */
} Fixture;

static TuttiPool *
pool_on (TuttiEngine *engine, TuttiNode *const *nodes, guint n_nodes, guint size, GError **error)
{
  g_autofree char *program = helper ("rogue-worker");
  g_auto (GStrv) environment = g_get_environ ();
  const TuttiPoolOptions options = { .name = "test pool", .program = program, .environment = (const char *const *) environment,
                                     .keep_output = TRUE, .nodes = nodes, .n_nodes = n_nodes };

  return tutti_pool_new (engine, size, &options, error);
}

static void
fixture_open_nodes (Fixture *fixture, const FakeNodeOptions *options)
{
  g_autoptr (GError) error = NULL;

  *fixture = (Fixture){ .engine = tutti_engine_new (&error), .folder = g_dir_make_tmp ("tutti-nodes-XXXXXX", NULL) };
  g_assert_no_error (error);
  fixture->file = g_build_filename (fixture->folder, "go", NULL);
  fixture->node = tutti_engine_add_node (fixture->engine, fake_node_new, (gpointer) options, &error);
  g_assert_no_error (error);
}

/* SIZE workers, all on the fake node. */
static void
fixture_open_elsewhere (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  g_autoptr (GError) error = NULL;

  fixture_open_nodes (fixture, options);
  fixture->pool = pool_on (fixture->engine, &fixture->node, 1, size, &error);
  g_assert_no_error (error);
}

/* SIZE workers: those with even numbers on this machine, the others on the fake node. */
static void
fixture_open_mixed (Fixture *fixture, const FakeNodeOptions *options, guint size)
{
  g_autoptr (GError) error = NULL;

  fixture_open_nodes (fixture, options);
  TuttiNode *const nodes[] = { NULL, fixture->node };

  fixture->pool = pool_on (fixture->engine, nodes, 2, size, &error);
  g_assert_no_error (error);
}

static void
fixture_close (Fixture *fixture)
{
  if (fixture->pool != NULL)
    pool_end (fixture->pool);
  tutti_engine_unref (fixture->engine);
  g_unlink (fixture->file);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->file);
  g_free (fixture->folder);
}

static TuttiWorkerInfo
worker_info (Fixture *fixture, guint index)
{
  TuttiWorkerInfo info;

  tutti_pool_get_worker (fixture->pool, index, &info);
  return info;
}

/* Wait until worker INDEX is in STATE. */
static void
await_state (Fixture *fixture, guint index, TuttiWorkerState state)
{
  for (gint64 limit = LIMIT; worker_info (fixture, index).state != state; g_usleep (1000))
    if (g_get_monotonic_time () > limit)
      g_error ("worker %u is %s, not %s", index, tutti_worker_state_name (worker_info (fixture, index).state),
               tutti_worker_state_name (state));
}

/* A task that waits for the fixture's file. */
static TuttiTask *
waiting_task (Fixture *fixture, int worker)
{
  g_autofree char *text = g_strdup_printf ("await %s", fixture->file);
  TuttiTask *task = task_new (text);

  tutti_task_set_worker (task, worker);
  return task;
}

static void
let_them_go (Fixture *fixture)
{
  g_assert_true (g_file_set_contents (fixture->file, "", 0, NULL));
}

static void
assert_done (TuttiTask *task)
{
  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_no_error (tutti_task_get_error (task));
  g_assert_cmpint (tutti_task_get_state (task), ==, TUTTI_TASK_DONE);
}

static void
assert_failed (TuttiTask *task, TuttiError code, const char *words)
{
  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_error (tutti_task_get_error (task), TUTTI_ERROR, (int) code);
  if (strstr (tutti_task_get_error (task)->message, words) == NULL)
    g_error ("'%s' does not say '%s'", tutti_task_get_error (task)->message, words);
}

/* --- what tasks bring -------------------------------------------------------------------------------------------------------- */

static TuttiVector *
vector_filled (gsize n, double seed)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *vector = tutti_vector_new (n * sizeof (double), &error);

  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    ((double *) tutti_vector_get_data (vector))[i] = seed + (double) i;
  return vector;
}

/* A task whose value is what it is given: a text, and VECTOR. */
static TuttiTask *
mirror_new (TuttiVector *vector)
{
  g_autoptr (TuttiPayload) payload = text_payload ("mirror", vector);

  return tutti_task_new (TUTTI_HANDLER_ECHO, payload);
}

static void
assert_mirrors (TuttiTask *task, TuttiVector *vector)
{
  assert_done (task);
  TuttiPayload *result = tutti_task_get_result (task);
  TuttiVector *back = tutti_payload_get_vector (result, 0, NULL);
  gsize size = tutti_vector_get_size (vector);

  g_assert_cmpuint (tutti_payload_get_n_vectors (result), ==, 1);
  g_assert_true (back != vector);
  g_assert_cmpmem (tutti_vector_get_data (back), tutti_vector_get_size (back), tutti_vector_get_data (vector), size);
  g_assert_false (tutti_vector_is_borrowed (vector));
}

static void
test_tasks (gconstpointer options)
{
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 3);
  for (guint i = 0; i < 200; i++)
    assert_echo (fixture.pool, "there and back");
  g_autoptr (TuttiTask) raised = run_text (fixture.pool, "raise this");

  g_assert_cmpint (tutti_task_get_state (raised), ==, TUTTI_TASK_RAISED);
  g_assert_cmpuint (fake_node_count (fixture.node), ==, 3);
  fixture_close (&fixture);
}

/* Many at once, of all sizes: what goes through a socket in one piece, and what does not. */
static void
test_vectors (gconstpointer options)
{
  static const gsize sizes[] = { 1, 100, 8000, 100000, 500000 };
  enum { N = 20 };
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_vector_unref);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 4);
  for (guint i = 0; i < N; i++)
    {
      g_ptr_array_add (vectors, vector_filled (sizes[i % G_N_ELEMENTS (sizes)], i));
      g_ptr_array_add (tasks, submit (fixture.pool, mirror_new (g_ptr_array_index (vectors, i))));
    }
  for (guint i = 0; i < N; i++)
    assert_mirrors (g_ptr_array_index (tasks, i), g_ptr_array_index (vectors, i));
  /* One for all workers, which those of this machine map. */
  g_autoptr (TuttiVector) shared = vector_filled (300000, 0.5);

  for (int worker = 0; worker < 4; worker++)
    {
      g_autoptr (TuttiTask) task = mirror_new (shared);

      tutti_task_set_worker (task, worker);
      assert_mirrors (submit (fixture.pool, task), shared);
    }
  fixture_close (&fixture);
}

/* A value that a worker of one node made is part of a request to one of another. */
static void
test_dependencies (gconstpointer options)
{
  g_autoptr (TuttiVector) vector = vector_filled (200000, 3);
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 2);
  for (int from = 0; from < 2; from++)
    {
      g_autoptr (TuttiTask) first = mirror_new (vector);
      g_autoptr (TuttiWriter) writer = tutti_writer_new ();

      tutti_writer_embedded (writer, 0);
      g_autoptr (TuttiPayload) payload = tutti_writer_finish (writer);
      g_autoptr (TuttiTask) second = tutti_task_new (TUTTI_HANDLER_ECHO, payload);

      tutti_task_set_worker (first, from);
      tutti_task_set_worker (second, 1 - from);
      tutti_task_add_dependency (second, first);
      submit (fixture.pool, first);
      submit (fixture.pool, second);
      assert_mirrors (second, vector);
      assert_mirrors (first, vector);
    }
  fixture_close (&fixture);
}

/* Held objects come with their vectors, again to a worker that replaces another. */
static void
test_held (gconstpointer options)
{
  g_autoptr (TuttiVector) vector = vector_filled (100000, 1);
  g_autoptr (TuttiPayload) value = text_payload ("held", vector);
  TuttiHeld *held = tutti_held_new (tutti_held_next_id (), TUTTI_HELD_GIVEN, &value, 1);
  tutti_autofd int bell = tutti_fd_open_wakeup (NULL);
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  tutti_pool_add_bell (fixture.pool, bell);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (TuttiTask) task = task_new ("with it");

      tutti_task_add_held (task, held);
      assert_done (submit (fixture.pool, task));
      g_autofree char *line = take_line (fixture.pool, bell);

      g_assert_true (g_str_has_prefix (line, "hold "));
      fake_node_lose (fixture.node, "to have another worker");
      for (gint64 limit = LIMIT; worker_info (&fixture, 0).restarts == i; g_usleep (1000))
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
    }
  tutti_held_unref (held);
  tutti_pool_remove_bell (fixture.pool, bell);
  fixture_close (&fixture);
}

/* How a worker there ends is certified as here, with its last words. */
static void
test_deaths (gconstpointer options)
{
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  g_autoptr (TuttiTask) task = task_new ("die talking");

  tutti_task_set_retries (task, 0);
  assert_failed (submit (fixture.pool, task), TUTTI_ERROR_DIED, "signal 6");
  g_assert_nonnull (strstr (tutti_task_get_certificate (task)->stderr_tail, "line 30\n"));
  assert_echo (fixture.pool, "alive");
  tutti_task_unref (g_steal_pointer (&task));
  task = task_new ("hang");
  tutti_task_set_timeout (task, 100 * 1000);
  assert_failed (submit (fixture.pool, task), TUTTI_ERROR_TIMEOUT, "limit");
  assert_echo (fixture.pool, "alive again");
  fixture_close (&fixture);
}

/* --- the node is lost -------------------------------------------------------------------------------------------------------- */

#define REASON "somebody has pulled a plug"

/* What its workers were at is done by others while it is away; when it comes back, so do its workers. */
static void
test_others_go_on (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
  Fixture fixture;
  guint again = 0;

  away.fate = FAKE_STAYS_AWAY;
  fixture_open_mixed (&fixture, &away, 4);
  for (guint i = 0; i < 4; i++)
    g_ptr_array_add (tasks, submit (fixture.pool, waiting_task (&fixture, -1)));
  for (guint i = 0; i < 4; i++)
    await_state (&fixture, i, TUTTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  await_state (&fixture, 1, TUTTI_WORKER_DEAD);
  await_state (&fixture, 3, TUTTI_WORKER_DEAD);
  g_autoptr (TuttiCertificate) death = tutti_pool_get_last_death (fixture.pool);

  g_assert_cmpint (death->reason, ==, TUTTI_DEATH_WATCHER_LOST);
  g_assert_nonnull (strstr (death->detail, REASON));
  let_them_go (&fixture);
  for (guint i = 0; i < 4; i++)
    {
      assert_done (g_ptr_array_index (tasks, i));
      g_assert_cmpint (tutti_task_get_worker (g_ptr_array_index (tasks, i)) % 2, ==, 0);
      again += tutti_task_get_attempts (g_ptr_array_index (tasks, i)) == 2;
    }
  g_assert_cmpuint (again, ==, 2);
  fake_node_come_back (fixture.node);
  await_state (&fixture, 1, TUTTI_WORKER_IDLE);
  await_state (&fixture, 3, TUTTI_WORKER_IDLE);
  g_autoptr (TuttiTask) there = waiting_task (&fixture, 3);

  assert_done (submit (fixture.pool, there));
  fixture_close (&fixture);
}

/* With nobody else, tasks wait for its return. */
static void
test_nobody_else (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;
  Fixture fixture;

  away.fate = FAKE_STAYS_AWAY;
  fixture_open_elsewhere (&fixture, &away, 2);
  g_autoptr (TuttiTask) running = submit (fixture.pool, waiting_task (&fixture, -1)), once = waiting_task (&fixture, -1);

  tutti_task_set_retries (once, 0);
  submit (fixture.pool, once);
  await_state (&fixture, 0, TUTTI_WORKER_BUSY);
  await_state (&fixture, 1, TUTTI_WORKER_BUSY);
  g_autoptr (TuttiTask) queued = submit (fixture.pool, task_new ("queued"));

  fake_node_lose (fixture.node, REASON);
  assert_failed (once, TUTTI_ERROR_DIED, REASON);
  g_assert_cmpint (tutti_task_get_certificate (once)->reason, ==, TUTTI_DEATH_WATCHER_LOST);
  g_autoptr (TuttiTask) later = submit (fixture.pool, task_new ("later"));

  let_them_go (&fixture);
  g_assert_false (tutti_task_wait (queued, g_get_monotonic_time () + 50 * G_TIME_SPAN_MILLISECOND));
  fake_node_come_back (fixture.node);
  assert_done (running);
  assert_done (queued);
  assert_done (later);
  g_assert_cmpuint (tutti_task_get_attempts (running), ==, 2);
  fixture_close (&fixture);
}

/* Lost again and again under load: every task is done, and right. */
static void
test_under_load (gconstpointer options)
{
  enum { N = 400, LOSSES = 3 };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
  g_autoptr (TuttiVector) vector = vector_filled (3000, 7);
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 4);
  for (guint i = 0; i < N; i++)
    {
      TuttiTask *task = mirror_new (vector);

      tutti_task_set_retries (task, LOSSES + 1);
      g_ptr_array_add (tasks, submit (fixture.pool, task));
    }
  for (guint i = 0; i < LOSSES; i++)
    {
      fake_node_lose (fixture.node, REASON);
      g_assert_true (tutti_task_wait (g_ptr_array_index (tasks, (i + 1) * N / (LOSSES + 1)), LIMIT));
    }
  for (guint i = 0; i < N; i++)
    assert_done (g_ptr_array_index (tasks, i));
  for (guint i = 0; i < N; i++)
    assert_mirrors (g_ptr_array_index (tasks, i), vector);
  fixture_close (&fixture);
}

/* Workers that it could not end are given up, and the pool goes on. */
static void
test_given_up (gconstpointer options)
{
  FakeNodeOptions keeps = *(const FakeNodeOptions *) options;
  Fixture fixture;

  keeps.keeps_workers = TRUE;
  fixture_open_elsewhere (&fixture, &keeps, 1);
  g_autoptr (TuttiTask) task = task_new ("hang");

  tutti_task_set_retries (task, 0);
  submit (fixture.pool, task);
  await_state (&fixture, 0, TUTTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  assert_failed (task, TUTTI_ERROR_DIED, "cannot be ended, and is given up");
  assert_echo (fixture.pool, "going on");
  fixture_close (&fixture);
}

/* --- it does not come back --------------------------------------------------------------------------------------------------- */

static void
test_hopeless (gconstpointer options)
{
  FakeNodeOptions hopeless = *(const FakeNodeOptions *) options;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  hopeless.fate = FAKE_IS_HOPELESS;
  fixture_open_elsewhere (&fixture, &hopeless, 2);
  g_autoptr (TuttiTask) running = submit (fixture.pool, waiting_task (&fixture, -1)), late = task_new ("late");
  g_autoptr (TuttiTask) other = submit (fixture.pool, waiting_task (&fixture, -1));

  await_state (&fixture, 0, TUTTI_WORKER_BUSY);
  await_state (&fixture, 1, TUTTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  assert_failed (running, TUTTI_ERROR_DIED, REASON);
  assert_failed (other, TUTTI_ERROR_DIED, REASON);
  g_assert_false (tutti_pool_submit (fixture.pool, late, &error));
  g_assert_nonnull (strstr (error->message, REASON));
  g_clear_error (&error);
  /* Another pool is told so at once, and gets its workers when the reason is gone. */
  g_assert_null (pool_on (fixture.engine, &fixture.node, 1, 2, &error));
  g_assert_nonnull (strstr (error->message, REASON));
  g_clear_error (&error);
  fake_node_set_fate (fixture.node, FAKE_COMES_BACK);
  TuttiPool *next = pool_on (fixture.engine, &fixture.node, 1, 2, &error);

  g_assert_no_error (error);
  assert_echo (next, "hope");
  pool_end (next);
  fixture_close (&fixture);
}

/* Those elsewhere go on; what only its workers may run fails, also what is submitted later, until it is there again. */
static void
test_hopeless_beside_others (gconstpointer options)
{
  FakeNodeOptions hopeless = *(const FakeNodeOptions *) options;
  Fixture fixture;

  hopeless.fate = FAKE_IS_HOPELESS;
  fixture_open_mixed (&fixture, &hopeless, 2);
  g_autoptr (TuttiTask) first = submit (fixture.pool, waiting_task (&fixture, 1)), second = submit (fixture.pool, waiting_task (&fixture, 1));

  await_state (&fixture, 1, TUTTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  assert_failed (second, TUTTI_ERROR_SHORTAGE, REASON);
  assert_failed (first, TUTTI_ERROR_SHORTAGE, "worker 1");
  for (guint i = 0; i < 10; i++)
    assert_echo (fixture.pool, "on this machine");
  g_autoptr (TuttiTask) third = submit (fixture.pool, waiting_task (&fixture, 1));

  assert_failed (third, TUTTI_ERROR_SHORTAGE, REASON);
  let_them_go (&fixture);
  fake_node_set_fate (fixture.node, FAKE_COMES_BACK);
  g_autoptr (TuttiTask) fourth = submit (fixture.pool, waiting_task (&fixture, 1));

  assert_done (fourth);
  fixture_close (&fixture);
}

/* --- the ends ---------------------------------------------------------------------------------------------------------------- */

/* A pool is closed while its node is being lost, or away, with tasks in flight. */
static void
test_close_away (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;

  away.fate = FAKE_STAYS_AWAY;
  for (guint i = 0; i < 3; i++)
    {
      Fixture fixture;

      fixture_open_elsewhere (&fixture, &away, 2);
      g_autoptr (TuttiTask) running = submit (fixture.pool, waiting_task (&fixture, 0));

      await_state (&fixture, 0, TUTTI_WORKER_BUSY);
      if (i > 0)
        fake_node_lose (fixture.node, REASON);
      if (i > 1)
        await_state (&fixture, 0, TUTTI_WORKER_DEAD);
      pool_close (fixture.pool, 1000);
      assert_failed (running, TUTTI_ERROR_CLOSED, "closed");
      g_assert_cmpuint (fake_node_count (fixture.node), ==, 0);
      fixture_close (&fixture);
    }
}

/* The engine is shut down meanwhile. */
static void
test_shutdown_away (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;

  away.fate = FAKE_STAYS_AWAY;
  for (guint i = 0; i < 4; i++)
    {
      Fixture fixture;

      /* One that never settles is no reason to wait for ever. */
      away.never_settles = i == 3;
      fixture_open_mixed (&fixture, &away, 4);
      g_autoptr (TuttiTask) running = submit (fixture.pool, waiting_task (&fixture, 1));

      await_state (&fixture, 1, TUTTI_WORKER_BUSY);
      if (i > 0)
        fake_node_lose (fixture.node, REASON);
      if (i == 2)
        await_state (&fixture, 1, TUTTI_WORKER_DEAD);
      tutti_engine_shutdown (fixture.engine);
      g_assert_true (tutti_pool_is_quiet (fixture.pool));
      assert_failed (running, TUTTI_ERROR_CLOSED, "closed");
      fixture_close (&fixture);
    }
}

static gpointer
come_back_later (gpointer node)
{
  g_usleep (50 * 1000);
  fake_node_come_back (node);
  return NULL;
}

/* A pool that is made while the node is away gets its workers when it is there. */
static void
test_made_while_away (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  away.fate = FAKE_STAYS_AWAY;
  fixture_open_nodes (&fixture, &away);
  fake_node_lose (fixture.node, REASON);
  GThread *thread = g_thread_new ("comes back", come_back_later, fixture.node);

  fixture.pool = pool_on (fixture.engine, &fixture.node, 1, 2, &error);
  g_assert_no_error (error);
  assert_echo (fixture.pool, "there");
  g_thread_join (thread);
  fixture_close (&fixture);
}

static void
test_no_program (gconstpointer options)
{
  const char *const environment[] = { NULL };
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_open_nodes (&fixture, options);
  const TuttiPoolOptions wrong = { .program = "/nonexistent/worker", .environment = environment, .nodes = &fixture.node, .n_nodes = 1 };

  g_assert_null (tutti_pool_new (fixture.engine, 2, &wrong, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, "/nonexistent/worker"));
  fixture_close (&fixture);
}

static gint64
processor_time (void)
{
  struct rusage usage;

  g_assert_cmpint (getrusage (RUSAGE_SELF, &usage), ==, 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* With nothing to do the engine sleeps, however its transports are waited for. */
static void
test_idle (gconstpointer options)
{
  enum { PAUSE_US = 300 * 1000 };
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 2);
  assert_echo (fixture.pool, "once");
  gint64 before = processor_time ();

  g_usleep (PAUSE_US);
  g_assert_cmpint (processor_time () - before, <, PAUSE_US / 2);
  fixture_close (&fixture);
}

static void
add_test (const char *name, GTestDataFunc test)
{
  g_autofree char *stream = g_strdup_printf ("/pool-nodes/stream/%s", name), *buffered = g_strdup_printf ("/pool-nodes/buffered/%s", name);

  g_test_add_data_func (stream, &over_stream, test);
  g_test_add_data_func (buffered, &without_descriptor, test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("tasks", test_tasks);
  add_test ("vectors", test_vectors);
  add_test ("dependencies", test_dependencies);
  add_test ("held", test_held);
  add_test ("deaths", test_deaths);
  add_test ("others-go-on", test_others_go_on);
  add_test ("nobody-else", test_nobody_else);
  add_test ("under-load", test_under_load);
  add_test ("given-up", test_given_up);
  add_test ("hopeless", test_hopeless);
  add_test ("hopeless-beside-others", test_hopeless_beside_others);
  add_test ("close-away", test_close_away);
  add_test ("shutdown-away", test_shutdown_away);
  add_test ("made-while-away", test_made_while_away);
  add_test ("no-program", test_no_program);
  add_test ("idle", test_idle);
  return g_test_run ();
}
