/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The present size of terminals, and reading keys from them one by one. */
#pragma once
#include <glib.h>

/* The number of columns, or rows, of the terminal FD now; 0: it is no terminal, or does not report its size. Never blocks. */
guint tti_terminal_columns (int fd);
guint tti_terminal_rows (int fd);

/* Let the terminal FD pass on keys as they are pressed, and not show them; those that send signals still do. It is as it was before after
 * the second, which may be called at any time. FALSE: it is no terminal. One terminal of a process at a time. */
gboolean tti_terminal_begin_keys (int fd);
void tti_terminal_end_keys (void);
