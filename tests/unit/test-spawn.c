/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Spawning: the child gets exactly the requested descriptors, signals and process group. */
#include "platform/spawn.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE (g_get_monotonic_time () + 60 * G_TIME_SPAN_SECOND)

static const char *const no_environment[] = { NULL };

/* All bytes from FD until its end. */
static char *
read_all (int fd)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gint64 deadline = DEADLINE;
  char buffer[4096];
  gssize n;

  for (;;)
    {
      g_assert_true (tti_fd_wait (fd, POLLIN, deadline));
      n = read (fd, buffer, sizeof buffer);
      if (n == 0)
        return g_string_free (g_steal_pointer (&text), FALSE);
      g_assert_cmpint (n, >, 0);
      g_string_append_len (text, buffer, n);
    }
}

static int
wait_for (pid_t pid)
{
  int status;

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* What SCRIPT prints when FDS is its descriptor map; -2 in FDS stands for its output. */
static char *
run (const char *script, const int *fds, guint n_fds, gboolean new_group)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "sh", "-c", script, NULL };
  g_autofree int *map = g_memdup2 (fds, n_fds * sizeof (int));
  int output[2];

  g_assert_true (tti_fd_pipe (output, NULL));
  for (guint i = 0; i < n_fds; i++)
    map[i] = fds[i] == -2 ? output[1] : fds[i];
  TtiSpawn spawn = { .path = "/bin/sh", .argv = argv, .envp = no_environment, .fds = map, .n_fds = n_fds, .new_group = new_group };
  pid_t pid = tti_spawn (&spawn, &error);

  g_assert_no_error (error);
  tti_fd_clear (&output[1]);
  char *text = read_all (output[0]);

  tti_fd_clear (&output[0]);
  g_assert_cmpint (wait_for (pid), ==, 0);
  return text;
}

static void
test_only_these (void)
{
  /* Left open and inheritable on purpose. */
  int leak = fcntl (STDERR_FILENO, F_DUPFD, 50);
  tti_autofd int file = open ("/dev/zero", O_RDONLY | O_CLOEXEC);
  g_autofree char *text = run ("ls -1 /proc/$$/fd; readlink /proc/$$/fd/0 /proc/$$/fd/3",
                               (int[]){ -1, -2, STDERR_FILENO, file }, 4, FALSE);

  close (leak);
  g_assert_cmpstr (text, ==, "0\n1\n2\n3\n/dev/null\n/dev/zero\n");
}

/* The sources are targets of one another, and one maps to itself. */
static void
test_collisions (void)
{
  int base = 20;

  for (int i = 0; i < 3; i++)
    {
      g_autofree char *name = g_strdup_printf ("/proc/self/%s", ((const char *[]){ "stat", "status", "maps" })[i]);
      int fd = open (name, O_RDONLY | O_CLOEXEC);

      g_assert_cmpint (dup3 (fd, base + i, O_CLOEXEC), ==, base + i);
      close (fd);
    }
  int map[23];

  for (int i = 0; i < 20; i++)
    map[i] = i == 1 ? -2 : i == 2 ? STDERR_FILENO : -1;
  map[20] = 21;
  map[21] = 20;
  map[22] = 22;
  g_autofree char *text = run ("for i in 20 21 22; do basename $(readlink /proc/$$/fd/$i); done", map, 23, FALSE);

  for (int i = 0; i < 3; i++)
    close (base + i);
  g_assert_cmpstr (text, ==, "status\nstat\nmaps\n");
}

static void
test_signals (void)
{
  sigset_t blocked, before;

  signal (SIGUSR1, SIG_IGN);
  signal (SIGPIPE, SIG_IGN);
  sigfillset (&blocked);
  pthread_sigmask (SIG_SETMASK, &blocked, &before);
  g_autofree char *text = run ("sed -n 's/^Sig\\(Blk\\|Ign\\):[[:space:]]*//p' /proc/self/status", (int[]){ -1, -2, 2 }, 3, FALSE);

  pthread_sigmask (SIG_SETMASK, &before, NULL);
  signal (SIGUSR1, SIG_DFL);
  signal (SIGPIPE, SIG_DFL);
  char *end;
  guint64 child_blocked = g_ascii_strtoull (text, &end, 16), child_ignored = g_ascii_strtoull (end, NULL, 16);
  /* The C library has signals 32 and 33 for its threads, and has a spawned program ignore them until it sets them
   * up. */
  guint64 internal = (guint64) 3 << (32 - 1);

  g_assert_cmphex (child_blocked, ==, 0);
  g_assert_cmphex (child_ignored & ~internal, ==, 0);
}

static void
test_group (void)
{
  g_autofree char *own = g_strdup_printf ("%d\n", (int) getpgrp ());
  g_autofree char *ours = run ("cut -d ' ' -f 5 /proc/$$/stat", (int[]){ -1, -2, 2 }, 3, FALSE);
  g_autofree char *theirs = run ("echo $(cut -d ' ' -f 5 /proc/$$/stat) $$", (int[]){ -1, -2, 2 }, 3, TRUE);
  g_auto (GStrv) words = g_strsplit (g_strstrip (theirs), " ", 2);

  g_assert_cmpstr (ours, ==, own);
  g_assert_cmpstr (words[0], ==, words[1]);
}

static void
assert_no_children (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static void
assert_refused (const char *path, const int *fds, guint n_fds, int expected)
{
  g_autoptr (GError) error = NULL;
  const char *argv[] = { "x", NULL };
  TtiSpawn spawn = { .path = path, .argv = argv, .envp = no_environment, .fds = fds, .n_fds = n_fds };
  pid_t pid = tti_spawn (&spawn, &error);

  g_assert_cmpint (errno, ==, expected);
  g_assert_cmpint (pid, ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, g_strerror (expected)));
  assert_no_children ();
}

static void
test_refused (void)
{
  g_autofree char *path = g_build_filename (g_get_tmp_dir (), "tutti-spawn-XXXXXX", NULL);
  tti_autofd int file = g_mkstemp (path);

  assert_refused ("/nowhere/at-all", NULL, 0, ENOENT);
  assert_refused ("sh", NULL, 0, ENOENT); /* no search in PATH */
  assert_refused (path, NULL, 0, EACCES);
  g_assert_cmpint (fchmod (file, 0700), ==, 0);
  g_assert_cmpint (write (file, "echo not a program\n", 19), ==, 19);
  tti_fd_clear (&file);
  assert_refused (path, NULL, 0, ENOEXEC); /* it must not become a shell script */
  assert_refused ("/bin/true", (int[]){ 12345 }, 1, EBADF);
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/spawn/descriptors/only-these", test_only_these);
  g_test_add_func ("/spawn/descriptors/collisions", test_collisions);
  g_test_add_func ("/spawn/signals", test_signals);
  g_test_add_func ("/spawn/group", test_group);
  g_test_add_func ("/spawn/refused", test_refused);
  return g_test_run ();
}
