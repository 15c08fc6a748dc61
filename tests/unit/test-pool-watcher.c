/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools whose watcher is lost and cannot be replaced: they fail, and the next pool works as soon as a watcher can start. The
 * program is a link in a folder of our own, which we remove. */
#include "platform/process-tree.h"
#include "pool-fixture.h"
#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

static char *folder, *link_file, *program;

static gboolean
pool_goes_on (TtiPool *pool)
{
  g_autoptr (TtiTask) task = task_new ("fine");

  tti_task_set_retries (task, 100);
  if (!tti_pool_submit (pool, task, NULL))
    return FALSE;
  g_assert_true (tti_task_wait (task, LIMIT));
  return tti_task_get_error (task) == NULL;
}

/* The guard is our only child; its successor comes when it is gone. FALSE: there is none, because POOL has failed. */
static gboolean
kill_guard (TtiPool *pool)
{
  static pid_t last;
  gint64 limit = LIMIT;

  for (;;)
    {
      g_autoptr (GArray) children = tti_process_children (getpid ());
      pid_t guard = children->len == 1 ? g_array_index (children, pid_t, 0) : last;

      if (guard != last)
        {
          last = guard;
          kill (guard, SIGKILL);
          return TRUE;
        }
      if (!pool_goes_on (pool))
        return FALSE;
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static void
await_failure (TtiPool *pool)
{
  g_autoptr (TtiTask) task = task_new ("hang");

  tti_task_set_retries (task, 100);
  if (tti_pool_submit (pool, task, NULL))
    g_assert_true (tti_task_wait (task, LIMIT));
  g_autoptr (TtiTask) next = task_new ("fine");

  g_assert_false (tti_pool_submit (pool, next, NULL));
}

/* Making a pool must not wait for a watcher that nobody starts. */
static void
assert_refused (void)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  g_assert_null (pool_of (1, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, link_file));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 60 * G_USEC_PER_SEC);
}

static void
test_program_away_for_a_while (void)
{
  TtiPool *pool = pool_new (2);

  assert_echo (pool, "before");
  g_assert_cmpint (g_unlink (link_file), ==, 0);
  kill_guard (pool);
  await_failure (pool);
  pool_end (pool);
  assert_refused ();
  assert_refused ();

  g_assert_cmpint (symlink (program, link_file), ==, 0);
  pool = pool_new (2);
  assert_echo (pool, "after");
  pool_end (pool);
}

/* After five losses in ten seconds a pool gets no other watcher, but the next pool does. */
static void
test_lost_too_often (void)
{
  TtiPool *pool = pool_new (1);
  gint64 kills[30];
  guint n_lost = 0;

  while (pool_goes_on (pool) && n_lost < G_N_ELEMENTS (kills))
    {
      /* A slow machine may not reach that. */
      g_assert_false (n_lost >= 5 && g_get_monotonic_time () - kills[n_lost - 5] < 10 * G_USEC_PER_SEC);
      kills[n_lost++] = g_get_monotonic_time ();
      if (!kill_guard (pool))
        break;
    }
  g_test_message ("lost %u times", n_lost);
  pool_end (pool);

  pool = pool_new (1);
  assert_echo (pool, "after");
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  program = tti_engine_find_program ("tutti-watcher");
  folder = g_dir_make_tmp ("tutti-watcher-XXXXXX", &error);
  g_assert_no_error (error);
  link_file = g_build_filename (folder, "tutti-watcher", NULL);
  g_assert_cmpint (symlink (program, link_file), ==, 0);
  g_setenv ("TUTTI_LIBEXECDIR", folder, TRUE);
  g_test_add_func ("/pool/watcher/program-away-for-a-while", test_program_away_for_a_while);
  g_test_add_func ("/pool/watcher/lost-too-often", test_lost_too_often);
  int status = g_test_run ();

  tti_engine_end_default ();
  g_unlink (link_file);
  g_rmdir (folder);
  g_free (link_file);
  g_free (folder);
  g_free (program);
  return status;
}
