/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The number of processors that this process may use: those that it may run on (taskset, a batch system), but no more than the
 * processor time that its control groups grant (a container's CPU limit), rounded up. */
#pragma once
#include <glib.h>

guint tti_processors (void); /* determined once, for frequent callers */

/* The same, determined now. PROC is "/proc". The other arguments, if not NULL, receive the number of processors that the process
 * may run on, and the possibly fractional number that the control groups grant (0: no limit). */
guint tti_processors_count (const char *proc, guint *affinity, double *quota);
