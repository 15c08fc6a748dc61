/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Descriptors: flags, blocking and failures as documented. */
#include "platform/fd.h"
#include "platform/error.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static void
assert_flags (int fd, gboolean nonblocking)
{
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint ((fcntl (fd, F_GETFL) & O_NONBLOCK) != 0, ==, nonblocking);
}

static void
test_clear (void)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  int copy = fd;

  errno = ENOTTY;
  tti_fd_clear (&fd);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpint (errno, ==, ENOTTY);
  g_assert_cmpint (fcntl (copy, F_GETFD), ==, -1);
  tti_fd_clear (&fd);
  g_assert_cmpint (fd, ==, -1);
}

static void
test_clear_keeps_errno (void)
{
  int closed = open ("/dev/null", O_RDONLY | O_CLOEXEC);

  close (closed);
  errno = ENOTTY;
  tti_fd_clear (&closed); /* close () fails with EBADF */
  g_assert_cmpint (errno, ==, ENOTTY);
}

static void
test_socket_pair (void)
{
  g_autoptr (GError) error = NULL;
  int fds[2], type;
  socklen_t length = sizeof type;

  g_assert_true (tti_fd_socket_pair (SOCK_SEQPACKET, fds, &error));
  g_assert_no_error (error);
  assert_flags (fds[0], TRUE);
  assert_flags (fds[1], TRUE);
  g_assert_cmpint (getsockopt (fds[0], SOL_SOCKET, SO_TYPE, &type, &length), ==, 0);
  g_assert_cmpint (type, ==, SOCK_SEQPACKET);
  g_assert_cmpint (write (fds[0], "x", 1), ==, 1);
  g_assert_true (tti_fd_wait (fds[1], POLLIN, 0));
  tti_fd_clear (&fds[0]);
  tti_fd_clear (&fds[1]);

  g_assert_false (tti_fd_socket_pair (12345, fds, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_assert_cmpint (fds[0], ==, -1);
  g_assert_cmpint (fds[1], ==, -1);
}

static void
test_pipe (void)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_true (tti_fd_pipe (fds, &error));
  g_assert_no_error (error);
  assert_flags (fds[0], TRUE);
  assert_flags (fds[1], FALSE);
  tti_fd_clear (&fds[1]);
  g_assert_true (tti_fd_wait (fds[0], POLLIN, 0)); /* hung up */
  tti_fd_clear (&fds[0]);
}

static void
test_no_descriptors_left (void)
{
  g_autoptr (GError) error = NULL;
  struct rlimit before, none;
  int fds[2];

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  none = before;
  none.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  gboolean made = tti_fd_pipe (fds, &error);
  int wakeup = tti_fd_open_wakeup (NULL);

  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_false (made);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE);
  g_assert_nonnull (strstr (error->message, g_strerror (EMFILE)));
  g_assert_cmpint (fds[0], ==, -1);
  g_assert_cmpint (wakeup, ==, -1);
}

static void
test_wakeup (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int wakeup = tti_fd_open_wakeup (&error);

  g_assert_no_error (error);
  assert_flags (wakeup, TRUE);
  g_assert_false (tti_fd_wait (wakeup, POLLIN, 0));
  tti_fd_drain (wakeup); /* must not block */
  tti_fd_wake (wakeup);
  tti_fd_wake (wakeup);
  g_assert_true (tti_fd_wait (wakeup, POLLIN, 0));
  tti_fd_drain (wakeup);
  g_assert_false (tti_fd_wait (wakeup, POLLIN, 0));

  guint64 nearly_full = G_MAXUINT64 - 1;

  g_assert_cmpint (write (wakeup, &nearly_full, sizeof nearly_full), ==, sizeof nearly_full);
  tti_fd_wake (wakeup); /* must not block either */
  g_assert_true (tti_fd_wait (wakeup, POLLIN, 0));
}

static void
test_read_only (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int fd = memfd_create ("test", MFD_CLOEXEC);
  char text[4] = "";

  g_assert_cmpint (write (fd, "abc", 3), ==, 3);
  tti_autofd int copy = tti_fd_reopen_read_only (fd, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fcntl (copy, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (pread (copy, text, 3, 0), ==, 3);
  g_assert_cmpstr (text, ==, "abc");
  g_assert_cmpint (pwrite (copy, "x", 1, 0), ==, -1);
  g_assert_true (mmap (NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0) == MAP_FAILED);

  g_assert_cmpint (tti_fd_reopen_read_only (12345, &error), ==, -1);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
}

static int alarms;

static void
count_alarm (G_GNUC_UNUSED int signal_number)
{
  alarms++;
}

static void
test_wait_interrupted (void)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int wakeup = tti_fd_open_wakeup (&error);
  struct sigaction action = { .sa_handler = count_alarm }; /* no SA_RESTART: poll is interrupted anyway */
  struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &often, NULL);
  gint64 deadline = g_get_monotonic_time () + 50 * G_TIME_SPAN_MILLISECOND;

  g_assert_false (tti_fd_wait (wakeup, POLLIN, deadline));
  g_assert_cmpint (g_get_monotonic_time (), >=, deadline);
  setitimer (ITIMER_REAL, &never, NULL);
  g_assert_cmpint (alarms, >, 0);
}

/* In a process of its own: this one's output is read by the harness. */
static void
test_open_standard (void)
{
  if (g_test_subprocess ())
    {
      struct stat null, found;

      close (0);
      close (2);
      if (!tti_fd_open_standard () || stat ("/dev/null", &null) != 0)
        _exit (1);
      for (int fd = 0; fd < 3; fd += 2)
        if (fstat (fd, &found) != 0 || found.st_rdev != null.st_rdev || fcntl (fd, F_GETFD) != 0)
          _exit (2);
      /* Open descriptors stay unchanged. */
      _exit (fstat (1, &found) == 0 && found.st_rdev != null.st_rdev ? 0 : 3);
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fd/clear", test_clear);
  g_test_add_func ("/fd/clear/keeps-errno", test_clear_keeps_errno);
  g_test_add_func ("/fd/open-standard", test_open_standard);
  g_test_add_func ("/fd/socket-pair", test_socket_pair);
  g_test_add_func ("/fd/pipe", test_pipe);
  g_test_add_func ("/fd/none-left", test_no_descriptors_left);
  g_test_add_func ("/fd/wakeup", test_wakeup);
  g_test_add_func ("/fd/read-only", test_read_only);
  g_test_add_func ("/fd/wait/interrupted", test_wait_interrupted);
  return g_test_run ();
}
