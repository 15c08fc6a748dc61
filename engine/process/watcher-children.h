/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's table of workers: start, signal, reap, certify; and the end of whatever a dead worker leaves behind. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-template.h"
#include <glib.h>

typedef struct _TuttiWatcherChildren TuttiWatcherChildren;

/* Something for the master to know; PIDFD (-1: none) stays the caller's. Must not block. */
typedef void (*TuttiWatcherReport) (const TuttiWatchPacket *packet, int pidfd, gpointer user_data);

/* The calling process must be a subreaper without other children. MASTER_FD, a pidfd that every worker is given,
 * must stay open. VMSTAT: see watcher-memory.h. */
TuttiWatcherChildren *tutti_watcher_children_new (int master_fd, const char *vmstat, TuttiWatcherReport report, gpointer user_data);

/* Have the worker made that PARCEL (a SPAWN, whose descriptors are taken) describes, and report SPAWNED or FAILED: at once, or when its
 * template has answered. */
void tutti_watcher_children_spawn (TuttiWatcherChildren *children, TuttiWatchParcel *parcel);

/* Do what PACKET (a SIGNAL) asks for. A worker that is gone or unknown is left alone. */
void tutti_watcher_children_signal (TuttiWatcherChildren *children, const TuttiWatchPacket *packet);

/* Take all news about children that there are: after every SIGCHLD. */
void tutti_watcher_children_reap (TuttiWatcherChildren *children);

/* The time (monotonic, µs) at which tutti_watcher_children_tick () has something to do, -1 if at none. */
gint64 tutti_watcher_children_get_deadline (TuttiWatcherChildren *children);
void tutti_watcher_children_tick (TuttiWatcherChildren *children);

/* The templates' sockets: what to wait for, and what to do when something has come. */
void tutti_watcher_children_fill (TuttiWatcherChildren *children, struct pollfd fds[TUTTI_WATCHER_MAX_TEMPLATES]);
void tutti_watcher_children_listen (TuttiWatcherChildren *children);

/* Those orphans (a set of numbers, the table's) of whom the master was told that they cannot be ended. */
GHashTable *tutti_watcher_children_get_stuck (TuttiWatcherChildren *children);

/* SIGKILL all workers and templates without looking for what is below them: the first thing when the end has come. */
void tutti_watcher_children_kill (TuttiWatcherChildren *children);

void tutti_watcher_children_free (TuttiWatcherChildren *children);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiWatcherChildren, tutti_watcher_children_free)
