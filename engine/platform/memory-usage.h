/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How much memory other processes have, and whether the kernel has begun to kill for want of it.
 *
 * What counts is anonymous memory: heap, stacks, private pages that were written to. Mapped files and shared memory do not: they
 * are not the process's own. All numbers are bytes, -1 if there is no such process (any more). */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Resident anonymous memory of PID: the cheapest look, about 2 µs. */
gint64 tutti_memory_usage_peek (pid_t pid);

/* The same, and what of it was swapped out. */
gint64 tutti_memory_usage_get (pid_t pid);

/* The same, but of pages that several processes share since a fork, each has its part only: so that sums are right. Walks through all
 * page tables. What may not be looked at counts in full. */
gint64 tutti_memory_usage_get_share (pid_t pid);

/* The most that was resident at once of the program that PID runs, files and shared memory included. Some 20 µs. */
gint64 tutti_memory_usage_get_peak (pid_t pid);

/* How many processes the kernel has killed for want of memory since it started, by VMSTAT ("/proc/vmstat"); 0 if it does not say. */
guint64 tutti_memory_count_oom_kills (const char *vmstat);
