/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a lost pair of guard and watcher has left behind, and its end.
 *
 * If one of the pair is left it ends everything below itself: it is given time for that. If both are gone at once, whatever the workers'
 * tasks have started has fallen to init, or to the calling process if that is a subreaper; then it is found by the mark in its
 * environment, and as a child of ours by the sign that all workers have and nobody takes off: how willing the kernel is to kill them. */
#pragma once
#include "process/watcher-link.h"
#include <glib.h>

typedef struct _TuttiRemnants TuttiRemnants;

/* LINK is lost and taken over. OOM_SCORE_ADJ is what its workers got. */
TuttiRemnants *tutti_remnants_new (TuttiWatcherLink *link, int oom_score_adj);
void tutti_remnants_free (TuttiRemnants *remnants); /* NULL is fine */

/* Look once, and end what is found; never waits. Returns after how many milliseconds to look again; -1 if it is over: nobody is left, or
 * those who are cannot be ended. */
int tutti_remnants_poll (TuttiRemnants *remnants);

/* When it is over: for want of descriptors or memory nobody could look whether somebody is left. */
gboolean tutti_remnants_are_hidden (TuttiRemnants *remnants);

/* Those who could not be ended, when it is over; the array is the remnants'. */
const GArray *tutti_remnants_get_left (TuttiRemnants *remnants);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiRemnants, tutti_remnants_free)
