/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/sqlite-help.h"

gint64
tti_sqlite_ask_number (sqlite3 *sqlite, const char *sql)
{
  sqlite3_stmt *statement = NULL;
  gint64 number = -1;

  if (sqlite3_prepare_v2 (sqlite, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step (statement) == SQLITE_ROW)
    number = sqlite3_column_int64 (statement, 0);
  sqlite3_finalize (statement);
  return number;
}

gboolean
tti_sqlite_execute (sqlite3 *sqlite, const char *sql)
{
  return sqlite3_exec (sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}
