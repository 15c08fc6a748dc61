/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's table of workers: start, signal, reap, certify; and the end of whatever a dead worker leaves behind. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-template.h"
#include <glib.h>

typedef struct _TuttiWatcherChildren TuttiWatcherChildren;

/* Report PACKET to the master; PIDFD (-1: none) stays the caller's. Must not block. */
typedef void (*TuttiWatcherReport) (const TuttiWatchPacket *packet, int pidfd, gpointer user_data);

/* The calling process must be a subreaper without other children. MASTER_FD, a pidfd that every worker gets, must stay open.
 * VMSTAT: see watcher-memory.h. */
TuttiWatcherChildren *tutti_watcher_children_new (int master_fd, const char *vmstat, TuttiWatcherReport report, gpointer user_data);

/* Make the worker that PARCEL (a SPAWN, whose descriptors are taken over) describes, and report SPAWNED or FAILED: at once, or when
 * its template has answered. */
void tutti_watcher_children_spawn (TuttiWatcherChildren *children, TuttiWatchParcel *parcel);

/* Execute PACKET (a SIGNAL). Nothing happens if the worker is gone or unknown. */
void tutti_watcher_children_signal (TuttiWatcherChildren *children, const TuttiWatchPacket *packet);

/* Process all news about children; to be called after every SIGCHLD. */
void tutti_watcher_children_reap (TuttiWatcherChildren *children);

/* The next time (monotonic, µs) at which tutti_watcher_children_tick () has something to do, -1 if never. */
gint64 tutti_watcher_children_get_deadline (TuttiWatcherChildren *children);
void tutti_watcher_children_tick (TuttiWatcherChildren *children);

/* The templates' sockets: add them to a poll set, and process what they have received. */
void tutti_watcher_children_fill (TuttiWatcherChildren *children, struct pollfd fds[TUTTI_WATCHER_MAX_TEMPLATES]);
void tutti_watcher_children_listen (TuttiWatcherChildren *children);

/* The orphans (a set of pids, owned by the table) that the master knows cannot be ended. */
GHashTable *tutti_watcher_children_get_stuck (TuttiWatcherChildren *children);

/* SIGKILL all workers and templates, but not the processes below them: the first step of the end. */
void tutti_watcher_children_kill (TuttiWatcherChildren *children);

void tutti_watcher_children_free (TuttiWatcherChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiWatcherChildren, tutti_watcher_children_free)
