/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Locks: exclusion, waiting, and that a build which checks locks notices a caller that does not hold one. */
#ifndef TUTTI_CHECK_LOCKS
#define TUTTI_CHECK_LOCKS
#endif
#include "platform/lock.c" /* the kind that checks, whatever the build has */

static TtiLock lock;
static GCond changed;
static guint count;

static void
increment_locked (void)
{
  TTI_ASSERT_LOCKED (&lock);
  count++;
}

static gpointer
count_to (gpointer n)
{
  for (guint i = 0; i < GPOINTER_TO_UINT (n); i++)
    {
      tti_lock_take (&lock);
      increment_locked ();
      g_cond_broadcast (&changed);
      tti_lock_release (&lock);
    }
  return NULL;
}

static void
test_exclusion (void)
{
  enum { THREADS = 4, EACH = 5000 };
  GThread *threads[THREADS];

  count = 0;
  for (guint i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("counter", count_to, GUINT_TO_POINTER (EACH));
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (count, ==, THREADS * EACH);
}

static void
test_try (void)
{
  g_assert_true (tti_lock_try (&lock));
  increment_locked ();
  g_assert_false (tti_lock_try (&lock));
  TTI_ASSERT_LOCKED (&lock); /* it is still ours after a failed attempt */
  tti_lock_release (&lock);
}

/* The one that waits does not hold the lock meanwhile, and holds it afterwards. */
static void
test_wait (void)
{
  count = 0;
  tti_lock_take (&lock);
  g_autoptr (GThread) thread = g_thread_new ("counter", count_to, GUINT_TO_POINTER (1));

  while (count == 0)
    tti_lock_wait (&lock, &changed, -1);
  increment_locked ();
  g_assert_false (tti_lock_wait (&lock, &changed, g_get_monotonic_time () + 1000));
  increment_locked ();
  tti_lock_release (&lock);
  g_thread_join (g_steal_pointer (&thread));
  g_assert_cmpuint (count, ==, 3);
}

static gpointer
call_without (G_GNUC_UNUSED gpointer data)
{
  increment_locked ();
  return NULL;
}

static void
test_nobody (void)
{
  if (g_test_subprocess ())
    {
      increment_locked ();
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*increment_locked was called by a thread that does not hold the lock*");
}

/* That another thread holds it is not enough. */
static void
test_another (void)
{
  if (g_test_subprocess ())
    {
      tti_lock_take (&lock);
      g_thread_join (g_thread_new ("other", call_without, NULL));
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*increment_locked was called by a thread that does not hold the lock*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/lock/exclusion", test_exclusion);
  g_test_add_func ("/lock/try", test_try);
  g_test_add_func ("/lock/wait", test_wait);
  g_test_add_func ("/lock/nobody", test_nobody);
  g_test_add_func ("/lock/another", test_another);
  return g_test_run ();
}
