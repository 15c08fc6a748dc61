/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Children of the watcher that dead workers have left behind: they are ended, and waited for. */
#pragma once
#include "process/watcher-packet.h"

typedef struct _TtiWatcherOrphans TtiWatcherOrphans;

/* The table of a watcher, empty; free with tti_watcher_orphans_free (). */
TtiWatcherOrphans *tti_watcher_orphans_new (void);

/* NULL is fine. */
void tti_watcher_orphans_free (TtiWatcherOrphans *orphans);

/* End PID, a child that was not reaped, unless that was done before. */
void tti_watcher_orphans_end (TtiWatcherOrphans *orphans, pid_t pid);

/* PID, whoever it is, was reaped. */
void tti_watcher_orphans_remove (TtiWatcherOrphans *orphans, pid_t pid);

/* Are there any that have to be waited for? */
gboolean tti_watcher_orphans_are_left (TtiWatcherOrphans *orphans);

/* Wait no longer for those that are left, and tell in PACKET which of them cannot be ended. Launchers may still be about to. */
void tti_watcher_orphans_give_up (TtiWatcherOrphans *orphans, TtiWatchPacket *packet);

/* When to call tti_watcher_orphans_tick () (monotonic, µs); -1: never. */
gint64 tti_watcher_orphans_get_deadline (TtiWatcherOrphans *orphans);

/* Kill the launchers that were asked to end long before NOW. */
void tti_watcher_orphans_tick (TtiWatcherOrphans *orphans, gint64 now);

/* Those that could not be ended, by pid. */
GHashTable *tti_watcher_orphans_get_stuck (TtiWatcherOrphans *orphans);
