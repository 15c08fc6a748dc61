/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The variable is a list of KEY:VALUE, separated by spaces; values that a process cannot determine are absent. The last one,
 * "folder", extends to the end, whatever characters the path contains. */
#include "process/start-state.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
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

enum { IOPRIO_OF_PROCESS = 1, MAX_PROCESSORS = 1 << 16, MAX_GROUPS = 65536 };

/* --- taking it ----------------------------------------------------------------------------------------------------------- */

/* The umask, without changing it: other threads may be creating files. -1 if the kernel does not report it. */
static long
umask_read (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL) || (line = strstr (status, "\nUmask:")) == NULL)
    return -1;
  return strtol (line + strlen ("\nUmask:"), NULL, 8);
}

static void
append_limits (GString *text)
{
  struct rlimit limit;

  for (int resource = 0; resource < (int) RLIM_NLIMITS; resource++)
    if (getrlimit (resource, &limit) == 0)
      g_string_append_printf (text, " limit%d:%" G_GINT64_MODIFIER "x,%" G_GINT64_MODIFIER "x", resource, (guint64) limit.rlim_cur,
                              (guint64) limit.rlim_max);
}

static void
append_hex (GString *text, const char *key, const guint8 *bytes, gsize size)
{
  g_string_append_printf (text, " %s:", key);
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", bytes[i]);
}

static void
append_processors (GString *text)
{
  /* The kernel returns how many bytes it has filled in, and refuses a set that is smaller than its own. */
  for (gsize size = 128; size <= MAX_PROCESSORS / 8; size *= 2)
    {
      g_autofree guint8 *set = g_malloc0 (size);
      long n = syscall (SYS_sched_getaffinity, 0, size, set);

      if (n > 0)
        append_hex (text, "processors", set, (gsize) n);
      if (n > 0 || errno != EINVAL)
        return;
    }
}

static void
append_scheduling (GString *text)
{
  int policy = sched_getscheduler (0);
  struct sched_param param = { 0 };
  long io = syscall (SYS_ioprio_get, IOPRIO_OF_PROCESS, 0);

  errno = 0;
  int nice_value = getpriority (PRIO_PROCESS, 0);

  if (errno == 0)
    g_string_append_printf (text, " nice:%d", nice_value);
  if (policy >= 0 && sched_getparam (0, &param) == 0)
    g_string_append_printf (text, " policy:%d,%d", policy, param.sched_priority);
  if (io >= 0)
    g_string_append_printf (text, " io:%ld", io);
}

static void
append_user (GString *text)
{
  g_autofree gid_t *groups = g_new (gid_t, MAX_GROUPS);
  int n = getgroups (MAX_GROUPS, groups);
  uid_t uids[3];
  gid_t gids[3];

  if (n < 0 || getresuid (&uids[0], &uids[1], &uids[2]) < 0 || getresgid (&gids[0], &gids[1], &gids[2]) < 0)
    return;
  g_string_append_printf (text, " groups:%d", n);
  for (int i = 0; i < n; i++)
    g_string_append_printf (text, ",%u", groups[i]);
  g_string_append_printf (text, " group:%u,%u,%u user:%u,%u,%u", gids[0], gids[1], gids[2], uids[0], uids[1], uids[2]);
}

static void
append_mask (GString *text)
{
  sigset_t mask;
  guint64 bits = 0;

  if (pthread_sigmask (SIG_SETMASK, NULL, &mask) != 0)
    return;
  for (int signal = 1; signal <= 64; signal++)
    if (sigismember (&mask, signal) == 1)
      bits |= G_GUINT64_CONSTANT (1) << (signal - 1);
  g_string_append_printf (text, " blocked:%" G_GINT64_MODIFIER "x", bits);
}

TtiStartState *
tti_start_state_new (void)
{
  TtiStartState *state = g_new0 (TtiStartState, 1);
  GString *text = g_string_new (TTI_START_SETTING "=");
  long mask = umask_read ();

  tti_fd_begin_opening ();
  state->folder = open (".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  tti_fd_end_opening ();
  tti_fd_move_up (&state->folder);
  if (mask >= 0)
    g_string_append_printf (text, "umask:%lo", (gulong) mask);
  tti_fd_begin_usual_limit ();
  append_limits (text);
  tti_fd_end_usual_limit ();
  append_scheduling (text);
  append_processors (text);
  append_mask (text);
  append_user (text);
  if (state->folder < 0)
    {
      /* For instance a folder that its user may not search. Workers usually start in it anyway. */
      g_autofree char *path = g_get_current_dir ();

      g_string_append_printf (text, " folder:%s", path);
    }
  state->setting = g_string_free (text, FALSE);
  return state;
}

void
tti_start_state_free (TtiStartState *state)
{
  if (state == NULL)
    return;
  tti_fd_clear (&state->folder);
  g_free (state->setting);
  g_free (state);
}

/* --- entering it --------------------------------------------------------------------------------------------------------- */
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

static void
enter_nice (const char *value)
{
  int wanted = atoi (value);

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

  if (syscall (SYS_ioprio_get, IOPRIO_OF_PROCESS, 0) != wanted && syscall (SYS_ioprio_set, IOPRIO_OF_PROCESS, 0, wanted) < 0)
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
  g_autofree guint *wanted = g_new0 (guint, MAX_GROUPS + 1);
  g_autofree gid_t *now = g_new (gid_t, MAX_GROUPS);
  guint n = numbers (value, wanted, MAX_GROUPS + 1) - 1;
  int n_now = getgroups (MAX_GROUPS, now);

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
  { "processors", enter_processors }, { "blocked", enter_blocked }, { "groups", enter_groups }, { "group", enter_group },
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
