/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What tasks leave behind.
 *
 * A worker is a subreaper: when a process below it ends, whatever that one had started and not waited for falls to the worker. Nobody
 * knows of such orphans any more, and thousands of tasks may leave one each. So they end with the task: before it is answered, the
 * worker kills and reaps everything that has fallen to it, with all that is below.
 *
 * The children that the worker made itself are left alone, with all that is below them, and so are their zombies: a simulator may be kept
 * open over many tasks, and whoever started it waits for it. The two kinds look the same to the kernel; so the program
 * tutti-worker replaces the functions by which children are made (programs/tutti-worker-fork.c), and those tell us.
 *
 * A worker without children pays one system call per task; one with children of its own, a pass over /proc. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* From now on children of the calling process are remembered. Without this call there are no orphans, and nothing is ended. */
void tutti_worker_orphans_start (void);

/* Around the making of a child: nobody is taken for an orphan between the two calls, which may be nested. BEGIN returns FALSE if children
 * are not remembered here, as in a forked copy of the worker; then the others must not be called. PID: what was made, -1 if
 * nothing. All preserve errno. */
gboolean tutti_worker_child_begin (void);
void tutti_worker_child_end (pid_t pid);

/* The children that are there now and are not remembered (of pid_t, free with g_array_unref). Between BEGIN and END. */
GArray *tutti_worker_children_unknown (void);

/* Remember PID as well. Between BEGIN and END. */
void tutti_worker_child_remember (pid_t pid);

/* End all orphans and reap them. Takes at most a second: one that hangs in the kernel is told of on stderr, and left to the next call. */
void tutti_worker_orphans_end (void);
