/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Processes that tasks leave behind.
 *
 * A worker is a subreaper: when a process below it ends, its children become children of the worker. Nothing manages such orphans
 * any more, and thousands of tasks may leave one each. So they end with the task: before it answers, the worker kills and reaps all
 * of them, with all processes below.
 *
 * The children that the worker made itself are left alone, with all that is below them, and so are their zombies: a simulator may
 * be kept open over many tasks, and whoever started it waits for it. The two kinds look the same to the kernel; so the program
 * tutti-worker replaces the functions that create children (programs/tutti-worker-fork.c), and those report here.
 *
 * A worker without children pays one system call per task; one with children of its own, a pass over /proc. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* From now on remember the children of the calling process. Without this call nothing counts as an orphan, and nothing is ended. */
void tti_worker_orphans_start (void);

/* To be called around the creation of a child: between the two calls, which may be nested, no process is treated as an orphan.
 * BEGIN returns FALSE if children are not remembered here, as in a forked copy of the worker; then the others must not be called.
 * PID: the new child, -1 if there is none. All preserve errno. */
gboolean tti_worker_child_begin (void);
void tti_worker_child_end (pid_t pid);

/* The present children that are not remembered (of pid_t, free with g_array_unref). Between BEGIN and END. */
GArray *tti_worker_children_unknown (void);

/* Remember PID as well. Between BEGIN and END. */
void tti_worker_child_remember (pid_t pid);

/* End all orphans and reap them. Takes at most a second: an orphan that hangs in the kernel is reported on stderr, and left to the
 * next call. */
void tti_worker_orphans_end (void);
