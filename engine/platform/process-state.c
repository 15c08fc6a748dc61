/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What other processes are doing, from /proc. */
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gboolean
tti_process_is_stopped (pid_t pid)
{
  char state = tti_process_get_state (pid);

  return state == 'T' || state == 't';
}

/* What the kernel says of a thread in /proc/PID/task/TID/stat. */
typedef struct
{
  gboolean exits; /* is on its way out, or is a zombie */
  gboolean killed; /* SIGKILL is pending: each thread gets one when its process ends */
} ThreadEnd;

static ThreadEnd
thread_read_end (int tasks, const char *name)
{
  enum { FLAGS = 9 - 3, PENDING = 31 - 3, EXITING = 0x4, SIGKILL_BIT = 1 << (SIGKILL - 1) };
  char text[512];
  const char *field = tti_process_read_stat (tasks, name, text, sizeof text);
  ThreadEnd end = { FALSE, FALSE };

  for (guint i = 0; field != NULL && i <= PENDING; i++)
    {
      if (i == FLAGS)
        end.exits = (strtoul (field, NULL, 10) & EXITING) != 0;
      else if (i == PENDING)
        end.killed = (strtoul (field, NULL, 10) & SIGKILL_BIT) != 0;
      field = strchr (field, ' ');
      field += field != NULL;
    }
  return end;
}

gboolean
tti_thread_is_ending (int tasks, const char *name)
{
  ThreadEnd end = thread_read_end (tasks, name);

  return end.exits || end.killed;
}

gboolean
tti_process_is_ending (pid_t pid)
{
  char path[32];
  guint n = 0, n_exit = 0;
  gboolean killed = FALSE;

  g_snprintf (path, sizeof path, "/proc/%d/task", (int) pid);
  DIR *tasks = opendir (path);

  if (tasks == NULL)
    return FALSE;
  for (struct dirent *entry; !killed && (entry = readdir (tasks)) != NULL;)
    if (g_ascii_isdigit (entry->d_name[0]))
      {
        ThreadEnd end = thread_read_end (dirfd (tasks), entry->d_name);

        killed = end.killed;
        n_exit += end.exits;
        n++;
      }
  closedir (tasks);
  /* A thread that ends while others stay says nothing of the process. */
  return killed || (n > 0 && n_exit == n);
}

gboolean
tti_process_is_foreign (pid_t pid)
{
  return kill (pid, 0) < 0 && errno == EPERM;
}

pid_t
tti_process_get_number (int pidfd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", pidfd), *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return -1;
  const char *line = strstr (text, "\nPid:");

  return line != NULL ? (pid_t) g_ascii_strtoll (line + strlen ("\nPid:"), NULL, 10) : -1;
}

gint64
tti_process_get_cpu_limit (pid_t pid)
{
  static const char key[] = "Max cpu time";
  g_autofree char *path = g_strdup_printf ("/proc/%d/limits", (int) pid), *text = NULL;
  const char *line = g_file_get_contents (path, &text, NULL, NULL) ? strstr (text, key) : NULL;
  char soft[24], hard[24];

  /* If it is a number there is a limit; otherwise it is "unlimited". At the soft limit the kernel sends SIGXCPU, which may be
   * handled. */
  if (line == NULL || sscanf (line + strlen (key), "%23s %23s", soft, hard) != 2 || !g_ascii_isdigit (hard[0]))
    return -1;
  return g_ascii_strtoll (hard, NULL, 10);
}

static const char *
state_meaning (char state)
{
  switch (state)
    {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "in an uninterruptible system call, or frozen";
    case 'T':
      return "stopped";
    case 't':
      return "stopped by a debugger";
    case 'Z':
      return "dead, not reaped by its parent";
    default:
      return "unknown";
    }
}

char *
tti_process_describe (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/comm", (int) pid), *name = NULL;
  char state = tti_process_get_state (pid);

  if (state == '\0' || !g_file_get_contents (path, &name, NULL, NULL))
    return g_strdup_printf ("process %d", (int) pid);
  return g_strdup_printf ("process %d (%s; state %c: %s%s)", (int) pid, g_strchomp (name), state, state_meaning (state),
                          tti_process_is_foreign (pid) ? "; it runs as another user" : "");
}
