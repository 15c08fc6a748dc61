/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* This is a conclusion: the kernel sends SIGKILL at the hard limit, but other processes could send it, too. (At the soft one it
 * sends SIGXCPU, which Guile's collector takes for itself.) */
#include "process/watcher-cpu.h"

static double
seconds_of (const struct timeval *time)
{
  return (double) time->tv_sec + 1e-6 * (double) time->tv_usec;
}

gboolean
tti_watcher_cpu_explains_kill (gint64 limit, const struct rusage *usage, char *text, gsize size)
{
  double used = seconds_of (&usage->ru_utime) + seconds_of (&usage->ru_stime);

  /* The clocks of the limit and of the usage differ a little. */
  if (limit < 0 || used < 0.98 * (double) limit - 0.5)
    return FALSE;
  g_snprintf (text, size, "its limit of processor time was reached, %" G_GINT64_FORMAT " s (ulimit -t)", limit);
  return TRUE;
}
