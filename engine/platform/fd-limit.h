/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many descriptors there may be, and which numbers they have.
 *
 * A process may have as many as its soft limit (ulimit -n) says, usually 1024, because programs that wait with select () cannot use
 * numbers from FD_SETSIZE, 1024, up; Guile is such a program. The engine needs several for each worker and waits in other ways. So
 * whatever it keeps for long goes to numbers above, as far as the limit allows, and leaves those below to the program around it.
 *
 * In a program of ours the limit is not in the way: the engine has the process's hard limit. The soft limit stays what it is for everybody
 * else, above all for whatever is started by the script: it is raised only for the moment in which the engine opens something, as the
 * kernel asks for it only then. */
#pragma once
#include <glib.h>

/* This is a program of ours: the engine may open descriptors up to the hard limit. */
void tutti_fd_use_hard_limit (void);

/* Make room in the kernel's table for numbers from FD_SETSIZE up. When the table of a process with threads grows, the kernel waits for all
 * processors, 10 ms or more; that of a process without is there at once, and stays when it becomes another program. */
void tutti_fd_make_room (void);

/* Between these two calls, which may be nested and come from any thread, this process may open what the engine needs. The functions of
 * fd.h, memory.h and process-tree.h that open something do it themselves. The second keeps errno. */
void tutti_fd_begin_opening (void);
void tutti_fd_end_opening (void);

/* Between these two, which are short, nobody is opening: the limit is the usual one, for a process that is started. Not to be nested, nor
 * within the above. */
void tutti_fd_begin_usual_limit (void);
void tutti_fd_end_usual_limit (void);

/* Move *FD, which is close-on-exec, to a number from FD_SETSIZE up; where that is not possible it stays as it is. */
void tutti_fd_move_up (int *fd);

/* Can the engine open N descriptors? If not, an error (TUTTI_ERROR_SHORTAGE) says so for WHAT ("a pool of 3 workers"), and what to do. */
gboolean tutti_fd_check_free (guint n, const char *what, GError **error);
