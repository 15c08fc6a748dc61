/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control groups that ran out of memory: finds the group because of whose limit the kernel killed a worker. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TtiWatcherGroups TtiWatcherGroups;

TtiWatcherGroups *tti_watcher_groups_new (const char *proc); /* "/proc"; it must outlive this */
void tti_watcher_groups_free (TtiWatcherGroups *groups);     /* NULL is fine */

/* The memory group of PID, which is alive, for the second function; NULL if there is none. Earlier events in the group are ignored
 * from now on. To be freed. */
char *tti_watcher_groups_note (TtiWatcherGroups *groups, pid_t pid);

/* A worker in GROUP was killed at NOW (monotonic, µs) by an unknown process: did its group, or one above, reach its limit and make
 * the kernel kill? If so, returns a text that names the nearest such group, to be freed; else NULL. */
char *tti_watcher_groups_explain (TtiWatcherGroups *groups, const char *group, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWatcherGroups, tti_watcher_groups_free)
