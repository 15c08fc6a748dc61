/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's eye on memory: workers that may have so much and no more, and deaths for want of it. It only looks; ending whoever has
 * too much is left to the caller. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TuttiWatcherMemory TuttiWatcherMemory;

/* What a worker had when it was found to have too much. */
typedef struct
{
  pid_t pid;
  guint64 limit, usage; /* bytes of anonymous memory; the usage is above the limit */
  guint n_processes;    /* that have it: 1 if the worker alone has too much */
} TuttiMemoryExcess;

/* Must not call back. The worker is not looked at any more. */
typedef void (*TuttiMemoryExceeded) (const TuttiMemoryExcess *excess, gpointer user_data);

/* VMSTAT is where the kernel counts its own kills, "/proc/vmstat"; it must outlive this. */
TuttiWatcherMemory *tutti_watcher_memory_new (const char *vmstat, TuttiMemoryExceeded exceeded, gpointer user_data);
void tutti_watcher_memory_free (TuttiWatcherMemory *memory); /* NULL is fine */

/* PID and everything below it may have LIMIT bytes (> 0) of anonymous memory, until it is removed. PID must be a child that is not
 * reaped yet. Removing one that was never added is fine. */
void tutti_watcher_memory_add (TuttiWatcherMemory *memory, pid_t pid, guint64 limit);
void tutti_watcher_memory_remove (TuttiWatcherMemory *memory, pid_t pid);

/* When to look next (monotonic, µs), -1 while nobody has a limit; look if that time has come at NOW. */
gint64 tutti_watcher_memory_get_deadline (TuttiWatcherMemory *memory);
void tutti_watcher_memory_poll (TuttiWatcherMemory *memory, gint64 now);

/* Say of EXCESS, for certificates: "it went over its limit of 50.0 MB: 61.2 MB in 2 processes". */
void tutti_memory_excess_describe (const TuttiMemoryExcess *excess, char *text, gsize size);

/* A worker was ended by a SIGKILL that is nobody's we know: was it the kernel, for want of memory? Asked once per such death, at NOW. As
 * far as can be known: the kernel tells how many it has killed, not whom. */
gboolean tutti_watcher_memory_explains_kill (TuttiWatcherMemory *memory, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiWatcherMemory, tutti_watcher_memory_free)
