/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Rows come sorted from SQLite, by when they were started; blocks are opened when their turn has come, and are merged by a heap. A recorder
 * writes tasks into blocks in the order in which they end, and none of these was longer than 50 ms, so that few are open at a time. */
#include "journal/walk.h"
#include "journal/clean-text.h"
#include "journal/schema.h"
#include "look/events.h"
#include <string.h>

/* A block, of which records before AT were handed out. Records are sorted by when they were started. */
typedef struct
{
  TtiJournalRecord *records;
  guint n, at;
} Block;

typedef struct
{
  gint64 row, began;
} BlockPlace;

/* Until when a worker is known to have been busy. */
typedef struct
{
  guint64 pool;
  gint32 worker;
  gint64 until;
} Place;

struct _TtiJournalWalk
{
  TtiJournal *journal;
  gint64 run, now;
  TtiJournalRows *rows;
  TtiJournalTask row;         /* the next of ROWS */
  gboolean has_row, is_sorted;
  GString *row_name, *row_error, *name, *error; /* of ROW, and of what was handed out */
  GArray *blocks;             /* of BlockPlace, by when they began */
  guint next_block;
  GPtrArray *open;            /* of Block: a heap, the earliest first */
  GHashTable *names;          /* number -> text */
  GHashTable *places;         /* of Place, each both key and value */
};

#define COLUMNS "task, pool, name, submitted, started, ended, took, worker, generation, attempts, losses, outcome, error, culprit, input," \
                " result, maker"

static const char sorted_sql[] =
  "SELECT " COLUMNS ", coalesce (started, submitted) AS at FROM task WHERE run = ?1"
  " UNION ALL SELECT a.task, t.pool, t.name, a.started, a.started, a.ended, 0, a.worker, a.generation, a.attempt, 0, a.outcome, NULL, 0, 0,"
  " 0, 0, a.started FROM attempt AS a LEFT JOIN task AS t ON t.run = ?1 AND t.task = a.task WHERE a.run = ?1 AND a.outcome = 'again'"
  " ORDER BY at, task";
static const char unsorted_sql[] = "SELECT " COLUMNS " FROM task WHERE run = ?1";
static const char one_sql[] = "SELECT " COLUMNS " FROM task WHERE run = ?1 AND task = ?2";

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

static gint32
end_from_text (const char *text, gsize n)
{
  if (text == NULL)
    return TTI_JOURNAL_UNFINISHED;
  if (n == strlen ("again") && memcmp (text, "again", n) == 0)
    return TTI_JOURNAL_AGAIN;
  if (n == strlen ("unknown") && memcmp (text, "unknown", n) == 0)
    return TTI_JOURNAL_UNKNOWN;
  for (int end = TTI_LOOK_DONE; end <= TTI_LOOK_CLOSED; end++)
    {
      const char *name = tti_look_end_name ((TtiLookEnd) end);

      if (strlen (name) == n && memcmp (text, name, n) == 0)
        return end;
    }
  return TTI_JOURNAL_UNFINISHED;
}

static void
read_text (const TtiJournalRows *rows, guint column, gboolean keep_lines, GString *text)
{
  gsize n;
  const char *bytes = tti_journal_rows_bytes (rows, column, &n);

  g_string_truncate (text, 0);
  if (bytes != NULL)
    tti_clean_text_append (text, bytes, n, keep_lines);
}

/* Times between 1970 and 2500, so that sums of them fit. */
static gint64
read_time (const TtiJournalRows *rows, guint column)
{
  return CLAMP (tti_journal_rows_number (rows, column), 0, G_GINT64_CONSTANT (16725225600000000));
}

static guint64
read_count (const TtiJournalRows *rows, guint column)
{
  return (guint64) MAX (tti_journal_rows_number (rows, column), 0);
}

/* The present row, which has COLUMNS. */
static void
read_row (const TtiJournalRows *rows, TtiJournalTask *task, GString *name, GString *error)
{
  gsize n_outcome;
  const char *outcome = tti_journal_rows_bytes (rows, 11, &n_outcome);

  read_text (rows, 2, FALSE, name);
  read_text (rows, 12, TRUE, error);
  *task = (TtiJournalTask){
    .task = read_count (rows, 0), .pool = read_count (rows, 1), .name = name->str, .submitted = read_time (rows, 3),
    .started = read_time (rows, 4), .ended = read_time (rows, 5), .took = read_time (rows, 6),
    .worker = (gint32) CLAMP (tti_journal_rows_number (rows, 7), -1, G_MAXINT32), .generation = read_count (rows, 8),
    .attempts = (guint32) MIN (read_count (rows, 9), G_MAXUINT32), .losses = (guint32) MIN (read_count (rows, 10), G_MAXUINT32),
    .end = end_from_text (outcome, n_outcome), .error = error->str, .culprit = read_count (rows, 13), .input = read_count (rows, 14),
    .result = read_count (rows, 15), .is_maker = tti_journal_rows_number (rows, 16) != 0,
  };
}

static void
go_to_next_row (TtiJournalWalk *self)
{
  self->has_row = tti_journal_rows_next (self->rows);
  if (!self->has_row && tti_journal_rows_is_broken (self->rows) && self->is_sorted)
    {
      /* Sorting needs them all: then as far as they can be read, in the order of their numbers. */
      tti_journal_rows_free (self->rows);
      self->rows = tti_journal_ask (self->journal, "tasks", unsorted_sql, &self->run, 1);
      self->is_sorted = FALSE;
      self->has_row = tti_journal_rows_next (self->rows);
    }
  if (self->has_row)
    read_row (self->rows, &self->row, self->row_name, self->row_error);
}

/* --- blocks ------------------------------------------------------------------------------------------------------------------ */

static void
block_free (gpointer data)
{
  Block *block = data;

  g_free (block->records);
  g_free (block);
}

/* The records of the first column of the present row. */
static Block *
read_block (TtiJournal *journal, const TtiJournalRows *rows)
{
  gsize n_bytes;
  const char *bytes = tti_journal_rows_bytes (rows, 0, &n_bytes);
  Block *block = g_new0 (Block, 1);

  block->n = (guint) (n_bytes / sizeof *block->records);
  block->records = g_memdup2 (bytes, block->n * sizeof *block->records);
  for (guint i = 0; i < block->n; i++)
    {
      TtiJournalRecord *record = &block->records[i];

      record->started = CLAMP (GINT64_FROM_LE (record->started), 0, G_GINT64_CONSTANT (16725225600000000));
      record->task = GUINT64_FROM_LE (record->task);
      record->queued = GUINT32_FROM_LE (record->queued);
      record->elapsed = GUINT32_FROM_LE (record->elapsed);
      record->took = GUINT32_FROM_LE (record->took);
      record->pool = GUINT16_FROM_LE (record->pool);
      record->name = GUINT16_FROM_LE (record->name);
      record->worker = GUINT32_FROM_LE (record->worker);
      record->result = GUINT32_FROM_LE (record->result);
    }
  if (bytes == NULL || n_bytes % sizeof *block->records != 0)
    tti_journal_add_missing (journal, "a part of a block of tasks: it has %" G_GSIZE_FORMAT " bytes, no multiple of %d", n_bytes,
                             (int) sizeof *block->records);
  return block;
}

static void
task_from_record (const TtiJournalRecord *record, const char *name, TtiJournalTask *task)
{
  *task = (TtiJournalTask){
    .task = record->task, .pool = record->pool, .name = name, .error = "", .submitted = record->started - record->queued,
    .started = record->started, .ended = record->started + record->elapsed, .took = record->took,
    .worker = (gint32) MIN (record->worker, G_MAXINT32), .attempts = 1, .end = TTI_LOOK_DONE, .result = record->result, .is_in_block = TRUE,
  };
}

static int
compare_records (gconstpointer a, gconstpointer b)
{
  const TtiJournalRecord *one = a, *other = b;

  return one->started != other->started ? (one->started < other->started ? -1 : 1)
         : one->task != other->task     ? (one->task < other->task ? -1 : 1)
                                        : 0;
}

static gint64
block_time (const TtiJournalWalk *self, guint i)
{
  const Block *block = g_ptr_array_index (self->open, i);

  return block->records[block->at].started;
}

static void
swap (TtiJournalWalk *self, guint i, guint j)
{
  gpointer *blocks = self->open->pdata, block = blocks[i];

  blocks[i] = blocks[j];
  blocks[j] = block;
}

static void
sink_first (TtiJournalWalk *self)
{
  for (guint i = 0, n = self->open->len;;)
    {
      guint least = i;

      for (guint child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++)
        if (block_time (self, child) < block_time (self, least))
          least = child;
      if (least == i)
        return;
      swap (self, i, least);
      i = least;
    }
}

static void
open_next_block (TtiJournalWalk *self)
{
  const BlockPlace *place = &g_array_index (self->blocks, BlockPlace, self->next_block++);
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (self->journal, "blocks of tasks", "SELECT records FROM block WHERE rowid = ?",
                                                     &place->row, 1);

  if (!tti_journal_rows_next (rows))
    return;
  Block *block = read_block (self->journal, rows);

  if (block->n == 0)
    {
      block_free (block);
      return;
    }
  qsort (block->records, block->n, sizeof *block->records, compare_records);
  g_ptr_array_add (self->open, block);
  for (guint i = self->open->len - 1; i > 0 && block_time (self, i) < block_time (self, (i - 1) / 2); i = (i - 1) / 2)
    swap (self, i, (i - 1) / 2);
}

/* Take the earliest record, of which there is one. */
static void
take_record (TtiJournalWalk *self, TtiJournalTask *task)
{
  Block *block = g_ptr_array_index (self->open, 0);
  const TtiJournalRecord *record = &block->records[block->at++];
  const char *name = g_hash_table_lookup (self->names, GUINT_TO_POINTER (record->name));

  task_from_record (record, name != NULL ? name : "", task);
  if (block->at < block->n)
    sink_first (self);
  else
    {
      swap (self, 0, self->open->len - 1);
      g_ptr_array_set_size (self->open, (int) self->open->len - 1);
      sink_first (self);
    }
}

static void
find_blocks (TtiJournalWalk *self)
{
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (self->journal, "blocks of tasks", "SELECT rowid, began FROM block WHERE run = ?",
                                                     &self->run, 1);

  while (tti_journal_rows_next (rows))
    {
      BlockPlace place = { tti_journal_rows_number (rows, 0), tti_journal_rows_number (rows, 1) };

      g_array_append_val (self->blocks, place);
    }
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  const BlockPlace *one = a, *other = b;

  return one->began != other->began ? (one->began < other->began ? -1 : 1) : one->row < other->row ? -1 : one->row > other->row;
}

static void
find_names (TtiJournalWalk *self)
{
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (self->journal, "names of procedures",
                                                     "SELECT number, name FROM name WHERE run = ? AND number BETWEEN 1 AND 65535",
                                                     &self->run, 1);

  while (tti_journal_rows_next (rows))
    {
      read_text (rows, 1, FALSE, self->name);
      g_hash_table_insert (self->names, GSIZE_TO_POINTER ((gsize) tti_journal_rows_number (rows, 0)), g_strdup (self->name->str));
    }
}

/* --- walking ----------------------------------------------------------------------------------------------------------------- */

static guint
hash_place (gconstpointer data)
{
  const Place *place = data;

  return (guint) place->pool * 31 + (guint) place->worker;
}

static gboolean
places_are_equal (gconstpointer a, gconstpointer b)
{
  const Place *one = a, *other = b;

  return one->pool == other->pool && one->worker == other->worker;
}

/* When was its worker at TASK? It is given some before they begin, and is done with one before that is known. */
static void
find_busy_time (TtiJournalWalk *self, TtiJournalTask *task)
{
  gint64 from = task->ended != 0 && task->took > 0 ? MAX (task->ended - task->took, task->started) : task->started;

  task->busy_from = task->busy_to = from;
  if (task->worker < 0 || task->started == 0 || task->end == TTI_JOURNAL_UNKNOWN)
    return;
  Place key = { task->pool, task->worker, 0 }, *place = g_hash_table_lookup (self->places, &key);

  if (place == NULL)
    {
      place = g_memdup2 (&key, sizeof key);
      g_hash_table_add (self->places, place);
    }
  task->busy_from = MAX (from, place->until);
  task->busy_to = MAX (task->ended != 0 ? task->ended : self->now, task->busy_from);
  /* What has not ended does not hide what may have come after it. */
  place->until = task->ended != 0 ? task->busy_to : task->busy_from;
}

TtiJournalWalk *
tti_journal_walk_new (TtiJournal *journal, gint64 run, gint64 now)
{
  TtiJournalWalk *self = g_new0 (TtiJournalWalk, 1);

  self->journal = journal;
  self->run = run;
  self->now = now;
  self->row_name = g_string_new (NULL);
  self->row_error = g_string_new (NULL);
  self->name = g_string_new (NULL);
  self->error = g_string_new (NULL);
  self->blocks = g_array_new (FALSE, FALSE, sizeof (BlockPlace));
  self->open = g_ptr_array_new_with_free_func (block_free);
  self->names = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->places = g_hash_table_new_full (hash_place, places_are_equal, g_free, NULL);
  find_names (self);
  find_blocks (self);
  g_array_sort (self->blocks, compare_places);
  self->is_sorted = TRUE;
  self->rows = tti_journal_ask (journal, "tasks", sorted_sql, &run, 1);
  go_to_next_row (self);
  return self;
}

void
tti_journal_walk_free (TtiJournalWalk *self)
{
  if (self == NULL)
    return;
  tti_journal_rows_free (self->rows);
  g_string_free (self->row_name, TRUE);
  g_string_free (self->row_error, TRUE);
  g_string_free (self->name, TRUE);
  g_string_free (self->error, TRUE);
  g_array_unref (self->blocks);
  g_ptr_array_unref (self->open);
  g_hash_table_unref (self->names);
  g_hash_table_unref (self->places);
  g_free (self);
}

gboolean
tti_journal_walk_next (TtiJournalWalk *self, TtiJournalTask *task)
{
  gint64 at = self->has_row ? (self->row.started != 0 ? self->row.started : self->row.submitted) : G_MAXINT64;

  while (self->next_block < self->blocks->len
         && g_array_index (self->blocks, BlockPlace, self->next_block).began <= (self->open->len > 0 ? MIN (at, block_time (self, 0)) : at))
    open_next_block (self);
  if (self->open->len > 0 && block_time (self, 0) <= at)
    take_record (self, task);
  else if (self->has_row)
    {
      /* Its texts are to live while the next row is there already. */
      GString *name = self->name, *error = self->error;

      *task = self->row;
      self->name = self->row_name;
      self->error = self->row_error;
      self->row_name = name;
      self->row_error = error;
      go_to_next_row (self);
    }
  else
    return FALSE;
  find_busy_time (self, task);
  return TRUE;
}

/* --- one --------------------------------------------------------------------------------------------------------------------- */

/* Look for TASK in blocks. */
static gboolean
find_record (TtiJournal *journal, gint64 run, guint64 task, TtiJournalTask *found, GPtrArray *texts)
{
  gint64 numbers[] = { run, (gint64) task };
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (journal, "blocks of tasks",
                                                     "SELECT records FROM block WHERE run = ?1 AND last >= ?2 AND first <= ?2", numbers, 2);

  while (tti_journal_rows_next (rows))
    {
      Block *block = read_block (journal, rows);
      const TtiJournalRecord *record = NULL;

      for (guint i = 0; i < block->n && record == NULL; i++)
        if (block->records[i].task == task)
          record = &block->records[i];
      if (record != NULL)
        {
          gint64 name[] = { run, record->name };
          g_autoptr (TtiJournalRows) names = tti_journal_ask (journal, "names of procedures",
                                                              "SELECT name FROM name WHERE run = ?1 AND number = ?2", name, 2);
          GString *text = g_string_new (NULL);

          if (tti_journal_rows_next (names))
            read_text (names, 0, FALSE, text);
          task_from_record (record, text->str, found);
          g_ptr_array_add (texts, g_string_free (text, FALSE));
        }
      block_free (block);
      if (record != NULL)
        return TRUE;
    }
  return FALSE;
}

gboolean
tti_journal_find_task (TtiJournal *journal, gint64 run, guint64 task, TtiJournalTask *found, GPtrArray *texts)
{
  gint64 numbers[] = { run, (gint64) task };
  g_autoptr (TtiJournalRows) rows = tti_journal_ask (journal, "tasks", one_sql, numbers, 2);

  if (task > G_MAXINT64)
    return FALSE;
  if (tti_journal_rows_next (rows))
    {
      GString *name = g_string_new (NULL), *error = g_string_new (NULL);

      read_row (rows, found, name, error);
      g_ptr_array_add (texts, g_string_free (name, FALSE));
      g_ptr_array_add (texts, g_string_free (error, FALSE));
      /* A recorder that was started again does not know that there was a row while it ran. */
      return found->end != TTI_JOURNAL_UNFINISHED || find_record (journal, run, task, found, texts) || TRUE;
    }
  return find_record (journal, run, task, found, texts);
}
