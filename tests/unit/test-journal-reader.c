/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Journals are read as they were written, also while they are; of what is cut or damaged, as much as can be; what is none is refused. */
#include "journal/clean-text.h"
#include "journal/database.h"
#include "journal/schema.h"
#include "journal/summary.h"
#include "journal/trace.h"
#include "platform/error.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEGAN G_GINT64_CONSTANT (1800000000000000)

enum { N_ROWS = 600, N_BLOCKS = 12, BLOCK = 500, N_TASKS = N_ROWS + N_BLOCKS * BLOCK };

static char *folder;

static char *
file_named (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

static TtiDatabase *
begin (const char *file, gint64 *run)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *engine = g_strdup_printf ("host:1:%" G_GINT64_FORMAT, *run);
  TtiDatabase *database = tti_database_open (file, &error);

  g_assert_no_error (error);
  *run = tti_database_add_run (database, engine, "host", 1, BEGAN, &error);
  g_assert_no_error (error);
  return database;
}

/* A task that was given to worker TASK % 4 at BEGAN + AT. */
static void
write_row (TtiDatabase *database, gint64 run, guint64 task, gint64 at, const char *outcome, const char *error)
{
  gboolean has_ended = outcome != NULL;

  tti_database_write (database, TTI_SQL_TASK, "iiisinnniniissniii", run, (gint64) task, (gint64) 1, "slow", BEGAN + at - 5, BEGAN + at,
                      has_ended ? BEGAN + at + 60000 : (gint64) 0, has_ended ? (gint64) 50000 : (gint64) 0, (gint64) (task % 4), (gint64) 1,
                      (gint64) 1, (gint64) 0, outcome, error, (gint64) 0, (gint64) 10, (gint64) 20, (gint64) 0);
}

/* A block of N tasks from FIRST on, of 10 µs each, every 100 µs from BEGAN + AT on; written, as they end, not in the order of numbers. */
static void
write_block (TtiDatabase *database, gint64 run, guint64 first, guint n, gint64 at)
{
  g_autofree TtiJournalRecord *records = g_new0 (TtiJournalRecord, n);

  for (guint i = 0; i < n; i++)
    records[i] = (TtiJournalRecord){ .task = first + (i ^ 1), .started = BEGAN + at + 100 * (i ^ 1), .queued = 7, .elapsed = 40, .took = 10,
                                     .pool = 1, .name = 1, .worker = i % 4, .result = 8 };
  tti_database_write (database, TTI_SQL_BLOCK, "iiiiiib", run, (gint64) first, (gint64) (first + n - 1), (gint64) n, BEGAN + at,
                      BEGAN + at + 100 * n, records, (gsize) n * sizeof *records);
}

/* Rows between the blocks, in time; numbers 1 … N_TASKS. */
static void
write_tasks (TtiDatabase *database, gint64 run)
{
  static const char *const outcomes[] = { "done", "raised", "died", "timed out", "cancelled", NULL };

  tti_database_write (database, TTI_SQL_NAME, "iis", run, (gint64) 1, "quick");
  tti_database_write (database, TTI_SQL_NOTE, "iss", run, "script", "test.scm");
  for (guint i = 0; i < N_BLOCKS; i++)
    write_block (database, run, N_ROWS + 1 + i * BLOCK, BLOCK, i * BLOCK * 100);
  for (guint i = 0; i < N_ROWS; i++)
    write_row (database, run, N_ROWS - i, i * 1000, outcomes[i % 6], i % 6 == 1 ? "an error\nof two lines" : NULL);
  tti_database_write (database, TTI_SQL_END_RUN, "iisi", BEGAN + 700000, (gint64) 1, "ended", run);
}

static void
write_whole (const char *file)
{
  gint64 run = 1;
  TtiDatabase *database = begin (file, &run);

  write_tasks (database, run);
  tti_database_close (database);
}

static GBytes *
contents_of (const char *file)
{
  g_autoptr (GError) error = NULL;
  char *contents = NULL;
  gsize n;

  g_file_get_contents (file, &contents, &n, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (contents, n);
}

static void
put_contents (const char *file, gconstpointer bytes, gsize n)
{
  /* g_file_set_contents () waits for the disk. */
  int fd = open (file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  g_assert_cmpint (write (fd, bytes, n), ==, (gssize) n);
  close (fd);
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

static TtiJournal *
open_well (const char *file)
{
  g_autoptr (GError) error = NULL;
  TtiJournal *journal = tti_journal_open (file, &error);

  g_assert_no_error (error);
  return journal;
}

static TtiJournalSummary *
summarize (TtiJournal *journal)
{
  TtiJournalWishes wishes = { BEGAN, BEGAN + 700000, 5, 50, 10, 10 };

  return tti_journal_summarize (journal, 1, &wishes);
}

static guint64
count_all (const TtiJournalSummary *summary)
{
  guint64 n = summary->n_running + summary->n_waiting;

  for (int end = TTI_LOOK_DONE; end <= TTI_LOOK_CLOSED; end++)
    n += summary->n_by_end[end];
  return n;
}

static void
write_trace (TtiJournal *journal, const char *file)
{
  g_autoptr (GError) error = NULL;
  int fd = open (file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  g_assert_true (tti_journal_write_trace (journal, 1, BEGAN, BEGAN + 700000, fd, &error));
  g_assert_no_error (error);
  close (fd);
}

static void
test_whole (void)
{
  g_autofree char *file = file_named ("whole");

  write_whole (file);
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (TtiJournalWalk) walk = tti_journal_walk_new (journal, 1, BEGAN + 700000);
  g_autofree guint8 *seen = g_new0 (guint8, N_TASKS + 1);
  gint64 before = 0, until[4] = { 0 };
  TtiJournalTask task;
  guint n = 0;

  for (; tti_journal_walk_next (walk, &task); n++)
    {
      g_assert_cmpuint (task.task, >=, 1);
      g_assert_cmpuint (task.task, <=, N_TASKS);
      g_assert_cmpuint (seen[task.task]++, ==, 0);
      g_assert_cmpint (task.started, >=, before);
      before = task.started;
      g_assert_cmpstr (task.name, ==, task.task <= N_ROWS ? "slow" : "quick");
      g_assert_cmpint (task.is_in_block, ==, task.task > N_ROWS);
      g_assert_cmpstr (task.error, ==, task.end == TTI_LOOK_RAISED ? "an error\nof two lines" : "");
      /* One worker does one thing at a time. */
      g_assert_cmpint (task.busy_from, >=, until[task.worker]);
      g_assert_cmpint (task.busy_to, >=, task.busy_from);
      until[task.worker] = task.end == TTI_JOURNAL_UNFINISHED ? task.busy_from : task.busy_to;
    }
  g_assert_cmpuint (n, ==, N_TASKS);
  g_assert_null (*tti_journal_get_missing (journal));
  /* Nobody wrote, so that nothing is left beside it. */
  g_autofree char *log = g_strconcat (file, "-wal", NULL), *shared = g_strconcat (file, "-shm", NULL);
  g_assert_false (g_file_test (log, G_FILE_TEST_EXISTS) || g_file_test (shared, G_FILE_TEST_EXISTS));
}

static void
test_summary (void)
{
  g_autofree char *file = file_named ("whole");
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (TtiJournalSummary) summary = summarize (journal);

  g_assert_cmpuint (count_all (summary), ==, N_TASKS);
  g_assert_cmpuint (summary->n_by_end[TTI_LOOK_DONE], ==, N_BLOCKS * BLOCK + N_ROWS / 6);
  g_assert_cmpuint (summary->n_by_end[TTI_LOOK_RAISED], ==, N_ROWS / 6);
  g_assert_cmpuint (summary->n_by_end[TTI_LOOK_TIMED_OUT], ==, N_ROWS / 6);
  g_assert_cmpuint (summary->n_running, ==, N_ROWS / 6);
  g_assert_cmpint (tti_journal_summary_quantile (summary, 0.5), ==, 10);
  g_assert_cmpint (tti_journal_summary_quantile (summary, 1), ==, 50000);
  g_assert_cmpint (summary->longest, ==, 50000);
  g_assert_cmpuint (summary->slowest->len, ==, 5);
  g_assert_cmpuint (summary->procedures->len, ==, 2);
  g_assert_cmpstr (g_array_index (summary->procedures, TtiJournalProcedure, 0).name, ==, "slow");
  g_assert_cmpuint (summary->lines->len, ==, 4);
  g_assert_cmpuint (summary->n_other_lines, ==, 0);
}

static void
test_bins (void)
{
  g_autofree char *file = file_named ("bins");
  gint64 run = 1, values[] = { 0, 1, 127, 128, 129, 1000, 65535, 1000000, 4000000000 };
  TtiDatabase *database = begin (file, &run);

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    tti_database_write (database, TTI_SQL_TASK, "iiisinnniniissniii", run, (gint64) i + 1, (gint64) 1, "f", BEGAN, BEGAN, BEGAN + values[i],
                        values[i], (gint64) 0, (gint64) 1, (gint64) 1, (gint64) 0, "done", NULL, (gint64) 0, (gint64) 0, (gint64) 0,
                        (gint64) 0);
  tti_database_close (database);
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (TtiJournalSummary) summary = summarize (journal);

  g_assert_cmpuint (summary->bins->len, ==, G_N_ELEMENTS (values));
  for (guint i = 0; i < summary->bins->len; i++)
    {
      const TtiJournalBin *bin = &g_array_index (summary->bins, TtiJournalBin, i);

      g_assert_cmpuint (bin->n, ==, 1);
      g_assert_cmpuint (bin->low, <=, (guint64) values[i]);
      g_assert_cmpuint (bin->high, >, (guint64) values[i]);
      g_assert_cmpuint (bin->high - bin->low, <=, 1 + bin->low / 100);
    }
}

static void
test_one (void)
{
  g_autofree char *file = file_named ("whole");
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  TtiJournalTask task;

  for (guint64 number = 1; number <= N_TASKS; number += 37)
    {
      g_assert_true (tti_journal_find_task (journal, 1, number, &task, texts));
      g_assert_cmpuint (task.task, ==, number);
      g_assert_cmpstr (task.name, ==, number <= N_ROWS ? "slow" : "quick");
    }
  g_assert_false (tti_journal_find_task (journal, 1, N_TASKS + 1, &task, texts));
  g_assert_false (tti_journal_find_task (journal, 2, 1, &task, texts));
  g_assert_false (tti_journal_find_task (journal, 1, G_MAXUINT64, &task, texts));
  g_assert_null (*tti_journal_get_missing (journal));
}

/* --- while it is written ----------------------------------------------------------------------------------------------------- */

static guint64
count_in (const char *file)
{
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (TtiJournalSummary) summary = summarize (journal);

  g_assert_null (*tti_journal_get_missing (journal));
  return count_all (summary);
}

static void
test_live (void)
{
  g_autofree char *file = file_named ("live"), *log = file_named ("live-wal");
  g_autofree char *left = file_named ("left"), *left_log = file_named ("left-wal");
  gint64 run = 1;
  TtiDatabase *database = begin (file, &run);

  write_block (database, run, 1, 10, 0);
  g_assert_cmpuint (count_in (file), ==, 0); /* it is not committed */
  tti_database_commit (database, g_get_monotonic_time ());
  g_autoptr (TtiJournal) old = open_well (file);
  g_assert_cmpuint (count_in (file), ==, 10);
  write_tasks (database, run);
  tti_database_commit (database, g_get_monotonic_time ());
  g_assert_cmpuint (count_in (file), ==, 10 + N_TASKS);
  g_autoptr (TtiJournalSummary) summary = summarize (old);
  g_assert_cmpuint (count_all (summary), ==, 10); /* as it was when it was opened */
  /* As a recorder leaves it that is killed. */
  g_autoptr (GBytes) bytes = contents_of (file), log_bytes = contents_of (log);
  put_contents (left, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  put_contents (left_log, g_bytes_get_data (log_bytes, NULL), g_bytes_get_size (log_bytes));
  g_assert_cmpuint (count_in (left), ==, 10 + N_TASKS);
  tti_database_close (database);
}

/* --- cut and damaged --------------------------------------------------------------------------------------------------------- */

/* Do everything with FILE that can be done. Returns how many tasks were found, and whether something IS_MISSING. */
static guint64
use (const char *file, gboolean *is_missing)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiJournal) journal = tti_journal_open (file, &error);
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  TtiJournalTask task;

  if (journal == NULL)
    {
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
      g_assert_nonnull (strstr (error->message, file));
      *is_missing = TRUE;
      return 0;
    }
  g_autoptr (TtiJournalSummary) summary = summarize (journal);

  (void) tti_journal_find_task (journal, 1, N_TASKS - 3, &task, texts);
  (void) tti_journal_find_task (journal, 1, 3, &task, texts);
  write_trace (journal, "/dev/null");
  *is_missing = *tti_journal_get_missing (journal) != NULL;
  return count_all (summary);
}

static void
test_cut (void)
{
  g_autofree char *file = file_named ("whole"), *cut = file_named ("cut");
  g_autoptr (GBytes) bytes = contents_of (file);
  gsize n = g_bytes_get_size (bytes);
  gboolean is_missing;
  guint n_partial = 0;

  for (gsize size = 0; size < n; size += size < 200 ? 1 : size % 4096 < 3 || size % 4096 > 4093 ? 1 : MIN (911, 4094 - size % 4096))
    {
      put_contents (cut, g_bytes_get_data (bytes, NULL), size);
      guint64 found = use (cut, &is_missing);

      g_assert_cmpuint (found, <=, N_TASKS);
      g_assert_true (is_missing);
      n_partial += found > 0;
    }
  g_test_message ("%u of the cut ones have tasks that can be read", n_partial);
  g_assert_cmpuint (n_partial, >, 10);
  put_contents (cut, g_bytes_get_data (bytes, NULL), n);
  g_assert_cmpuint (use (cut, &is_missing), ==, N_TASKS);
  g_assert_false (is_missing);
}

static void
test_cut_log (void)
{
  g_autofree char *file = file_named ("left"), *log = file_named ("left-wal");
  g_autofree char *cut = file_named ("cut-left"), *cut_log = file_named ("cut-left-wal");
  g_autoptr (GBytes) bytes = contents_of (file), log_bytes = contents_of (log);
  gsize n = g_bytes_get_size (log_bytes);
  gboolean is_missing;
  guint64 before = 0;

  put_contents (cut, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  for (gsize size = 0; size < n; size += 1733)
    {
      put_contents (cut_log, g_bytes_get_data (log_bytes, NULL), size);
      guint64 found = use (cut, &is_missing);

      g_assert_cmpuint (found, >=, before); /* whole transactions */
      before = found;
    }
  put_contents (cut_log, g_bytes_get_data (log_bytes, NULL), n);
  g_assert_cmpuint (use (cut, &is_missing), ==, 10 + N_TASKS);
}

static void
test_damaged (void)
{
  g_autofree char *file = file_named ("whole"), *damaged = file_named ("damaged");
  g_autoptr (GBytes) bytes = contents_of (file);
  gsize n = g_bytes_get_size (bytes);
  g_autofree guint8 *copy = g_malloc (n);
  g_autoptr (GRand) random = g_rand_new_with_seed (17);
  gboolean is_missing;

  for (guint round = 0; round < 200; round++)
    {
      memcpy (copy, g_bytes_get_data (bytes, NULL), n);
      /* Mostly in what SQLite keeps at the beginning of pages: kinds, counts, and pointers to others. */
      for (guint i = 0; i < 1 + round / 4; i++)
        {
          gsize page = (gsize) g_rand_int_range (random, 0, (gint32) (n / 4096)) * 4096;

          copy[page + (gsize) g_rand_int_range (random, page == 0 ? 100 : 0, i % 2 == 0 ? 120 : 4096)] = (guint8) g_rand_int (random);
        }
      put_contents (damaged, copy, n);
      (void) use (damaged, &is_missing);
    }
}

/* --- refused ----------------------------------------------------------------------------------------------------------------- */

static void
assert_refused (const char *file, const char *reason)
{
  g_autoptr (GError) error = NULL;
  TtiJournal *journal = tti_journal_open (file, &error);

  g_assert_null (journal);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM);
  g_assert_nonnull (strstr (error->message, file));
  if (strstr (error->message, reason) == NULL)
    g_error ("expected “%s”, got “%s”", reason, error->message);
}

static void
run_sql (const char *file, const char *sql)
{
  sqlite3 *sqlite;

  g_assert_cmpint (sqlite3_open (file, &sqlite), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (sqlite, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (sqlite);
}

static void
test_refused (void)
{
  g_autofree char *file = file_named ("refused"), *fifo = file_named ("fifo"), *other = file_named ("other"), *newer = file_named ("newer");
  g_autofree char *bare = file_named ("bare"), *none = file_named ("none");

  assert_refused (none, "there is no such file");
  assert_refused (folder, "it is a folder");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_refused (fifo, "it is no regular file");
  put_contents (file, "", 0);
  assert_refused (file, "it is empty");
  put_contents (file, "SQLite", 6);
  assert_refused (file, "only its first 6 bytes are there");
  put_contents (file, "(journal)", 9);
  assert_refused (file, "it is something else");
  run_sql (other, "CREATE TABLE run (run INTEGER)");
  assert_refused (other, "it is the database of another program");
  write_whole (newer);
  run_sql (newer, "PRAGMA user_version = 2");
  assert_refused (newer, "it was written by a newer version of Tutti: it has the format 2, this one reads 1");
  run_sql (newer, "PRAGMA user_version = 0");
  assert_refused (newer, "of no version of Tutti");
  run_sql (bare, "PRAGMA journal_mode = WAL");
  assert_refused (bare, "there is nothing in it");
}

/* Views stand for what has no end. */
static void
test_views (void)
{
  g_autofree char *file = file_named ("views");
  gboolean is_missing;

  write_whole (file);
  run_sql (file, "DROP TABLE task; CREATE VIEW task AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                 " SELECT 1 AS run, i AS task, 1 AS pool, 'x' AS name, 1 AS submitted, 1 AS started, 1 AS ended, 1 AS took,"
                 " 1 AS worker, 1 AS generation, 1 AS attempts, 0 AS losses, 'done' AS outcome, '' AS error, 0 AS culprit,"
                 " 0 AS input, 0 AS result, 0 AS maker FROM n");
  g_assert_cmpuint (use (file, &is_missing), ==, N_BLOCKS * BLOCK);
  g_assert_true (is_missing);
}

/* --- texts ------------------------------------------------------------------------------------------------------------------- */

static void
assert_clean (const char *bytes, gsize n, const char *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);

  tti_clean_text_append (text, bytes, n, TRUE);
  g_assert_cmpstr (text->str, ==, expected);
}

#define CLEAN(bytes, expected) assert_clean (bytes, sizeof (bytes) - 1, expected)

static void
test_clean (void)
{
  CLEAN ("plain, ü, 日本\nnext\tone", "plain, ü, 日本\nnext one");
  CLEAN ("a\0b\r\n\x01\x7f" "c", "ab\nc");
  CLEAN ("\x1b[31mred\x1b[0m \x1b]0;title\x07now \x1b]8;;http://x\x1b\\link\x1b(B\x1b", "red now link");
  CLEAN ("\x1b[", "");
  CLEAN ("abc\u202Edcb\u202C\u2066x\u2069\u200B\u200D\uFEFF\u00AD\u2060y", "abcdcbxy");
  CLEAN ("\u3164\u115F\u034F\uFE0F\U000E0041\u2800z\uE000", "z");
  CLEAN ("\u2028\u2029\u00A0\u3000|", "\n\n  |");
  CLEAN ("\xff\xfe ok \xc3", "\uFFFD ok \uFFFD");
  CLEAN ("\xc0\x80\xed\xa0\x80!", "\uFFFD!");
  CLEAN ("\xc2\x9b" "31m", "31m");
  CLEAN ("a\u0301\u0301\u0301\u0301\u0301\u0301" "b\u0301", "a\u0301\u0301\u0301" "b\u0301");
  g_autofree char *much = g_strnfill (100000, 'x');
  g_autoptr (GString) text = g_string_new (NULL);

  tti_clean_text_append (text, much, 100000, FALSE);
  g_assert_cmpuint (text->len, ==, 65536 + strlen ("…"));
}

/* --- a million --------------------------------------------------------------------------------------------------------------- */

static guint64
resident_bytes (void)
{
  g_autofree char *text = NULL;
  guint64 total = 0, resident = 0;

  g_file_get_contents ("/proc/self/statm", &text, NULL, NULL);
  g_assert_cmpint (sscanf (text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, &total, &resident), ==, 2);
  return resident * 4096;
}

static void
test_million (void)
{
  enum { MILLION = 1000000, PART = 4000, LOOKS = 200 };
  g_autofree char *file = file_named ("million"), *trace = file_named ("trace");
  gint64 run = 1;
  TtiDatabase *database = begin (file, &run);

  tti_database_write (database, TTI_SQL_NAME, "iis", run, (gint64) 1, "quick");
  for (guint i = 0; i < MILLION / PART; i++)
    write_block (database, run, 1 + i * PART, PART, i * PART * 100);
  tti_database_close (database);
  g_autoptr (TtiJournal) journal = open_well (file);
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  gint64 before = g_get_monotonic_time ();

  for (guint i = 0; i < LOOKS; i++)
    {
      guint64 number = 1 + (guint64) i * 4999 % MILLION;
      TtiJournalTask task;

      g_assert_true (tti_journal_find_task (journal, run, number, &task, texts));
      g_assert_cmpuint (task.task, ==, number);
    }
  double ms = (double) (g_get_monotonic_time () - before) / 1000 / LOOKS;

  g_test_message ("a task of 10^6 is found in %.3f ms", ms);
  g_assert_cmpfloat (ms, <=, 10);
  write_trace (journal, trace); /* what is needed once */
  guint64 resident = resident_bytes ();

  before = g_get_monotonic_time ();
  write_trace (journal, trace);
  g_test_message ("10^6 tasks as a trace: %.1f s", (double) (g_get_monotonic_time () - before) / 1e6);
  g_assert_cmpuint (resident_bytes (), <, resident + 8 * 1024 * 1024);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("tutti-test-XXXXXX", &error);
  g_assert_no_error (error);
  g_test_add_func ("/journal/whole", test_whole);
  g_test_add_func ("/journal/summary", test_summary);
  g_test_add_func ("/journal/bins", test_bins);
  g_test_add_func ("/journal/one", test_one);
  g_test_add_func ("/journal/live", test_live);
  g_test_add_func ("/journal/cut", test_cut);
  g_test_add_func ("/journal/cut-log", test_cut_log);
  g_test_add_func ("/journal/damaged", test_damaged);
  g_test_add_func ("/journal/refused", test_refused);
  g_test_add_func ("/journal/views", test_views);
  g_test_add_func ("/journal/clean", test_clean);
  g_test_add_func ("/journal/million", test_million);
  int result = g_test_run ();
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", folder);

  if (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL))
    g_free (folder);
  return result;
}
