/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What other processes are doing, from /proc. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Is PID stopped, by a signal or a debugger? */
gboolean tti_process_is_stopped (pid_t pid);

/* Is the kernel ending the thread NAME of a process, of which TASKS (a descriptor) is the folder /proc/PID/task? It has been killed, by a
 * signal or since another thread ends the process, or it is on its way out. */
gboolean tti_thread_is_ending (int tasks, const char *name);

/* Is it certain that PID will end, or execute another program, though it may not have ended yet, since some of its threads need a processor
 * for that? TRUE as soon as SIGKILL has been sent, the process has begun to exit, or another signal has killed it. FALSE also if it is
 * gone. */
gboolean tti_process_is_ending (pid_t pid);

/* Does PID exist, but we may not signal it? */
gboolean tti_process_is_foreign (pid_t pid);

/* The pid of the process of PIDFD, -1 if it is gone or unknown. */
pid_t tti_process_get_number (int pidfd);

/* The limit on processor time of PID in seconds, also if PID is dead and not reaped; -1: unlimited or unknown. */
gint64 tti_process_get_cpu_limit (pid_t pid);

/* For messages: "process 4711 (sim; state D: in an uninterruptible system call)". To be freed. */
char *tti_process_describe (pid_t pid);
