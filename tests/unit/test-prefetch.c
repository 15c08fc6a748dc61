/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several tasks with one worker: what a worker has not begun is not its own. */
#include "pool-fixture.h"

/* Let the pool learn that tasks are short, so that workers get many at once. */
static void
teach (TuttiPool *pool)
{
  for (guint i = 0; i < 300; i++)
    assert_echo (pool, "short");
}

static TuttiTask *
submit_once (TuttiPool *pool, const char *text, gint64 timeout)
{
  TuttiTask *task = task_new (text);

  tutti_task_set_retries (task, 0);
  tutti_task_set_timeout (task, timeout);
  return submit (pool, task);
}

static GPtrArray *
submit_many (TuttiPool *pool, guint n, const char *text, gint64 timeout)
{
  GPtrArray *tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (tasks, submit_once (pool, text, timeout));
  return tasks;
}

static void
assert_all_done (GPtrArray *tasks)
{
  for (guint i = 0; i < tasks->len; i++)
    {
      TuttiTask *task = g_ptr_array_index (tasks, i);

      g_assert_true (tutti_task_wait (task, LIMIT));
      g_assert_no_error (tutti_task_get_error (task));
      g_assert_cmpuint (tutti_task_get_attempts (task), ==, 1);
    }
}

static int
worker_pid (TuttiPool *pool)
{
  TuttiWorkerInfo info;

  tutti_pool_get_worker (pool, 0, &info);
  return info.pid;
}

/* Tasks that wait behind a long one are done by the other worker. */
static void
test_long_one_in_the_middle (void)
{
  TuttiPool *pool = pool_new (2);

  teach (pool);
  for (guint round = 0; round < 5; round++)
    {
      g_autoptr (GPtrArray) before = submit_many (pool, 60, "short", 0);
      g_autoptr (TuttiTask) nap = submit_once (pool, "nap 3000", 0);
      g_autoptr (GPtrArray) behind = submit_many (pool, 200, "short", 0);

      assert_all_done (before);
      assert_all_done (behind);
      g_assert_false (tutti_task_has_ended (nap));
      tutti_task_cancel (nap);
      teach (pool);
    }
  pool_end (pool);
}

/* Cancelling one that was not begun leaves the worker, and its task, alone. */
static void
test_cancel_what_waits (void)
{
  TuttiPool *pool = pool_new (1);

  teach (pool);
  int pid = worker_pid (pool);
  g_autoptr (TuttiTask) nap = submit_once (pool, "nap 300", 0);
  g_autoptr (GPtrArray) behind = submit_many (pool, 10, "short", 0);
  g_autoptr (TuttiTask) unwanted = submit_once (pool, "exit 3", 0);

  tutti_task_cancel (unwanted);
  g_assert_error (tutti_task_get_error (unwanted), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  assert_all_done (behind);
  g_assert_true (tutti_task_has_ended (nap));
  g_assert_no_error (tutti_task_get_error (nap));
  assert_echo (pool, "going on");
  g_assert_cmpint (worker_pid (pool), ==, pid);
  pool_end (pool);
}

/* The clock of a task does not run while it waits behind others. */
static void
test_time_outs (void)
{
  TuttiPool *pool = pool_new (1);

  teach (pool);
  g_autoptr (GPtrArray) naps = submit_many (pool, 10, "nap 100", 600 * 1000);

  assert_all_done (naps);
  pool_end (pool);
}

/* A death is the fault of the task that the worker ran, and of no other. */
static void
test_death_in_front (void)
{
  TuttiPool *pool = pool_new (1);

  teach (pool);
  g_autoptr (GPtrArray) before = submit_many (pool, 10, "short", 0);
  g_autoptr (TuttiTask) culprit = submit_once (pool, "exit 3", 0);
  g_autoptr (GPtrArray) behind = submit_many (pool, 20, "short", 0);

  assert_all_done (before);
  assert_all_done (behind);
  g_assert_error (tutti_task_get_error (culprit), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_cmpuint (tutti_task_get_certificate (culprit)->task, ==, tutti_task_get_id (culprit));
  pool_end (pool);
}

/* A worker that writes into its mailbox is not believed any more. */
static void
test_damaged_mailbox (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (TuttiTask) task = submit_once (pool, "scribble", 0);

  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_error (tutti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (tutti_task_get_error (task)->message, "mailbox is damaged"));
  assert_echo (pool, "going on");
  pool_end (pool);
}

/* While tasks are tiny most workers of many are left to sleep; long ones are for all of them. */
static void
test_sleepers_wake (void)
{
  TuttiPool *pool = pool_new (8);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GPtrArray) quick = submit_many (pool, 5000, "short", 0);
      g_autoptr (GPtrArray) naps = submit_many (pool, 8, "nap 30000", 0);
      gint64 limit = LIMIT;
      guint n_busy = 0;

      assert_all_done (quick);
      while (n_busy < 8 && g_get_monotonic_time () < limit)
        {
          TuttiWorkerInfo info;

          n_busy = 0;
          for (guint w = 0; w < 8; w++)
            {
              tutti_pool_get_worker (pool, w, &info);
              n_busy += info.state == TUTTI_WORKER_BUSY;
            }
          g_usleep (1000);
        }
      g_assert_cmpuint (n_busy, ==, 8);
      for (guint w = 0; w < 8; w++)
        tutti_task_cancel (g_ptr_array_index (naps, w));
      assert_echo (pool, "going on");
    }
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prefetch/long-one-in-the-middle", test_long_one_in_the_middle);
  g_test_add_func ("/prefetch/cancel-what-waits", test_cancel_what_waits);
  g_test_add_func ("/prefetch/time-outs", test_time_outs);
  g_test_add_func ("/prefetch/death-in-front", test_death_in_front);
  g_test_add_func ("/prefetch/sleepers-wake", test_sleepers_wake);
  g_test_add_func ("/prefetch/damaged-mailbox", test_damaged_mailbox);
  return g_test_run ();
}
