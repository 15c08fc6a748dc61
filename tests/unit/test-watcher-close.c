/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Closing the link to a guard and a watcher that do nothing any more, although neither was reported stopped. */
#include "../support/watcher-fixture.h"
#include "platform/process-tree.h"
#include <errno.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* Stop PIDS with a debugger, of which no parent is notified, until they are killed. Returns its process, -1 if that is not allowed
 * here. */
static pid_t
freeze (const pid_t *pids, guint n)
{
  int ready[2];
  char answer = 0;

  g_assert_true (tti_fd_pipe (ready, NULL));
  pid_t debugger = fork ();

  if (debugger == 0)
    {
      for (guint i = 0; i < n; i++)
        if (ptrace (PTRACE_SEIZE, pids[i], NULL, NULL) < 0 || ptrace (PTRACE_INTERRUPT, pids[i], NULL, NULL) < 0
            || waitpid (pids[i], NULL, __WALL) < 0)
          _exit (1);
      if (write (ready[1], "x", 1) != 1)
        _exit (1);
      /* The debugger must wait for a killed process before its parent can reap it. */
      for (int status; n > 0;)
        if (waitpid (-1, &status, __WALL) > 0 && !WIFSTOPPED (status))
          n--;
      _exit (0);
    }
  close (ready[1]);
  gboolean allowed = tti_fd_wait (ready[0], POLLIN, SECONDS (60)) && read (ready[0], &answer, 1) == 1;
  close (ready[0]);
  if (!allowed)
    waitpid (debugger, NULL, 0);
  return allowed ? debugger : -1;
}

static gboolean
ends_in_time (pid_t pid)
{
  gint64 deadline = SECONDS (60);

  while (is_alive (pid) && g_get_monotonic_time () < deadline)
    poll (NULL, 0, 1);
  return !is_alive (pid);
}

/* Guard and watcher cannot run: the processes below them must not be left to init. */
static void
test_close_frozen (void)
{
  Fixture fixture;

  fixture_open (&fixture);
  {
    g_auto (Stub) stub = stub_start (&fixture, 1, "subreaper sleep:3 no-term report busy");
    pid_t pids[] = { stub_expect (&stub, "pid "), stub_expect (&stub, "pid "), stub_expect (&stub, "pid "),
                     stub_expect (&stub, "self "), tti_watcher_link_get_watcher_pid (fixture.link),
                     tti_watcher_link_get_guard_pid (fixture.link) };
    pid_t debugger = freeze (&pids[4], 2);

    if (debugger < 0)
      g_test_skip ("this system does not let a process trace another one");
    tti_watcher_link_close (fixture.link);
    for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
      g_assert_true (ends_in_time (pids[i]));
    if (debugger > 0)
      g_assert_cmpint (waitpid (debugger, NULL, 0), ==, debugger);
  }
  fixture_close (&fixture);
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watcher-close/frozen", test_close_frozen);
  return g_test_run ();
}
