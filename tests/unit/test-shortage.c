/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A temporary shortage: the pool goes on with the living workers, and has all of them again afterwards. */
#include "platform/process-tree.h"
#include "pool-fixture.h"
#include "node/patience.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Use up all descriptors, until they are released. */
static GArray *
use_up_descriptors (void)
{
  GArray *used = g_array_new (FALSE, FALSE, sizeof (int));

  for (int fd; (fd = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;)
    g_array_append_val (used, fd);
  g_assert_cmpint (errno, ==, EMFILE);
  return used;
}

static void
give_back_descriptors (GArray *used)
{
  for (guint i = 0; i < used->len; i++)
    close (g_array_index (used, int, i));
  g_array_unref (used);
}

static guint
count_living (TtiPool *pool)
{
  guint n = 0;

  for (guint i = 0; i < tti_pool_get_size (pool); i++)
    {
      TtiWorkerInfo info;

      tti_pool_get_worker (pool, i, &info);
      n += info.state == TTI_WORKER_IDLE || info.state == TTI_WORKER_BUSY;
    }
  return n;
}

static void
await_living (TtiPool *pool, guint n)
{
  gint64 limit = LIMIT;

  while (count_living (pool) != n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (2000);
    }
}

static void
kill_worker (TtiPool *pool, guint index)
{
  TtiWorkerInfo info;

  tti_pool_get_worker (pool, index, &info);
  g_assert_cmpint (kill (info.pid, SIGKILL), ==, 0);
}

static void
test_one_of_four (void)
{
  TtiPool *pool = pool_new (4);
  TtiOutputRecord record;
  guint64 dropped;

  await_living (pool, 4);
  GArray *used = use_up_descriptors ();

  kill_worker (pool, 2);
  await_living (pool, 3);
  /* Long enough that it is tried several times. */
  for (gint64 end = g_get_monotonic_time () + 300 * G_TIME_SPAN_MILLISECOND; g_get_monotonic_time () < end;)
    assert_echo (pool, "meanwhile");
  g_assert_cmpuint (count_living (pool), ==, 3);
  give_back_descriptors (used);
  await_living (pool, 4);
  assert_echo (pool, "after");
  g_assert_true (tti_pool_take_output (pool, &record, &dropped));
  g_assert_true (record.is_death);
  g_assert_cmpuint (record.index, ==, 2);
  tti_output_record_clear (&record);
  g_assert_true (tti_pool_take_output (pool, &record, &dropped));
  g_assert_nonnull (strstr (record.text, "cannot be started at the moment"));
  g_assert_cmpuint (record.index, ==, 2);
  tti_output_record_clear (&record);
  pool_end (pool);
}

/* The descriptors of a dead worker are not enough for another. */
static void
test_the_only_one (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) task = task_new ("waits");

  await_living (pool, 1);
  GArray *used = use_up_descriptors ();

  kill_worker (pool, 0);
  await_living (pool, 0);
  submit (pool, task);
  g_assert_false (tti_task_wait (task, g_get_monotonic_time () + 300 * G_TIME_SPAN_MILLISECOND));
  give_back_descriptors (used);
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  pool_end (pool);
}

/* The loss of guard and watcher frees many descriptors, and this test and the pool compete for them. In any case the pool goes on. */
static void
test_watcher (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) task = task_new ("waits");

  await_living (pool, 2);
  g_autoptr (GArray) children = tti_process_children (getpid ());
  g_autoptr (GPtrArray) used = g_ptr_array_new ();

  g_assert_nonnull (children);
  g_assert_cmpuint (children->len, ==, 1);
  g_ptr_array_add (used, use_up_descriptors ());
  kill (g_array_index (children, pid_t, 0), SIGKILL);
  for (gint64 end = g_get_monotonic_time () + 300 * G_TIME_SPAN_MILLISECOND; g_get_monotonic_time () < end;)
    g_ptr_array_add (used, use_up_descriptors ());
  submit (pool, task);
  for (guint i = 0; i < used->len; i++)
    give_back_descriptors (g_ptr_array_index (used, i));
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
  await_living (pool, 2);
  pool_end (pool);
}

/* A lasting shortage is reported after ten seconds; until then the pool retries at growing intervals. */
static void
test_pauses (void)
{
  gint64 now = 100, waited = 0;
  guint n = 0;

  for (gint64 pause; (pause = tti_shortage_pause (n, 100, now)) >= 0; n++)
    {
      g_assert_cmpint (pause, >=, waited);
      waited = pause;
      now += pause;
    }
  g_assert_cmpuint (n, >, 5);
  g_assert_cmpuint (n, <, 20);
}

int
main (int argc, char **argv)
{
  struct rlimit limit;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = 256;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_test_add_func ("/shortage/one-of-four", test_one_of_four);
  g_test_add_func ("/shortage/the-only-one", test_the_only_one);
  g_test_add_func ("/shortage/watcher", test_watcher);
  g_test_add_func ("/shortage/pauses", test_pauses);
  return g_test_run ();
}
