/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Saving and restoring state. All threads read TOUCHED without the lock. A task can replace the environment by assigning to
 * environ, which calls no function: so compare its address as well. */
#include "process/base-state-saver.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { N_STREAMS = 3, N_TIMERS = 3, N_SIGNALS = 64, STREAM_COPIES_FROM = 10, MAX_PROCESSORS_BYTES = 8192 };

static GRecMutex lock;
static __thread guint keeping; /* nesting depth of keepers in this thread */
static __thread guint64 kept_signals;
static __thread gboolean restoring; /* our own calls are no changes */

static struct
{
  guint depth;                 /* calls of begin () without end () */
  pid_t pid;
  pthread_t thread;            /* the thread that runs tasks */
  guint touched;               /* atomic: a bit for each part */
  char **environ_base;         /* environ, unless the environment is touched */
  char **environment;          /* copies of the variables, if it is */
  int folder;                  /* if touched; -1: only the path is known */
  char *path;
  mode_t mask;
  guint32 limits_saved;
  struct rlimit limits[RLIM_NLIMITS];
  int nice;
  int policy;
  struct sched_param param;
  guint8 processors[MAX_PROCESSORS_BYTES];
  long processors_size;
  guint64 signals_saved;
  struct sigaction actions[N_SIGNALS];
  sigset_t blocked;            /* always */
  int streams[N_STREAMS];      /* always: copies, -1 for /dev/null */
  gboolean keep_streams;
  guint timers_saved;
  struct itimerval timers[N_TIMERS];
  char *locale;
} base = { .folder = -1, .streams = { -1, -1, -1 } };

static void
leave_in_copy (void)
{
  base.depth = 0;
}

static gboolean
is_here (void)
{
  /* A child made by vfork () runs in our memory, but changes its own state. */
  return base.depth > 0 && !restoring && getpid () == base.pid;
}

static gboolean
part_is_touched (TtiBasePart part)
{
  return (__atomic_load_n (&base.touched, __ATOMIC_RELAXED) & 1u << part) != 0;
}

static void
part_touch (TtiBasePart part)
{
  __atomic_or_fetch (&base.touched, 1u << part, __ATOMIC_RELAXED);
}

/* --- noting --------------------------------------------------------------------------------------------------------------- */
static void
stream_copy (int stream)
{
  tti_fd_clear (&base.streams[stream]);
  base.streams[stream] = fcntl (stream, F_DUPFD_CLOEXEC, STREAM_COPIES_FROM);
}

static void
saver_begin (gboolean keep_streams)
{
  static gboolean prepared;

  g_rec_mutex_lock (&lock);
  if (base.depth++ == 0)
    {
      base.pid = getpid ();
      base.thread = pthread_self ();
      base.touched = 0;
      base.environ_base = environ;
      base.keep_streams = keep_streams;
      pthread_sigmask (SIG_SETMASK, NULL, &base.blocked);
      for (int stream = STDOUT_FILENO; keep_streams && stream <= STDERR_FILENO; stream++)
        stream_copy (stream);
      if (!prepared)
        pthread_atfork (NULL, NULL, leave_in_copy);
      prepared = TRUE;
    }
  g_rec_mutex_unlock (&lock);
}

static void
saver_end (void)
{
  g_rec_mutex_lock (&lock);
  if (base.depth > 0)
    base.depth--;
  g_rec_mutex_unlock (&lock);
}

static void
folder_save (void)
{
  tti_fd_clear (&base.folder);
  free (base.path);
  base.folder = open (".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  base.path = getcwd (NULL, 0);
}

static void
scheduling_save (void)
{
  base.policy = sched_getscheduler (0);
  (void) sched_getparam (0, &base.param);
}

static void
environment_save (char **settings)
{
  g_strfreev (base.environment);
  base.environment = settings != NULL ? g_strdupv (settings) : g_new0 (char *, 1);
}

/* Save the present state of the part. */
static void
part_save (TtiBasePart part, int which)
{
  switch (part)
    {
    case TTI_BASE_FOLDER:
      folder_save ();
      break;
    case TTI_BASE_ENVIRONMENT:
      environment_save (base.environ_base); /* not environ: it may have been assigned to */
      break;
    case TTI_BASE_LIMIT:
      if (which < 0 || which >= (int) RLIM_NLIMITS || getrlimit (which, &base.limits[which]) < 0)
        return;
      base.limits_saved |= 1u << which;
      break;
    case TTI_BASE_NICE:
      base.nice = getpriority (PRIO_PROCESS, 0);
      break;
    case TTI_BASE_SCHEDULING:
      scheduling_save ();
      break;
    case TTI_BASE_PROCESSORS:
      base.processors_size = syscall (SYS_sched_getaffinity, 0, sizeof base.processors, base.processors);
      break;
    case TTI_BASE_SIGNAL:
      if (which < 1 || which > N_SIGNALS || sigaction (which, NULL, &base.actions[which - 1]) < 0)
        return;
      base.signals_saved |= G_GUINT64_CONSTANT (1) << (which - 1);
      break;
    case TTI_BASE_STREAM:
      if (which < 0 || which >= N_STREAMS)
        return;
      break;
    case TTI_BASE_TIMER:
      if (which < 0 || which >= N_TIMERS || getitimer ((__itimer_which_t) which, &base.timers[which]) < 0)
        return;
      base.timers_saved |= 1u << which;
      break;
    case TTI_BASE_LOCALE:
      g_free (base.locale);
      base.locale = g_strdup (setlocale (LC_ALL, NULL));
      break;
    case TTI_BASE_UMASK:
    case TTI_BASE_BLOCKED:
    case TTI_BASE_INTERPRETER:
    case TTI_BASE_N_PARTS:
      break;
    }
  part_touch (part);
}

static gboolean
part_is_saved (TtiBasePart part, int which)
{
  if (!part_is_touched (part))
    return FALSE;
  if (part == TTI_BASE_LIMIT)
    return which >= 0 && which < (int) RLIM_NLIMITS && (base.limits_saved & 1u << which) != 0;
  if (part == TTI_BASE_SIGNAL)
    return which >= 1 && which <= N_SIGNALS && (base.signals_saved & G_GUINT64_CONSTANT (1) << (which - 1)) != 0;
  if (part == TTI_BASE_TIMER)
    return which >= 0 && which < N_TIMERS && (base.timers_saved & 1u << which) != 0;
  return TRUE;
}

static void
saver_changing (TtiBasePart part, int which)
{
  if (G_LIKELY (base.depth == 0) || keeping > 0)
    return;
  int saved_errno = errno;

  if (is_here () && (part != TTI_BASE_BLOCKED || pthread_equal (pthread_self (), base.thread)))
    {
      g_rec_mutex_lock (&lock);
      if (!part_is_saved (part, which))
        part_save (part, which);
      g_rec_mutex_unlock (&lock);
    }
  errno = saved_errno;
}

/* Set NAME in the saved environment to its present value. */
static void
environment_keep (const char *name)
{
  if (!part_is_touched (TTI_BASE_ENVIRONMENT))
    base.environ_base = environ;
  else if (name == NULL)
    environment_save (environ);
  else if (getenv (name) != NULL)
    base.environment = g_environ_setenv (base.environment, name, getenv (name), TRUE);
  else
    base.environment = g_environ_unsetenv (base.environment, name);
}

static void
saver_changed (TtiBasePart part, int which, const char *name)
{
  if (G_LIKELY (base.depth == 0) || keeping == 0)
    return;
  int saved_errno = errno;

  if (part == TTI_BASE_SIGNAL && which >= 1 && which <= N_SIGNALS)
    kept_signals |= G_GUINT64_CONSTANT (1) << (which - 1);
  if (is_here ())
    {
      g_rec_mutex_lock (&lock);
      if (part == TTI_BASE_ENVIRONMENT)
        environment_keep (name);
      else if (part == TTI_BASE_BLOCKED)
        {
          if (pthread_equal (pthread_self (), base.thread))
            pthread_sigmask (SIG_SETMASK, NULL, &base.blocked);
        }
      else if (part == TTI_BASE_STREAM)
        {
          if (base.keep_streams && which >= 0 && which < N_STREAMS)
            stream_copy (which);
        }
      else if (part_is_saved (part, which))
        part_save (part, which);
      g_rec_mutex_unlock (&lock);
    }
  errno = saved_errno;
}

static void
saver_umask_changed (mode_t before, mode_t now)
{
  if (G_LIKELY (base.depth == 0) || !is_here ())
    return;
  g_rec_mutex_lock (&lock);
  if (keeping > 0)
    base.mask = now;
  else if (!part_is_touched (TTI_BASE_UMASK))
    {
      base.mask = before;
      part_touch (TTI_BASE_UMASK);
    }
  g_rec_mutex_unlock (&lock);
}

static gboolean
saver_keeps_streams (void)
{
  return base.keep_streams && is_here ();
}

static void
saver_keep_begin (void)
{
  keeping++;
}

static guint64
saver_keep_end (void)
{
  guint64 signals = kept_signals;

  g_return_val_if_fail (keeping > 0, 0);
  if (--keeping > 0)
    return 0;
  kept_signals = 0;
  g_rec_mutex_lock (&lock);
  if (base.depth > 0 && !part_is_touched (TTI_BASE_ENVIRONMENT))
    base.environ_base = environ; /* it may have been assigned to */
  g_rec_mutex_unlock (&lock);
  return signals;
}

static gboolean
saver_is_touched (void)
{
  return base.depth > 0 && (__atomic_load_n (&base.touched, __ATOMIC_RELAXED) != 0 || environ != base.environ_base);
}

/* --- setting back --------------------------------------------------------------------------------------------------------- */
static void
complain (const char *what)
{
  fprintf (stderr, "tutti: cannot restore what a task has changed: %s: %s; later tasks see the change\n", what,
           g_strerror (errno));
}

static void
folder_restore (void)
{
  if ((base.folder < 0 || fchdir (base.folder) < 0) && (base.path == NULL || chdir (base.path) < 0))
    complain ("the working folder");
  tti_fd_clear (&base.folder);
  g_clear_pointer (&base.path, free);
}

static void
environment_restore (void)
{
  /* The task has only assigned to environ: the old environment is unchanged. */
  if (base.environment == NULL)
    environ = base.environ_base;
  else
    {
      clearenv ();
      for (char **setting = base.environment; *setting != NULL; setting++)
        {
          char *equals = strchr (*setting, '=');

          if (equals == NULL)
            continue;
          *equals = '\0';
          setenv (*setting, equals + 1, 1);
        }
      g_clear_pointer (&base.environment, g_strfreev);
    }
  base.environ_base = environ;
}

static void
limits_restore (void)
{
  for (int resource = 0; resource < (int) RLIM_NLIMITS; resource++)
    if ((base.limits_saved & 1u << resource) && setrlimit (resource, &base.limits[resource]) < 0)
      {
        g_autofree char *what = g_strdup_printf ("resource limit %d", resource);

        complain (what);
      }
  base.limits_saved = 0;
}

static void
signals_restore (void)
{
  for (int signal = 1; signal <= N_SIGNALS; signal++)
    if (base.signals_saved & G_GUINT64_CONSTANT (1) << (signal - 1))
      (void) sigaction (signal, &base.actions[signal - 1], NULL);
  base.signals_saved = 0;
}

static void
stream_restore (int stream)
{
  tti_autofd int null = -1;
  int source = base.streams[stream];

  if (source < 0 && stream == STDIN_FILENO)
    source = null = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  if (source >= 0 && dup2 (source, stream) < 0)
    complain (stream == STDOUT_FILENO ? "standard output" : stream == STDERR_FILENO ? "standard error" : "standard input");
}

static void
streams_restore (void)
{
  for (int stream = 0; base.keep_streams && stream < N_STREAMS; stream++)
    stream_restore (stream);
}

static void
timers_restore (void)
{
  for (int timer = 0; timer < N_TIMERS; timer++)
    if (base.timers_saved & 1u << timer)
      (void) setitimer ((__itimer_which_t) timer, &base.timers[timer], NULL);
  base.timers_saved = 0;
}

static void
part_restore (TtiBasePart part)
{
  switch (part)
    {
    case TTI_BASE_FOLDER:
      folder_restore ();
      break;
    case TTI_BASE_UMASK:
      umask (base.mask);
      break;
    case TTI_BASE_ENVIRONMENT:
      environment_restore ();
      break;
    case TTI_BASE_LIMIT:
      limits_restore ();
      break;
    case TTI_BASE_NICE:
      if (getpriority (PRIO_PROCESS, 0) != base.nice && setpriority (PRIO_PROCESS, 0, base.nice) < 0)
        complain ("the nice value");
      break;
    case TTI_BASE_SCHEDULING:
      if (base.policy >= 0 && sched_setscheduler (0, base.policy, &base.param) < 0)
        complain ("the scheduling policy");
      break;
    case TTI_BASE_PROCESSORS:
      if (base.processors_size > 0 && syscall (SYS_sched_setaffinity, 0, base.processors_size, base.processors) < 0)
        complain ("the set of processors");
      break;
    case TTI_BASE_SIGNAL:
      signals_restore ();
      break;
    case TTI_BASE_BLOCKED:
      pthread_sigmask (SIG_SETMASK, &base.blocked, NULL);
      break;
    case TTI_BASE_STREAM:
      streams_restore ();
      break;
    case TTI_BASE_TIMER:
      timers_restore ();
      break;
    case TTI_BASE_LOCALE:
      (void) setlocale (LC_ALL, base.locale);
      break;
    case TTI_BASE_INTERPRETER:
    case TTI_BASE_N_PARTS:
      break;
    }
}

static guint64
saver_restore (void)
{
  if (!saver_is_touched () || !is_here ())
    return 0;
  g_rec_mutex_lock (&lock);
  guint touched = base.touched | (environ != base.environ_base ? 1u << TTI_BASE_ENVIRONMENT : 0);
  guint64 signals = base.signals_saved;

  restoring = TRUE;
  for (guint part = 0; part < TTI_BASE_N_PARTS; part++)
    if (touched & 1u << part)
      part_restore ((TtiBasePart) part);
  __atomic_store_n (&base.touched, 0, __ATOMIC_RELAXED);
  restoring = FALSE;
  g_rec_mutex_unlock (&lock);
  return signals;
}

const TtiBaseOps tti_base_saver = {
  .begin = saver_begin, .end = saver_end, .changing = saver_changing, .changed = saver_changed, .umask_changed = saver_umask_changed,
  .keeps_streams = saver_keeps_streams, .keep_begin = saver_keep_begin, .keep_end = saver_keep_end, .is_touched = saver_is_touched,
  .restore = saver_restore,
};
