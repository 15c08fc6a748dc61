/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What becomes of a pool and its tasks when a node is lost, comes back, or does not. */
#include "pool-nodes-fixture.h"

/* What its workers were at is done elsewhere, and so are they: the pool keeps its size. They stay there when it comes back. */
static void
test_others_go_on (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  Fixture fixture;
  guint again = 0;

  away.fate = FAKE_STAYS_AWAY;
  fixture_open_mixed (&fixture, &away, 4);
  for (guint i = 0; i < 4; i++)
    assert_on (&fixture, i, i < 2 ? g_get_host_name () : "fake");
  for (guint i = 0; i < 4; i++)
    g_ptr_array_add (tasks, submit (fixture.pool, waiting_task (&fixture, -1)));
  for (guint i = 0; i < 4; i++)
    await_state (&fixture, i, TTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  for (guint i = 2; i < 4; i++)
    {
      await_restart (&fixture, i);
      await_state (&fixture, i, TTI_WORKER_BUSY);
      assert_on (&fixture, i, g_get_host_name ());
    }
  g_autoptr (TtiCertificate) death = tti_pool_get_last_death (fixture.pool);

  g_assert_cmpint (death->reason, ==, TUTTI_DEATH_WATCHER_LOST);
  g_assert_cmpstr (death->host, ==, "fake");
  g_assert_nonnull (strstr (death->detail, REASON));
  let_them_go (&fixture);
  for (guint i = 0; i < 4; i++)
    {
      assert_done (g_ptr_array_index (tasks, i));
      again += tti_task_get_attempts (g_ptr_array_index (tasks, i)) == 2;
    }
  g_assert_cmpuint (again, ==, 2);
  fake_node_come_back (fixture.node);
  g_autoptr (TtiTask) there = waiting_task (&fixture, 3);

  assert_done (submit (fixture.pool, there));
  assert_on (&fixture, 3, g_get_host_name ());
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
  g_autoptr (TtiTask) running = waiting_task (&fixture, -1), once = waiting_task (&fixture, -1);

  /* Who is not to be run twice must say so: the loss of a node is not counted as a death. */
  tti_task_set_retries (running, 0);
  tti_task_set_most_losses (once, 0);
  submit (fixture.pool, running);
  submit (fixture.pool, once);
  await_state (&fixture, 0, TTI_WORKER_BUSY);
  await_state (&fixture, 1, TTI_WORKER_BUSY);
  g_autoptr (TtiTask) queued = submit (fixture.pool, task_new ("queued"));

  fake_node_lose (fixture.node, REASON);
  assert_failed (once, TUTTI_ERROR_DIED, REASON);
  g_assert_cmpint (tti_task_get_certificate (once)->reason, ==, TUTTI_DEATH_WATCHER_LOST);
  g_autoptr (TtiTask) later = submit (fixture.pool, task_new ("later"));

  let_them_go (&fixture);
  g_assert_false (tti_task_wait (queued, g_get_monotonic_time () + 50 * G_TIME_SPAN_MILLISECOND));
  fake_node_come_back (fixture.node);
  assert_done (running);
  assert_done (queued);
  assert_done (later);
  g_assert_cmpuint (tti_task_get_attempts (running), ==, 2);
  fixture_close (&fixture);
}

/* Lost again and again under load: every task is done, and right. */
static void
test_under_load (gconstpointer options)
{
  enum { N = 400, LOSSES = 3 };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  g_autoptr (TtiVector) vector = vector_filled (3000, 7);
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 4);
  for (guint i = 0; i < N; i++)
    {
      TtiTask *task = mirror_new (vector);

      tti_task_set_retries (task, 0); /* losses are not counted */
      g_ptr_array_add (tasks, submit (fixture.pool, task));
    }
  for (guint i = 0; i < LOSSES; i++)
    {
      fake_node_lose (fixture.node, REASON);
      g_assert_true (tti_task_wait (g_ptr_array_index (tasks, (i + 1) * N / (LOSSES + 1)), LIMIT));
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
  g_autoptr (TtiTask) task = task_new ("hang");

  tti_task_set_most_losses (task, 0);
  submit (fixture.pool, task);
  await_state (&fixture, 0, TTI_WORKER_BUSY);
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
  g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, -1)), late = task_new ("late");
  g_autoptr (TtiTask) other = submit (fixture.pool, waiting_task (&fixture, -1));

  await_state (&fixture, 0, TTI_WORKER_BUSY);
  await_state (&fixture, 1, TTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  assert_failed (running, TUTTI_ERROR_DIED, REASON);
  assert_failed (other, TUTTI_ERROR_DIED, REASON);
  g_assert_false (tti_pool_submit (fixture.pool, late, &error));
  g_assert_nonnull (strstr (error->message, REASON));
  g_clear_error (&error);
  /* Another pool is told so at once, and gets its workers when the reason is gone. */
  g_assert_null (pool_on (fixture.engine, &fixture.node, 1, 2, &error));
  g_assert_nonnull (strstr (error->message, REASON));
  g_clear_error (&error);
  fake_node_set_fate (fixture.node, FAKE_COMES_BACK);
  TtiPool *next = pool_on (fixture.engine, &fixture.node, 1, 2, &error);

  g_assert_no_error (error);
  assert_echo (next, "hope");
  pool_end (next);
  fixture_close (&fixture);
}

/* Those elsewhere go on, and so does what only its workers might run. */
static void
test_hopeless_beside_others (gconstpointer options)
{
  FakeNodeOptions hopeless = *(const FakeNodeOptions *) options;
  Fixture fixture;

  hopeless.fate = FAKE_IS_HOPELESS;
  fixture_open_mixed (&fixture, &hopeless, 2);
  g_autoptr (TtiTask) first = submit (fixture.pool, waiting_task (&fixture, 1));
  g_autoptr (TtiTask) second = submit (fixture.pool, waiting_task (&fixture, 1));

  await_state (&fixture, 1, TTI_WORKER_BUSY);
  fake_node_lose (fixture.node, REASON);
  await_restart (&fixture, 1);
  let_them_go (&fixture);
  assert_done (second);
  assert_done (first);
  g_assert_cmpint (tti_task_get_worker (first), ==, 1);
  assert_on (&fixture, 1, g_get_host_name ());
  for (guint i = 0; i < 10; i++)
    assert_echo (fixture.pool, "on this machine");
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
      g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 0));

      await_state (&fixture, 0, TTI_WORKER_BUSY);
      if (i > 0)
        fake_node_lose (fixture.node, REASON);
      if (i > 1)
        await_state (&fixture, 0, TTI_WORKER_DEAD);
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
      g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 3));

      await_state (&fixture, 3, TTI_WORKER_BUSY);
      if (i > 0)
        fake_node_lose (fixture.node, REASON);
      if (i == 2)
        await_restart (&fixture, 3);
      tti_engine_shutdown (fixture.engine);
      g_assert_true (tti_pool_is_quiet (fixture.pool));
      assert_failed (running, TUTTI_ERROR_CLOSED, "closed");
      fixture_close (&fixture);
    }
}

static gpointer
come_back_when_wanted (gpointer node)
{
  g_assert_true (fake_node_await_refusal (node, LIMIT));
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
  g_assert_true (fake_node_await_away (fixture.node, LIMIT));
  GThread *thread = g_thread_new ("comes back", come_back_when_wanted, fixture.node);

  fixture.pool = pool_on (fixture.engine, &fixture.node, 1, 2, &error);
  g_assert_no_error (error);
  assert_echo (fixture.pool, "there");
  g_thread_join (thread);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("others-go-on", test_others_go_on);
  add_test ("nobody-else", test_nobody_else);
  add_test ("under-load", test_under_load);
  add_test ("given-up", test_given_up);
  add_test ("hopeless", test_hopeless);
  add_test ("hopeless-beside-others", test_hopeless_beside_others);
  add_test ("close-away", test_close_away);
  add_test ("shutdown-away", test_shutdown_away);
  add_test ("made-while-away", test_made_while_away);
  return g_test_run ();
}
