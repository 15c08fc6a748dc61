/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Memory of other processes, from /proc. */
#include "platform/memory-usage.h"
#include "platform/control-group.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The contents of PATH, as far as they fit, as a string. FALSE if it cannot be read. */
static gboolean
text_read (const char *path, char *text, gsize size)
{
  tti_autofd int fd = open (path, O_RDONLY | O_CLOEXEC);
  gsize length = 0;

  while (fd >= 0 && length < size - 1)
    {
      gssize n = read (fd, text + length, size - 1 - length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        break;
      length += (gsize) n;
    }
  text[length] = '\0';
  return length > 0;
}

static gboolean
proc_read (pid_t pid, const char *name, char *text, gsize size)
{
  char path[48];

  g_snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, name);
  return text_read (path, text, size);
}

/* The number in the line of TEXT that begins with KEY; 0 if there is none. */
static guint64
line_number (const char *text, const char *key)
{
  gsize length = strlen (key);

  for (const char *line = text; line != NULL; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      if (strncmp (line, key, length) == 0)
        return g_ascii_strtoull (line + length, NULL, 10);
    }
  return 0;
}

static gint64
sum_kib (const char *text, const char *one, const char *other)
{
  return (gint64) (line_number (text, one) + line_number (text, other)) * 1024;
}

gint64
tti_memory_usage_peek (pid_t pid)
{
  char text[128], *rest;

  if (!proc_read (pid, "statm", text, sizeof text))
    return -1;
  strtoull (text, &rest, 10); /* the address space */
  guint64 resident = g_ascii_strtoull (rest, &rest, 10);
  guint64 shared = g_ascii_strtoull (rest, NULL, 10); /* files and shared memory */

  /* The two values are not read at the same moment. */
  return resident > shared ? (gint64) (resident - shared) * sysconf (_SC_PAGESIZE) : 0;
}

gint64
tti_memory_usage_get (pid_t pid)
{
  char text[4096];

  return proc_read (pid, "status", text, sizeof text) ? sum_kib (text, "RssAnon:", "VmSwap:") : -1;
}

gint64
tti_memory_usage_get_share (pid_t pid)
{
  char text[2048];

  return proc_read (pid, "smaps_rollup", text, sizeof text) ? sum_kib (text, "Pss_Anon:", "SwapPss:") : tti_memory_usage_get (pid);
}

gint64
tti_memory_usage_get_peak (pid_t pid)
{
  char text[4096];

  return proc_read (pid, "status", text, sizeof text) ? (gint64) line_number (text, "VmHWM:") * 1024 : -1;
}

guint64
tti_memory_count_oom_kills (const char *vmstat)
{
  char text[16384];

  return text_read (vmstat, text, sizeof text) ? line_number (text, "oom_kill ") : 0;
}

guint64
tti_memory_get_total (const char *proc)
{
  guint64 total = (guint64) sysconf (_SC_PHYS_PAGES) * (guint64) sysconf (_SC_PAGESIZE);
  g_auto (TtiControlGroup) group = { 0 };

  if (!tti_control_group_find (&group, proc, 0, "memory"))
    return total;
  do
    {
      gint64 limit = tti_control_group_get_memory_limit (&group);

      if (limit > 0)
        total = MIN (total, (guint64) limit);
    }
  while (tti_control_group_up (&group));
  return total;
}
