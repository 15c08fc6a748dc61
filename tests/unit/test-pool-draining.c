/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools on nodes whose end is announced: what their workers still do, who does the rest, and what is not held against tasks. */
#include "pool-nodes-fixture.h"

/* --- before a loss ----------------------------------------------------------------------------------------------------------- */

/* What its workers run they finish; nothing else begins there, and their successors are elsewhere. */
static void
check_drained (Fixture *fixture, TtiTask *running)
{
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (guint i = 0; i < 20; i++)
    {
      g_ptr_array_add (tasks, submit (fixture->pool, task_new ("elsewhere")));
      assert_done (g_ptr_array_index (tasks, i));
      g_assert_cmpint (tti_task_get_worker (g_ptr_array_index (tasks, i)), !=, 3);
    }
  g_autoptr (TtiTask) behind = submit (fixture->pool, pinned ("behind", 3));

  await_on (fixture, "n1", 3);
  assert_on (fixture, 3, "n2");
  g_assert_false (tti_task_has_ended (behind));
  let_them_go (fixture);
  assert_done (running);
  g_assert_cmpuint (tti_task_get_attempts (running), ==, 1);
  assert_done (behind);
  assert_on (fixture, 3, "n1");
  await_count (fixture->other, 0);
}

static void
test_draining (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 4);
  g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 3));

  await_state (&fixture, 3, TTI_WORKER_BUSY);
  fake_node_drain (fixture.other, "its time is over");
  await_on (&fixture, "n1", 3);
  check_drained (&fixture, running);
  /* Its end is no news for the pool; its return is. */
  fake_node_lose (fixture.other, REASON);
  g_assert_true (fake_node_await_away (fixture.other, LIMIT));
  assert_echo (fixture.pool, "going on");
  fake_node_come_back (fixture.other);
  await_on (&fixture, "n2", 2);
  fixture_close (&fixture);
}

/* The last node that is there is used until its end, or until another comes. */
static void
test_drained (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 4);
  g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 3));

  await_state (&fixture, 3, TTI_WORKER_BUSY);
  fake_node_drain (fixture.other, "it is needed elsewhere");
  check_drained (&fixture, running);
  fake_node_drain (fixture.node, "so is this one");
  g_autoptr (TtiTask) last = submit (fixture.pool, task_new ("goes on"));

  assert_done (last);
  for (guint i = 0; i < 4; i++)
    assert_on (&fixture, i, "n1");
  fake_node_lose (fixture.other, REASON);
  g_assert_true (fake_node_await_away (fixture.other, LIMIT));
  fake_node_come_back (fixture.other);
  await_on (&fixture, "n2", 4);
  await_count (fixture.node, 0);
  assert_echo (fixture.pool, "going on");
  fixture_close (&fixture);
}

/* What a draining node does not finish in time is done elsewhere. */
static void
test_lost_draining (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 2);
  g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 1));

  await_state (&fixture, 1, TTI_WORKER_BUSY);
  fake_node_drain (fixture.other, "its time is over");
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, "n1", 2);
  await_state (&fixture, 1, TTI_WORKER_BUSY);
  let_them_go (&fixture);
  assert_done (running);
  g_assert_cmpuint (tti_task_get_attempts (running), ==, 2);
  fixture_close (&fixture);
}

/* Of a node that is to end, workers may be killed before the agent: this says nothing against their tasks, nor that workers cannot live. */
static void
test_killed_draining (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 2);
  fake_node_drain (fixture.other, "its time is over");
  await_on (&fixture, "n1", 2);
  fake_node_drain (fixture.node, "its time is over, too");
  TtiTask *task = waiting_task (&fixture, 1);

  tti_task_set_retries (task, 0);
  g_autoptr (TtiTask) running = submit (fixture.pool, task);

  for (guint i = 0; i < 4; i++)
    {
      await_state (&fixture, 1, TTI_WORKER_BUSY);
      const TtiWorkerInfo busy = worker_info (&fixture, 1);

      g_assert_cmpint (kill (busy.pid, i % 2 == 0 ? SIGKILL : SIGTERM), ==, 0);
      for (gint64 limit = LIMIT; worker_info (&fixture, 1).pid == busy.pid; g_usleep (1000))
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
    }
  let_them_go (&fixture);
  assert_done (running);
  g_assert_cmpuint (tti_task_get_attempts (running), ==, 5);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("draining", test_draining);
  add_test ("drained", test_drained);
  add_test ("lost-draining", test_lost_draining);
  add_test ("killed-draining", test_killed_draining);
  return g_test_run ();
}
