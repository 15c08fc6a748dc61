/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Supervision of the workers' memory: limits, and deaths because memory ran out. It only measures; the caller ends workers that
 * exceed their limit. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TtiWatcherMemory TtiWatcherMemory;

/* The usage of a worker that exceeds its limit. */
typedef struct
{
  pid_t pid;
  guint64 limit, usage; /* bytes of anonymous memory; the usage is above the limit */
  guint n_processes;    /* the number of processes that use it: 1 if the worker alone exceeds the limit */
} TtiMemoryExcess;

/* Must not call functions of this file. The worker is not polled any more. */
typedef void (*TtiMemoryExceeded) (const TtiMemoryExcess *excess, gpointer user_data);

/* VMSTAT is where the kernel counts its own kills, "/proc/vmstat"; it must outlive this. */
TtiWatcherMemory *tti_watcher_memory_new (const char *vmstat, TtiMemoryExceeded exceeded, gpointer user_data);
void tti_watcher_memory_free (TtiWatcherMemory *memory); /* NULL is fine */

/* PID and everything below it may have LIMIT bytes (0: any number) of anonymous memory, instead of what it had before, until it is removed.
 * PID must be a child that is not reaped yet. Removing one that was never added is fine. */
void tti_watcher_memory_add (TtiWatcherMemory *memory, pid_t pid, guint64 limit);
void tti_watcher_memory_remove (TtiWatcherMemory *memory, pid_t pid);

/* When to poll next (monotonic, µs), -1 while no worker has a limit; polls if that time has come at NOW. */
gint64 tti_watcher_memory_get_deadline (TtiWatcherMemory *memory);
void tti_watcher_memory_poll (TtiWatcherMemory *memory, gint64 now);

/* Describe EXCESS, for certificates: "it went over its limit of 50.0 MB: 61.2 MB in 2 processes". */
void tti_memory_excess_describe (const TtiMemoryExcess *excess, char *text, gsize size);

/* A SIGKILL of unknown origin has ended a worker: did the kernel send it because memory ran out? To be called once per such death,
 * at NOW. The answer is a conclusion: the kernel reports how many processes it has killed, not which. */
gboolean tti_watcher_memory_explains_kill (TtiWatcherMemory *memory, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWatcherMemory, tti_watcher_memory_free)
