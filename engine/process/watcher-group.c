/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control groups that ran out of memory.
 *
 * Version 2 counts in memory.events of a group, and of all groups above it, how often its limit made the kernel look for a process
 * to kill (oom), and how many of its processes were killed because of any limit (oom_kill). Version 1 counts the processes killed
 * in the group itself (memory.oom_control), and how often its limit was reached (memory.failcnt), which need not have killed a
 * process: so check both. If the limit of memory and swap together is not larger than that of memory, it is reached first; newer
 * kernels do not count this, but record the peak usage. */
#include "process/watcher-group.h"
#include "platform/control-group.h"
#include <string.h>

#define SLACK 1000000 /* the kernel charges memory in batches */
#define NEWS_LIFE G_TIME_SPAN_SECOND /* several processes may have been killed at once, and we ask for each */

typedef struct
{
  gint64 n_kills, n_limits; /* at the last poll */
  gint64 killed_at, limited_at; /* when they had grown; 0: never */
} Counts;

struct _TtiWatcherGroups
{
  const char *proc;
  GHashTable *counts; /* folder -> Counts, both owned */
  gsize mount;        /* of all groups, as in TtiControlGroup, once there is one */
  gboolean unified;
};

TtiWatcherGroups *
tti_watcher_groups_new (const char *proc)
{
  TtiWatcherGroups *groups = g_new0 (TtiWatcherGroups, 1);

  groups->proc = proc;
  groups->counts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return groups;
}

void
tti_watcher_groups_free (TtiWatcherGroups *groups)
{
  if (groups == NULL)
    return;
  g_hash_table_unref (groups->counts);
  g_free (groups);
}

/* Read the counts of GROUP at NOW. */
static Counts *
group_poll (TtiWatcherGroups *groups, const TtiControlGroup *group, gint64 now)
{
  Counts *counts = g_hash_table_lookup (groups->counts, group->folder);
  gint64 n_kills = tti_control_group_read (group, group->unified ? "memory.events" : "memory.oom_control", "oom_kill");
  gint64 n_limits = group->unified ? tti_control_group_read (group, "memory.events", "oom")
                                   : tti_control_group_read (group, "memory.failcnt", NULL);

  if (counts == NULL)
    {
      counts = g_new0 (Counts, 1);
      g_hash_table_insert (groups->counts, g_strdup (group->folder), counts);
    }
  else
    {
      if (n_kills > counts->n_kills)
        counts->killed_at = now;
      if (n_limits > counts->n_limits)
        counts->limited_at = now;
    }
  counts->n_kills = n_kills;
  counts->n_limits = n_limits;
  return counts;
}

char *
tti_watcher_groups_note (TtiWatcherGroups *groups, pid_t pid)
{
  g_auto (TtiControlGroup) group = { 0 };

  if (!tti_control_group_find (&group, groups->proc, pid, "memory"))
    return NULL;
  char *folder = g_strdup (group.folder);

  groups->mount = group.mount;
  groups->unified = group.unified;
  /* The groups above were polled with the first process of a group. */
  if (g_hash_table_contains (groups->counts, folder))
    return folder;
  do
    group_poll (groups, &group, 0);
  while (tti_control_group_up (&group));
  return folder;
}

/* The limit of memory and swap of GROUP, if it was reached; else -1. */
static gint64
group_reached_swap_limit (const TtiControlGroup *group)
{
  gint64 limit = group->unified ? -1 : tti_control_group_read (group, "memory.memsw.limit_in_bytes", NULL);
  gint64 most = group->unified ? -1 : tti_control_group_read (group, "memory.memsw.max_usage_in_bytes", NULL);

  return limit > 0 && most >= limit - SLACK ? limit : -1;
}

static gboolean
is_new (gint64 when, gint64 now)
{
  return when > 0 && now - when <= NEWS_LIFE;
}

char *
tti_watcher_groups_explain (TtiWatcherGroups *groups, const char *folder, gint64 now)
{
  g_auto (TtiControlGroup) group = { .folder = g_strdup (folder), .mount = groups->mount, .unified = groups->unified };
  gboolean killed = FALSE;
  char *text = NULL;

  if (folder == NULL)
    return NULL;
  do
    {
      Counts *counts = group_poll (groups, &group, now);
      gint64 limit = tti_control_group_get_memory_limit (&group);
      gboolean killed_here = is_new (counts->killed_at, now), limited = is_new (counts->limited_at, now);

      killed = killed || killed_here;
      if (killed_here && !limited)
        {
          limit = group_reached_swap_limit (&group);
          limited = TRUE;
        }
      if (text == NULL && limit >= 0 && limited)
        text = g_strdup_printf ("the kernel killed it, because the control group's limit of %.1f MB was reached (%s)",
                                (double) limit / 1e6, group.folder);
    }
  while (tti_control_group_up (&group));
  if (!killed)
    g_clear_pointer (&text, g_free);
  return text;
}
