/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Ending everything below a process: for subreapers, which become the parents of all orphans. */
#pragma once
#include <glib.h>
#include <sys/types.h>

/* Make the calling process a subreaper, the new parent of orphans among its descendants. */
gboolean tti_process_become_subreaper (GError **error);

/* The children of PARENT (an array of pid_t, free with g_array_unref), according to /proc at this moment. NULL: there were no
 * descriptors or memory for the search (errno says which), so nothing is known. */
GArray *tti_process_children (pid_t parent);

/* The children of the calling thread, those that it has made and those that were given to it, in the order in which they came (an array of
 * pid_t, free with g_array_unref). NULL: this kernel does not say, or there were no descriptors. */
GArray *tti_process_children_of_thread (void);

/* All processes that are visible now and their parents, from one pass over /proc; an opaque argument for tti_process_below ().
 * Free with g_array_unref. NULL as above. */
GArray *tti_process_scan (void);

/* All processes below PID according to SCAN, parents before children (an array of pid_t, free with g_array_unref); none if SCAN is
 * NULL. */
GArray *tti_process_below (GArray *scan, pid_t pid);

/* How long a launcher may take to end what it has started (µs). */
#define TTI_LAUNCHER_PATIENCE (1500 * G_TIME_SPAN_MILLISECOND)

/* End PID at once by SIGKILL, and return FALSE, unless it is a launcher: a program, srun of Slurm, that has had processes started
 * elsewhere, of which nobody here is a parent. They would go on if it was killed; so it is asked to end, by SIGTERM, and ends them. Whoever
 * has asked kills it when TTI_LAUNCHER_PATIENCE has passed; to ask again does no harm. */
gboolean tti_process_end (pid_t pid);

/* End the process PID and everything below it as tti_process_end () does (found in one pass over /proc; the caller's next pass finds
 * processes that are forked meanwhile). Stopped processes end as well. Launchers are not waited for. */
void tti_process_kill_tree (pid_t pid);

/* End everything in the process group PID, and below the process PID, which is a child of the caller that was not reaped. Launchers among
 * them are waited for. */
void tti_process_end_group (pid_t pid);

/* End everything below the calling process and reap it, again and again until there is no child left or DEADLINE
 * (monotonic, µs) has passed. Returns TRUE if nothing is left. The caller must be a subreaper. Launchers are asked, and killed after
 * their patience, by which DEADLINE is later if there are any. */
gboolean tti_process_end_all_descendants (gint64 deadline);

/* The same for all children of the calling process but those in SPARED (of pid_t), which are left alone with everything below them.
 * Returns TRUE if no other child is left; a dead child that is not reaped yet counts. Launchers have their patience, and
 * DEADLINE is later by that if there are any. */
gboolean tti_process_end_children_but (const GArray *spared, gint64 deadline);

/* "STATE PARENT …", the fields behind the name in PROC/PID/stat, in TEXT of SIZE bytes. PROC is a descriptor of /proc. NULL: the process
 * is gone, or errno is a shortage. */
const char *tti_process_read_stat (int proc, const char *pid, char *text, gsize size);

/* What the process PID is doing, as in /proc/PID/stat: 'R' running or runnable, 'S' and 'D' waiting, 'T' and 't' stopped by a
 * signal or a debugger; '\0': unknown. */
char tti_process_get_state (pid_t pid);

/* SIGKILL the process of PIDFD, whoever its parent is. It is no error if the process is gone. */
void tti_process_kill (int pidfd);

/* A pidfd of PID, close-on-exec, -1 on error. Free of races for the calling process and for children that are not reaped yet. */
int tti_process_open (pid_t pid, GError **error);
