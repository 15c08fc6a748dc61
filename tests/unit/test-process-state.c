/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes and threads that the kernel is ending, before they are gone. */
#include "platform/process-state.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS(n) (g_get_monotonic_time () + (n) * G_TIME_SPAN_SECOND)

static gpointer
thread_end (G_GNUC_UNUSED gpointer data)
{
  return NULL;
}

static gpointer
thread_sleep (G_GNUC_UNUSED gpointer data)
{
  for (;;)
    pause ();
  return NULL;
}

/* A child with two threads that sleep, and one that has ended. */
static pid_t
start_child (void)
{
  int ready[2];
  char byte;

  g_assert_true (tti_fd_pipe (ready, NULL));
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      alarm (120);
      g_thread_join (g_thread_new ("ends", thread_end, NULL));
      g_thread_unref (g_thread_new ("sleeps", thread_sleep, NULL));
      g_assert_cmpint (write (ready[1], "x", 1), ==, 1);
      thread_sleep (NULL);
    }
  g_assert_true (tti_fd_wait (ready[0], POLLIN, SECONDS (60)));
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  tti_fd_clear (&ready[0]);
  tti_fd_clear (&ready[1]);
  return pid;
}

static void
test_alive (void)
{
  pid_t pid = start_child ();

  g_assert_false (tti_process_is_ending (getpid ()));
  g_assert_false (tti_process_is_ending (pid));
  kill (pid, SIGSTOP);
  g_assert_cmpint (waitpid (pid, NULL, WUNTRACED), ==, pid);
  g_assert_false (tti_process_is_ending (pid));
  /* It is pending for a process that is stopped, and may be ignored or handled later. */
  kill (pid, SIGTERM);
  g_assert_false (tti_process_is_ending (pid));
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

static void
test_killed (void)
{
  pid_t pid = start_child ();

  /* From the blow on, whether its threads have had the processor since or not, until it is reaped. */
  kill (pid, SIGKILL);
  gint64 end = SECONDS (60);

  while (!tti_process_is_ending (pid))
    g_assert_cmpint (g_get_monotonic_time (), <, end);
  siginfo_t info = { 0 };

  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), ==, 0);
  g_assert_true (tti_process_is_ending (pid));
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_false (tti_process_is_ending (pid));
}

/* The first thread has ended, which for the kernel is a zombie now; the process lives in another. */
static void
test_first_thread (void)
{
  pid_t pid = fork ();
  siginfo_t info = { 0 };

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      alarm (120);
      g_thread_unref (g_thread_new ("sleeps", thread_sleep, NULL));
      pthread_exit (NULL);
    }
  gint64 end = SECONDS (60);

  while (tti_process_get_state (pid) != 'Z')
    g_assert_cmpint (g_get_monotonic_time (), <, end);
  g_assert_cmpint (waitid (P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT), ==, 0);
  g_assert_cmpint (info.si_pid, ==, 0);
  g_assert_false (tti_process_is_ending (pid));
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/process-state/ending/alive", test_alive);
  g_test_add_func ("/process-state/ending/killed", test_killed);
  g_test_add_func ("/process-state/ending/first-thread", test_first_thread);
  return g_test_run ();
}
