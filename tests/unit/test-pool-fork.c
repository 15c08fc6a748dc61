/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* In a copy of the process made by fork () everything fails with a reason, and nothing of the original changes. */
#include "pool-fixture.h"
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  TtiPool *pool;
  TtiTask *running, *done;
  int wakeup;
} Things;

static gboolean
is_refused (GError **error)
{
  gboolean refused = g_error_matches (*error, TUTTI_ERROR, TUTTI_ERROR_FORKED) && strstr ((*error)->message, "forked copy") != NULL;

  g_clear_error (error);
  return refused;
}

/* The number of the check that failed, 0 if none did. */
static int
in_copy (Things *things)
{
  g_autoptr (TtiTask) task = task_new ("copy");
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  if (pool_of (1, NULL, &error) != NULL || !is_refused (&error))
    return 1;
  if (tti_pool_submit (things->pool, task, &error) || !is_refused (&error))
    return 2;
  tti_pool_add_wakeup (things->pool, things->wakeup);
  tti_pool_remove_wakeup (things->pool, things->wakeup);
  tti_task_cancel (things->running);
  if (tti_task_wait (things->running, -1) || tti_task_has_ended (things->running))
    return 3;
  if (tti_engine_poll (tti_pool_get_engine (things->pool), 0, G_MAXINT64))
    return 4;
  /* Values of tasks that had ended can be read. */
  if (!tti_task_wait (things->done, -1) || tti_task_get_result (things->done) == NULL)
    return 5;
  tti_pool_close (things->pool, 0);
  if (tti_pool_is_closed (things->pool) || tti_pool_close_and_wait (things->pool, 0))
    return 6;
  tti_pool_unref (things->pool);
  tti_engine_end_default ();
  return g_get_monotonic_time () - start < 20 * G_USEC_PER_SEC ? 0 : 7;
}

static int
run_in_copy (Things *things)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (in_copy (things));
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static void
test_refused (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) done = run_text (pool, "done"), running = submit (pool, task_new ("hang"));
  Things things = { pool, running, done, tti_fd_open_wakeup (NULL) };

  g_assert_cmpint (run_in_copy (&things), ==, 0);
  g_assert_false (tti_task_has_ended (running));
  g_assert_false (tti_fd_wait (things.wakeup, G_IO_IN, 0));
  for (guint i = 0; i < 100; i++)
    assert_echo (pool, "after");
  for (guint i = 0; i < 2; i++)
    {
      TtiWorkerInfo info;

      tti_pool_get_worker (pool, i, &info);
      g_assert_cmpuint (info.restarts, ==, 0);
    }
  tti_fd_clear (&things.wakeup);
  tti_task_cancel (running);
  pool_end (pool);
}

/* Locks that other threads hold at the moment of the fork are free in the copy. */
static void
test_while_busy (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) done = run_text (pool, "done"), running = submit (pool, task_new ("hang"));
  Things things = { pool, running, done, tti_fd_open_wakeup (NULL) };
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (guint i = 0; i < 20; i++)
    {
      for (guint k = 0; k < 50; k++)
        g_ptr_array_add (tasks, submit (pool, task_new ("busy")));
      g_assert_cmpint (run_in_copy (&things), ==, 0);
    }
  for (guint i = 0; i < tasks->len; i++)
    {
      g_assert_true (tti_task_wait (g_ptr_array_index (tasks, i), LIMIT));
      g_assert_no_error (tti_task_get_error (g_ptr_array_index (tasks, i)));
    }
  tti_fd_clear (&things.wakeup);
  tti_task_cancel (running);
  pool_end (pool);
}

/* A copy that lives on neither keeps the processes of the original alive, nor delays its end. */
static void
test_end_with_copy_alive (void)
{
  TtiPool *pool = pool_new (1);
  int wait[2];

  g_assert_cmpint (pipe (wait), ==, 0);
  pid_t pid = fork ();

  if (pid == 0)
    {
      char byte;

      close (wait[1]);
      _exit (read (wait[0], &byte, 1) == 0 ? 0 : 1);
    }
  pool_end (pool);
  tti_engine_end_default ();
  close (wait[0]);
  close (wait[1]);
  int status;

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/fork/refused", test_refused);
  g_test_add_func ("/pool/fork/while-busy", test_while_busy);
  g_test_add_func ("/pool/fork/end-with-copy-alive", test_end_with_copy_alive);
  return g_test_run ();
}
