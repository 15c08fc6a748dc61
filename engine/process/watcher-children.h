/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's table of workers: start, signal, reap, certify; and the end of whatever a dead worker leaves behind. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-template.h"
#include <glib.h>

typedef struct _TtiWatcherChildren TtiWatcherChildren;

/* Report PACKET to the master; PIDFD (-1: none) stays the caller's. Must not block. */
typedef void (*TtiWatcherReport) (const TtiWatchPacket *packet, int pidfd, gpointer user_data);

/* The calling process must be a subreaper without other children. MASTER_FD, a pidfd that every worker gets, must stay open.
 * VMSTAT: see watcher-memory.h. */
TtiWatcherChildren *tti_watcher_children_new (int master_fd, const char *vmstat, TtiWatcherReport report, gpointer user_data);

/* Make the worker that PARCEL (a SPAWN, whose descriptors are taken over) describes, and report SPAWNED or FAILED: at once, or when
 * its template has answered. */
void tti_watcher_children_spawn (TtiWatcherChildren *children, TtiWatchParcel *parcel);

/* Execute PACKET (a SIGNAL). Nothing happens if the worker is gone or unknown. */
void tti_watcher_children_signal (TtiWatcherChildren *children, const TtiWatchPacket *packet);

/* The same for a LIMIT. */
void tti_watcher_children_limit (TtiWatcherChildren *children, const TtiWatchPacket *packet);

/* Process all news about children; to be called after every SIGCHLD. */
void tti_watcher_children_reap (TtiWatcherChildren *children);

/* The next time (monotonic, µs) at which tti_watcher_children_tick () has something to do, -1 if never. */
gint64 tti_watcher_children_get_deadline (TtiWatcherChildren *children);
void tti_watcher_children_tick (TtiWatcherChildren *children);

/* The templates' sockets: add them to a poll set, and process what they have received. */
void tti_watcher_children_fill (TtiWatcherChildren *children, struct pollfd fds[TTI_WATCHER_MAX_TEMPLATES]);
void tti_watcher_children_listen (TtiWatcherChildren *children);

/* The orphans (a set of pids, owned by the table) that the master knows cannot be ended. */
GHashTable *tti_watcher_children_get_stuck (TtiWatcherChildren *children);

/* SIGKILL all workers and templates, but not the processes below them: the first step of the end. */
void tti_watcher_children_kill (TtiWatcherChildren *children);

void tti_watcher_children_free (TtiWatcherChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWatcherChildren, tti_watcher_children_free)
