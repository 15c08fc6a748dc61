/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a process hands down to the programs that it starts, besides arguments, environment and descriptors: its working folder, umask,
 * resource limits, nice value, I/O priority, scheduling policy, processors, blocked signals, user and groups.
 *
 * A worker is started by the watcher, or copied from a template, whose own are those of an earlier moment. So the state of the master
 * is taken when a pool is made, goes along with the request for each of its workers, and is entered by the worker itself. All but
 * the folder is a setting in the worker's environment, which the worker takes out of it. */
#pragma once
#include <glib.h>

#define TUTTI_START_SETTING "TUTTI_START"

typedef struct
{
  int folder;    /* a descriptor of the working folder: it may be renamed, or have no name any more. -1 if it cannot be opened */
  char *setting; /* NAME=VALUE: everything else, and the folder's path if there is no descriptor */
} TuttiStartState;

/* The state of this process and thread as it is now. */
TuttiStartState *tutti_start_state_new (void);
void tutti_start_state_free (TuttiStartState *state); /* NULL is fine */

/* Become what the setting in the environment says, if there is one, but for the folder that is given as a descriptor; it is taken out
 * of the environment. What cannot be had (a limit that was lowered meanwhile, say) is told of on stderr, and left. FALSE, after saying
 * why: the folder cannot be entered, or the setting is not one of ours. To be called before there are other threads. */
gboolean tutti_start_state_enter (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiStartState, tutti_start_state_free)
