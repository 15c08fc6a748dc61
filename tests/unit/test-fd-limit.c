/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The limit on descriptors: counting, messages, and that it is raised only while something is opened. */
#include "platform/fd-limit.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rlimit
limit_now (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  return limit;
}

static void
limit_soft (rlim_t soft)
{
  struct rlimit limit = limit_now ();

  limit.rlim_cur = soft;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

/* How many descriptors are free, counted up to MOST. */
static guint
count_free (guint most)
{
  guint n = 0;

  while (n < most && tti_fd_check_free (n + 1, "a test", NULL))
    n++;
  return n;
}

static void
test_check (void)
{
  g_autoptr (GError) error = NULL;
  guint n_free;

  limit_soft (40);
  n_free = count_free (1000);
  g_assert_cmpuint (n_free, >, 0);
  g_assert_cmpuint (n_free, <, 40);
  g_assert_cmpuint (count_free (2), ==, 2);
  tti_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_cmpuint (count_free (1000), ==, n_free - 1);
  g_assert_true (tti_fd_check_free (n_free - 1, "a test", &error));
  g_assert_no_error (error);
  g_assert_false (tti_fd_check_free (n_free, "a test", &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_assert_nonnull (strstr (error->message, "a test needs"));
  g_assert_nonnull (strstr (error->message, "ulimit -n 41"));
}

/* A library must not change limits on its own. */
static void
test_library (void)
{
  limit_soft (40);
  tti_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  int before = fd;

  tti_fd_begin_opening ();
  g_assert_cmpuint (limit_now ().rlim_cur, ==, 40);
  tti_fd_end_opening ();
  tti_fd_move_up (&fd);
  g_assert_cmpint (fd, ==, before);

  /* With a limit that is high enough, long-lived descriptors move to high numbers. */
  limit_soft (FD_SETSIZE + 40);
  tti_fd_move_up (&fd);
  g_assert_cmpint (fd, >=, FD_SETSIZE);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (before, F_GETFD), ==, -1);
  int none = -1;
  tti_fd_move_up (&none);
  g_assert_cmpint (none, ==, -1);
}

static void
assert_in_copy (rlim_t soft)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (limit_now ().rlim_cur == soft ? 0 : 1);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

static void
test_program (void)
{
  rlim_t hard = limit_now ().rlim_max;

  if (hard < FD_SETSIZE + 40)
    {
      g_test_skip ("the hard limit of descriptors is too low");
      return;
    }
  limit_soft (40);
  tti_fd_use_hard_limit ();
  g_assert_cmpuint (count_free (500), ==, 500);
  tti_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  tti_fd_move_up (&fd);
  g_assert_cmpint (fd, >=, FD_SETSIZE);
  g_assert_cmpuint (limit_now ().rlim_cur, ==, 40);

  tti_fd_begin_opening ();
  tti_fd_begin_opening ();
  g_assert_cmpuint (limit_now ().rlim_cur, ==, hard);
  assert_in_copy (40);
  tti_fd_end_opening ();
  g_assert_cmpuint (limit_now ().rlim_cur, ==, hard);
  tti_fd_end_opening ();
  g_assert_cmpuint (limit_now ().rlim_cur, ==, 40);
  assert_in_copy (40);

  /* A limit that the program sets meanwhile is respected. */
  tti_fd_begin_opening ();
  limit_soft (50);
  tti_fd_end_opening ();
  g_assert_cmpuint (limit_now ().rlim_cur, ==, 50);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fd-limit/check", test_check);
  g_test_add_func ("/fd-limit/library", test_library);
  g_test_add_func ("/fd-limit/program", test_program);
  return g_test_run ();
}
