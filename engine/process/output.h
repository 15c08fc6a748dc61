/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker's stdout or stderr: bytes from a pipe become lines. Long lines are cut into pieces, so that a worker that never ends
 * a line cannot grow the master. */
#pragma once
#include <glib.h>

#define TTI_OUTPUT_MAX_LINE 8192

typedef void (*TtiOutputLine) (const char *line, gsize length, gpointer user_data);

/* BYTES are many lines, each with its newline. TRUE: all of them are taken, and need not be delivered one by one. */
typedef gboolean (*TtiOutputFlood) (const char *bytes, gsize length, gpointer user_data);

typedef struct _TtiOutput TtiOutput;

/* Takes ownership of FD, the read end of a pipe. LINE is called with each line, without its newline (not NUL-terminated). The last
 * KEEP lines are kept. */
TtiOutput *tti_output_new (int fd, guint keep, TtiOutputLine line, gpointer user_data);
void tti_output_free (TtiOutput *output); /* NULL is fine */

/* Before delivering lines one by one, call FLOOD (if not NULL) to offer it all of them at once, which is ten times as fast. */
void tti_output_set_flood (TtiOutput *output, TtiOutputFlood flood);

/* The descriptor to wait for; owned by OUTPUT. */
int tti_output_get_fd (TtiOutput *output);

/* Read the available bytes, at most MAX (16 times as many if FLOOD takes them), so that a flood leaves time for others. FALSE at
 * the end of the pipe (an unfinished last line is delivered before). */
gboolean tti_output_read (TtiOutput *output, gsize max);

/* The kept lines, oldest first, each with its newline. Free with g_free. */
char *tti_output_get_tail (TtiOutput *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiOutput, tti_output_free)
