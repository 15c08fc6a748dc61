/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "programs/companion-side.h"
#include "platform/fd.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 10 };

int
tti_companion_refuse (const char *reason)
{
  dprintf (TTI_COMPANION_REASONS, "%s\n", reason);
  return 1;
}

gboolean
tti_companion_begin (int *word, int *status)
{
  int ends[2];
  pid_t pid = pipe (ends) == 0 ? fork () : -1;

  if (pid < 0)
    {
      *status = tti_companion_refuse (g_strerror (errno));
      return FALSE;
    }
  if (pid > 0)
    {
      char good = 0;

      close (ends[1]);
      *status = read (ends[0], &good, 1) == 1 ? 0 : 1;
      return FALSE;
    }
  close (ends[0]);
  setsid ();
  (void) setpriority (PRIO_PROCESS, 0, NICE);
  *word = ends[1];
  return TRUE;
}

gboolean
tti_companion_ready (int word)
{
  gboolean awaited = write (word, "", 1) == 1;

  close (word);
  close (TTI_COMPANION_REASONS);
  close (TTI_COMPANION_SECRET);
  tti_fd_leave_output ();
  return awaited;
}
