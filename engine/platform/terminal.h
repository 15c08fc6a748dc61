/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Terminals: how wide they are at the moment. */
#pragma once
#include <glib.h>

/* How many columns the terminal FD has now; 0: it is no terminal, or one that does not say. It never blocks. */
guint tutti_terminal_columns (int fd);
