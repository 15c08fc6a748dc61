/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools whose workers are on several nodes that are lost, come back and join at every stage of the work. */
#include "pool-nodes-fixture.h"
#include "pool/held.h"

/* --- where they are ---------------------------------------------------------------------------------------------------------- */

static void
test_blocks (gconstpointer options)
{
  Fixture fixture;

  fixture_open_two (&fixture, options, 5);
  for (guint i = 0; i < 5; i++)
    assert_on (&fixture, i, i < 3 ? "n1" : "n2");
  /* One that dies has its successor where it was. */
  for (int worker = 0; worker < 5; worker++)
    {
      g_autoptr (TtiTask) task = pinned ("exit 3", worker);

      tti_task_set_retries (task, 0);
      assert_failed (submit (fixture.pool, task), TUTTI_ERROR_DIED, worker < 3 ? ") on n1 exited" : ") on n2 exited");
      g_assert_cmpstr (tti_task_get_certificate (task)->host, ==, worker < 3 ? "n1" : "n2");
      await_restart (&fixture, (guint) worker);
      await_state (&fixture, (guint) worker, TTI_WORKER_IDLE);
      assert_on (&fixture, (guint) worker, worker < 3 ? "n1" : "n2");
    }
  fixture_close (&fixture);
}

/* When the node is there again its workers go back there, each when it has done what it runs. */
static void
test_balance (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 5);
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, "n1", 5);
  g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 3));

  await_state (&fixture, 3, TTI_WORKER_BUSY);
  g_autoptr (TtiTask) behind = submit (fixture.pool, pinned ("behind", 3));

  fake_node_come_back (fixture.other);
  await_on (&fixture, "n2", 1);
  assert_on (&fixture, 3, "n1");
  assert_on (&fixture, 4, "n2");
  g_assert_false (tti_task_has_ended (behind));
  let_them_go (&fixture);
  assert_done (running);
  g_assert_cmpuint (tti_task_get_attempts (running), ==, 1);
  assert_done (behind);
  await_on (&fixture, "n2", 2);
  assert_on (&fixture, 3, "n2");
  await_count (fixture.node, 3);
  assert_echo (fixture.pool, "going on");
  fixture_close (&fixture);
}

static void
test_joining (gconstpointer options)
{
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_open_two (&fixture, options, 0);
  fixture.pool = pool_on (fixture.engine, &fixture.node, 1, 3, &error);
  g_assert_no_error (error);
  tti_pool_add_node (fixture.pool, fixture.other);
  tti_pool_add_node (fixture.pool, fixture.other);
  await_on (&fixture, "n2", 1);
  assert_on (&fixture, 2, "n2");
  g_assert_true (tti_pool_grow (fixture.pool, 3, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tti_pool_get_size (fixture.pool), ==, 6);
  await_on (&fixture, "n2", 3);
  for (int worker = 0; worker < 6; worker++)
    {
      g_autoptr (TtiTask) task = submit (fixture.pool, pinned ("there", worker));

      assert_done (task);
      g_assert_cmpint (tti_task_get_worker (task), ==, worker);
    }
  fixture_close (&fixture);
}

/* Each node has no more workers than it has processors for, as long as all are there; then they share what is left. */
static void
test_processors (gconstpointer options)
{
  FakeNodeOptions small = staying_away (options), large = *(const FakeNodeOptions *) options;
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  small.n_cpus = 5;
  small.name = "n1";
  fixture_open_nodes (&fixture, &small);
  large.n_cpus = 16;
  large.name = "n2";
  fixture.other = tti_engine_add_node (fixture.engine, fake_node_new, &large, &error);
  g_assert_no_error (error);
  TtiNode *const nodes[] = { fixture.node, fixture.other };

  g_assert_null (pool_with_cpus (fixture.engine, nodes, 2, 11, 2, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_assert_cmpstr (error->message, ==, "test pool: there are processors and GPUs for 10 workers, not for 11 (n1 for 2, n2 for 8)");
  g_clear_error (&error);
  fixture.pool = pool_with_cpus (fixture.engine, nodes, 2, 6, 2, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 6; i++)
    assert_on (&fixture, i, i < 2 ? "n1" : "n2");
  g_assert_false (tti_pool_grow (fixture.pool, 5, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_clear_error (&error);
  g_assert_true (tti_pool_grow (fixture.pool, 1, &error));
  await_on (&fixture, "n2", 5);
  fake_node_lose (fixture.node, REASON);
  await_on (&fixture, "n2", 7);
  fake_node_come_back (fixture.node);
  await_on (&fixture, "n1", 2);
  assert_echo (fixture.pool, "going on");
  fixture_close (&fixture);
}

/* --- losses at each stage ---------------------------------------------------------------------------------------------------- */

/* A node refuses workers before anybody has heard that it is lost. */
static void
test_lost_before_start (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_open_two (&fixture, &away, 0);
  TtiNode *const nodes[] = { fixture.node, fixture.other };

  fake_node_lose (fixture.node, REASON);
  fixture.pool = pool_on (fixture.engine, nodes, 2, 4, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_on (&fixture, "n2"), ==, 4);
  assert_echo (fixture.pool, "there");
  fixture_close (&fixture);
}

static gpointer
lose_when_asked (gpointer node)
{
  await_count (node, 2);
  fake_node_lose (node, REASON);
  return NULL;
}

/* It has accepted workers, which do not run yet. */
static void
test_lost_at_start (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  fixture_open_two (&fixture, &away, 0);
  TtiNode *const nodes[] = { fixture.node, fixture.other };
  GThread *thread = g_thread_new ("loses", lose_when_asked, fixture.node);

  fixture.pool = pool_on (fixture.engine, nodes, 2, 4, &error);
  g_assert_no_error (error);
  g_thread_join (thread);
  await_on (&fixture, "n2", 4);
  assert_echo (fixture.pool, "there");
  fixture_close (&fixture);
}

static void
test_lost_running (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  Fixture fixture;
  guint again = 0;

  fixture_open_two (&fixture, &away, 4);
  for (guint i = 0; i < 8; i++)
    {
      TtiTask *task = waiting_task (&fixture, i < 4 ? -1 : (int) i - 4);

      tti_task_set_retries (task, 0);
      g_ptr_array_add (tasks, submit (fixture.pool, task));
    }
  for (guint i = 0; i < 4; i++)
    await_state (&fixture, i, TTI_WORKER_BUSY);
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, "n1", 4);
  let_them_go (&fixture);
  for (guint i = 0; i < 8; i++)
    {
      assert_done (g_ptr_array_index (tasks, i));
      again += tti_task_get_attempts (g_ptr_array_index (tasks, i)) - 1;
      if (i >= 4)
        g_assert_cmpint (tti_task_get_worker (g_ptr_array_index (tasks, i)), ==, (int) i - 4);
    }
  g_assert_cmpuint (again, ==, 2);
  fixture_close (&fixture);
}

/* What its workers held, and what they were making, others get and make. */
static void
test_lost_making (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);
  Fixture fixture;

  fixture_open_two (&fixture, &away, 2);
  g_autofree char *wait = g_strdup_printf ("await %s", fixture.file);
  g_autoptr (TtiPayload) given = text_payload ("given", NULL), asked = text_payload (wait, NULL), quick = text_payload ("made", NULL);
  TtiPayload *const parts[] = { given, given };
  g_autoptr (TtiHeld) part = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, parts, 2);
  g_autoptr (TtiHeld) made = tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &quick, 1);
  g_autoptr (TtiHeld) slow = tti_held_new (tti_held_next_id (), TTI_HELD_MADE, &asked, 1);
  g_autoptr (TtiTask) before = pinned ("before", 1), during = pinned ("during", 1), behind = pinned ("behind", 1);

  tti_held_add_need (made, part);
  tti_held_add_need (slow, made);
  tti_task_add_held (before, made);
  tti_task_add_held (during, slow);
  tti_task_add_held (behind, slow);
  assert_done (submit (fixture.pool, before));
  submit (fixture.pool, during);
  submit (fixture.pool, behind);
  await_state (&fixture, 1, TTI_WORKER_BUSY);
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, "n1", 2);
  await_state (&fixture, 1, TTI_WORKER_BUSY);
  let_them_go (&fixture);
  assert_done (during);
  assert_done (behind);
  g_assert_cmpint (tti_task_get_worker (behind), ==, 1);
  fixture_close (&fixture);
}

/* ... or all nodes, one after the other, and the pool is closed meanwhile. */
static void
test_lost_at_end (gconstpointer options)
{
  FakeNodeOptions away = staying_away (options);

  for (guint i = 0; i < 4; i++)
    {
      Fixture fixture;

      fixture_open_two (&fixture, &away, 4);
      g_autoptr (TtiTask) running = submit (fixture.pool, waiting_task (&fixture, 3));

      await_state (&fixture, 3, TTI_WORKER_BUSY);
      fake_node_lose (fixture.other, REASON);
      if (i % 2 == 1)
        await_on (&fixture, "n1", 4);
      fake_node_lose (fixture.node, REASON);
      if (i < 2)
        pool_close (fixture.pool, 1000);
      else
        tti_engine_shutdown (fixture.engine);
      assert_failed (running, TUTTI_ERROR_CLOSED, "closed");
      g_assert_true (tti_pool_is_quiet (fixture.pool));
      fixture_close (&fixture);
    }
}

/* A task with which nodes are lost again and again ends some time, and the pool goes on. */
static void
test_lost_too_often (gconstpointer options)
{
  Fixture fixture;

  fixture_open_two (&fixture, options, 2);
  g_autoptr (TtiTask) task = task_new ("hang");

  tti_task_set_most_losses (task, 2);
  submit (fixture.pool, task);
  for (guint i = 0; i < 3; i++)
    {
      gint64 limit = LIMIT;

      while (worker_info (&fixture, 0).state != TTI_WORKER_BUSY && worker_info (&fixture, 1).state != TTI_WORKER_BUSY)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, limit);
          g_usleep (1000);
        }
      guint at = worker_info (&fixture, 0).state == TTI_WORKER_BUSY ? 0 : 1;
      const TtiWorkerInfo busy = worker_info (&fixture, at);

      fake_node_lose (g_strcmp0 (busy.host, "n1") == 0 ? fixture.node : fixture.other, REASON);
      while (worker_info (&fixture, at).restarts == busy.restarts)
        {
          g_assert_cmpint (g_get_monotonic_time (), <, limit);
          g_usleep (1000);
        }
    }
  assert_failed (task, TUTTI_ERROR_DIED, "its node was lost 3 times while it ran");
  g_assert_nonnull (strstr (tti_task_get_error (task)->message, "was lost with its node"));
  assert_echo (fixture.pool, "going on");
  fixture_close (&fixture);
}

/* Workers that find no room where they are to go on wait for it, and the others go on. */
static void
wait_for_room (gconstpointer options, gboolean refuses_later)
{
  FakeNodeOptions narrow = staying_away (options);
  Fixture fixture;

  narrow.room = 3;
  narrow.refuses_later = refuses_later;
  fixture_open_two (&fixture, &narrow, 4);
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, "n1", 4); /* one of them is asked for there, again and again */
  g_assert_true (fake_node_await_away (fixture.other, LIMIT));
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (guint i = 0; i < 50; i++)
    g_ptr_array_add (tasks, submit (fixture.pool, task_new ("any")));
  for (guint i = 0; i < 50; i++)
    assert_done (g_ptr_array_index (tasks, i));
  g_assert_cmpuint (fake_node_count (fixture.node), <=, 4);
  fake_node_come_back (fixture.other);
  await_on (&fixture, "n2", 1);
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (TtiTask) task = submit (fixture.pool, pinned ("its own", i));

      assert_done (task);
    }
  fixture_close (&fixture);
}

static void
test_no_room (gconstpointer options)
{
  wait_for_room (options, FALSE);
}

static void
test_no_room_later (gconstpointer options)
{
  wait_for_room (options, TRUE);
}

/* One that would go on where there is no room goes on where there is. */
static void
test_room_elsewhere (gconstpointer options)
{
  FakeNodeOptions narrow = staying_away (options);
  g_autoptr (GError) error = NULL;
  Fixture fixture;

  narrow.room = 1;
  narrow.refuses_later = TRUE;
  fixture_open_two (&fixture, &narrow, 0);
  TtiNode *const nodes[] = { fixture.node, NULL, fixture.other };

  fixture.pool = pool_on (fixture.engine, nodes, 3, 3, &error);
  g_assert_no_error (error);
  fake_node_lose (fixture.other, REASON);
  await_on (&fixture, g_get_host_name (), 2);
  assert_on (&fixture, 0, "n1");
  fixture_close (&fixture);
}

/* --- under load -------------------------------------------------------------------------------------------------------------- */

/* Nodes are lost, drained and come back while the pool grows and shrinks: each task is done once for all to see. */
static void
test_all_at_once (gconstpointer options)
{
  enum { N = 3000, ROUNDS = 4 };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  g_autoptr (GError) error = NULL;
  Fixture fixture;
  guint64 n_submitted;

  fixture_open_two (&fixture, options, 3);
  for (guint i = 0; i < N; i++)
    {
      g_autofree char *text = g_strdup_printf ("number %u", i);

      g_ptr_array_add (tasks, submit (fixture.pool, i % 10 == 0 ? pinned (text, (int) i % 3) : task_new (text)));
    }
  for (guint i = 0; i < ROUNDS; i++)
    {
      if (i % 2 == 0)
        fake_node_lose (i % 4 == 0 ? fixture.node : fixture.other, REASON);
      else
        fake_node_drain (fixture.other, "its time is over");
      g_assert_true (tti_pool_grow (fixture.pool, 2, &error));
      g_assert_true (tti_pool_shrink (fixture.pool, 3, &error));
      g_assert_true (tti_task_wait (g_ptr_array_index (tasks, (i + 1) * N / (ROUNDS + 1)), LIMIT));
      g_assert_true (tti_pool_grow (fixture.pool, 1, &error));
      if (i % 2 == 1)
        fake_node_lose (fixture.other, REASON);
    }
  for (guint i = 0; i < N; i++)
    {
      g_autofree char *text = g_strdup_printf ("number %u", i);
      g_autoptr (TtiPayload) expected = text_payload (text, NULL);
      TtiTask *task = g_ptr_array_index (tasks, i);

      assert_done (task);
      g_assert_true (tti_payload_is_equal (tti_task_get_result (task), expected));
    }
  g_assert_cmpuint (tti_pool_get_n_ended (fixture.pool, &n_submitted), ==, N);
  g_assert_cmpuint (n_submitted, ==, N);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("blocks", test_blocks);
  add_test ("balance", test_balance);
  add_test ("processors", test_processors);
  add_test ("joining", test_joining);
  add_test ("lost-before-start", test_lost_before_start);
  add_test ("lost-at-start", test_lost_at_start);
  add_test ("lost-running", test_lost_running);
  add_test ("lost-making", test_lost_making);
  add_test ("lost-at-end", test_lost_at_end);
  add_test ("lost-too-often", test_lost_too_often);
  add_test ("no-room", test_no_room);
  add_test ("no-room-later", test_no_room_later);
  add_test ("room-elsewhere", test_room_elsewhere);
  add_test ("all-at-once", test_all_at_once);
  return g_test_run ();
}
