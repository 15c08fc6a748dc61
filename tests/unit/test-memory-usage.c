/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The memory of other processes: real children, and files that look like the kernel's. */
#include "platform/memory-usage.h"
#include "platform/fd.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((gint64) 1 << 20)

typedef enum { NOTHING, OWN, SHARED, FROM_PARENT } Memory;

/* Populated memory. The kernel touches it: if we did, a sanitizer's shadow of it would be in memory as well. */
static guint8 *
map (gsize size, int flags)
{
  guint8 *bytes = mmap (NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  g_assert_true (bytes != MAP_FAILED);
  return bytes;
}

/* A child with SIZE bytes of MEMORY, all touched when this returns. */
static pid_t
start_child (Memory memory, gsize size)
{
  int pipe[2];
  char byte;

  g_assert_true (tti_fd_pipe (pipe, NULL));
  pid_t child = fork ();

  if (child == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL); /* even if this test fails */
      if (memory == OWN || memory == SHARED)
        map (size, memory == OWN ? MAP_PRIVATE : MAP_SHARED);
      if (write (pipe[1], "x", 1) != 1)
        _exit (1);
      for (;;)
        pause ();
    }
  g_assert_true (tti_fd_wait (pipe[0], POLLIN, g_get_monotonic_time () + 60 * G_USEC_PER_SEC));
  g_assert_cmpint (read (pipe[0], &byte, 1), ==, 1);
  tti_fd_clear (&pipe[0]);
  tti_fd_clear (&pipe[1]);
  return child;
}

static void
end_child (pid_t child)
{
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
}

static void
assert_between (gint64 value, gint64 low, gint64 high)
{
  g_assert_cmpint (value, >=, low);
  g_assert_cmpint (value, <=, high);
}

/* A process has the memory that it touched and a little more; under a sanitizer the rest is larger, but the same in all children. */
static void
test_own (void)
{
  pid_t idle = start_child (NOTHING, 0), child = start_child (OWN, 64 * MIB);
  gint64 (*const get[]) (pid_t) = { tti_memory_usage_peek, tti_memory_usage_get, tti_memory_usage_get_share };

  for (guint i = 0; i < G_N_ELEMENTS (get); i++)
    assert_between (get[i](child) - get[i](idle), 63 * MIB, 66 * MIB);
  end_child (child);
  end_child (idle);
}

static void
test_shared_memory_does_not_count (void)
{
  pid_t idle = start_child (NOTHING, 0), child = start_child (SHARED, 64 * MIB);

  assert_between (tti_memory_usage_peek (child) - tti_memory_usage_peek (idle), -MIB, MIB);
  assert_between (tti_memory_usage_get (child) - tti_memory_usage_get (idle), -MIB, MIB);
  assert_between (tti_memory_usage_get_share (child) - tti_memory_usage_get_share (idle), -MIB, MIB);
  end_child (child);
  end_child (idle);
}

/* Pages shared since a fork count fully for each process, but only once in the sum of the proportional shares. */
static void
test_forked (void)
{
  gint64 before = tti_memory_usage_get_share (getpid ());
  guint8 *bytes = map (64 * MIB, MAP_PRIVATE);
  pid_t child = start_child (FROM_PARENT, 0);

  g_assert_cmpint (tti_memory_usage_get (child), >=, 64 * MIB);
  g_assert_cmpint (tti_memory_usage_get (getpid ()), >=, 64 * MIB);
  assert_between (tti_memory_usage_get_share (child) + tti_memory_usage_get_share (getpid ()) - before, 60 * MIB, 80 * MIB);
  end_child (child);
  munmap (bytes, 64 * MIB);
}

static void
test_gone (void)
{
  pid_t child = start_child (NOTHING, 0);

  kill (child, SIGKILL);
  siginfo_t info;

  g_assert_cmpint (waitid (P_PID, (id_t) child, &info, WEXITED | WNOWAIT), ==, 0);
  g_assert_cmpint (tti_memory_usage_peek (child), ==, 0); /* a zombie has none */
  g_assert_cmpint (tti_memory_usage_get (child), ==, 0);
  g_assert_cmpint (tti_memory_usage_get_share (child), ==, 0);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_assert_cmpint (tti_memory_usage_peek (child), ==, -1);
  g_assert_cmpint (tti_memory_usage_get (child), ==, -1);
  g_assert_cmpint (tti_memory_usage_get_share (child), ==, -1);
}

static guint64
count_in (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return tti_memory_count_oom_kills (path);
}

static void
test_oom_kills (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-memory-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "vmstat", NULL);

  g_assert_cmpuint (tti_memory_count_oom_kills (path), ==, 0);
  g_assert_cmpuint (count_in (path, "nr_free_pages 7\noom_kill 12\noom_kill_x 3\n"), ==, 12);
  g_assert_cmpuint (count_in (path, "oom_kill 5\n"), ==, 5);
  g_assert_cmpuint (count_in (path, "nr_oom_kill 5\n"), ==, 0);
  g_assert_cmpuint (count_in (path, ""), ==, 0);
  /* The kernel's own has the line, although near its end. */
  g_autofree char *real = NULL;

  g_assert_true (g_file_get_contents ("/proc/vmstat", &real, NULL, NULL));
  const char *line = strstr (real, "\noom_kill ");

  g_assert_nonnull (line);
  g_assert_cmpuint (tti_memory_count_oom_kills ("/proc/vmstat"), >=, g_ascii_strtoull (line + strlen ("\noom_kill "), NULL, 10));
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory-usage/own", test_own);
  g_test_add_func ("/memory-usage/shared", test_shared_memory_does_not_count);
  g_test_add_func ("/memory-usage/forked", test_forked);
  g_test_add_func ("/memory-usage/gone", test_gone);
  g_test_add_func ("/memory-usage/oom-kills", test_oom_kills);
  return g_test_run ();
}
