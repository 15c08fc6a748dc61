/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Blocks of short successes, and the names in them. */
#include "journal/recorder-private.h"

enum
{
  SMALL_BLOCK = 512,                /* records; a smaller one grows, and its row is written again */
  YOUNG_US = 10 * G_USEC_PER_SEC,
  MOST_NAMES = 60000
};

/* --- names ------------------------------------------------------------------------------------------------------------------- */

static void
write_name (TtiRecorder *recorder, guint number)
{
  /* Also for an event that was written down before: its name may have been lost. */
  tti_database_set_quiet (recorder->database, FALSE);
  tti_database_write (recorder->database, TTI_SQL_NAME, "iis", recorder->run, (gint64) number,
                      (const char *) g_ptr_array_index (recorder->texts, number - 1));
  tti_database_set_quiet (recorder->database, recorder->last_event <= recorder->seen);
}

guint16
tti_recorder_number_of_name (TtiRecorder *recorder, const char *text)
{
  gpointer number;

  if (*text == '\0')
    return 0;
  if (g_hash_table_lookup_extended (recorder->names, text, NULL, &number))
    return (guint16) GPOINTER_TO_UINT (number);
  if (recorder->texts->len >= MOST_NAMES)
    return 0;
  char *copy = g_strdup (text);

  g_ptr_array_add (recorder->texts, copy);
  g_hash_table_insert (recorder->names, copy, GUINT_TO_POINTER (recorder->texts->len));
  write_name (recorder, recorder->texts->len);
  return (guint16) recorder->texts->len;
}

static void
take_name (gint64 number, const char *text, gpointer data)
{
  TtiRecorder *recorder = data;

  if (number <= 0 || number > MOST_NAMES || text == NULL || g_hash_table_contains (recorder->names, text))
    return;
  char *copy = g_strdup (text);

  g_ptr_array_set_size (recorder->texts, (gint) MAX (recorder->texts->len, (guint) number));
  recorder->texts->pdata[number - 1] = copy;
  g_hash_table_insert (recorder->names, copy, GUINT_TO_POINTER ((guint) number));
}

void
tti_recorder_read_names (TtiRecorder *recorder)
{
  tti_database_read_names (recorder->database, recorder->run, take_name, recorder);
}

void
tti_recorder_write_names (TtiRecorder *recorder)
{
  for (guint number = 1; number <= recorder->texts->len; number++)
    if (g_ptr_array_index (recorder->texts, number - 1) != NULL)
      write_name (recorder, number);
}

/* --- blocks ------------------------------------------------------------------------------------------------------------------ */

/* Write the records that there are to the row of their block. FALSE: they were not written. */
static gboolean
write_records (TtiRecorder *recorder)
{
  guint n = recorder->n_records;
  gsize size = (gsize) n * sizeof *recorder->records;
  guint64 first = G_MAXUINT64, last = 0;
  gint64 began = G_MAXINT64, ended = 0;

  for (guint i = 0; i < n; i++)
    {
      const TtiJournalRecord *record = &recorder->records[i];

      first = MIN (first, record->task);
      last = MAX (last, record->task);
      began = MIN (began, record->started);
      ended = MAX (ended, record->started + record->elapsed);
    }
  if (recorder->block != 0
      && tti_database_write (recorder->database, TTI_SQL_BLOCK_AGAIN, "iiiiiibi", recorder->run, (gint64) first, (gint64) last, (gint64) n,
                             began, ended, recorder->records, size, recorder->block))
    return TRUE;
  /* It has none yet, or that was not kept when the disk was full. */
  recorder->block = 0;
  if (!tti_database_write (recorder->database, TTI_SQL_BLOCK, "iiiiiib", recorder->run, (gint64) first, (gint64) last, (gint64) n, began,
                           ended, recorder->records, size))
    return FALSE;
  recorder->block = tti_database_get_last_row (recorder->database);
  return TRUE;
}

void
tti_recorder_write_block (TtiRecorder *recorder, gint64 now, gboolean is_last)
{
  guint n = recorder->n_records;
  gboolean is_full = is_last || n >= SMALL_BLOCK || now - recorder->block_since > YOUNG_US;

  if (n == 0)
    return;
  /* One that could not be written is kept for as long as there is room for more. */
  gboolean is_written = n == recorder->n_written || write_records (recorder);

  if (is_written)
    recorder->n_written = n;
  if (!(is_written && is_full) && n < TTI_BLOCK_RECORDS && !is_last)
    return;
  if (!is_written)
    tti_database_count_lost (recorder->database, n - recorder->n_written - 1);
  recorder->n_records = recorder->n_written = 0;
  recorder->block = 0;
}

void
tti_recorder_add_record (TtiRecorder *recorder, const TtiPending *pending, const TtiEvent *event)
{
  const TtiLookEnded *ended = event->ended;
  gint64 started = ended->started, submitted = pending != NULL && pending->submitted != 0 ? pending->submitted : started;

  if (event->number <= recorder->seen)
    return;
  if (recorder->n_records == 0)
    recorder->block_since = event->time;
  recorder->records[recorder->n_records++] = (TtiJournalRecord){
    .task = ended->task, .started = tti_recorder_wall (recorder, started),
    .queued = (guint32) CLAMP (started - submitted, 0, G_MAXUINT32),
    .elapsed = (guint32) CLAMP (event->time - started, 0, G_MAXUINT32), .took = (guint32) CLAMP (ended->took, 0, G_MAXUINT32),
    .pool = (guint16) ended->pool, .name = pending != NULL ? pending->name : tti_recorder_number_of_name (recorder, event->texts[1]),
    .worker = (guint32) ended->worker, .result = (guint32) MIN (ended->result, G_MAXUINT32),
  };
  if (recorder->n_records == TTI_BLOCK_RECORDS)
    tti_recorder_write_block (recorder, event->time, TRUE);
}
