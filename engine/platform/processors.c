/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The number of processors that this process may use. */
#include "platform/processors.h"
#include "platform/control-group.h"
#include "platform/cpu-set.h"

/* The number of processors that GROUP grants; 0: it sets no limit. */
static double
group_quota (const TtiControlGroup *group)
{
  gint64 quota = -1, period = -1;

  if (group->unified)
    {
      /* "200000 100000", or "max 100000" */
      g_autofree char *path = g_build_filename (group->folder, "cpu.max", NULL), *text = NULL;
      char *rest = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL) && g_ascii_isdigit (text[0]))
        {
          quota = g_ascii_strtoll (text, &rest, 10);
          period = g_ascii_strtoll (rest, NULL, 10);
        }
    }
  else
    {
      quota = tti_control_group_read (group, "cpu.cfs_quota_us", NULL);
      period = tti_control_group_read (group, "cpu.cfs_period_us", NULL);
    }
  return quota > 0 && period > 0 ? (double) quota / (double) period : 0;
}

static double
least_quota (const char *proc)
{
  g_auto (TtiControlGroup) group = { 0 };
  double least = 0;

  if (!tti_control_group_find (&group, proc, 0, "cpu"))
    return 0;
  do
    {
      double quota = group_quota (&group);

      if (quota > 0 && (least == 0 || quota < least))
        least = quota;
    }
  while (tti_control_group_up (&group));
  return least;
}

guint
tti_processors_count (const char *proc, guint *affinity, double *quota)
{
  g_autoptr (GArray) allowed = tti_cpus_get_allowed ();
  guint n = allowed->len;
  double most = least_quota (proc);

  if (affinity != NULL)
    *affinity = n;
  if (quota != NULL)
    *quota = most;
  return most > 0 && most < n ? (guint) most + (most > (guint) most) : n;
}

guint
tti_processors (void)
{
  static gint known; /* atomic; 0: not asked yet */

  if (g_atomic_int_get (&known) == 0)
    g_atomic_int_set (&known, (gint) tti_processors_count ("/proc", NULL, NULL));
  return (guint) g_atomic_int_get (&known);
}
