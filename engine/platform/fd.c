/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Descriptors that no program inherits by accident, and waiting for them. */
#include "platform/fd.h"
#include "platform/error.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/socket.h>
#include <unistd.h>

void
tti_fd_clear (int *fd)
{
  if (*fd < 0)
    return;
  /* Cleanups run between a failed call and the code that reads errno. Do not repeat close () after EINTR: on Linux it has closed
   * the descriptor, whose number another thread may have got meanwhile. */
  int saved_errno = errno;

  close (g_steal_fd (fd));
  errno = saved_errno;
}

gboolean
tti_fd_open_standard (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    /* FD is the lowest free number, as those below are open. */
    if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", O_RDWR) < 0)
      return FALSE;
  return TRUE;
}

gboolean
tti_fd_socket_pair (int type, int fds[2], GError **error)
{
  tti_fd_begin_opening ();
  int made = socketpair (AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);

  tti_fd_end_opening ();
  if (made == 0)
    return TRUE;
  fds[0] = fds[1] = -1;
  tti_set_errno (error, errno, "cannot make a pair of sockets");
  return FALSE;
}

gboolean
tti_fd_pipe (int fds[2], GError **error)
{
  tti_fd_begin_opening ();
  int made = pipe2 (fds, O_CLOEXEC);

  tti_fd_end_opening ();
  if (made < 0)
    {
      fds[0] = fds[1] = -1;
      tti_set_errno (error, errno, "cannot make a pipe");
      return FALSE;
    }
  /* Not pipe2's O_NONBLOCK: the write end becomes the stdout of a program, which does not expect EAGAIN. */
  if (fcntl (fds[0], F_SETFL, O_NONBLOCK) < 0)
    {
      tti_set_errno (error, errno, "cannot make a pipe non-blocking");
      tti_fd_clear (&fds[0]);
      tti_fd_clear (&fds[1]);
      return FALSE;
    }
  return TRUE;
}

int
tti_fd_accept (int listener)
{
  int fd;

  tti_fd_begin_opening ();
  fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  tti_fd_end_opening ();
  if (fd >= 0)
    tti_fd_move_up (&fd);
  return fd;
}

int
tti_fd_open_wakeup (GError **error)
{
  tti_fd_begin_opening ();
  int wakeup = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  tti_fd_end_opening ();
  if (wakeup < 0)
    tti_set_errno (error, errno, "cannot make an eventfd");
  return wakeup;
}

void
tti_fd_wake (int wakeup)
{
  guint64 one = 1;

  /* EAGAIN means that the counter is full: it is readable already. */
  while (write (wakeup, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

void
tti_fd_drain (int fd)
{
  guint64 count;

  while (read (fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
}

int
tti_fd_open_timer (GError **error)
{
  tti_fd_begin_opening ();
  int timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

  tti_fd_end_opening ();
  if (timer < 0)
    tti_set_errno (error, errno, "cannot make a timer");
  return timer;
}

void
tti_fd_set_timer (int timer, gint64 when)
{
  gint64 at = MAX (when, 1); /* 0 would mean never */
  struct itimerspec spec = { .it_value = { .tv_sec = (time_t) (at / G_USEC_PER_SEC), .tv_nsec = (long) (at % G_USEC_PER_SEC) * 1000 } };

  if (timerfd_settime (timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
    g_critical ("timerfd_settime: %s", g_strerror (errno));
}

int
tti_fd_reopen_read_only (int fd, GError **error)
{
  char path[32];

  /* A descriptor from dup () or from a socket shares the open file and its mode; only a new open () gets a mode of its own. */
  g_snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
  tti_fd_begin_opening ();
  int copy = open (path, O_RDONLY | O_CLOEXEC);

  tti_fd_end_opening ();
  if (copy < 0)
    tti_set_errno (error, errno, "cannot reopen %s read-only", path);
  return copy;
}

/* The time until DEADLINE; NULL: for ever. */
static const struct timespec *
deadline_remaining (gint64 deadline, struct timespec *remaining)
{
  if (deadline < 0)
    return NULL;
  gint64 left = MAX (deadline - g_get_monotonic_time (), 0);

  remaining->tv_sec = (time_t) (left / G_TIME_SPAN_SECOND);
  remaining->tv_nsec = (long) (left % G_TIME_SPAN_SECOND) * 1000;
  return remaining;
}

void
tti_fd_leave_output (void)
{
  int nothing = open ("/dev/null", O_RDWR | O_CLOEXEC);

  if (nothing < 0)
    return;
  dup2 (nothing, STDOUT_FILENO);
  dup2 (nothing, STDERR_FILENO);
  close (nothing);
}

gboolean
tti_fd_wait (int fd, short events, gint64 deadline)
{
  struct pollfd wanted = { .fd = fd, .events = events };
  struct timespec remaining;
  int n;

  g_return_val_if_fail (fd >= 0, FALSE);
  do
    n = ppoll (&wanted, 1, deadline_remaining (deadline, &remaining), NULL);
  while (n < 0 && errno == EINTR);
  return n > 0;
}
