/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Texts of a journal, made fit to be shown: they come from tasks and from what these have written, and so may be anything. */
#pragma once
#include <glib.h>

/* Append N_BYTES of BYTES to OUT as UTF-8 that shows what it is: without control characters and sequences of them for terminals, without
 * characters that nobody sees or that turn the direction of others, with at most three accents on a letter. What is no UTF-8 becomes
 * U+FFFD; any space is U+0020. Newlines stay if KEEP_LINES, and are spaces else. What is longer than 64 KiB is cut, with an ellipsis. */
void tti_clean_text_append (GString *out, const char *bytes, gsize n_bytes, gboolean keep_lines);
