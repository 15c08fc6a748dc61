/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes that tasks leave behind, and those that must stay: this program is the worker, and contains the functions of
 * tutti-worker that replace libc's. */
#include "process/worker-orphans.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS(n) (g_get_monotonic_time () + (n) * G_TIME_SPAN_SECOND)

enum { N_TOLD = 16 };
static pid_t *told; /* reports of the processes below, in memory shared with them */

/* That is, for longer than any test: a failing test must leave nothing behind either. */
static void G_GNUC_NORETURN
pause_for_ever (void)
{
  alarm (60);
  for (;;)
    pause ();
}

/* fork (), and store the pid of the child in told[WHERE]. */
static pid_t
fork_telling (int where)
{
  pid_t pid = fork ();

  if (pid != 0)
    told[where] = pid;
  return pid;
}

static void
await_telling (int where)
{
  gint64 deadline = SECONDS (60);

  while (*(volatile pid_t *) &told[where] == 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, deadline);
      poll (NULL, 0, 1);
    }
}

/* Make an orphan whose pid is in told[WHERE], with a child in a session of its own in told[WHERE + 1]; an orphan that exits at once
 * if SHORT_LIVED, without a child. */
static void
make_orphan (int where, gboolean short_lived)
{
  pid_t middle = fork ();

  g_assert_cmpint (middle, >=, 0);
  if (middle == 0)
    {
      if (fork_telling (where) != 0)
        _exit (0);
      if (short_lived)
        _exit (3);
      if (fork_telling (where + 1) == 0)
        setsid ();
      pause_for_ever ();
    }
  g_assert_cmpint (waitpid (middle, NULL, 0), ==, middle);
  if (!short_lived)
    await_telling (where + 1);
}

static void
assert_gone (pid_t pid)
{
  g_assert_cmpint (pid, >, 0);
  g_assert_cmpint (kill (pid, 0), ==, -1);
  g_assert_cmpint (errno, ==, ESRCH);
}

static void
assert_no_child (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

/* Check that CHILD still runs; end it. */
static void
assert_alive_and_end (pid_t child)
{
  int status;

  g_assert_cmpint (waitpid (child, &status, WNOHANG), ==, 0);
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
}

static void
test_none (void)
{
  errno = 0;
  tti_worker_orphans_end ();
  assert_no_child ();
}

static void
test_orphans (void)
{
  for (int i = 0; i < 4; i++)
    make_orphan (2 * i, FALSE);
  tti_worker_orphans_end ();
  for (int i = 0; i < 8; i++)
    assert_gone (told[i]);
  assert_no_child ();
}

static void
test_zombies (void)
{
  make_orphan (0, TRUE);
  tti_worker_orphans_end ();
  assert_gone (told[0]);
  assert_no_child ();
}

/* A child of our own with a child of its own: both stay, and the orphan beside them does not. */
static void
test_own (void)
{
  pid_t child = fork ();

  if (child == 0)
    {
      fork_telling (2);
      pause_for_ever ();
    }
  await_telling (2);
  make_orphan (0, FALSE);
  tti_worker_orphans_end ();
  assert_gone (told[0]);
  assert_gone (told[1]);
  g_assert_cmpint (kill (told[2], 0), ==, 0);
  assert_alive_and_end (child);
  /* Now it is an orphan. */
  tti_worker_orphans_end ();
  assert_gone (told[2]);
  assert_no_child ();
}

static void
test_own_zombie (void)
{
  siginfo_t info;
  int status;
  pid_t child = fork ();

  if (child == 0)
    _exit (7);
  g_assert_cmpint (waitid (P_PID, (id_t) child, &info, WEXITED | WNOWAIT), ==, 0);
  tti_worker_orphans_end ();
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
  assert_no_child ();
}

/* At the end of a task that starts a child and returns at once, again and again. */
static void
test_own_at_once (void)
{
  for (int i = 0; i < 50; i++)
    {
      pid_t child = fork ();

      if (child == 0)
        pause_for_ever ();
      tti_worker_orphans_end ();
      assert_alive_and_end (child);
    }
  assert_no_child ();
}

/* Pids of children that are gone are forgotten, also in a task that makes very many. */
static void
test_many (void)
{
  pid_t kept = fork ();

  if (kept == 0)
    pause_for_ever ();
  for (int i = 0; i < 300; i++)
    {
      pid_t child = fork ();

      if (child == 0)
        _exit (0);
      g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
    }
  make_orphan (0, FALSE);
  tti_worker_orphans_end ();
  assert_gone (told[0]);
  assert_alive_and_end (kept);
}

static char *sleeping[] = { "sleep", "60", NULL };

static void
test_posix_spawn (void)
{
  pid_t one, other;

  g_assert_cmpint (posix_spawnp (&one, "sleep", NULL, NULL, sleeping, environ), ==, 0);
  g_assert_cmpint (posix_spawn (&other, "/bin/sleep", NULL, NULL, sleeping, environ), ==, 0);
  tti_worker_orphans_end ();
  assert_alive_and_end (one);
  assert_alive_and_end (other);
  g_assert_cmpint (posix_spawn (NULL, "/nonexistent/program", NULL, NULL, sleeping, environ), ==, ENOENT);
}

static void
child_setup (gpointer data)
{
  (void) data;
}

/* GLib uses posix_spawn () where it can, fork () where it must. */
static void
test_glib (void)
{
  GSpawnFlags flags = G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD;
  GPid one, other;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_spawn_async (NULL, sleeping, NULL, flags, NULL, NULL, &one, &error));
  g_assert_true (g_spawn_async (NULL, sleeping, NULL, flags, child_setup, NULL, &other, &error));
  tti_worker_orphans_end ();
  assert_alive_and_end (one);
  assert_alive_and_end (other);
}

static void
test_popen (void)
{
  make_orphan (0, FALSE);
  FILE *stream = popen ("cat > /dev/null; exit 5", "w");

  g_assert_nonnull (stream);
  tti_worker_orphans_end ();
  assert_gone (told[0]);
  g_assert_cmpint (fputs ("still there\n", stream), >=, 0);
  g_assert_cmpint (fflush (stream), ==, 0);
  int status = pclose (stream);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 5);
  assert_no_child ();
}

/* The shell ends at once, and what it has left becomes our child while we look for the shell. */
static void
test_popen_leaves (void)
{
  for (guint i = 0; i < 100; i++)
    {
      int pid = 0;
      FILE *stream = popen ("sleep 60 > /dev/null 2>&1 & echo $!", "r");

      g_assert_nonnull (stream);
      g_assert_cmpint (fscanf (stream, "%d", &pid), ==, 1);
      g_assert_cmpint (pclose (stream), ==, 0);
      tti_worker_orphans_end ();
      assert_gone (pid);
    }
  assert_no_child ();
}

static void
test_forkpty (void)
{
  tti_autofd int terminal = -1;
  pid_t child = forkpty (&terminal, NULL, NULL, NULL);

  if (child == 0)
    pause_for_ever ();
  g_assert_cmpint (child, >, 0);
  tti_worker_orphans_end ();
  assert_alive_and_end (child);
}

/* A forked copy of a worker remembers nothing, and ends nothing. */
static void
test_copy (void)
{
  pid_t copy = fork ();

  if (copy == 0)
    {
      pid_t child = fork ();

      if (child == 0)
        pause_for_ever ();
      gboolean remembers = tti_worker_child_begin ();
      tti_worker_orphans_end ();
      gboolean alive = waitpid (child, NULL, WNOHANG) == 0;
      kill (child, SIGKILL);
      _exit (!remembers && alive ? 0 : 1);
    }
  int status;
  g_assert_cmpint (waitpid (copy, &status, 0), ==, copy);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  tti_worker_orphans_end ();
  assert_no_child ();
}

static void
run (gconstpointer test)
{
  for (int i = 0; i < N_TOLD; i++)
    told[i] = 0;
  ((void (*) (void)) test) ();
}

int
main (int argc, char **argv)
{
  static const struct { const char *path; void (*test) (void); } cases[] = {
    { "/worker-orphans/none", test_none },
    { "/worker-orphans/trees", test_orphans },
    { "/worker-orphans/zombies", test_zombies },
    { "/worker-orphans/own", test_own },
    { "/worker-orphans/own-zombie", test_own_zombie },
    { "/worker-orphans/own-at-once", test_own_at_once },
    { "/worker-orphans/own-many", test_many },
    { "/worker-orphans/own/posix-spawn", test_posix_spawn },
    { "/worker-orphans/own/glib", test_glib },
    { "/worker-orphans/own/popen", test_popen },
    { "/worker-orphans/own/popen-leaves", test_popen_leaves },
    { "/worker-orphans/own/forkpty", test_forkpty },
    { "/worker-orphans/copy", test_copy },
  };

  g_test_init (&argc, &argv, NULL);
  told = mmap (NULL, N_TOLD * sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (told != MAP_FAILED);
  g_assert_true (tti_process_become_subreaper (NULL));
  tti_worker_orphans_start ();
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, (gconstpointer) cases[i].test, run);
  return g_test_run ();
}
