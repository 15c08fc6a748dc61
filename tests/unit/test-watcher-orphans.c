/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes that a worker has started end before its death is reported, with the real guard and watcher; processes that cannot end
 * delay nobody. */
#include "../support/watcher-fixture.h"
#include "platform/process-tree.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

/* When the death of a worker is reported, no process that it had started is left, not even a zombie. */
static void
test_orphans (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  for (guint64 generation = 1; generation <= 20; generation++)
    {
      g_auto (Stub) stub = stub_start (&fixture, generation, "subreaper sleep:3 sleep:1 orphan bomb:2 signal:6");
      g_autofree char *exited = g_strdup_printf ("exited %" G_GUINT64_FORMAT " -1 6", generation);
      pid_t pids[5];

      for (guint i = 0; i < 5; i++)
        pids[i] = stub_expect (&stub, "pid ");
      fixture_await (&fixture, exited);
      for (guint i = 0; i < 5; i++)
        g_assert_cmpint (kill (pids[i], 0), ==, -1);
      g_autoptr (GArray) left = tti_process_children (tti_watcher_link_get_watcher_pid (fixture.link));

      g_assert_cmpuint (left->len, ==, 0);
    }
  fixture_close (&fixture);
}

/* The processor time (µs) that CLOCK has counted. */
static gint64
cpu_time (clockid_t clock)
{
  struct timespec time;

  g_assert_cmpint (clock_gettime (clock, &time), ==, 0);
  return time.tv_sec * G_TIME_SPAN_SECOND + time.tv_nsec / 1000;
}

/* The processor time (µs) of the watcher. */
static gint64
watcher_time (Fixture *fixture)
{
  clockid_t clock;

  g_assert_cmpint (clock_getcpuclockid (tti_watcher_link_get_watcher_pid (fixture->link), &clock), ==, 0);
  return cpu_time (clock);
}

/* The time from the start of child GENERATION to the report of its end. */
static gint64
life (Fixture *fixture, guint64 generation)
{
  g_auto (Stub) other = stub_start (fixture, generation, "exit:0");
  g_autofree char *exited = g_strdup_printf ("exited %" G_GUINT64_FORMAT " 0 0", generation);
  gint64 start = g_get_monotonic_time ();

  fixture_await (fixture, exited);
  return g_get_monotonic_time () - start;
}

/* Workers below the watcher of FIXTURE, from GENERATION on, take as long as elsewhere on this machine, and are not delayed by the
 * 300 ms for which the watcher waits for stuck processes. */
static void
assert_not_held_up (Fixture *fixture, guint64 generation)
{
  Fixture elsewhere;
  gint64 deadline = SECONDS (60), usual = G_MAXINT64, here = G_MAXINT64;

  fixture_open (&elsewhere);
  for (guint n = 0; n < 5 || (here >= usual + 150 * G_TIME_SPAN_MILLISECOND && g_get_monotonic_time () < deadline); n++)
    {
      usual = MIN (usual, life (&elsewhere, n + 1));
      here = MIN (here, life (fixture, generation + n));
    }
  fixture_close (&elsewhere);
  g_assert_cmpint (here, <, usual + 150 * G_TIME_SPAN_MILLISECOND);
}

/* The processor time of a process that does not wait, meanwhile. */
static gpointer
spin (gpointer stop)
{
  while (!g_atomic_int_get ((int *) stop))
    ;
  return GSIZE_TO_POINTER ((gsize) cpu_time (CLOCK_THREAD_CPUTIME_ID));
}

/* Worker 1 is told to end, and its death is reported late, because a process that it has started is stuck. Waiting for that takes
 * no processor time. */
static void
assert_told_late (Fixture *fixture)
{
  int stop = 0;
  gint64 start = g_get_monotonic_time (), cpu_before = watcher_time (fixture);
  GThread *spinner = g_thread_new ("spinner", spin, &stop);

  tti_watcher_link_signal (fixture->link, 1, SIGTERM, -1);
  fixture_await (fixture, "exited 1 -1 15");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 100 * G_TIME_SPAN_MILLISECOND);
  gint64 watcher = watcher_time (fixture) - cpu_before;

  g_atomic_int_set (&stop, 1);
  gint64 spun = (gint64) GPOINTER_TO_SIZE (g_thread_join (spinner));

  g_test_message ("the watcher has computed for %.1f ms, a thread that does not wait for %.1f ms", (double) watcher / 1000,
                  (double) spun / 1000);
  g_assert_cmpint (watcher, <, spun / 2);
}

/* A process whose debugger does not wait for it can be killed, but not reaped, like one that hangs in the kernel. It delays the
 * report of its worker's death, but no other, and costs neither a delay of the end nor processor time. */
static void
test_stuck_orphan (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "subreaper sleep:1 report");
    pid_t orphan = stub_expect (&stub, "pid ");

    stub_expect (&stub, "self ");
    if (ptrace (PTRACE_SEIZE, orphan, NULL, NULL) < 0)
      {
        g_test_skip ("this system does not let a process trace its descendants");
        fixture_close (&fixture);
        return;
      }
    assert_told_late (&fixture);
    g_assert_cmpint (kill (orphan, 0), ==, 0);
    g_assert_false (is_alive (orphan));

    assert_not_held_up (&fixture, 2);
    tti_watcher_link_close (fixture.link);
    g_assert_cmpint (waitpid (orphan, NULL, __WALL), ==, orphan);
  }
  fixture_close (&fixture);
  assert_no_children ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher-orphans/ended", test_orphans);
  g_test_add_func ("/watcher-orphans/stuck", test_stuck_orphan);
  return g_test_run ();
}
