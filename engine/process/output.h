/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker's stdout or stderr: bytes from a pipe become lines. Long lines are cut into pieces, so that a worker that never ends
 * a line cannot grow the master. */
#pragma once
#include <glib.h>

#define TUTTI_OUTPUT_MAX_LINE 8192

typedef void (*TuttiOutputLine) (const char *line, gsize length, gpointer user_data);

/* BYTES are many lines, each with its newline. TRUE: all of them are taken, and need not be delivered one by one. */
typedef gboolean (*TuttiOutputFlood) (const char *bytes, gsize length, gpointer user_data);

typedef struct _TuttiOutput TuttiOutput;

/* Takes ownership of FD, the read end of a pipe. LINE is called with each line, without its newline (not NUL-terminated). The last
 * KEEP lines are kept. */
TuttiOutput *tutti_output_new (int fd, guint keep, TuttiOutputLine line, gpointer user_data);
void tutti_output_free (TuttiOutput *output); /* NULL is fine */

/* Before delivering lines one by one, call FLOOD (if not NULL) to offer it all of them at once, which is ten times as fast. */
void tutti_output_set_flood (TuttiOutput *output, TuttiOutputFlood flood);

/* The descriptor to wait for; owned by OUTPUT. */
int tutti_output_get_fd (TuttiOutput *output);

/* Read the available bytes, at most MAX (16 times as many if FLOOD takes them), so that a flood leaves time for others. FALSE at
 * the end of the pipe (an unfinished last line is delivered before). */
gboolean tutti_output_read (TuttiOutput *output, gsize max);

/* The kept lines, oldest first, each with its newline. Free with g_free. */
char *tutti_output_get_tail (TuttiOutput *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiOutput, tutti_output_free)
