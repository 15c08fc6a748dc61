/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many processors there are for us: those that the process may run on (taskset, a batch system), but no more than the control groups'
 * shares of time make up (a container's CPU limit), rounded up. */
#pragma once
#include <glib.h>

guint tutti_processors (void); /* asked once, for those who ask often */

/* Asked now. PROC is "/proc". Of these, if not NULL: those that the process may run on, and the whole or partial processors that the
 * control groups grant (0: as many as there are). */
guint tutti_processors_count (const char *proc, guint *affinity, double *quota);
