/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The present width of terminals. */
#pragma once
#include <glib.h>

/* The number of columns of the terminal FD now; 0: it is no terminal, or does not report its width. Never blocks. */
guint tti_terminal_columns (int fd);
