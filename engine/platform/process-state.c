/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What other processes are doing, from /proc. */
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

gboolean
tti_process_is_stopped (pid_t pid)
{
  char state = tti_process_get_state (pid);

  return state == 'T' || state == 't';
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
