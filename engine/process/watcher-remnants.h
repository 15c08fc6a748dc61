/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Finding and ending the processes that a lost pair of guard and watcher has left behind.
 *
 * If one of the pair is left, it ends everything below itself, and gets time for that. If both are gone at once, the processes that
 * tasks have started become children of init, or of the calling process if that is a subreaper. Then we find them by the mark in
 * their environment, and children of ours by the oom_score_adj that all workers have and nothing resets. */
#pragma once
#include "process/watcher-link.h"
#include <glib.h>

typedef struct _TtiRemnants TtiRemnants;

/* LINK is lost and taken over. OOM_SCORE_ADJ is what its workers got. */
TtiRemnants *tti_remnants_new (TtiWatcherLink *link, int oom_score_adj);
void tti_remnants_free (TtiRemnants *remnants); /* NULL is fine */

/* Search once, and end the processes found; never waits. Returns the milliseconds until the next poll; -1 if it is over: no process
 * is left, or the remaining ones cannot be ended. */
int tti_remnants_poll (TtiRemnants *remnants);

/* When it is over: was it impossible to find out whether processes are left, because of a shortage of descriptors or memory? */
gboolean tti_remnants_are_hidden (TtiRemnants *remnants);

/* The processes that could not be ended, when it is over; the array is owned by the remnants. */
const GArray *tti_remnants_get_left (TtiRemnants *remnants);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiRemnants, tti_remnants_free)
