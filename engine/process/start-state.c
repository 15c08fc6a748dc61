/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Recording the state. Values that a process cannot determine are absent. */
#include "process/start-state-private.h"
#include "platform/cpu-set.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_PROCESSORS = 1 << 16, MOST_NICE = 19 };

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
append_hex (GString *text, const guint8 *bytes, gsize size)
{
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
        {
          g_string_append (text, " " TTI_START_PROCESSORS ":");
          append_hex (text, set, (gsize) n);
        }
      if (n > 0 || errno != EINVAL)
        return;
    }
}

/* Where the processors are in SETTING, and how many characters they have; NULL: nowhere. */
static const char *
find_processors (const char *setting, gsize *length)
{
  static const char key[] = TTI_START_PROCESSORS ":";
  const char *found = setting + strlen (TTI_START_SETTING "=");

  /* What is behind the folder is its name. */
  for (; !g_str_has_prefix (found, key); found++)
    if (g_str_has_prefix (found, "folder:") || (found = strchr (found, ' ')) == NULL)
      return NULL;
  *length = strspn (found + strlen (key), "0123456789abcdef");
  return found + strlen (key);
}

GArray *
tti_start_state_get_processors (const char *setting)
{
  gsize length = 0;
  const char *hex = find_processors (setting, &length);
  g_autofree guint8 *mask = g_malloc0 (length / 2 + 1);

  if (hex == NULL)
    return NULL;
  for (gsize i = 0; i < length / 2; i++)
    mask[i] = (guint8) (g_ascii_xdigit_value (hex[2 * i]) << 4 | g_ascii_xdigit_value (hex[2 * i + 1]));
  return tti_cpus_from_mask (mask, length / 2);
}

char *
tti_start_state_set_processors (const char *setting, const GArray *cpus)
{
  gsize length = 0, size = cpus->len > 0 ? (g_array_index (cpus, guint, cpus->len - 1) / 64 + 1) * 8 : 8;
  const char *said = setting != NULL ? setting : TTI_START_SETTING "=", *hex = find_processors (said, &length);
  const char *rest = hex != NULL ? hex + length : said + strlen (TTI_START_SETTING "=");
  GString *text = g_string_new_len (said, (hex != NULL ? hex : rest) - said);

  if (hex != NULL)
    size = length / 2;
  else
    g_string_append (text, TTI_START_PROCESSORS ":");
  g_autofree guint8 *mask = g_malloc0 (size);

  (void) tti_cpus_to_mask (cpus, mask, size);
  append_hex (text, mask, size);
  if (hex == NULL && *rest != '\0')
    g_string_append_c (text, ' ');
  g_string_append (text, rest);
  return g_string_free (text, FALSE);
}

static void
append_scheduling (GString *text)
{
  int policy = sched_getscheduler (0);
  struct sched_param param = { 0 };
  long io = syscall (SYS_ioprio_get, TTI_IOPRIO_OF_PROCESS, 0);

  errno = 0;
  int nice_value = getpriority (PRIO_PROCESS, 0);

  /* Where all compute, the script has the processor first: it hands out tasks, takes answers, and is who is asked to stop. */
  if (errno == 0)
    g_string_append_printf (text, " nice:%d", MIN (nice_value + 1, MOST_NICE));
  if (policy >= 0 && sched_getparam (0, &param) == 0)
    g_string_append_printf (text, " policy:%d,%d", policy, param.sched_priority);
  if (io >= 0)
    g_string_append_printf (text, " io:%ld", io);
}

static void
append_user (GString *text)
{
  g_autofree gid_t *groups = g_new (gid_t, TTI_MOST_GROUPS);
  int n = getgroups (TTI_MOST_GROUPS, groups);
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
