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
  TtiVector *vector; /* of sevens */
  int wakeup;
} Things;

static gboolean
is_refused (GError **error)
{
  gboolean refused = g_error_matches (*error, TUTTI_ERROR, TUTTI_ERROR_FORKED) && strstr ((*error)->message, "forked copy") != NULL;

  g_clear_error (error);
  return refused;
}

static void
not_called (G_GNUC_UNUSED gpointer data)
{
  _exit (12);
}

/* Engines are refused, with the reason, the default one as any other; and references of those that there are may be dropped. */
static gboolean
engines_are_refused (Things *things)
{
  TtiEngine *engine = tti_pool_get_engine (things->pool);
  GError *error = NULL;
  gboolean refused = tti_engine_new (&error) == NULL && is_refused (&error);

  refused = refused && tti_engine_get_default (&error) == NULL && is_refused (&error);
  refused = refused && tti_engine_add_node (engine, NULL, NULL, &error) == NULL && is_refused (&error);
  tti_engine_set_message_func (engine, NULL, NULL);
  tti_engine_shutdown (engine);
  for (guint i = 0; i < 3; i++)
    tti_engine_unref (engine);
  return refused;
}

/* A copy reads the vectors that there were, and makes its own. */
static gboolean
vectors_are_usable (Things *things)
{
  enum { SIZE = 100000 };
  const guint8 *old = tti_vector_get_data (things->vector);
  g_autoptr (TtiVector) vector = tti_vector_new (SIZE, NULL), again = NULL;

  if (vector == NULL || old[0] != 7 || old[tti_vector_get_size (things->vector) - 1] != 7)
    return FALSE;
  memset (tti_vector_get_data (vector), 3, SIZE);
  tti_vector_unref (g_steal_pointer (&vector));
  again = tti_vector_new (SIZE, NULL);
  tti_vector_unref (g_steal_pointer (&things->vector));
  return again != NULL && ((guint8 *) tti_vector_get_data (again))[SIZE - 1] == 0;
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
  if (tti_task_withhold_parts (things->running, 0) != 0 || tti_task_get_parts_begun (things->running) != 0)
    return 8;
  if (tti_task_watch (things->running, not_called, NULL))
    return 11;
  if (!vectors_are_usable (things))
    return 9;
  for (guint i = 0; i < tti_pool_get_size (things->pool); i++)
    {
      TtiWorkerInfo info;

      tti_pool_get_worker (things->pool, i, &info);
    }
  tti_certificate_unref (tti_pool_get_last_death (things->pool));
  if (!engines_are_refused (things))
    return 10;
  tti_pool_unref (things->pool);
  tti_engine_end_default ();
  tti_task_unref (things->running);
  tti_task_unref (things->done);
  return g_get_monotonic_time () - start < 20 * G_USEC_PER_SEC ? 0 : 7;
}

static TtiVector *
vector_of_sevens (void)
{
  TtiVector *vector = tti_vector_new (100000, NULL);

  g_assert_nonnull (vector);
  memset (tti_vector_get_data (vector), 7, tti_vector_get_size (vector));
  return vector;
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
  g_autoptr (TtiVector) vector = vector_of_sevens ();
  Things things = { pool, running, done, vector, tti_fd_open_wakeup (NULL) };

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

/* Parts of a task are in memory that a copy shares: it withholds none. */
static void
test_parts (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) done = run_text (pool, "done"), running = submit (pool, task_new ("parts 10"));
  g_autoptr (TtiVector) vector = vector_of_sevens ();
  Things things = { pool, running, done, vector, tti_fd_open_wakeup (NULL) };
  gint64 limit = LIMIT;

  while (tti_task_get_parts_begun (running) == 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  g_assert_cmpint (run_in_copy (&things), ==, 0);
  g_assert_cmpuint (tti_task_withhold_parts (running, 20), ==, 10);
  g_assert_cmpuint (tti_task_withhold_parts (running, 2), ==, 3);
  tti_fd_clear (&things.wakeup);
  tti_task_cancel (running);
  pool_end (pool);
}

/* What a copy executes is a program like any other. */
static void
test_exec (void)
{
  TtiPool *pool = pool_new (1);
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      execl ("/bin/sh", "sh", "-c", "exit 3", NULL);
      _exit (127);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 3);
  assert_echo (pool, "after");
  pool_end (pool);
}

/* Locks that other threads hold at the moment of the fork are free in the copy. */
static void
test_while_busy (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) done = run_text (pool, "done"), running = submit (pool, task_new ("hang"));
  g_autoptr (TtiVector) vector = vector_of_sevens ();
  Things things = { pool, running, done, vector, tti_fd_open_wakeup (NULL) };
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
  g_test_add_func ("/pool/fork/parts", test_parts);
  g_test_add_func ("/pool/fork/exec", test_exec);
  g_test_add_func ("/pool/fork/while-busy", test_while_busy);
  g_test_add_func ("/pool/fork/end-with-copy-alive", test_end_with_copy_alive);
  return g_test_run ();
}
