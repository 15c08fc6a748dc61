/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks that need the share of several workers: beside them nothing runs, and nothing waits for ever. */
#include "resources-fixture.h"
#include <signal.h>

/* By the log, the tasks that ran at one time never needed more than N_CPUS together. Returns the most that they did. */
static guint
assert_never_more (Scene *scene, guint n_cpus)
{
  g_autofree char *text = NULL;
  int now = 0, most = 0;

  g_assert_true (g_file_get_contents (scene->log, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (text), "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      int needs = MAX (atoi (lines[i] + 1), 1);

      now += lines[i][0] == '+' ? needs : -needs;
      most = MAX (most, now);
    }
  g_assert_cmpint (now, ==, 0);
  g_assert_cmpint (most, <=, n_cpus);
  return (guint) most;
}

static void
test_never_beside (void)
{
  Scene scene;

  scene_open (&scene, 2);
  for (guint i = 0; i < 60; i++)
    scene_log (&scene, i % 4 == 0 ? 2 : i % 2, 1);
  assert_scene_done (&scene);
  g_assert_cmpuint (assert_never_more (&scene, 2), ==, 2);
  scene_close (&scene);
}

static void
test_several (void)
{
  Scene scene;

  scene_open (&scene, 5);
  for (guint i = 0; i < 100; i++)
    scene_log (&scene, i * 7 % 5 + 1, 1);
  assert_scene_done (&scene);
  assert_never_more (&scene, 5);
  /* Two that need two each do run at the same time. */
  g_autofree char *room = g_build_filename (scene.folder, "room", NULL);
  g_autofree char *meet = g_strdup_printf ("meet %s 2", room), *command = g_strdup_printf ("rm -r '%s'", room);
  g_assert_cmpint (g_mkdir (room, 0700), ==, 0);
  scene_run (&scene, 2, meet);
  scene_run (&scene, 2, meet);
  assert_scene_done (&scene);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
  scene_close (&scene);
}

/* However many small tasks come later. */
static void
test_no_starvation (void)
{
  Scene scene;

  scene_open (&scene, 2);
  for (guint i = 0; i < 10; i++)
    scene_log (&scene, 1, 2);
  TtiTask *wide = scene_log (&scene, 2, 2);
  for (guint i = 0; i < 100; i++)
    scene_log (&scene, 1, 2);
  assert_scene_done (&scene);
  g_assert_cmpuint (tti_task_get_order (wide) - tti_task_get_order (g_ptr_array_index (scene.tasks, 0)), <, 12);
  assert_never_more (&scene, 2);
  scene_close (&scene);
}

static void
test_refused (void)
{
  TtiPool *pool = pool_new (2);

  assert_refused (pool, 3, 0, -1,
                  "the task needs 3 processors, which are those of 3 workers on one machine, but test pool has 2 there at most");
  assert_refused (pool, 3, 0, 1, "needs 3 processors");
  assert_refused (pool, 2, (guint64) 1 << 60, -1, "the task needs 1152921504606.8 MB of memory, but all workers of test pool on one");
  assert_echo (pool, "going on");
  pool_end (pool);
}

/* What is held for a task that is cancelled before it runs is given back. */
static void
test_cancelled_before (gconstpointer pinned)
{
  Scene scene;

  scene_open (&scene, 2);
  TtiTask *long_one = scene_await (&scene, 1);
  TtiTask *wide = scene_make (&scene, 2, "never run");

  tti_task_set_worker (wide, GPOINTER_TO_INT (pinned));
  submit (scene.pool, wide);
  TtiTask *behind = scene_run (&scene, 1, "small");

  g_assert_cmpint (tti_task_get_state (long_one), ==, TTI_TASK_RUNNING);
  g_assert_cmpint (tti_task_get_state (wide), ==, TTI_TASK_QUEUED);
  g_assert_cmpint (tti_task_get_state (behind), ==, TTI_TASK_QUEUED);
  tti_task_cancel (wide);
  assert_failed (wide, TUTTI_ERROR_CANCELLED, "was cancelled");
  assert_done (behind);
  scene_go (&scene);
  assert_done (long_one);
  scene_close (&scene);
}

/* Those that are cancelled in front of one worker's queue keep nobody waiting: neither what is behind them, nor a wide task that is younger
 * than that. */
static void
test_cancelled_in_front (void)
{
  Scene scene;
  const struct
  {
    guint n_cpus;
    int worker;
  } kinds[] = { { 1, 0 }, { 2, 0 }, { 1, 0 }, { 2, 1 } };
  TtiTask *tasks[G_N_ELEMENTS (kinds)];

  scene_open (&scene, 2);
  g_autofree char *await = g_strdup_printf ("await %s", scene.file);
  TtiTask *before = scene_make (&scene, 1, await);

  tti_task_set_worker (before, 0);
  submit (scene.pool, before);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      tasks[i] = scene_make (&scene, kinds[i].n_cpus, "small");
      tti_task_set_worker (tasks[i], kinds[i].worker);
      submit (scene.pool, tasks[i]);
    }
  tti_task_cancel (tasks[0]);
  tti_task_cancel (tasks[1]);
  scene_go (&scene);
  assert_done (before);
  assert_done (tasks[2]);
  assert_done (tasks[3]);
  scene_close (&scene);
}

/* Has the process PID not begun to end? */
static gboolean
is_running (pid_t pid)
{
  g_autofree char *file = g_strdup_printf ("/proc/%d/stat", (int) pid), *text = NULL;
  const char *name_end = g_file_get_contents (file, &text, NULL, NULL) ? strrchr (text, ')') : NULL;

  return name_end != NULL && strlen (name_end) > 2 && strchr ("ZX", name_end[2]) == NULL;
}

/* The worker that runs what needs all of SCENE's. */
static pid_t
get_busy (Scene *scene)
{
  TtiWorkerInfo info = { .pid = 0 };

  for (guint i = 0; i < tti_pool_get_size (scene->pool); i++)
    {
      tti_pool_get_worker (scene->pool, i, &info);
      if (info.state == TTI_WORKER_BUSY)
        return info.pid;
    }
  g_assert_not_reached ();
}

/* One that is cancelled while it runs goes on until its worker is dead, and so long nothing runs beside it. Returns whether that was seen:
 * the worker may be dead before anybody has looked. */
static gboolean
cancel_running (void)
{
  Scene scene;

  scene_open (&scene, 2);
  TtiTask *wide = scene_run (&scene, 2, "deaf"), *behind = scene_run (&scene, 1, "small");

  for (gint64 limit = LIMIT; tti_task_get_state (wide) != TTI_TASK_RUNNING && g_get_monotonic_time () < limit;)
    g_thread_yield ();
  pid_t worker = get_busy (&scene);

  tti_task_cancel (wide);
  assert_failed (wide, TUTTI_ERROR_CANCELLED, "was cancelled");
  TtiTask *last = scene_run (&scene, 1, "small");
  gboolean queued = tti_task_get_state (behind) == TTI_TASK_QUEUED && tti_task_get_state (last) == TTI_TASK_QUEUED;
  gboolean seen = is_running (worker);

  g_assert_true (queued || !seen);
  assert_done (behind);
  TtiWorkerInfo info;
  guint restarts = 0;

  for (guint i = 0; i < 2; i++)
    {
      tti_pool_get_worker (scene.pool, i, &info);
      restarts += info.restarts;
    }
  g_assert_cmpuint (restarts, ==, 1);
  scene_close (&scene);
  return seen;
}

static void
test_cancelled_running (void)
{
  guint rounds = 0;

  while (!cancel_running ())
    g_assert_cmpuint (++rounds, <, 100);
}

/* The worker that runs it dies: it is tried again; and the one beside it dies: nothing happens to it. */
static void
test_deaths (void)
{
  Scene scene;

  scene_open (&scene, 2);
  g_autofree char *once = g_strdup_printf ("once %s", scene.file);
  TtiTask *wide = scene_run (&scene, 2, once);

  for (guint i = 0; i < 10; i++)
    scene_log (&scene, 1, 1);
  assert_done (wide);
  g_assert_cmpuint (tti_task_get_attempts (wide), ==, 2);
  assert_scene_done (&scene);
  g_unlink (scene.file);
  wide = scene_await (&scene, 2);
  for (gint64 limit = LIMIT; tti_task_get_state (wide) != TTI_TASK_RUNNING && g_get_monotonic_time () < limit;)
    g_thread_yield ();
  TtiTask *behind = scene_run (&scene, 1, "small");
  TtiWorkerInfo info;

  for (guint i = 0; i < 2; i++)
    {
      tti_pool_get_worker (scene.pool, i, &info);
      if (info.state != TTI_WORKER_BUSY)
        kill (info.pid, SIGKILL);
    }
  for (guint i = 0; i < 2; i = info.state == TTI_WORKER_BUSY || info.restarts > 0 ? i + 1 : i)
    tti_pool_get_worker (scene.pool, i, &info);
  g_assert_cmpint (tti_task_get_state (behind), ==, TTI_TASK_QUEUED);
  scene_go (&scene);
  assert_done (wide);
  g_assert_cmpuint (tti_task_get_attempts (wide), ==, 1);
  assert_done (behind);
  scene_close (&scene);
}

/* Those that one worker only may run, among others that are pinned as well: each is done, and those that need both not beside others. */
static void
test_pinned (void)
{
  Scene scene;

  scene_open (&scene, 3);
  for (guint i = 0; i < 90; i++)
    {
      g_autofree char *text = g_strdup_printf ("log 1 %s %u-%u", scene.log, i % 5 == 0 ? 2 : i % 7 == 0 ? 3 : 1, i);
      TtiTask *task = scene_make (&scene, i % 5 == 0 ? 2 : i % 7 == 0 ? 3 : 0, text);

      tti_task_set_worker (task, i % 4 == 3 ? -1 : (int) (i % 4));
      submit (scene.pool, task);
    }
  assert_scene_done (&scene);
  for (guint i = 0; i < 90; i++)
    if (i % 4 != 3)
      g_assert_cmpint (tti_task_get_worker (g_ptr_array_index (scene.tasks, i)), ==, i % 4);
  assert_never_more (&scene, 3);
  scene_close (&scene);
}

/* What its worker has to make first; also if that fails. */
static void
test_made (void)
{
  Scene scene;

  scene_open (&scene, 2);
  TtiHeld *first = made_new ("first"), *second = made_new ("second"), *bad = made_new ("raise");

  tti_held_add_need (second, first);
  for (guint i = 0; i < 12; i++)
    {
      TtiTask *task = scene_make (&scene, 2, "fine");

      tti_task_add_held (task, i % 3 == 0 ? first : i % 3 == 1 ? second : bad);
      if (i % 2 == 0)
        tti_task_set_worker (task, i % 4 / 2);
      submit (scene.pool, task);
      scene_run (&scene, 0, "small");
    }
  for (guint i = 0; i < scene.tasks->len; i++)
    {
      TtiTask *task = g_ptr_array_index (scene.tasks, i);

      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_cmpint (tti_task_get_state (task), ==, i % 6 == 4 ? TTI_TASK_RAISED : TTI_TASK_DONE);
    }
  tti_held_unref (first);
  tti_held_unref (second);
  tti_held_unref (bad);
  scene_close (&scene);
}

/* What waits for values of others, and what others wait for. */
static void
test_dependencies (void)
{
  Scene scene;

  scene_open (&scene, 3);
  for (guint i = 0; i < 60; i++)
    {
      g_autofree char *text = g_strdup_printf ("log 0 %s %u-%u", scene.log, i % 3 + 1, i);
      TtiTask *task = scene_make (&scene, i % 3 + 1, text);

      for (guint k = 0; k < MIN (i, 2); k++)
        tti_task_add_dependency (task, g_ptr_array_index (scene.tasks, i - 1 - k * (i / 3)));
      submit (scene.pool, task);
    }
  assert_scene_done (&scene);
  assert_never_more (&scene, 3);
  scene_close (&scene);
}

/* A task of any kind, which perhaps needs one of HELD. */
static void
scene_run_any (Scene *scene, TtiHeld *const *held, guint n_held)
{
  guint n_cpus = (guint) g_test_rand_int_range (0, 5), which = (guint) g_test_rand_int_range (0, 10);
  g_autofree char *text = g_strdup_printf ("nap %d", g_test_rand_int_range (0, 3));
  TtiTask *task = scene_make (scene, n_cpus, text);

  tti_task_set_retries (task, 1000);
  tti_task_set_worker (task, g_test_rand_int_range (-8, 4) < 0 ? -1 : g_test_rand_int_range (0, 4));
  if (which < n_held)
    tti_task_add_held (task, held[which]);
  if (scene->tasks->len > 5 && g_test_rand_int_range (0, 4) == 0)
    tti_task_add_dependency (task, g_ptr_array_index (scene->tasks, scene->tasks->len - (guint) g_test_rand_int_range (2, 6)));
  submit (scene->pool, task);
}

/* All of that at once, with tasks that are cancelled and workers that are killed: everything comes to an end. */
static void
test_anything (void)
{
  Scene scene;
  TtiWorkerInfo info;

  scene_open (&scene, 4);
  TtiHeld *held[] = { made_new ("one"), made_new ("nap 1"), made_new ("raise") };

  tti_held_add_need (held[1], held[0]);
  for (guint i = 0; i < 600; i++)
    {
      scene_run_any (&scene, held, G_N_ELEMENTS (held));
      if (g_test_rand_int_range (0, 10) == 0)
        tti_task_cancel (g_ptr_array_index (scene.tasks, (guint) g_test_rand_int_range (0, (int) scene.tasks->len)));
      tti_pool_get_worker (scene.pool, i % 4, &info);
      if (info.pid > 0 && info.state == TTI_WORKER_BUSY && g_test_rand_int_range (0, 20) == 0)
        kill (info.pid, SIGKILL);
    }
  for (guint i = 0; i < scene.tasks->len; i++)
    g_assert_true (tti_task_wait (g_ptr_array_index (scene.tasks, i), LIMIT));
  g_ptr_array_set_size (scene.tasks, 0);
  scene_run (&scene, 4, "all of them");
  assert_scene_done (&scene);
  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    tti_held_unref (held[i]);
  scene_close (&scene);
}

/* All ends with the pool: one that runs, one that claims, and one behind. */
static void
test_closed (gconstpointer n_running)
{
  Scene scene;

  scene_open (&scene, 2);
  for (int i = 0; i < GPOINTER_TO_INT (n_running); i++)
    scene_run (&scene, i == 0 ? 2 : 1, "hang");
  scene_run (&scene, 1, "hang");
  scene_run (&scene, 2, "never run");
  scene_run (&scene, 2, "never run");
  scene_run (&scene, 1, "never run");
  pool_end (g_steal_pointer (&scene.pool));
  for (guint i = 0; i < scene.tasks->len; i++)
    assert_failed (g_ptr_array_index (scene.tasks, i), TUTTI_ERROR_CLOSED, "was closed");
  scene_close (&scene);
}

/* All slots of one task are on one node. */
static void
test_nodes (gconstpointer options)
{
  Fixture fixture;

  fixture_open_mixed (&fixture, options, 4);
  assert_refused (fixture.pool, 3, 0, -1, "which are those of 3 workers on one machine, but test pool has 2 there at most");
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (TtiTask) task = task_new ("wide");

      tti_task_set_resources (task, 2, 0);
      tti_task_set_worker (task, i < 4 ? (int) i : -1);
      assert_done (submit (fixture.pool, task));
    }
  /* One on each. */
  g_autoptr (TtiTask) one = waiting_task (&fixture, -1), other = waiting_task (&fixture, -1), behind = task_new ("small");

  tti_task_set_resources (one, 2, 0);
  tti_task_set_resources (other, 2, 0);
  submit (fixture.pool, one);
  submit (fixture.pool, other);
  submit (fixture.pool, behind);
  g_assert_cmpint (tti_task_get_state (one), ==, TTI_TASK_RUNNING);
  g_assert_cmpint (tti_task_get_state (other), ==, TTI_TASK_RUNNING);
  g_assert_cmpint (tti_task_get_state (behind), ==, TTI_TASK_QUEUED);
  /* The one on the node that is lost is tried again; the rest goes on. */
  fake_node_set_fate (fixture.node, FAKE_STAYS_AWAY);
  fake_node_lose (fixture.node, "the test wants it");
  g_assert_true (fake_node_await_away (fixture.node, LIMIT));
  let_them_go (&fixture);
  fake_node_come_back (fixture.node);
  assert_done (one);
  assert_done (other);
  assert_done (behind);
  fixture_close (&fixture);
}

/* One that claims slots of a node that is lost. */
static void
test_claim_lost (gconstpointer options)
{
  Fixture fixture;

  fixture_open_elsewhere (&fixture, options, 2);
  g_autoptr (TtiTask) long_one = waiting_task (&fixture, -1), wide = task_new ("wide"), behind = task_new ("small");

  tti_task_set_resources (wide, 2, 0);
  submit (fixture.pool, long_one);
  submit (fixture.pool, wide);
  submit (fixture.pool, behind);
  g_assert_cmpint (tti_task_get_state (behind), ==, TTI_TASK_QUEUED);
  fake_node_lose (fixture.node, "the test wants it");
  let_them_go (&fixture);
  assert_done (long_one);
  assert_done (wide);
  assert_done (behind);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resources/never-beside", test_never_beside);
  g_test_add_func ("/resources/several", test_several);
  g_test_add_func ("/resources/no-starvation", test_no_starvation);
  g_test_add_func ("/resources/refused", test_refused);
  g_test_add_data_func ("/resources/cancelled-before", GINT_TO_POINTER (-1), test_cancelled_before);
  g_test_add_data_func ("/resources/cancelled-before/pinned", GINT_TO_POINTER (1), test_cancelled_before);
  g_test_add_func ("/resources/cancelled-in-front", test_cancelled_in_front);
  g_test_add_func ("/resources/cancelled-running", test_cancelled_running);
  g_test_add_func ("/resources/deaths", test_deaths);
  g_test_add_func ("/resources/pinned", test_pinned);
  g_test_add_func ("/resources/made", test_made);
  g_test_add_func ("/resources/dependencies", test_dependencies);
  g_test_add_func ("/resources/anything", test_anything);
  g_test_add_data_func ("/resources/closed/claiming", GINT_TO_POINTER (0), test_closed);
  g_test_add_data_func ("/resources/closed/running", GINT_TO_POINTER (1), test_closed);
  add_test ("resources", test_nodes);
  add_test ("claim-lost", test_claim_lost);
  return g_test_run ();
}
