/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mark in the environment, which whoever is started below a process inherits, whatever becomes of its parents, its session and its
 * group. Runs may be nested, so the setting is a list: "outer:inner".
 *
 * Who starts a program with an environment of its own (env -i) takes the mark off, and the environment of a process that runs as another
 * user (setuid) cannot be read. */
#pragma once
#include <glib.h>
#include <sys/types.h>

#define TUTTI_PROCESS_MARK "TUTTI_RUN"

/* A mark that nobody else has. To be freed. */
char *tutti_process_mark_new (void);

/* The setting "TUTTI_RUN=…" for children of this process: its own marks, and MARK. To be freed. */
char *tutti_process_mark_setting (const char *mark);

/* Those who have MARK now (an array of pid_t, free with g_array_unref), without the calling process and without zombies; NULL: no
 * descriptor or memory is left to look with, and nothing is known. *UNCLEAR: somebody is becoming another program at this moment, or is
 * about to end, and may have it as well: look again a little later. Never waits. */
GArray *tutti_process_marked (const char *mark, gboolean *unclear);
