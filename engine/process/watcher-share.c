/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "process/watcher-share.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

guint64
tti_watcher_raise_descriptors (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0)
    return 0;
  guint64 before = limit.rlim_cur;

  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  return before;
}

int
tti_watcher_get_oom_score (void)
{
  g_autofree char *text = NULL;

  return g_file_get_contents ("/proc/self/oom_score_adj", &text, NULL, NULL) ? atoi (text) : 0;
}

void
tti_watcher_set_oom_score (pid_t pid, int score)
{
  char path[48], text[16];
  int length = g_snprintf (text, sizeof text, "%d", CLAMP (score, -1000, 1000));

  g_snprintf (path, sizeof path, "/proc/%d/oom_score_adj", (int) pid);
  tti_autofd int fd = open (path, O_WRONLY | O_CLOEXEC);

  /* The process may be dead already, and a kernel without this file chooses by other criteria. */
  if (fd >= 0 && write (fd, text, (gsize) length) < 0)
    g_debug ("%s: %s", path, g_strerror (errno));
}
