/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What both sides of a journal ask SQLite for. */
#pragma once
#include <glib.h>
#include <sqlite3.h>

/* The first number of the first row of SQL; -1: there is none, or it cannot be had. */
gint64 tti_sqlite_ask_number (sqlite3 *sqlite, const char *sql);

/* Run SQL, which has no rows. FALSE: it cannot be; sqlite3_errmsg () says why. */
gboolean tti_sqlite_execute (sqlite3 *sqlite, const char *sql);
