/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The limit on descriptors. */
#include "platform/fd-limit.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fork.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

static gint hard_allowed; /* atomic */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_opening = PTHREAD_COND_INITIALIZER;
static guint n_opening;      /* how many callers are between begin and end */
static struct rlimit usual;  /* the limit before that */

/* With the lock held. If somebody has changed the limit meanwhile, leave it as they want it. */
static void
limit_restore (void)
{
  struct rlimit now;

  if (getrlimit (RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == now.rlim_max)
    setrlimit (RLIMIT_NOFILE, &usual);
}

static void
limit_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
limit_unlock (void)
{
  pthread_mutex_unlock (&lock);
}

/* In a forked copy of this process: the threads that were opening something exist in the original only. */
static void
limit_own (void)
{
  if (n_opening > 0)
    limit_restore ();
  n_opening = 0;
}

static void
follow_forks (void)
{
  tti_fork_protect (limit_lock, limit_unlock, limit_own);
}

void
tti_fd_use_hard_limit (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, follow_forks);
  g_atomic_int_set (&hard_allowed, TRUE);
}

void
tti_fd_begin_opening (void)
{
  if (!g_atomic_int_get (&hard_allowed))
    return;
  pthread_mutex_lock (&lock);
  if (n_opening++ == 0 && getrlimit (RLIMIT_NOFILE, &usual) == 0 && usual.rlim_cur < usual.rlim_max)
    setrlimit (RLIMIT_NOFILE, &(struct rlimit) { usual.rlim_max, usual.rlim_max });
  pthread_mutex_unlock (&lock);
}

void
tti_fd_end_opening (void)
{
  if (!g_atomic_int_get (&hard_allowed))
    return;
  int saved_errno = errno;

  pthread_mutex_lock (&lock);
  /* 0: raising the limit was allowed only after the matching begin. */
  if (n_opening > 0 && --n_opening == 0)
    {
      if (usual.rlim_cur < usual.rlim_max)
        limit_restore ();
      pthread_cond_broadcast (&none_opening);
    }
  pthread_mutex_unlock (&lock);
  errno = saved_errno;
}

void
tti_fd_make_room (void)
{
  tti_fd_begin_opening ();
  int fd = fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, FD_SETSIZE);

  if (fd >= 0)
    close (fd);
  tti_fd_end_opening ();
}

void
tti_fd_begin_usual_limit (void)
{
  pthread_mutex_lock (&lock);
  while (n_opening > 0)
    pthread_cond_wait (&none_opening, &lock);
}

void
tti_fd_end_usual_limit (void)
{
  pthread_mutex_unlock (&lock);
}

void
tti_fd_move_up (int *fd)
{
  if (*fd < 0 || *fd >= FD_SETSIZE)
    return;
  tti_fd_begin_opening ();
  int copy = fcntl (*fd, F_DUPFD_CLOEXEC, FD_SETSIZE);

  tti_fd_end_opening ();
  if (copy < 0)
    return;
  tti_fd_clear (fd);
  *fd = copy;
}

/* How many descriptors the engine may have. */
static guint
limit_get (void)
{
  struct rlimit limit;
  gboolean hard = g_atomic_int_get (&hard_allowed);

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0)
    return 0;
  return (guint) MIN (hard ? limit.rlim_max : limit.rlim_cur, G_MAXINT);
}

/* How many descriptors the engine can open now, counted up to MOST. */
static guint
count_free (guint most)
{
  guint limit = limit_get (), n = 0;

  for (guint fd = 0; fd < limit && n < most; fd++)
    n += fcntl ((int) fd, F_GETFD) < 0;
  return n;
}

gboolean
tti_fd_check_free (guint n, const char *what, GError **error)
{
  guint n_free = count_free (n);
  struct rlimit limit;

  if (n_free >= n || getrlimit (RLIMIT_NOFILE, &limit) < 0)
    return TRUE;
  guint allowed = limit_get (), wanted = allowed - n_free + n;

  g_autofree char *advice = wanted <= limit.rlim_max
    ? g_strdup_printf ("raise it before the program is started: ulimit -n %u", wanted)
    : g_strdup_printf ("at least %u are needed, and the hard limit (ulimit -Hn) is %" G_GUINT64_FORMAT ": ask whoever sets it, or close "
                       "what is not needed", wanted, (guint64) limit.rlim_max);

  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE,
               "%s needs %u file descriptors, but of the %u that this process may have (ulimit -n) only %u are free; %s", what, n, allowed,
               n_free, advice);
  return FALSE;
}
