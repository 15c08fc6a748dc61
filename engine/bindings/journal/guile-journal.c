/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Primitives that read journals: an extension of Guile of its own, which (tutti look journal-read) loads when it is first used, so that
 * SQLite is in no process that reads none. Texts that they return are clean (journal/clean-text.h). */
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "journal/clean-text.h"
#include "journal/summary.h"
#include "journal/trace.h"
#include "platform/error.h"
#include <libguile.h>

enum { MOST_NUMBERS = 4 };

__attribute__ ((visibility ("default"))) void tti_journal_init (void);

static void
journal_release (gpointer journal)
{
  tti_journal_close (journal);
}

static TtiHandleType journal_type = { .name = "<journal>", .what = "journal", .release = journal_release };

static TtiJournal *
to_journal (SCM object, const char *who)
{
  TtiJournal *journal = tti_guile_from_handle (&journal_type, object, 1, who);

  if (journal == NULL)
    scm_misc_error (who, "the journal is closed", SCM_EOL);
  return journal;
}

/* TEXT, which is clean and so UTF-8. */
static SCM
from_clean (const char *text)
{
  return scm_from_utf8_string (text);
}

/* (%journal-open file) -> journal */
static SCM
journal_open (SCM file)
{
  GError *error = NULL;
  char *c_file = scm_to_locale_string (file);
  TtiJournal *journal = tti_journal_open (c_file, &error);

  free (c_file);
  if (journal == NULL)
    tti_guile_raise ("open-journal", error);
  return tti_guile_make_handle (&journal_type, journal, FALSE);
}

/* (%journal-close! journal); it is no longer a journal */
static SCM
journal_close (SCM handle)
{
  (void) to_journal (handle, "close-journal");
  tti_journal_close (tti_guile_empty_handle (handle));
  return SCM_UNSPECIFIED;
}

/* (%journal-missing journal) -> sentences */
static SCM
journal_missing (SCM handle)
{
  const char *const *sentences = tti_journal_get_missing (to_journal (handle, "journal-missing"));
  SCM list = SCM_EOL;

  for (; *sentences != NULL; sentences++)
    list = scm_cons (tti_guile_from_text (*sentences, -1), list);
  scm_remember_upto_here_1 (handle);
  return scm_reverse_x (list, SCM_EOL);
}

/* The values of the present row, a vector: numbers, clean texts with their lines, or #f. */
static SCM
from_row (const TtiJournalRows *rows, GString *text)
{
  guint n = tti_journal_rows_n_columns (rows);
  SCM row = scm_c_make_vector (n, SCM_BOOL_F);

  for (guint i = 0; i < n; i++)
    if (tti_journal_rows_is_number (rows, i))
      scm_c_vector_set_x (row, i, scm_from_int64 (tti_journal_rows_number (rows, i)));
    else if (!tti_journal_rows_is_null (rows, i))
      {
        gsize n_bytes;
        const char *bytes = tti_journal_rows_bytes (rows, i, &n_bytes);

        g_string_truncate (text, 0);
        if (bytes != NULL)
          tti_clean_text_append (text, bytes, n_bytes, TRUE);
        scm_c_vector_set_x (row, i, from_clean (text->str));
      }
  return row;
}

/* (%journal-rows journal what sql numbers most) -> rows, a list of vectors, of which there are MOST at most */
static SCM
journal_rows (SCM handle, SCM what, SCM sql, SCM numbers, SCM most)
{
  TtiJournal *journal = to_journal (handle, "journal-rows");
  gint64 c_numbers[MOST_NUMBERS];
  guint n = 0, c_most = scm_to_uint (most);
  SCM list = SCM_EOL;

  for (; scm_is_pair (numbers) && n < MOST_NUMBERS; numbers = SCM_CDR (numbers))
    c_numbers[n++] = scm_to_int64 (SCM_CAR (numbers));
  scm_dynwind_begin (0);
  char *c_what = scm_to_utf8_string (what);
  scm_dynwind_free (c_what);
  char *c_sql = scm_to_utf8_string (sql);
  scm_dynwind_free (c_sql);
  GString *text = g_string_new (NULL);
  TtiJournalRows *rows = tti_journal_ask (journal, c_what, c_sql, c_numbers, n);

  while (c_most-- > 0 && tti_journal_rows_next (rows))
    list = scm_cons (from_row (rows, text), list);
  tti_journal_rows_free (rows);
  g_string_free (text, TRUE);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (handle);
  return scm_reverse_x (list, SCM_EOL);
}

static SCM
or_false (gint64 number)
{
  return number != 0 ? scm_from_int64 (number) : SCM_BOOL_F;
}

static SCM
end_symbol (gint32 end)
{
  static const char *const symbols[] = { "done", "raised", "failed", "cancelled", "timed-out", "died", "closed" };

  return end == TTI_JOURNAL_AGAIN        ? scm_from_utf8_symbol ("again")
         : end == TTI_JOURNAL_UNKNOWN    ? scm_from_utf8_symbol ("unknown")
         : end == TTI_JOURNAL_UNFINISHED ? SCM_BOOL_F
                                         : scm_from_utf8_symbol (symbols[end]);
}

/* #(task procedure end pool worker submitted started ended duration attempts losses error culprit input result in-block? maker?) */
static SCM
from_task (const TtiJournalTask *task)
{
  SCM values[] = {
    scm_from_uint64 (task->task), *task->name != '\0' ? from_clean (task->name) : SCM_BOOL_F, end_symbol (task->end),
    scm_from_uint64 (task->pool), task->worker >= 0 ? scm_from_int32 (task->worker) : SCM_BOOL_F,
    or_false (task->submitted), or_false (task->started), or_false (task->ended),
    scm_from_int64 (tti_journal_task_duration (task)), scm_from_uint32 (task->attempts), scm_from_uint32 (task->losses),
    *task->error != '\0' ? from_clean (task->error) : SCM_BOOL_F, or_false ((gint64) task->culprit),
    scm_from_uint64 (task->input), scm_from_uint64 (task->result), scm_from_bool (task->is_in_block), scm_from_bool (task->is_maker),
  };
  SCM vector = scm_c_make_vector (G_N_ELEMENTS (values), SCM_BOOL_F);

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    scm_c_vector_set_x (vector, i, values[i]);
  return vector;
}

/* (%journal-task journal run task) -> a vector as of from_task (), or #f: it is not there */
static SCM
journal_task (SCM handle, SCM run, SCM number)
{
  TtiJournal *journal = to_journal (handle, "journal-task");
  gint64 c_run = scm_to_int64 (run);
  guint64 c_number = scm_to_uint64 (number);
  GPtrArray *texts = g_ptr_array_new_with_free_func (g_free);
  TtiJournalTask task;
  SCM found = SCM_BOOL_F;

  if (tti_journal_find_task (journal, c_run, c_number, &task, texts))
    {
      task.busy_from = task.started;
      task.busy_to = MAX (task.ended, task.started);
      found = from_task (&task);
    }
  g_ptr_array_unref (texts);
  scm_remember_upto_here_1 (handle);
  return found;
}

static SCM
from_counts (const TtiJournalSummary *summary)
{
  SCM list = SCM_EOL;

  for (int end = TTI_LOOK_CLOSED; end >= TTI_LOOK_DONE; end--)
    list = scm_acons (end_symbol (end), scm_from_uint64 (summary->n_by_end[end]), list);
  list = scm_acons (scm_from_utf8_symbol ("makers"), scm_from_uint64 (summary->n_makers), list);
  list = scm_acons (scm_from_utf8_symbol ("again"), scm_from_uint64 (summary->n_again), list);
  list = scm_acons (scm_from_utf8_symbol ("unknown"), scm_from_uint64 (summary->n_unknown), list);
  list = scm_acons (scm_from_utf8_symbol ("waiting"), scm_from_uint64 (summary->n_waiting), list);
  return scm_acons (scm_from_utf8_symbol ("running"), scm_from_uint64 (summary->n_running), list);
}

/* #(median p90 p99 longest ((low high n) ...)), or #f: nothing has ended well */
static SCM
from_durations (const TtiJournalSummary *summary)
{
  SCM bins = SCM_EOL;

  if (summary->bins->len == 0)
    return SCM_BOOL_F;
  for (guint i = summary->bins->len; i-- > 0;)
    {
      const TtiJournalBin *bin = &g_array_index (summary->bins, TtiJournalBin, i);

      bins = scm_cons (scm_list_3 (scm_from_uint64 (bin->low), scm_from_uint64 (bin->high), scm_from_uint64 (bin->n)), bins);
    }
  return scm_vector (scm_list_5 (scm_from_int64 (tti_journal_summary_quantile (summary, 0.5)),
                                 scm_from_int64 (tti_journal_summary_quantile (summary, 0.9)),
                                 scm_from_int64 (tti_journal_summary_quantile (summary, 0.99)), scm_from_int64 (summary->longest), bins));
}

static SCM
from_slowest (const TtiJournalSummary *summary)
{
  SCM list = SCM_EOL;

  for (guint i = summary->slowest->len; i-- > 0;)
    list = scm_cons (from_task (&g_array_index (summary->slowest, TtiJournalTask, i)), list);
  return list;
}

/* (#(name n n-failed µs) ...) */
static SCM
from_procedures (const TtiJournalSummary *summary)
{
  SCM list = SCM_EOL;

  for (guint i = summary->procedures->len; i-- > 0;)
    {
      const TtiJournalProcedure *procedure = &g_array_index (summary->procedures, TtiJournalProcedure, i);

      list = scm_cons (scm_vector (scm_list_4 (*procedure->name != '\0' ? from_clean (procedure->name) : SCM_BOOL_F,
                                               scm_from_uint64 (procedure->n), scm_from_uint64 (procedure->n_failed),
                                               scm_from_uint64 (procedure->took))),
                       list);
    }
  return list;
}

static SCM
from_bytes (const guint8 *bytes, guint n)
{
  SCM vector = scm_c_make_bytevector (n);

  memcpy (SCM_BYTEVECTOR_CONTENTS (vector), bytes, n);
  return vector;
}

/* (#(pool worker n µs busy failed) ...): the last two are bytevectors */
static SCM
from_lines (const TtiJournalSummary *summary, guint n_columns)
{
  SCM list = SCM_EOL;

  for (guint i = summary->lines->len; i-- > 0;)
    {
      const TtiJournalLine *line = &g_array_index (summary->lines, TtiJournalLine, i);

      list = scm_cons (scm_vector (scm_list_n (scm_from_uint64 (line->pool), scm_from_int32 (line->worker), scm_from_uint64 (line->n),
                                               scm_from_uint64 (line->time), from_bytes (line->busy, n_columns),
                                               from_bytes (line->failed, n_columns), SCM_UNDEFINED)),
                       list);
    }
  return list;
}

/* (%journal-summary journal run from to #(n-slowest n-columns n-lines n-procedures)) -> #(counts durations slowest procedures
 * n-other-procedures lines n-other-lines); see journal/summary.h */
static SCM
journal_summary (SCM handle, SCM run, SCM from, SCM to, SCM most)
{
  TtiJournal *journal = to_journal (handle, "journal-summary");
  TtiJournalWishes wishes = { .from = scm_to_int64 (from), .to = scm_to_int64 (to),
                              .n_slowest = scm_to_uint (scm_c_vector_ref (most, 0)),
                              .n_columns = scm_to_uint (scm_c_vector_ref (most, 1)), .n_lines = scm_to_uint (scm_c_vector_ref (most, 2)),
                              .n_procedures = scm_to_uint (scm_c_vector_ref (most, 3)) };
  TtiJournalSummary *summary = tti_journal_summarize (journal, scm_to_int64 (run), &wishes);
  SCM list = scm_list_n (from_counts (summary), from_durations (summary), from_slowest (summary), from_procedures (summary),
                         scm_from_uint64 (summary->n_other_procedures), from_lines (summary, wishes.n_columns),
                         scm_from_uint64 (summary->n_other_lines), SCM_UNDEFINED);

  tti_journal_summary_free (summary);
  scm_remember_upto_here_1 (handle);
  return scm_vector (list);
}

/* (%journal-write-trace journal run began ended descriptor) -> #f, or why not */
static SCM
journal_write_trace (SCM handle, SCM run, SCM began, SCM ended, SCM descriptor)
{
  TtiJournal *journal = to_journal (handle, "journal-write-trace");
  GError *error = NULL;

  if (tti_journal_write_trace (journal, scm_to_int64 (run), scm_to_int64 (began), scm_to_int64 (ended), scm_to_int (descriptor), &error))
    return SCM_BOOL_F;
  SCM text = tti_guile_from_text (error->message, -1);

  g_error_free (error);
  scm_remember_upto_here_1 (handle);
  return text;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%journal-open", 1, journal_open },       { "%journal-close!", 1, journal_close }, { "%journal-missing", 1, journal_missing },
  { "%journal-rows", 5, journal_rows },       { "%journal-task", 3, journal_task },    { "%journal-summary", 5, journal_summary },
  { "%journal-write-trace", 5, journal_write_trace },
};

/* Called by load-extension in the module whose bindings the primitives become. */
void
tti_journal_init (void)
{
  tti_guile_define_handle_type (&journal_type);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
