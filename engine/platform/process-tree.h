/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ending everything below a process: for subreapers, to whom all orphans fall. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Make the calling process the one to whom the orphans among its descendants fall. */
gboolean tutti_process_become_subreaper (GError **error);

/* The children of PARENT (an array of pid_t, free with g_array_unref), as /proc tells at this moment; NULL: no descriptor or memory is left
 * to look with (errno says which), and nothing is known. */
GArray *tutti_process_children (pid_t parent);

/* All processes that can be seen now and their parents, from one pass over /proc; what it holds is for tutti_process_below ().
 * Free with g_array_unref. NULL as above. */
GArray *tutti_process_scan (void);

/* Everything below PID by SCAN, parents before children (an array of pid_t, free with g_array_unref); nothing, if SCAN is NULL. */
GArray *tutti_process_below (GArray *scan, pid_t pid);

/* SIGKILL the process PID and everything below it (found in one pass over /proc; what is forked meanwhile is found by the
 * caller's next pass). Stopped processes end as well. */
void tutti_process_kill_tree (pid_t pid);

/* SIGKILL everything below the calling process and reap it, again and again until there is no child left or DEADLINE
 * (monotonic, µs) has passed. Returns TRUE if nothing is left. The caller must be a subreaper. */
gboolean tutti_process_end_all_descendants (gint64 deadline);

/* The same for all children of the calling process but those in SPARED (of pid_t), which are left alone with everything below them.
 * Returns TRUE if no other child is left; one that is dead and was reaped by nobody yet counts as a child. */
gboolean tutti_process_end_children_but (const GArray *spared, gint64 deadline);

/* "STATE PARENT …", what /proc has of the process behind its name, in TEXT of SIZE bytes: of PID, a folder in the folder PROC. NULL: it is
 * gone, or errno is a shortage. */
const char *tutti_process_read_stat (int proc, const char *pid, char *text, gsize size);

/* What the process PID is doing, as in /proc/PID/stat: 'R' it has or wants a processor, 'S' and 'D' it waits, 'T' and 't' it is stopped,
 * by a signal or a debugger; '\0': nothing is known of it. */
char tutti_process_get_state (pid_t pid);

/* SIGKILL the process of PIDFD, whoever its parent is. One that is gone is no error. */
void tutti_process_kill (int pidfd);

/* A pidfd of PID, close-on-exec, -1 on error. Race-free for oneself and for children not yet reaped. */
int tutti_process_open (pid_t pid, GError **error);
