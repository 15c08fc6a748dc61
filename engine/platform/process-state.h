/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What other processes are doing, from /proc. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Is PID stopped, by a signal or a debugger? */
gboolean tti_process_is_stopped (pid_t pid);

/* Does PID exist, but we may not signal it? */
gboolean tti_process_is_foreign (pid_t pid);

/* The pid of the process of PIDFD, -1 if it is gone or unknown. */
pid_t tti_process_get_number (int pidfd);

/* The limit on processor time of PID in seconds, also if PID is dead and not reaped; -1: unlimited or unknown. */
gint64 tti_process_get_cpu_limit (pid_t pid);

/* For messages: "process 4711 (sim; state D: in an uninterruptible system call)". To be freed. */
char *tti_process_describe (pid_t pid);
