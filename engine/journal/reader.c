/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/reader.h"
#include "journal/schema.h"
#include "journal/sqlite-help.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum
{
  BUSY_MS = 5000,
  LONGEST_VALUE = 16 * 1024 * 1024,
  MOST_MISSING = 40,
  HEADER_BYTES = 100,                 /* of an SQLite database */
  CHECK_STEPS = 10000
};

struct _TtiJournal
{
  sqlite3 *sqlite;
  char *file;
  guint64 n_bytes;                    /* of the file and its write-ahead log */
  guint64 *n_steps, most_steps;       /* N_STEPS: of the question that is being answered; of SQLite's machine */
  gboolean is_alone;                  /* nobody had it open: it is read without its locks */
  guint64 n_other_steps;              /* of what is no TtiJournalRows */
  GPtrArray *missing;                 /* NULL behind the last */
};

struct _TtiJournalRows
{
  TtiJournal *journal;
  sqlite3_stmt *statement;
  char *what;
  gboolean is_broken, is_over;
  guint64 n_steps;
};

/* --- what is missing --------------------------------------------------------------------------------------------------------- */

void
tti_journal_add_missing (TtiJournal *journal, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  char *text = g_strdup_vprintf (format, args);
  va_end (args);
  gboolean is_known = journal->missing->len > MOST_MISSING;

  for (guint i = 0; !is_known && i + 1 < journal->missing->len; i++)
    is_known = strcmp (g_ptr_array_index (journal->missing, i), text) == 0;
  if (is_known)
    g_free (text);
  else
    g_ptr_array_insert (journal->missing, (int) journal->missing->len - 1, text);
}

const char *const *
tti_journal_get_missing (TtiJournal *journal)
{
  g_autofree char *log = g_strconcat (journal->file, "-wal", NULL);

  if (journal->is_alone && g_file_test (log, G_FILE_TEST_EXISTS))
    tti_journal_add_missing (journal, "what is right for sure: another run has begun to write into it meanwhile; read it again");
  return (const char *const *) journal->missing->pdata;
}

/* --- opening ----------------------------------------------------------------------------------------------------------------- */

G_GNUC_PRINTF (3, 4) static void
refuse (GError **error, const char *file, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot read the journal %s: %s", file, reason);
}

static guint64
size_of (const char *file)
{
  struct stat status;

  return stat (file, &status) == 0 ? (guint64) status.st_size : 0;
}

/* Read the HEADER of FILE. FALSE with ERROR where it is no database, which SQLite says less well. */
static gboolean
read_header (const char *file, guint8 *header, GError **error)
{
  static const char magic[16] = "SQLite format 3";
  /* A FIFO would let us wait. */
  tti_autofd int fd = open (file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;

  if (fd < 0 || fstat (fd, &status) != 0)
    refuse (error, file, "%s", errno == ENOENT ? "there is no such file" : g_strerror (errno));
  else if (!S_ISREG (status.st_mode))
    refuse (error, file, S_ISDIR (status.st_mode) ? "it is a folder" : "it is no regular file");
  else if (status.st_size == 0)
    refuse (error, file, "it is empty");
  else
    {
      gssize n = pread (fd, header, HEADER_BYTES, 0);

      if (n < 0)
        refuse (error, file, "%s", g_strerror (errno));
      else if (memcmp (header, magic, MIN ((gsize) n, sizeof magic)) != 0)
        refuse (error, file, "it is something else, no database of SQLite");
      else if (n < HEADER_BYTES)
        refuse (error, file, "only its first %d bytes are there", (int) n);
      else
        return TRUE;
    }
  return FALSE;
}

/* A damaged tree of pages can have no end; a whole one is gone through in a few steps for each byte. */
static int
count_steps (void *data)
{
  TtiJournal *journal = data;

  *journal->n_steps += CHECK_STEPS;
  return *journal->n_steps > journal->most_steps;
}

/* Open FILE with the PARAMETERS of its URI. IS_TORN: also if pages are missing. A result of SQLite; the handle is there in any case. */
static int
try_to_open (TtiJournal *journal, const char *parameters, gboolean is_torn)
{
  g_autofree char *escaped = g_uri_escape_string (journal->file, "/", FALSE);
  g_autofree char *uri = g_strdup_printf ("file:%s?%s", escaped, parameters);

  guint64 n_steps = 0;

  sqlite3_close (journal->sqlite);
  journal->sqlite = NULL;
  int result = sqlite3_open_v2 (uri, &journal->sqlite, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);

  if (result != SQLITE_OK)
    return result;
  sqlite3_busy_timeout (journal->sqlite, BUSY_MS);
  journal->n_steps = &n_steps;
  sqlite3_progress_handler (journal->sqlite, CHECK_STEPS, count_steps, journal);
  sqlite3_limit (journal->sqlite, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
  sqlite3_db_config (journal->sqlite, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
  sqlite3_db_config (journal->sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config (journal->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  /* Mapped memory of a file that becomes shorter would kill us. With a schema that can be written (not here) SQLite takes a file with too
   * few pages. */
  tti_sqlite_execute (journal->sqlite, is_torn ? "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA writable_schema = ON; BEGIN"
                                               : "PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; BEGIN");
  result = sqlite3_exec (journal->sqlite, "SELECT name FROM sqlite_master", NULL, NULL, NULL);
  journal->n_steps = &journal->n_other_steps;
  return result;
}

static gboolean
is_refused_by_folder (int result)
{
  int primary = result & 0xff;

  return primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY || primary == SQLITE_PERM || primary == SQLITE_IOERR;
}

/* SQLite takes what is missing of the last page for zeros. */
static void
check_size (TtiJournal *journal, const guint8 *header)
{
  guint page = (guint) header[16] << 8 | header[17];
  guint n_pages = (guint) header[28] << 24 | (guint) header[29] << 16 | (guint) header[30] << 8 | header[31];
  guint64 n_bytes = size_of (journal->file);

  page = page == 1 ? 65536 : page;
  /* While it is written to, pages that are not in it yet are in its log. */
  if (journal->is_alone ? n_bytes < (guint64) n_pages * page : page > 0 && n_bytes % page != 0)
    tti_journal_add_missing (journal, "the end of the file: it has %" G_GUINT64_FORMAT " bytes, and its header tells of %" G_GUINT64_FORMAT,
                             n_bytes, (guint64) n_pages * page);
}

/* FALSE: it cannot be opened in any way, and the last result is SQLite's. */
static gboolean
open_somehow (TtiJournal *journal)
{
  g_autofree char *log = g_strconcat (journal->file, "-wal", NULL);
  /* Who takes part in its locks leaves files beside it, which are needed only while somebody writes: such a one has a log. */
  journal->is_alone = !g_file_test (log, G_FILE_TEST_EXISTS);
  const char *parameters = journal->is_alone ? "mode=ro&immutable=1" : "mode=ro";
  int result = try_to_open (journal, parameters, FALSE);

  if (is_refused_by_folder (result) && !journal->is_alone)
    {
      /* Where we may not make the memory that readers and writers share, only what is in the file itself can be seen. */
      parameters = "mode=ro&immutable=1";
      result = try_to_open (journal, parameters, FALSE);
      if (result == SQLITE_OK && size_of (log) > 0)
        tti_journal_add_missing (journal, "what was written last, which is in %s only: no file can be made in its folder", log);
    }
  if (result != SQLITE_OK && (result & 0xff) != SQLITE_BUSY)
    {
      result = try_to_open (journal, parameters, TRUE);
      if (result == SQLITE_OK)
        tti_journal_add_missing (journal, "a part of the file, which is damaged");
    }
  return result == SQLITE_OK;
}

/* Is it a journal of this version? */
static gboolean
check_contents (TtiJournal *journal, GError **error)
{
  gint64 application = tti_sqlite_ask_number (journal->sqlite, "PRAGMA application_id");
  gint64 version = tti_sqlite_ask_number (journal->sqlite, "PRAGMA user_version");
  gboolean is_bare = tti_sqlite_ask_number (journal->sqlite, "SELECT rowid FROM sqlite_master LIMIT 1") < 0;

  if (is_bare && application <= 0)
    refuse (error, journal->file,
            "there is nothing in it; while a run goes on, and after one that was killed, the file %s-wal belongs to it", journal->file);
  else if (application != TTI_JOURNAL_APPLICATION_ID)
    refuse (error, journal->file, "it is the database of another program");
  else if (version > TTI_JOURNAL_VERSION)
    refuse (error, journal->file, "it was written by a newer version of Tutti: it has the format %d, this one reads %d", (int) version,
            TTI_JOURNAL_VERSION);
  else if (version != TTI_JOURNAL_VERSION)
    refuse (error, journal->file, "it has the format %d, of no version of Tutti; this one reads %d", (int) version, TTI_JOURNAL_VERSION);
  else
    return TRUE;
  return FALSE;
}

TtiJournal *
tti_journal_open (const char *file, GError **error)
{
  guint8 header[HEADER_BYTES];

  if (!read_header (file, header, error))
    return NULL;
  g_autoptr (TtiJournal) journal = g_new0 (TtiJournal, 1);
  g_autofree char *log = g_strconcat (file, "-wal", NULL);

  journal->file = g_strdup (file);
  journal->missing = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (journal->missing, NULL);
  journal->n_bytes = size_of (file) + size_of (log);
  journal->most_steps = 5 * 1000 * 1000 + 256 * journal->n_bytes;
  gboolean is_open = open_somehow (journal);

  check_size (journal, header);
  if (!is_open)
    refuse (error, file, "%s%s%s", journal->sqlite != NULL ? sqlite3_errmsg (journal->sqlite) : g_strerror (ENOMEM),
            journal->missing->len > 1 ? "; missing is " : "",
            journal->missing->len > 1 ? (const char *) g_ptr_array_index (journal->missing, 0) : "");
  else if (check_contents (journal, error))
    return g_steal_pointer (&journal);
  return NULL;
}

void
tti_journal_close (TtiJournal *journal)
{
  if (journal == NULL)
    return;
  sqlite3_close (journal->sqlite);
  g_ptr_array_unref (journal->missing);
  g_free (journal->file);
  g_free (journal);
}

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

static void
break_off (TtiJournalRows *rows, int result)
{
  const char *reason = (result & 0xff) == SQLITE_INTERRUPT ? "the file is damaged, and the search would have no end"
                                                           : sqlite3_errmsg (rows->journal->sqlite);

  rows->is_broken = rows->is_over = TRUE;
  tti_journal_add_missing (rows->journal, "%s, or some of them: %s", rows->what, reason);
}

TtiJournalRows *
tti_journal_ask (TtiJournal *journal, const char *what, const char *sql, const gint64 *numbers, guint n)
{
  TtiJournalRows *rows = g_new0 (TtiJournalRows, 1);

  rows->journal = journal;
  rows->what = g_strdup (what);
  int result = sqlite3_prepare_v2 (journal->sqlite, sql, -1, &rows->statement, NULL);

  for (guint i = 0; i < n && result == SQLITE_OK; i++)
    result = sqlite3_bind_int64 (rows->statement, (int) i + 1, numbers[i]);
  if (result != SQLITE_OK)
    break_off (rows, result);
  return rows;
}

void
tti_journal_rows_free (TtiJournalRows *rows)
{
  if (rows == NULL)
    return;
  sqlite3_finalize (rows->statement);
  g_free (rows->what);
  g_free (rows);
}

gboolean
tti_journal_rows_next (TtiJournalRows *rows)
{
  if (rows->is_over)
    return FALSE;
  rows->journal->n_steps = &rows->n_steps;
  int result = sqlite3_step (rows->statement);

  rows->journal->n_steps = &rows->journal->n_other_steps;

  if (result == SQLITE_ROW)
    return TRUE;
  rows->is_over = TRUE;
  if (result != SQLITE_DONE)
    break_off (rows, result);
  return FALSE;
}

gboolean
tti_journal_rows_is_broken (const TtiJournalRows *rows)
{
  return rows->is_broken;
}

guint
tti_journal_rows_n_columns (const TtiJournalRows *rows)
{
  return (guint) sqlite3_column_count (rows->statement);
}

gboolean
tti_journal_rows_is_null (const TtiJournalRows *rows, guint column)
{
  return sqlite3_column_type (rows->statement, (int) column) == SQLITE_NULL;
}

gboolean
tti_journal_rows_is_number (const TtiJournalRows *rows, guint column)
{
  return sqlite3_column_type (rows->statement, (int) column) == SQLITE_INTEGER;
}

gint64
tti_journal_rows_number (const TtiJournalRows *rows, guint column)
{
  return tti_journal_rows_is_number (rows, column) ? sqlite3_column_int64 (rows->statement, (int) column) : 0;
}

const char *
tti_journal_rows_bytes (const TtiJournalRows *rows, guint column, gsize *n_bytes)
{
  int type = sqlite3_column_type (rows->statement, (int) column);
  const char *bytes = type == SQLITE_TEXT || type == SQLITE_BLOB ? sqlite3_column_blob (rows->statement, (int) column) : NULL;

  *n_bytes = bytes != NULL ? (gsize) sqlite3_column_bytes (rows->statement, (int) column) : 0;
  return bytes;
}
