/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The mark that processes inherit, and descriptions of processes. */
#include "platform/fd.h"
#include "platform/process-mark.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (20 * G_TIME_SPAN_SECOND)

/* Start SCRIPT with SETTING in its environment. */
static pid_t
start (const char *script, const char *setting)
{
  const char *argv[] = { "sh", "-c", script, NULL }, *envp[] = { "PATH=/usr/bin:/bin", setting, NULL };
  int fds[] = { -1, STDERR_FILENO, STDERR_FILENO };
  TtiSpawn spawn = { .path = "/bin/sh", .argv = argv, .envp = envp, .fds = fds, .n_fds = G_N_ELEMENTS (fds) };
  g_autoptr (GError) error = NULL;
  pid_t pid = tti_spawn (&spawn, &error);

  g_assert_no_error (error);
  return pid;
}

/* Those who have MARK. Other programs of this machine may be unclear, but none is for long. */
static GArray *
find_marked (const char *mark)
{
  gint64 limit = g_get_monotonic_time () + LIMIT;
  gboolean unclear;

  for (;;)
    {
      g_autoptr (GArray) found = tti_process_marked (mark, &unclear);

      g_assert_nonnull (found);
      if (!unclear || found->len > 0)
        return g_steal_pointer (&found);
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
    }
}

static guint
count_marked (const char *mark)
{
  g_autoptr (GArray) found = find_marked (mark);

  return found->len;
}

static void
await_marked (const char *mark, guint n)
{
  gint64 limit = g_get_monotonic_time () + LIMIT;

  while (count_marked (mark) != n)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

static void
end (pid_t pid)
{
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

/* Until there is none: the shell may have been about to start one more. */
static void
end_marked (const char *mark)
{
  for (guint n = 1; n > 0;)
    {
      g_autoptr (GArray) found = find_marked (mark);

      n = found->len;
      for (guint i = 0; i < n; i++)
        {
          tti_autofd int pidfd = tti_process_open (g_array_index (found, pid_t, i), NULL);

          if (pidfd < 0)
            continue;
          tti_process_kill (pidfd);
          g_assert_true (tti_fd_wait (pidfd, POLLIN, g_get_monotonic_time () + LIMIT));
        }
    }
}

static void
test_new (void)
{
  g_autofree char *one = tti_process_mark_new (), *other = tti_process_mark_new ();

  g_assert_cmpstr (one, !=, other);
  g_assert_null (strchr (one, ':'));
}

/* Sessions, groups, and parents that are gone do not matter. */
static void
test_inherited (void)
{
  g_autofree char *mark = tti_process_mark_new (), *setting = tti_process_mark_setting (mark);
  pid_t pid = start ("setsid sleep 1000 & (sleep 1000 &) ; exec sleep 1000", setting);

  await_marked (mark, 3);
  end (pid);
  await_marked (mark, 2);
  end_marked (mark);
}

/* If /proc or a process cannot be read, the answer is not "none". */
static void
test_no_descriptors (void)
{
  g_autofree char *mark = tti_process_mark_new (), *setting = tti_process_mark_setting (mark);
  pid_t pid = start ("exec sleep 1000", setting);
  g_autoptr (GArray) used = g_array_new (FALSE, FALSE, sizeof (int));
  struct rlimit before, few;
  gboolean unclear;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  few = (struct rlimit){ MIN (before.rlim_cur, 64), before.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  await_marked (mark, 1);
  for (int fd; (fd = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;)
    g_array_append_val (used, fd);
  for (guint n_free = 0; n_free < 2; n_free++)
    {
      g_assert_null (tti_process_marked (mark, &unclear));
      g_assert_cmpint (errno, ==, EMFILE);
      g_assert_null (tti_process_scan ());
      g_assert_null (tti_process_children (getppid ()));
      g_assert_false (tti_process_end_children_but (NULL, 0));
      close (g_array_index (used, int, n_free));
    }
  await_marked (mark, 1);
  for (guint i = 2; i < used->len; i++)
    close (g_array_index (used, int, i));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  end (pid);
  await_marked (mark, 0);
}

/* A run inside a run has both marks; a mark that is a part of another one does not match it. */
static void
test_nested (void)
{
  g_autofree char *outer = tti_process_mark_new (), *inner = tti_process_mark_new ();

  g_setenv (TTI_PROCESS_MARK, outer, TRUE);
  g_autofree char *setting = tti_process_mark_setting (inner);

  g_unsetenv (TTI_PROCESS_MARK);
  pid_t pid = start ("exec sleep 1000", setting);

  await_marked (inner, 1);
  g_assert_cmpuint (count_marked (outer), ==, 1);
  outer[strlen (outer) - 1] = '\0';
  g_assert_cmpuint (count_marked (outer), ==, 0);
  g_assert_cmpuint (count_marked (inner + 1), ==, 0);
  end (pid);
}

/* A process that calls execve all the time has no environment in between: the search reports that as unclear. */
static void
test_restless (void)
{
  g_autofree char *mark = tti_process_mark_new (), *setting = tti_process_mark_setting (mark);
  pid_t pid = start ("s='exec sh -c \"$0\" \"$0\"'; exec sh -c \"$s\" \"$s\"", setting);

  await_marked (mark, 1);
  for (guint i = 0; i < 500; i++)
    g_assert_cmpuint (count_marked (mark), ==, 1);
  end (pid);
  await_marked (mark, 0);
}

static void
test_state (void)
{
  pid_t pid = start ("exec sleep 1000", "A=b");
  gint64 limit = g_get_monotonic_time () + LIMIT;

  while (tti_process_get_state (pid) != 'S')
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  g_assert_false (tti_process_is_stopped (pid));
  kill (pid, SIGSTOP);
  while (!tti_process_is_stopped (pid))
    g_assert_cmpint (g_get_monotonic_time (), <, limit);
  g_autofree char *stopped = tti_process_describe (pid);

  g_assert_nonnull (strstr (stopped, "; state T: stopped)"));
  g_assert_false (tti_process_is_foreign (pid));
  end (pid);
  g_autofree char *gone = tti_process_describe (pid);

  g_assert_cmpint (tti_process_get_state (pid), ==, '\0');
  g_assert_null (strchr (gone, '('));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/process-mark/new", test_new);
  g_test_add_func ("/process-mark/inherited", test_inherited);
  g_test_add_func ("/process-mark/no-descriptors", test_no_descriptors);
  g_test_add_func ("/process-mark/nested", test_nested);
  g_test_add_func ("/process-mark/restless", test_restless);
  g_test_add_func ("/process-mark/state", test_state);
  return g_test_run ();
}
