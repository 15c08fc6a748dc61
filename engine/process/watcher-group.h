/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Control groups that ran out of memory: whose limit it was that the kernel killed a worker for. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TuttiWatcherGroups TuttiWatcherGroups;

TuttiWatcherGroups *tutti_watcher_groups_new (const char *proc); /* "/proc"; it must outlive this */
void tutti_watcher_groups_free (TuttiWatcherGroups *groups);     /* NULL is fine */

/* The memory group of PID, which is alive, for the second function; NULL if there is none. What has happened in it up to now is no news
 * any more. To be freed. */
char *tutti_watcher_groups_note (TuttiWatcherGroups *groups, pid_t pid);

/* A worker that was in GROUP was killed at NOW (monotonic, µs), by nobody that we know: has its group, or one above, reached its limit and
 * had the kernel kill? Then a text that names the nearest, to be freed; else NULL. */
char *tutti_watcher_groups_explain (TuttiWatcherGroups *groups, const char *group, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiWatcherGroups, tutti_watcher_groups_free)
