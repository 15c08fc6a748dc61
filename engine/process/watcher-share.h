/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What of the machine the watcher takes for itself, and what its workers get: descriptors, and who is ended first for want of memory. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Let this process have as many descriptors as it may: each request brings four, and many may come at once. Returns the limit that it had
 * before, which is the workers'; 0: unknown. */
guint64 tutti_watcher_raise_descriptors (void);

/* This process's oom_score_adj. */
int tutti_watcher_get_oom_score (void);
/* Set that of process PID. */
void tutti_watcher_set_oom_score (pid_t pid, int score);
