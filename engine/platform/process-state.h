/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What other processes are doing, from /proc. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Has somebody stopped PID? A debugger counts. */
gboolean tutti_process_is_stopped (pid_t pid);

/* Is PID there, but not ours to be ended? */
gboolean tutti_process_is_foreign (pid_t pid);

/* The number of the process of PIDFD, -1 if it is gone or cannot be told. */
pid_t tutti_process_get_number (int pidfd);

/* The seconds of processor time that PID may have, also if it is dead and not reaped; -1: any number, or that cannot be told. */
gint64 tutti_process_get_cpu_limit (pid_t pid);

/* For messages: "process 4711 (sim; state D: in an uninterruptible system call)". To be freed. */
char *tutti_process_describe (pid_t pid);
