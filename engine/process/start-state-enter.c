/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Restoring the state, in the worker. */
#include "process/start-state-private.h"
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
complain (const char *what, const char *value)
{
  fprintf (stderr, "tutti-worker: cannot take over the script's %s %s: %s; going on without it\n", what, value, g_strerror (errno));
}

static void
enter_umask (const char *value)
{
  umask ((mode_t) strtoul (value, NULL, 8));
}

static void
enter_limit (int resource, const char *value)
{
  struct rlimit now, wanted;
  char *rest;

  wanted.rlim_cur = (rlim_t) g_ascii_strtoull (value, &rest, 16);
  wanted.rlim_max = *rest == ',' ? (rlim_t) g_ascii_strtoull (rest + 1, NULL, 16) : wanted.rlim_cur;
  if (getrlimit (resource, &now) < 0 || (now.rlim_cur == wanted.rlim_cur && now.rlim_max == wanted.rlim_max)
      || setrlimit (resource, &wanted) == 0)
    return;
  g_autofree char *name = g_strdup_printf ("resource limit %d of", resource);

  complain (name, value);
}

/* Each thread has its own, and Guile may have begun some. */
static void
enter_nice (const char *value)
{
  int wanted = atoi (value);
  DIR *tasks = opendir ("/proc/self/task");

  for (struct dirent *entry; tasks != NULL && (entry = readdir (tasks)) != NULL;)
    {
      id_t thread = (id_t) atoi (entry->d_name); /* 0 for "." and ".." */

      if (thread > 0 && getpriority (PRIO_PROCESS, thread) != wanted)
        (void) setpriority (PRIO_PROCESS, thread, wanted);
    }
  if (tasks != NULL)
    closedir (tasks);
  if (getpriority (PRIO_PROCESS, 0) != wanted && setpriority (PRIO_PROCESS, 0, wanted) < 0)
    complain ("nice value", value);
}

static void
enter_policy (const char *value)
{
  const char *comma = strchr (value, ',');
  struct sched_param now = { 0 }, wanted = { .sched_priority = comma != NULL ? atoi (comma + 1) : 0 };
  int policy = atoi (value);

  if (sched_getscheduler (0) == policy && sched_getparam (0, &now) == 0 && now.sched_priority == wanted.sched_priority)
    return;
  if (sched_setscheduler (0, policy, &wanted) < 0)
    complain ("scheduling policy", value);
}

static void
enter_io (const char *value)
{
  long wanted = atol (value);

  if (syscall (SYS_ioprio_get, TTI_IOPRIO_OF_PROCESS, 0) != wanted && syscall (SYS_ioprio_set, TTI_IOPRIO_OF_PROCESS, 0, wanted) < 0)
    complain ("I/O priority", value);
}

static void
enter_processors (const char *value)
{
  gsize size = strlen (value) / 2;
  g_autofree guint8 *wanted = g_malloc0 (size + 1), *now = g_malloc0 (size + 1);

  for (gsize i = 0; i < size; i++)
    wanted[i] = (guint8) (g_ascii_xdigit_value (value[2 * i]) << 4 | g_ascii_xdigit_value (value[2 * i + 1]));
  if (syscall (SYS_sched_getaffinity, 0, size, now) >= 0 && memcmp (now, wanted, size) == 0)
    return;
  if (syscall (SYS_sched_setaffinity, 0, size, wanted) < 0)
    complain ("set of processors", value);
}

static void
enter_blocked (const char *value)
{
  static const int never[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL }; /* the worker loop's handler needs them */
  guint64 bits = g_ascii_strtoull (value, NULL, 16);
  sigset_t mask;

  sigemptyset (&mask);
  for (int signal = 1; signal <= 64; signal++)
    if (bits & G_GUINT64_CONSTANT (1) << (signal - 1))
      sigaddset (&mask, signal);
  for (guint i = 0; i < G_N_ELEMENTS (never); i++)
    sigdelset (&mask, never[i]);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);
}

/* The numbers in VALUE, at most MAX of them. */
static guint
numbers (const char *value, guint *to, guint max)
{
  guint n = 0;

  for (char *rest = (char *) value; n < max; value = rest + 1)
    {
      to[n++] = (guint) strtoul (value, &rest, 10);
      if (*rest != ',')
        break;
    }
  return n;
}

static void
enter_groups (const char *value)
{
  g_autofree guint *wanted = g_new0 (guint, TTI_MOST_GROUPS + 1);
  g_autofree gid_t *now = g_new (gid_t, TTI_MOST_GROUPS);
  guint n = numbers (value, wanted, TTI_MOST_GROUPS + 1) - 1;
  int n_now = getgroups (TTI_MOST_GROUPS, now);

  G_STATIC_ASSERT (sizeof (gid_t) == sizeof (guint));
  if (n_now == (int) n && memcmp (now, wanted + 1, n * sizeof *now) == 0)
    return;
  if (setgroups (n, wanted + 1) < 0)
    complain ("groups", value);
}

static void
enter_group (const char *value)
{
  guint wanted[3] = { 0 };
  gid_t now[3];

  numbers (value, wanted, 3);
  if (getresgid (&now[0], &now[1], &now[2]) == 0 && memcmp (now, wanted, sizeof now) == 0)
    return;
  if (setresgid (wanted[0], wanted[1], wanted[2]) < 0)
    complain ("group", value);
}

/* FALSE if the script has dropped privileges that the worker would keep. */
static gboolean
enter_user (const char *value)
{
  guint wanted[3] = { 0 };
  uid_t now[3];

  numbers (value, wanted, 3);
  if (getresuid (&now[0], &now[1], &now[2]) == 0 && memcmp (now, wanted, sizeof now) == 0)
    return TRUE;
  if (setresuid (wanted[0], wanted[1], wanted[2]) == 0)
    {
      /* Otherwise it could not open its own files in /proc any more. */
      prctl (PR_SET_DUMPABLE, 1, 0, 0, 0);
      return TRUE;
    }
  fprintf (stderr, "tutti-worker: cannot become the user of the script (%s): %s\n", value, g_strerror (errno));
  return FALSE;
}

static gboolean
enter_folder (const char *path)
{
  g_autofree char *here = g_get_current_dir ();

  if (strcmp (here, path) == 0 || chdir (path) == 0)
    return TRUE;
  fprintf (stderr, "tutti-worker: cannot enter the script's working folder '%s': %s\n", path, g_strerror (errno));
  return FALSE;
}

static const struct { const char *key; void (*enter) (const char *value); } keys[] = {
  { "umask", enter_umask }, { "nice", enter_nice }, { "policy", enter_policy }, { "io", enter_io },
  { TTI_START_PROCESSORS, enter_processors }, { "blocked", enter_blocked }, { "groups", enter_groups }, { "group", enter_group },
};

static gboolean
enter_one (const char *key, const char *value)
{
  if (strcmp (key, "user") == 0)
    return enter_user (value);
  if (g_str_has_prefix (key, "limit"))
    {
      enter_limit (atoi (key + strlen ("limit")), value);
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (strcmp (key, keys[i].key) == 0)
      {
        keys[i].enter (value);
        return TRUE;
      }
  fprintf (stderr, "tutti-worker: " TTI_START_SETTING " has the unknown key '%s': library and tutti-worker are of different builds\n",
           key);
  return FALSE;
}

gboolean
tti_start_state_enter (void)
{
  g_autofree char *text = g_strdup (g_getenv (TTI_START_SETTING));
  gboolean entered = TRUE;

  if (text == NULL)
    return TRUE;
  g_unsetenv (TTI_START_SETTING);
  for (char *rest = text; entered && rest != NULL && *rest != '\0';)
    {
      char *colon = strchr (rest, ':');
      const char *key = rest;

      if (colon == NULL)
        {
          fprintf (stderr, "tutti-worker: " TTI_START_SETTING " is cut off at '%s'\n", rest);
          return FALSE;
        }
      *colon = '\0';
      if (strcmp (key, "folder") == 0)
        return enter_folder (colon + 1);
      rest = strchr (colon + 1, ' ');
      if (rest != NULL)
        *rest++ = '\0';
      entered = enter_one (key, colon + 1);
    }
  return entered;
}
