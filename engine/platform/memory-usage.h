/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How much memory other processes use, and whether the kernel has begun to kill processes because memory ran out.
 *
 * Only anonymous memory counts: heap, stacks, private pages that were written to. Mapped files and shared memory do not count, as
 * they do not belong to the process. All numbers are bytes, -1 if there is no such process (any more). */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* The memory of this machine, or what the control groups of this process leave of it (a batch job's memory). PROC is "/proc". */
guint64 tti_memory_get_total (const char *proc);

/* Resident anonymous memory of PID: the cheapest of these functions, about 2 µs. */
gint64 tti_memory_usage_peek (pid_t pid);

/* The same plus the memory that was swapped out. */
gint64 tti_memory_usage_get (pid_t pid);

/* The same, but pages that several processes share since a fork count in proportion, so that sums over processes are right. Walks
 * all page tables. Processes that may not be inspected count in full. */
gint64 tti_memory_usage_get_share (pid_t pid);

/* The peak resident set of the program that PID runs, including files and shared memory. Takes some 20 µs. */
gint64 tti_memory_usage_get_peak (pid_t pid);

/* How many processes the kernel has killed since it booted because memory ran out, according to VMSTAT ("/proc/vmstat"); 0 if it
 * does not say. */
guint64 tti_memory_count_oom_kills (const char *vmstat);
