/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Replacements of libc's functions that change the state of the process: they do the same, but announce the change first
 * (process/base-state.h), so that it can be undone at the end of a task. As with those that create processes (tutti-worker-fork.c),
 * Guile and other libraries find these first. Libc itself restores what it changes internally, as system () does with signals. */
/* Depending on this, programs call functions for limits by one of two names. Both are defined here. */
#undef _FILE_OFFSET_BITS
#include "process/base-state.h"
#include "programs/tutti-worker-libc.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

int
chdir (const char *path)
{
  tti_base_changing (TTI_BASE_FOLDER, 0);
  int result = LIBC (chdir) (path);

  tti_base_changed (TTI_BASE_FOLDER, 0, NULL);
  return result;
}

int
fchdir (int fd)
{
  tti_base_changing (TTI_BASE_FOLDER, 0);
  int result = LIBC (fchdir) (fd);

  tti_base_changed (TTI_BASE_FOLDER, 0, NULL);
  return result;
}

mode_t
umask (mode_t mask)
{
  mode_t before = LIBC (umask) (mask);

  tti_base_umask_changed (before, mask);
  return before;
}

/* --- environment --- */

int
setenv (const char *name, const char *value, int replace)
{
  tti_base_changing (TTI_BASE_ENVIRONMENT, 0);
  int result = LIBC (setenv) (name, value, replace);

  tti_base_changed (TTI_BASE_ENVIRONMENT, 0, name);
  return result;
}

int
unsetenv (const char *name)
{
  tti_base_changing (TTI_BASE_ENVIRONMENT, 0);
  int result = LIBC (unsetenv) (name);

  tti_base_changed (TTI_BASE_ENVIRONMENT, 0, name);
  return result;
}

int
putenv (char *setting)
{
  g_autofree char *name = g_strndup (setting, strcspn (setting, "="));

  tti_base_changing (TTI_BASE_ENVIRONMENT, 0);
  int result = LIBC (putenv) (setting);

  tti_base_changed (TTI_BASE_ENVIRONMENT, 0, name);
  return result;
}

int
clearenv (void)
{
  tti_base_changing (TTI_BASE_ENVIRONMENT, 0);
  int result = LIBC (clearenv) ();

  tti_base_changed (TTI_BASE_ENVIRONMENT, 0, NULL);
  return result;
}

/* --- limits and scheduling --- */

int
setrlimit (__rlimit_resource_t resource, const struct rlimit *limit)
{
  tti_base_changing (TTI_BASE_LIMIT, (int) resource);
  int result = LIBC (setrlimit) (resource, limit);

  tti_base_changed (TTI_BASE_LIMIT, (int) resource, NULL);
  return result;
}

int
setrlimit64 (__rlimit_resource_t resource, const struct rlimit64 *limit)
{
  tti_base_changing (TTI_BASE_LIMIT, (int) resource);
  int result = LIBC (setrlimit64) (resource, limit);

  tti_base_changed (TTI_BASE_LIMIT, (int) resource, NULL);
  return result;
}

static gboolean
is_self (pid_t pid)
{
  return pid == 0 || pid == getpid ();
}

int
prlimit (pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit, struct rlimit *old)
{
  gboolean ours = limit != NULL && is_self (pid);

  if (ours)
    tti_base_changing (TTI_BASE_LIMIT, (int) resource);
  int result = LIBC (prlimit) (pid, resource, limit, old);

  if (ours)
    tti_base_changed (TTI_BASE_LIMIT, (int) resource, NULL);
  return result;
}

int
prlimit64 (pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *limit, struct rlimit64 *old)
{
  gboolean ours = limit != NULL && is_self (pid);

  if (ours)
    tti_base_changing (TTI_BASE_LIMIT, (int) resource);
  int result = LIBC (prlimit64) (pid, resource, limit, old);

  if (ours)
    tti_base_changed (TTI_BASE_LIMIT, (int) resource, NULL);
  return result;
}

int
nice (int step)
{
  tti_base_changing (TTI_BASE_NICE, 0);
  int result = LIBC (nice) (step);

  tti_base_changed (TTI_BASE_NICE, 0, NULL);
  return result;
}

int
setpriority (__priority_which_t which, id_t who, int priority)
{
  tti_base_changing (TTI_BASE_NICE, 0);
  int result = LIBC (setpriority) (which, who, priority);

  tti_base_changed (TTI_BASE_NICE, 0, NULL);
  return result;
}

int
sched_setscheduler (pid_t pid, int policy, const struct sched_param *param)
{
  gboolean ours = is_self (pid);

  if (ours)
    tti_base_changing (TTI_BASE_SCHEDULING, 0);
  int result = LIBC (sched_setscheduler) (pid, policy, param);

  if (ours)
    tti_base_changed (TTI_BASE_SCHEDULING, 0, NULL);
  return result;
}

int
sched_setparam (pid_t pid, const struct sched_param *param)
{
  gboolean ours = is_self (pid);

  if (ours)
    tti_base_changing (TTI_BASE_SCHEDULING, 0);
  int result = LIBC (sched_setparam) (pid, param);

  if (ours)
    tti_base_changed (TTI_BASE_SCHEDULING, 0, NULL);
  return result;
}

int
sched_setaffinity (pid_t pid, size_t size, const cpu_set_t *set)
{
  gboolean ours = is_self (pid);

  if (ours)
    tti_base_changing (TTI_BASE_PROCESSORS, 0);
  int result = LIBC (sched_setaffinity) (pid, size, set);

  if (ours)
    tti_base_changed (TTI_BASE_PROCESSORS, 0, NULL);
  return result;
}

/* --- signals and timers --- */

int
sigaction (int number, const struct sigaction *action, struct sigaction *old)
{
  if (action != NULL)
    tti_base_changing (TTI_BASE_SIGNAL, number);
  int result = LIBC (sigaction) (number, action, old);

  if (action != NULL)
    tti_base_changed (TTI_BASE_SIGNAL, number, NULL);
  return result;
}

sighandler_t
signal (int number, sighandler_t handler)
{
  tti_base_changing (TTI_BASE_SIGNAL, number);
  sighandler_t before = LIBC (signal) (number, handler);

  tti_base_changed (TTI_BASE_SIGNAL, number, NULL);
  return before;
}

int
sigprocmask (int how, const sigset_t *set, sigset_t *old)
{
  if (set != NULL)
    tti_base_changing (TTI_BASE_BLOCKED, 0);
  int result = LIBC (sigprocmask) (how, set, old);

  if (set != NULL)
    tti_base_changed (TTI_BASE_BLOCKED, 0, NULL);
  return result;
}

int
pthread_sigmask (int how, const sigset_t *set, sigset_t *old)
{
  if (set != NULL)
    tti_base_changing (TTI_BASE_BLOCKED, 0);
  int result = LIBC (pthread_sigmask) (how, set, old);

  if (set != NULL)
    tti_base_changed (TTI_BASE_BLOCKED, 0, NULL);
  return result;
}

unsigned int
alarm (unsigned int seconds)
{
  tti_base_changing (TTI_BASE_TIMER, ITIMER_REAL);
  unsigned int left = LIBC (alarm) (seconds);

  tti_base_changed (TTI_BASE_TIMER, ITIMER_REAL, NULL);
  return left;
}

int
setitimer (__itimer_which_t which, const struct itimerval *value, struct itimerval *old)
{
  tti_base_changing (TTI_BASE_TIMER, (int) which);
  int result = LIBC (setitimer) (which, value, old);

  tti_base_changed (TTI_BASE_TIMER, (int) which, NULL);
  return result;
}

/* --- descriptors and locale --- */

int
close (int fd)
{
  /* If a standard stream were closed, the next descriptor would get its number, for instance a pipe that Guile keeps, and the
   * stream could not be restored. So /dev/null takes its place until the end of the task. */
  if (fd >= 0 && fd <= STDERR_FILENO && tti_base_keeps_streams ())
    {
      int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

      tti_base_changing (TTI_BASE_STREAM, fd);
      if (null >= 0)
        {
          int result = LIBC (dup2) (null, fd);

          LIBC (close) (null);
          return result < 0 ? result : 0;
        }
    }
  return LIBC (close) (fd);
}

int
dup2 (int from, int to)
{
  gboolean stream = to >= 0 && to <= STDERR_FILENO;

  if (stream)
    tti_base_changing (TTI_BASE_STREAM, to);
  int result = LIBC (dup2) (from, to);

  if (stream)
    tti_base_changed (TTI_BASE_STREAM, to, NULL);
  return result;
}

int
dup3 (int from, int to, int flags)
{
  gboolean stream = to >= 0 && to <= STDERR_FILENO;

  if (stream)
    tti_base_changing (TTI_BASE_STREAM, to);
  int result = LIBC (dup3) (from, to, flags);

  if (stream)
    tti_base_changed (TTI_BASE_STREAM, to, NULL);
  return result;
}

char *
setlocale (int category, const char *locale)
{
  if (locale == NULL)
    return LIBC (setlocale) (category, locale);
  tti_base_changing (TTI_BASE_LOCALE, 0);
  char *result = LIBC (setlocale) (category, locale);

  tti_base_changed (TTI_BASE_LOCALE, 0, NULL);
  return result;
}
