/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mark in the environment. All processes started below a process inherit it, whatever happens to their parents, sessions and
 * groups. Runs may be nested, so the variable is a list: "outer:inner".
 *
 * A program that is started with a new environment (env -i) lacks the mark, and the environment of a process that runs as another
 * user (setuid) cannot be read. */
#pragma once
#include <glib.h>
#include <sys/types.h>

#define TTI_PROCESS_MARK "TUTTI_RUN"

/* A new unique mark. To be freed. */
char *tti_process_mark_new (void);

/* The variable "TUTTI_RUN=…" for children of this process, with its own marks and MARK. To be freed. */
char *tti_process_mark_setting (const char *mark);

/* The processes that have MARK now (an array of pid_t, free with g_array_unref), without the calling process and without zombies.
 * NULL: there were no descriptors or memory for the search, so nothing is known. *UNCLEAR: a process is executing another program at
 * this moment, or is about to end, and may have MARK as well: search again a little later. Never waits. */
GArray *tti_process_marked (const char *mark, gboolean *unclear);
