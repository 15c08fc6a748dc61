/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state that programs inherit from the process that starts them, besides arguments, environment and descriptors: working
 * folder, umask, resource limits, nice value, I/O priority, scheduling policy, processors, blocked signals, user and groups.
 *
 * The watcher starts a worker or copies it from a template, and both have the state of an earlier moment. So the state of the
 * master is recorded when a pool is made and sent with the request for each of its workers, and the worker itself restores it. All
 * but the folder is in a variable of the worker's environment, which the worker removes.
 *
 * The nice value is that of the script plus one: where all compute, the script comes before its workers. */
#pragma once
#include <glib.h>

#define TTI_START_SETTING "TUTTI_START"

typedef struct
{
  int folder;    /* a descriptor of the working folder: it may be renamed, or have no name any more. -1 if it cannot be opened */
  char *setting; /* NAME=VALUE: everything else, and the folder's path if there is no descriptor */
} TtiStartState;

/* The present state of this process and thread. */
TtiStartState *tti_start_state_new (void);
void tti_start_state_free (TtiStartState *state); /* NULL is fine */

/* The processors that SETTING, as above, says; to be freed. NULL: it says none. */
GArray *tti_start_state_get_processors (const char *setting);
/* SETTING (NULL: one that says nothing) with the processors CPUS (see platform/cpu-set.h) instead. To be freed. */
char *tti_start_state_set_processors (const char *setting, const GArray *cpus);

/* Restore the state in the variable of the environment, if it is set, except a folder that is passed as a descriptor, and remove
 * the variable. What cannot be restored (for instance a limit that was lowered meanwhile) is reported on stderr, and left. FALSE,
 * with a message: the folder cannot be entered, or the variable is invalid. To be called before there are other threads. */
gboolean tti_start_state_enter (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiStartState, tti_start_state_free)
