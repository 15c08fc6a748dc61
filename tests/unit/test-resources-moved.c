/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks that need the share of several workers, when these go on elsewhere, or there are fewer or more of them. */
#include "resources-fixture.h"

/* One that is to run in the place of a worker which was on the node that is lost: where that worker is then, with others there. */
static void
test_pinned_lost (gconstpointer options)
{
  FakeNodeOptions away = *(const FakeNodeOptions *) options;
  Fixture fixture;

  away.fate = FAKE_STAYS_AWAY;
  fixture_open_two (&fixture, &away, 4);
  g_autoptr (TtiTask) running = waiting_task (&fixture, 3), queued = task_new ("wide");

  tti_task_set_resources (running, 2, 0);
  tti_task_set_resources (queued, 2, 0);
  tti_task_set_worker (queued, 2);
  submit (fixture.pool, running);
  submit (fixture.pool, queued);
  for (gint64 limit = LIMIT; tti_task_get_state (running) != TTI_TASK_RUNNING; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  fake_node_lose (fixture.other, "the test wants it");
  g_assert_true (fake_node_await_away (fixture.other, LIMIT));
  let_them_go (&fixture);
  assert_done (running);
  assert_done (queued);
  for (guint i = 0; i < 4; i++)
    assert_on (&fixture, i, "n1");
  fixture_close (&fixture);
}

/* --- in a pool that shrinks and grows ---------------------------------------------------------------------------------------- */

static void
await_state_of (TtiPool *pool, guint index, TtiWorkerState state)
{
  TtiWorkerInfo info;

  for (gint64 limit = LIMIT; tti_pool_get_worker (pool, index, &info), info.state != state; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
}

/* Workers whose share a running task has stay until it is done; one that is still to be run has lost what it needs. */
static void
test_shrunk (void)
{
  Scene scene;

  scene_open (&scene, 4);
  TtiTask *wide = scene_await (&scene, 4), *queued = scene_run (&scene, 2, "never run"), *small = scene_run (&scene, 1, "small");
  g_autoptr (GError) error = NULL;
  TtiWorkerInfo info;

  for (gint64 limit = LIMIT; tti_task_get_state (wide) != TTI_TASK_RUNNING; g_usleep (1000))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  g_assert_true (tti_pool_shrink (scene.pool, 3, &error));
  for (guint i = 0; i < 4; i++)
    {
      tti_pool_get_worker (scene.pool, i, &info);
      g_assert_true (info.state == TTI_WORKER_IDLE || info.state == TTI_WORKER_BUSY);
    }
  scene_go (&scene);
  assert_done (wide);
  assert_failed (queued, TUTTI_ERROR_ARGUMENT, "has 1 there at most");
  assert_done (small);
  for (guint i = 1; i < 4; i++)
    await_state_of (scene.pool, i, TTI_WORKER_DEAD);
  assert_refused (scene.pool, 2, 0, -1, "test pool has 1 there at most");
  g_assert_true (tti_pool_grow (scene.pool, 2, &error));
  assert_done (scene_run (&scene, 3, "wide"));
  scene_close (&scene);
}

/* What is pinned to a worker that is one too many, and needs others, is done in its place. */
static void
test_pinned_shrunk (void)
{
  Scene scene;

  scene_open (&scene, 4);
  TtiTask *long_one = scene_await (&scene, 3), *wide = scene_make (&scene, 2, "wide");
  TtiHeld *held = made_new ("one");
  g_autoptr (GError) error = NULL;

  tti_task_set_worker (wide, 3);
  tti_task_add_held (wide, held);
  submit (scene.pool, wide);
  g_assert_true (tti_pool_shrink (scene.pool, 2, &error));
  scene_go (&scene);
  assert_done (long_one);
  assert_done (wide);
  for (guint i = 2; i < 4; i++)
    await_state_of (scene.pool, i, TTI_WORKER_DEAD);
  tti_held_unref (held);
  scene_close (&scene);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("pinned-lost", test_pinned_lost);
  g_test_add_func ("/resources/shrunk", test_shrunk);
  g_test_add_func ("/resources/pinned-shrunk", test_pinned_shrunk);
  return g_test_run ();
}
