/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many descriptors the process may have, and which numbers they get.
 *
 * A process may have as many as its soft limit (ulimit -n) says, usually 1024, because programs that wait with select () cannot use
 * numbers from FD_SETSIZE, 1024, up; Guile is such a program. The engine needs several for each worker and does not wait with
 * select (). So it moves the descriptors that it keeps for long to numbers from FD_SETSIZE up, as far as the limit allows, and
 * leaves the numbers below to the program around it.
 *
 * In Tutti's own programs the engine may use descriptors up to the hard limit. The soft limit stays as it is for everything else,
 * above all for programs that the script starts: the engine raises it only for the moments in which it opens something, because the
 * kernel checks it only then. */
#pragma once
#include <glib.h>

/* Declare that this is one of Tutti's own programs: the engine may open descriptors up to the hard limit. */
void tti_fd_use_hard_limit (void);

/* Make room in the kernel's table for numbers from FD_SETSIZE up. When the table of a process with threads grows, the kernel waits
 * for all processors, 10 ms or more; the table of a process without threads grows at once, and keeps its size across exec. */
void tti_fd_make_room (void);

/* Between these two calls, which may be nested and come from any thread, this process may open as many descriptors as the engine
 * needs. The functions of fd.h, memory.h and process-tree.h that open descriptors call them themselves. The second preserves errno. */
void tti_fd_begin_opening (void);
void tti_fd_end_opening (void);

/* Between these two calls, which should be close together, nothing is opened and the limit is the usual one, so that a process that
 * is started inherits it. Neither nest them nor put them between the two above. */
void tti_fd_begin_usual_limit (void);
void tti_fd_end_usual_limit (void);

/* Move *FD, which is close-on-exec, to a number from FD_SETSIZE up; where that is not possible it stays as it is. */
void tti_fd_move_up (int *fd);

/* Can the engine open N descriptors? If not, set ERROR (TUTTI_ERROR_SHORTAGE) with a message that names
 * WHAT ("a pool of 3 workers") and gives advice. */
gboolean tti_fd_check_free (guint n, const char *what, GError **error);
