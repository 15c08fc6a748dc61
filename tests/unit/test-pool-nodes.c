/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What tasks bring that run on nodes which share nothing with us: the same as here. */
#include "pool-nodes-fixture.h"
#include "pool/held.h"
#include <sys/resource.h>

static void
test_tasks (gconstpointer options)
{
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 3);
  for (guint i = 0; i < 200; i++)
    assert_echo (fixture.pool, "there and back");
  g_autoptr (TtiTask) raised = run_text (fixture.pool, "raise this");

  g_assert_cmpint (tti_task_get_state (raised), ==, TTI_TASK_RAISED);
  g_assert_cmpuint (fake_node_count (fixture.node), ==, 3);
  fixture_close (&fixture);
}

/* Many at once, of all sizes: what goes through a socket in one piece, and what does not. */
static void
test_vectors (gconstpointer options)
{
  static const gsize sizes[] = { 1, 100, 8000, 100000, 500000 };
  enum { N = 20 };
  g_autoptr (GPtrArray) vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
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
  g_autoptr (TtiVector) shared = vector_filled (300000, 0.5);

  for (int worker = 0; worker < 4; worker++)
    {
      g_autoptr (TtiTask) task = mirror_new (shared);

      tti_task_set_worker (task, worker);
      assert_mirrors (submit (fixture.pool, task), shared);
    }
  fixture_close (&fixture);
}

/* --- destinations ------------------------------------------------------------------------------------------------------------ */

enum { FIRST = 100, PARTS = 4, PART = 60000, WHOLE = FIRST + PARTS * PART };

/* The task of TEXT for WORKER, which writes into bytes START to END of WHOLE. */
static TtiTask *
writing_task (const char *text, int worker, TtiVector *whole, gsize start, gsize end)
{
  g_autoptr (TtiVector) slice = tti_vector_slice (whole, start, end - start);
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 2);
  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  tti_writer_attach (writer, TTI_NUMBER_U8, slice, end - start, TTI_TRAVEL_WRITE);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_set_worker (task, worker);
  return task;
}

static void
assert_bytes (TtiVector *vector, gsize start, gsize end, int byte)
{
  const guint8 *bytes = tti_vector_get_data (vector);

  for (gsize i = start; i < end; i++)
    g_assert_cmpint (bytes[i], ==, byte);
}

static TtiVector *
whole_new (void)
{
  TtiVector *whole = tti_vector_new (WHOLE, NULL);

  g_assert_nonnull (whole);
  return whole;
}

/* Workers here and there write their parts of one vector, a small one among them; the rest of it stays. */
static void
test_destinations (gconstpointer options)
{
  g_autoptr (TtiVector) whole = whole_new ();
  Fixture fixture;

  fixture_open_mixed (&fixture, options, PARTS);
  for (int round = 1; round < 4; round++)
    {
      g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

      for (int worker = 0; worker < PARTS; worker++)
        {
          g_autofree char *text = g_strdup_printf ("fill %d", 10 * round + worker);
          gsize start = FIRST + (gsize) worker * PART;

          g_ptr_array_add (tasks, submit (fixture.pool, writing_task (text, worker, whole, start, start + PART - 1)));
        }
      g_ptr_array_add (tasks, submit (fixture.pool, writing_task ("fill 99", 1, whole, 10, FIRST)));
      for (guint i = 0; i < tasks->len; i++)
        assert_done (g_ptr_array_index (tasks, i));
      assert_bytes (whole, 0, 10, 0);
      assert_bytes (whole, 10, FIRST, 99);
      for (int worker = 0; worker < PARTS; worker++)
        {
          assert_bytes (whole, FIRST + (gsize) worker * PART, FIRST + (gsize) (worker + 1) * PART - 1, 10 * round + worker);
          assert_bytes (whole, FIRST + (gsize) (worker + 1) * PART - 1, FIRST + (gsize) (worker + 1) * PART, 0);
        }
    }
  g_assert_false (tti_vector_is_borrowed (whole));
  fixture_close (&fixture);
}

/* One that dies while it writes, or raises, brings nothing back; the next attempt brings all. */
static void
test_torn (gconstpointer options)
{
  g_autoptr (TtiVector) whole = whole_new ();
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  g_autofree char *text = g_strdup_printf ("torn %s", fixture.file);
  g_autoptr (TtiTask) raising = writing_task ("raise torn", 0, whole, 0, WHOLE), task = writing_task (text, 0, whole, 0, WHOLE);
  g_autoptr (TtiTask) dying = writing_task (text, 0, whole, 0, WHOLE);

  g_assert_true (tti_task_wait (submit (fixture.pool, raising), LIMIT));
  g_assert_cmpint (tti_task_get_state (raising), ==, TTI_TASK_RAISED);
  assert_bytes (whole, 0, WHOLE, 0);
  tti_task_set_retries (dying, 0);
  assert_failed (submit (fixture.pool, dying), TUTTI_ERROR_DIED, "signal 9");
  assert_bytes (whole, 0, WHOLE, 0);
  g_assert_cmpint (g_unlink (fixture.file), ==, 0);
  tti_task_set_retries (task, 1);
  assert_done (submit (fixture.pool, task));
  g_assert_cmpuint (tti_task_get_attempts (task), ==, 2);
  assert_bytes (whole, 0, WHOLE, 7);
  fixture_close (&fixture);
}

/* A task that was cancelled while it was with its worker already, behind another one, is run there, and writes nowhere. */
static void
test_cancelled (gconstpointer options)
{
  g_autoptr (TtiVector) whole = whole_new ();
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  /* From now on the worker is given several at once. */
  for (guint i = 0; i < 300; i++)
    assert_echo (fixture.pool, "short");
  for (guint round = 0; round < 20; round++)
    {
      g_autoptr (TtiTask) first = submit (fixture.pool, waiting_task (&fixture, 0));
      g_autoptr (TtiTask) second = submit (fixture.pool, writing_task ("fill 5", 0, whole, 0, WHOLE));
      g_autoptr (TtiTask) third = submit (fixture.pool, writing_task ("fill 6", 0, whole, 0, FIRST));

      tti_task_cancel (second);
      g_assert_true (tti_task_wait (second, LIMIT));
      let_them_go (&fixture);
      assert_done (first);
      assert_done (third);
      g_assert_cmpint (g_unlink (fixture.file), ==, 0);
      assert_bytes (whole, 0, FIRST, 6);
      assert_bytes (whole, FIRST, WHOLE, 0);
    }
  fixture_close (&fixture);
}

/* --- what tasks need --------------------------------------------------------------------------------------------------------- */

/* A value that a worker of one node made is part of a request to one of another. */
static void
test_dependencies (gconstpointer options)
{
  g_autoptr (TtiVector) vector = vector_filled (200000, 3);
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 2);
  for (int from = 0; from < 2; from++)
    {
      g_autoptr (TtiTask) first = mirror_new (vector);
      g_autoptr (TtiWriter) writer = tti_writer_new ();

      tti_writer_embedded (writer, 0);
      g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
      g_autoptr (TtiTask) second = tti_task_new (TTI_HANDLER_ECHO, payload);

      tti_task_set_worker (first, from);
      tti_task_set_worker (second, 1 - from);
      tti_task_add_dependency (second, first);
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
  g_autoptr (TtiVector) vector = vector_filled (100000, 1);
  g_autoptr (TtiPayload) value = text_payload ("held", vector);
  TtiHeld *held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &value, 1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  tti_pool_add_wakeup (fixture.pool, wakeup);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (TtiTask) task = task_new ("with it");

      tti_task_add_held (task, held);
      assert_done (submit (fixture.pool, task));
      g_autofree char *line = take_line (fixture.pool, wakeup);

      g_assert_true (g_str_has_prefix (line, "hold "));
      fake_node_lose (fixture.node, "to have another worker");
      for (gint64 limit = LIMIT; worker_info (&fixture, 0).restarts == i; g_usleep (1000))
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
    }
  tti_held_unref (held);
  tti_pool_remove_wakeup (fixture.pool, wakeup);
  fixture_close (&fixture);
}

/* How a worker there ends is certified as here, with its last words. */
static void
test_deaths (gconstpointer options)
{
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 1);
  g_autoptr (TtiTask) task = task_new ("die talking");

  tti_task_set_retries (task, 0);
  assert_failed (submit (fixture.pool, task), TUTTI_ERROR_DIED, "signal 6");
  g_assert_nonnull (strstr (tti_task_get_certificate (task)->stderr_tail, "line 30\n"));
  assert_echo (fixture.pool, "alive");
  tti_task_unref (g_steal_pointer (&task));
  task = task_new ("hang");
  tti_task_set_timeout (task, 100 * 1000);
  assert_failed (submit (fixture.pool, task), TUTTI_ERROR_TIMEOUT, "limit");
  assert_echo (fixture.pool, "alive again");
  fixture_close (&fixture);
}

static void
test_no_program (gconstpointer options)
{
  const char *const environment[] = { NULL };
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_open_nodes (&fixture, options);
  const TtiPoolOptions wrong = { .program = "/nonexistent/worker", .environment = environment, .nodes = &fixture.node, .n_nodes = 1 };

  g_assert_null (tti_pool_new (fixture.engine, 2, &wrong, &error));
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("tasks", test_tasks);
  add_test ("vectors", test_vectors);
  add_test ("destinations", test_destinations);
  add_test ("torn", test_torn);
  add_test ("cancelled", test_cancelled);
  add_test ("dependencies", test_dependencies);
  add_test ("held", test_held);
  add_test ("deaths", test_deaths);
  add_test ("no-program", test_no_program);
  add_test ("idle", test_idle);
  return g_test_run ();
}
