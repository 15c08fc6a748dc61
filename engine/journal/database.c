/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/database.h"
#include "journal/schema.h"
#include "journal/sqlite-help.h"
#include "platform/error.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
  BUSY_MS = 5000,                          /* another recorder may be at work in the same file */
  PAUSE_US = 5 * 1000,                     /* between two tries of what is busy */
  RETRY_US = G_USEC_PER_SEC,
  WAL_LIMIT = 16 * 1024 * 1024             /* bytes that the write-ahead log keeps on the disk */
};

static const char *const texts[TTI_SQL_N] = {
  [TTI_SQL_BEGIN_RUN] = "INSERT INTO run (engine, host, pid, began, ended, state, last_event) VALUES (?, ?, ?, ?, ?, 'running', 0)",
  [TTI_SQL_TOUCH_RUN] = "UPDATE run SET ended = ?, last_event = ?, state = 'running' WHERE run = ?",
  [TTI_SQL_END_RUN] = "UPDATE run SET ended = ?, last_event = ?, state = ? WHERE run = ?",
  [TTI_SQL_NOTE] = "INSERT OR REPLACE INTO note VALUES (?, ?, ?)",
  [TTI_SQL_POOL] = "INSERT INTO pool VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET size = ?4, state = ?5,"
                   " error = ?6, submitted = ?7, ended = ?8, failed = ?9, closed = ?11",
  [TTI_SQL_WORKER] = "INSERT INTO worker VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, ?9) ON CONFLICT DO UPDATE SET pid = ?6,"
                     " peak_memory = max (peak_memory, ?9)",
  [TTI_SQL_WORKER_DIED] = "UPDATE worker SET ended = ?3, peak_memory = max (peak_memory, ?4) WHERE run = ?1 AND generation = ?2",
  [TTI_SQL_NODE] = "INSERT INTO node VALUES (?, ?, ?, ?, ?)",
  [TTI_SQL_TASK] = "INSERT INTO task VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, NULL)"
                   " ON CONFLICT DO UPDATE SET name = coalesce (?4, name),"
                   " submitted = min (coalesce (submitted, ?5), coalesce (?5, submitted)), started = ?6, ended = ?7, took = ?8,"
                   " worker = ?9, generation = ?10, attempts = ?11, losses = ?12, outcome = ?13, error = ?14, culprit = ?15, input = ?16,"
                   " result = ?17",
  [TTI_SQL_TASKS_UNKNOWN] = "UPDATE task SET outcome = 'unknown' WHERE run = ? AND outcome IS NULL",
  [TTI_SQL_ATTEMPT] = "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_BLOCK] = "INSERT INTO block VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_BLOCK_AGAIN] = "UPDATE block SET first = ?2, last = ?3, n = ?4, began = ?5, ended = ?6, records = ?7"
                          " WHERE run = ?1 AND block = ?8",
  [TTI_SQL_NAME] = "INSERT OR REPLACE INTO name VALUES (?, ?, ?)",
  [TTI_SQL_ITEM] = "INSERT INTO item VALUES (?, ?, ?, ?, ?, NULL)",
  [TTI_SQL_CERTIFICATE] = "INSERT INTO certificate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_OUTPUT] = "INSERT INTO output VALUES (?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_PROGRESS] = "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_MESSAGE] = "INSERT INTO message VALUES (?, ?, ?)",
  [TTI_SQL_GAP] = "INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)",
  [TTI_SQL_SAMPLE] = "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  [TTI_SQL_TASK_CAPSULE] = "UPDATE task SET capsule = ?3 WHERE run = ?1 AND task = ?2",
  [TTI_SQL_ITEM_CAPSULE] = "UPDATE item SET capsule = ?4 WHERE run = ?1 AND task = ?2 AND item = ?3",
};

struct _TtiDatabase
{
  sqlite3 *sqlite;
  sqlite3_stmt *statements[TTI_SQL_N];
  gboolean in_transaction;
  gboolean is_quiet;
  guint64 n_rows;          /* in the present transaction, which are lost if it fails */
  gint64 stuck_since;      /* monotonic; 0: rows can be written */
  gint64 retry_at;
  guint64 lost;            /* rows, since then */
  const char *reason;
  gboolean gap_is_over;    /* and nobody was told */
};

/* --- opening ----------------------------------------------------------------------------------------------------------------- */

static void
refuse (GError **error, const char *file, const char *reason)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot write the journal %s: %s", file, reason);
}

static void
refuse_for_sqlite (GError **error, const char *file, sqlite3 *sqlite)
{
  refuse (error, file, sqlite3_errcode (sqlite) == SQLITE_NOTADB ? "it is something else, no database of SQLite" : sqlite3_errmsg (sqlite));
}

/* Run SQL, which SQLite gives up at once when another recorder is at work. */
static gboolean
execute_patiently (sqlite3 *sqlite, const char *sql)
{
  gint64 deadline = g_get_monotonic_time () + BUSY_MS * (gint64) 1000;

  while (!tti_sqlite_execute (sqlite, sql))
    {
      if (sqlite3_errcode (sqlite) != SQLITE_BUSY || g_get_monotonic_time () > deadline)
        return FALSE;
      g_usleep (PAUSE_US);
    }
  return TRUE;
}

/* What FILE is that was opened; makes the tables where there are none. */
static gboolean
check_contents (sqlite3 *sqlite, const char *file, GError **error)
{
  g_autofree char *settings = g_strdup_printf ("PRAGMA application_id = %d; PRAGMA user_version = %d", TTI_JOURNAL_APPLICATION_ID,
                                               TTI_JOURNAL_VERSION);
  gboolean begun = tti_sqlite_execute (sqlite, "BEGIN IMMEDIATE");
  gint64 application = tti_sqlite_ask_number (sqlite, "PRAGMA application_id");
  gint64 version = tti_sqlite_ask_number (sqlite, "PRAGMA user_version");
  gint64 n_tables = tti_sqlite_ask_number (sqlite, "SELECT count (*) FROM sqlite_master");

  if (!begun || n_tables < 0)
    refuse_for_sqlite (error, file, sqlite);
  else if (n_tables > 0 && application != TTI_JOURNAL_APPLICATION_ID)
    refuse (error, file, "it is the database of another program");
  else if (n_tables > 0 && version > TTI_JOURNAL_VERSION)
    refuse (error, file, "it was written by a newer version of Tutti");
  else if (n_tables == 0 && (!tti_sqlite_execute (sqlite, tti_journal_schema) || !tti_sqlite_execute (sqlite, settings)))
    refuse (error, file, sqlite3_errmsg (sqlite));
  else if (!tti_sqlite_execute (sqlite, "COMMIT"))
    refuse (error, file, sqlite3_errmsg (sqlite));
  else
    return TRUE;
  return FALSE;
}

/* What SQLite does not say well. */
static gboolean
check_file (const char *file, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (file);
  struct stat status;

  if (stat (file, &status) == 0 && !S_ISREG (status.st_mode))
    refuse (error, file, S_ISDIR (status.st_mode) ? "it is a folder" : "it is no regular file");
  else if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    refuse (error, file, "there is no such folder");
  else if (access (folder, W_OK | X_OK) != 0)
    refuse (error, file, "you may not write in its folder");
  else
    {
      /* The database and the files beside it may tell of secrets. */
      int fd = open (file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

      if (fd >= 0)
        return close (fd) == 0;
      refuse (error, file, g_strerror (errno));
    }
  return FALSE;
}

TtiDatabase *
tti_database_open (const char *file, GError **error)
{
  sqlite3 *sqlite = NULL;

  if (!check_file (file, error))
    return NULL;
  gboolean open = sqlite3_open_v2 (file, &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;

  sqlite3_busy_timeout (sqlite, BUSY_MS);
  if (!open || !execute_patiently (sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"))
    refuse_for_sqlite (error, file, sqlite);
  else if (check_contents (sqlite, file, error))
    {
      TtiDatabase *database = g_new0 (TtiDatabase, 1);
      g_autofree char *limit = g_strdup_printf ("PRAGMA journal_size_limit = %d", WAL_LIMIT);

      tti_sqlite_execute (sqlite, limit);
      database->sqlite = sqlite;
      for (guint i = 0; i < TTI_SQL_N; i++)
        if (sqlite3_prepare_v3 (sqlite, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &database->statements[i], NULL) != SQLITE_OK)
          {
            refuse (error, file, sqlite3_errmsg (sqlite));
            tti_database_close (database);
            return NULL;
          }
      return database;
    }
  sqlite3_close (sqlite);
  return NULL;
}

/* --- what cannot be written -------------------------------------------------------------------------------------------------- */

static void
get_stuck (TtiDatabase *database)
{
  gint64 now = g_get_monotonic_time ();

  if (database->stuck_since == 0)
    {
      database->stuck_since = now;
      database->lost = 0;
      database->reason = sqlite3_errstr (sqlite3_errcode (database->sqlite));
    }
  database->lost += database->n_rows;
  database->n_rows = 0;
  if (database->in_transaction)
    tti_sqlite_execute (database->sqlite, "ROLLBACK");
  database->in_transaction = FALSE;
  database->retry_at = now + RETRY_US;
}

gboolean
tti_database_take_gap (TtiDatabase *database, guint64 *lost, gint64 *since, const char **reason)
{
  if (!database->gap_is_over)
    return FALSE;
  database->gap_is_over = FALSE;
  *lost = database->lost;
  *since = database->stuck_since;
  *reason = database->reason;
  database->stuck_since = 0;
  return TRUE;
}

/* Is there room again? Then the gap is over, of which the caller is told. */
static void
try_again (TtiDatabase *database, gint64 now)
{
  if (now < database->retry_at || database->gap_is_over)
    return;
  database->retry_at = now + RETRY_US;
  /* A page more has to be written for this. */
  database->gap_is_over = tti_sqlite_execute (database->sqlite, "BEGIN IMMEDIATE; CREATE TABLE room (bytes BLOB); INSERT INTO"
                                                                " room VALUES (zeroblob (65536)); DROP TABLE room; COMMIT");
  if (!database->gap_is_over)
    tti_sqlite_execute (database->sqlite, "ROLLBACK");
}

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

static void
bind (sqlite3_stmt *statement, const char *format, va_list args)
{
  for (int i = 1; *format != '\0'; i++, format++)
    switch (*format)
      {
      case 'i': sqlite3_bind_int64 (statement, i, va_arg (args, gint64)); break;
      case 's':
        {
          const char *text = va_arg (args, const char *);

          if (text != NULL)
            sqlite3_bind_text (statement, i, text, -1, SQLITE_STATIC);
          else
            sqlite3_bind_null (statement, i);
          break;
        }
      case 'n': /* 0 is nothing */
        {
          gint64 number = va_arg (args, gint64);

          if (number != 0)
            sqlite3_bind_int64 (statement, i, number);
          else
            sqlite3_bind_null (statement, i);
          break;
        }
      case 'b':
        {
          gconstpointer bytes = va_arg (args, gconstpointer);

          sqlite3_bind_blob64 (statement, i, bytes, va_arg (args, gsize), SQLITE_STATIC);
          break;
        }
      default: g_assert_not_reached ();
      }
}

gboolean
tti_database_write (TtiDatabase *database, TtiSql sql, const char *format, ...)
{
  sqlite3_stmt *statement = database->statements[sql];
  va_list args;

  if (database->is_quiet)
    return FALSE;
  database->n_rows++;
  if (database->stuck_since != 0)
    {
      database->lost += database->n_rows;
      database->n_rows = 0;
      return FALSE;
    }
  if (!database->in_transaction)
    database->in_transaction = tti_sqlite_execute (database->sqlite, "BEGIN IMMEDIATE");
  va_start (args, format);
  bind (statement, format, args);
  va_end (args);
  gboolean done = database->in_transaction && sqlite3_step (statement) == SQLITE_DONE;

  if (!done)
    get_stuck (database);
  sqlite3_reset (statement);
  sqlite3_clear_bindings (statement);
  return done && sqlite3_changes (database->sqlite) > 0;
}

gint64
tti_database_get_last_row (TtiDatabase *database)
{
  return sqlite3_last_insert_rowid (database->sqlite);
}

void
tti_database_count_lost (TtiDatabase *database, guint64 n)
{
  if (database->stuck_since != 0)
    database->lost += n;
}

void
tti_database_set_quiet (TtiDatabase *database, gboolean is_quiet)
{
  database->is_quiet = is_quiet;
}

void
tti_database_commit (TtiDatabase *database, gint64 now)
{
  if (database->stuck_since != 0)
    {
      try_again (database, now);
      return;
    }
  if (!database->in_transaction)
    return;
  if (tti_sqlite_execute (database->sqlite, "COMMIT"))
    {
      database->in_transaction = FALSE;
      database->n_rows = 0;
    }
  else
    get_stuck (database);
}

gint64
tti_database_find_run (TtiDatabase *database, const char *engine, gint64 *last_event, gint64 *ended)
{
  sqlite3_stmt *statement = NULL;
  gint64 run = 0;

  if (sqlite3_prepare_v2 (database->sqlite, "SELECT run, last_event, ended FROM run WHERE engine = ?", -1, &statement, NULL) == SQLITE_OK
      && sqlite3_bind_text (statement, 1, engine, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step (statement) == SQLITE_ROW)
    {
      run = sqlite3_column_int64 (statement, 0);
      *last_event = sqlite3_column_int64 (statement, 1);
      *ended = sqlite3_column_int64 (statement, 2);
    }
  sqlite3_finalize (statement);
  return run;
}

gint64
tti_database_add_run (TtiDatabase *database, const char *engine, const char *host, int pid, gint64 began, GError **error)
{
  tti_database_write (database, TTI_SQL_BEGIN_RUN, "ssiii", engine, host, (gint64) pid, began, began);
  gint64 run = sqlite3_last_insert_rowid (database->sqlite);

  tti_database_commit (database, g_get_monotonic_time ());
  if (database->stuck_since == 0)
    return run;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot write the journal: %s", database->reason);
  return 0;
}

void
tti_database_read_names (TtiDatabase *database, gint64 run, TtiNameFunc func, gpointer data)
{
  sqlite3_stmt *statement = NULL;

  if (sqlite3_prepare_v2 (database->sqlite, "SELECT number, name FROM name WHERE run = ?", -1, &statement, NULL) == SQLITE_OK
      && sqlite3_bind_int64 (statement, 1, run) == SQLITE_OK)
    while (sqlite3_step (statement) == SQLITE_ROW)
      func (sqlite3_column_int64 (statement, 0), (const char *) sqlite3_column_text (statement, 1), data);
  sqlite3_finalize (statement);
}

void
tti_database_close (TtiDatabase *database)
{
  tti_database_commit (database, g_get_monotonic_time ());
  for (guint i = 0; i < TTI_SQL_N; i++)
    sqlite3_finalize (database->statements[i]);
  tti_sqlite_execute (database->sqlite, "PRAGMA wal_checkpoint (TRUNCATE)");
  sqlite3_close (database->sqlite);
  g_free (database);
}
