/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What this process is called in ps and top. */
#pragma once
#include <glib.h>

/* The longest short name that the kernel keeps, and shows in top. */
#define TUTTI_SHORT_NAME_BYTES 15

/* To be called first in main (), with its parameters: titles are written to where its arguments are, so these are gone after the first one.
 * Without it there is only the short name. */
void tutti_process_title_prepare (int argc, char **argv);

/* How many bytes a title can have; 0 before tutti_process_title_prepare (). */
gsize tutti_process_title_room (void);

/* Be called TITLE, which is cut where there is no more room, and SHORT_NAME, of at most TUTTI_SHORT_NAME_BYTES. */
void tutti_process_set_title (const char *title, const char *short_name);

/* TEXT, whatever bytes it has, for a title: at most MOST bytes of valid UTF-8 without control characters. What had to be cut ends with
 * an ellipsis, if MARK. To be freed. */
char *tutti_process_title_text (const char *text, gsize most, gboolean mark);
