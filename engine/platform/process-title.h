/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The title of this process in ps and top. */
#pragma once
#include <glib.h>

/* The longest short name that the kernel keeps, and shows in top. */
#define TTI_SHORT_NAME_BYTES 15

/* To be called first in main (), with its parameters: titles overwrite the arguments, so these are lost after the first title.
 * Without this call only the short name is set. */
void tti_process_title_prepare (int argc, char **argv);

/* The maximal length of a title in bytes; 0 before tti_process_title_prepare (). */
gsize tti_process_title_room (void);

/* Set the title to TITLE, truncated if there is not enough room, and the short name to SHORT_NAME, of at most
 * TTI_SHORT_NAME_BYTES. */
void tti_process_set_title (const char *title, const char *short_name);

/* TEXT, which may contain any bytes, converted for a title: at most MOST bytes of valid UTF-8 without control characters. If MARK,
 * a truncated text ends with an ellipsis. To be freed. */
char *tti_process_title_text (const char *text, gsize most, gboolean mark);
