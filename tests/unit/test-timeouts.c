/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Time-outs: time in which the task could not run does not count. */
#include "pool-fixture.h"
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_MS = 4000 };

/* Start a shell that runs SCRIPT, in which $1 is PID and $2 is PATH. */
static GPid
shell_start (const char *script, int pid, const char *path)
{
  g_autofree char *pid_text = g_strdup_printf ("%d", pid);
  const char *argv[] = { "sh", "-c", script, "sh", pid_text, path, NULL };
  g_autoptr (GError) error = NULL;
  GPid shell;

  g_spawn_async (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &shell, &error);
  g_assert_no_error (error);
  return shell;
}

static TtiTask *
submit_limited (TtiPool *pool, const char *text, gint64 ms)
{
  TtiTask *task = task_new (text);

  tti_task_set_retries (task, 0);
  tti_task_set_timeout (task, ms * 1000);
  return submit (pool, task);
}

static char *
path_new (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("tutti-timeouts-XXXXXX", &error);

  g_assert_no_error (error);
  return g_build_filename (folder, "gate", NULL);
}

static void
path_remove (char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);

  (void) g_unlink (path);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (path);
}

/* This process is stopped for longer than the limit: tasks that end meanwhile have ended in time, and running tasks keep their
 * remaining time; but not for ever. */
static void
test_stopped_master (void)
{
  TtiPool *pool = pool_new (3);
  char *path = path_new ();
  g_autofree char *text = g_strdup_printf ("await %s", path);

  for (guint i = 0; i < 10; i++)
    assert_echo (pool, "warm");
  g_autoptr (TtiTask) nap = submit_limited (pool, "nap 100", TIMEOUT_MS);
  g_autoptr (TtiTask) going_on = submit_limited (pool, text, TIMEOUT_MS);
  g_autoptr (TtiTask) stuck = submit_limited (pool, "hang", TIMEOUT_MS);

  shell_start ("kill -STOP $1; sleep 5; kill -CONT $1; sleep 0.3; : >$2", getpid (), path);
  g_assert_true (tti_task_wait (going_on, LIMIT));
  g_assert_no_error (tti_task_get_error (going_on));
  g_assert_true (tti_task_wait (nap, LIMIT));
  g_assert_no_error (tti_task_get_error (nap));
  g_assert_true (tti_task_wait (stuck, LIMIT));
  g_assert_error (tti_task_get_error (stuck), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
  pool_end (pool);
  path_remove (path);
}

/* The first attempt is held by a debugger for longer than the limit. */
static void
test_held_worker (void)
{
  TtiPool *pool = pool_new (1);
  char *path = path_new ();
  g_autofree char *text = g_strdup_printf ("await %s", path);
  TtiWorkerInfo info;

  assert_echo (pool, "warm");
  tti_pool_get_worker (pool, 0, &info);
  g_autoptr (TtiTask) task = submit_limited (pool, text, 3000);
  if (ptrace (PTRACE_SEIZE, info.pid, NULL, NULL) < 0)
    g_test_skip ("ptrace is not permitted here");
  else
    {
      g_assert_cmpint (ptrace (PTRACE_INTERRUPT, info.pid, NULL, NULL), ==, 0);
      g_assert_cmpint (waitpid (info.pid, NULL, __WALL), ==, info.pid);
      g_assert_false (tti_task_wait (task, g_get_monotonic_time () + 4 * G_USEC_PER_SEC));
      g_assert_cmpint (ptrace (PTRACE_DETACH, info.pid, NULL, NULL), ==, 0);
    }
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  pool_end (pool);
  path_remove (path);
}

/* Without a stop they end a task that sleeps, whatever the processor has done for it. */
static void
test_asleep (void)
{
  TtiPool *pool = pool_new (2);
  gint64 start = g_get_monotonic_time ();
  g_autoptr (TtiTask) hang = submit_limited (pool, "hang", 300);
  g_autoptr (TtiTask) short_one = submit_limited (pool, "nap 50", 60 * 1000);

  g_assert_true (tti_task_wait (hang, LIMIT));
  g_assert_error (tti_task_get_error (hang), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 300 * 1000);
  g_assert_true (tti_task_wait (short_one, LIMIT));
  g_assert_no_error (tti_task_get_error (short_one));
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/timeouts/asleep", test_asleep);
  g_test_add_func ("/timeouts/stopped-master", test_stopped_master);
  g_test_add_func ("/timeouts/held-worker", test_held_worker);
  return g_test_run ();
}
