/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A probe wakes who waits for it, in another process too, and is kept for who does not wait yet. */
#include "transport/probe.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static gpointer
wait_for_two (gpointer data)
{
  TtiProbe *probe = data;

  while (tti_probe_count (probe) < 2)
    tti_probe_wait (probe, tti_probe_count (probe));
  return GUINT_TO_POINTER (tti_probe_count (probe));
}

static void
test_thread (void)
{
  TtiProbe probe = { 0 };
  GThread *thread = g_thread_new ("waits", wait_for_two, &probe);

  tti_probe_send (&probe);
  tti_probe_send (&probe);
  g_assert_cmpuint (GPOINTER_TO_UINT (g_thread_join (thread)), ==, 2);
}

static void
test_sent_before (void)
{
  TtiProbe probe = { 0 };

  tti_probe_send (&probe);
  tti_probe_wait (&probe, 0); /* returns at once */
  g_assert_cmpuint (tti_probe_count (&probe), ==, 1);
}

static void
test_process (void)
{
  TtiProbe *probe = mmap (NULL, sizeof *probe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int status;

  g_assert_true (probe != MAP_FAILED);
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      alarm (60);
      (void) wait_for_two (probe);
      _exit (7);
    }
  tti_probe_send (probe);
  g_usleep (1000);
  tti_probe_send (probe);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
  munmap (probe, sizeof *probe);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/probe/thread", test_thread);
  g_test_add_func ("/probe/sent-before", test_sent_before);
  g_test_add_func ("/probe/process", test_process);
  return g_test_run ();
}
