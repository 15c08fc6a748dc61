/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Resources of the watcher and of its workers: limits on descriptors, and the order in which the kernel kills when memory runs out. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Raise this process's limit on descriptors to the maximum: each request brings four, and many may come at once. Returns the
 * previous limit, which workers get; 0: unknown. */
guint64 tti_watcher_raise_descriptors (void);

/* This process's oom_score_adj. */
int tti_watcher_get_oom_score (void);
/* Set that of process PID. */
void tti_watcher_set_oom_score (pid_t pid, int score);
