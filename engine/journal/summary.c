/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/summary.h"
#include <string.h>

/* Times are counted in bins: one for each number below SUB, then SUB for each power of two. */
enum
{
  SUB_BITS = 7,
  SUB = 1 << SUB_BITS,
  N_BINS = SUB + (63 - SUB_BITS) * SUB,
  MOST_PROCEDURES = 10000
};

typedef struct
{
  guint64 pool;
  gint32 worker;
  guint64 n, time;      /* as in TtiJournalLine */
  float *busy, *failed; /* µs in each column */
} Line;

typedef struct
{
  TtiJournalSummary *summary;
  const TtiJournalWishes *wishes;
  guint64 *bins;
  GHashTable *procedures; /* name -> TtiJournalProcedure */
  GHashTable *lines;      /* of Line, each both key and value */
} Pass;

/* --- durations --------------------------------------------------------------------------------------------------------------- */

static guint
bin_of (guint64 value)
{
  if (value < SUB)
    return (guint) value;
  guint exponent = g_bit_storage (value) - 1;

  return SUB + (exponent - SUB_BITS) * SUB + (guint) ((value >> (exponent - SUB_BITS)) & (SUB - 1));
}

static guint64
bin_low (guint bin)
{
  if (bin < SUB)
    return bin;
  guint exponent = (bin - SUB) / SUB + SUB_BITS;

  return (guint64) (SUB + (bin - SUB) % SUB) << (exponent - SUB_BITS);
}

static void
keep_bins (Pass *pass)
{
  for (guint i = 0; i < N_BINS; i++)
    if (pass->bins[i] > 0)
      {
        TtiJournalBin bin = { bin_low (i), i + 1 < N_BINS ? bin_low (i + 1) : G_MAXUINT64, pass->bins[i] };

        g_array_append_val (pass->summary->bins, bin);
      }
}

gint64
tti_journal_summary_quantile (const TtiJournalSummary *summary, double quantile)
{
  guint64 n = 0, seen = 0;

  for (guint i = 0; i < summary->bins->len; i++)
    n += g_array_index (summary->bins, TtiJournalBin, i).n;
  for (guint i = 0; i < summary->bins->len; i++)
    {
      const TtiJournalBin *bin = &g_array_index (summary->bins, TtiJournalBin, i);

      seen += bin->n;
      if ((double) seen >= quantile * (double) n)
        return MIN ((gint64) (bin->low + (bin->high - bin->low) / 2), summary->longest);
    }
  return 0;
}

gint64
tti_journal_task_duration (const TtiJournalTask *task)
{
  return task->took > 0 ? task->took : task->busy_to - task->busy_from;
}

/* --- the slowest ------------------------------------------------------------------------------------------------------------- */

static void
clear_task (gpointer data)
{
  TtiJournalTask *task = data;

  g_free ((char *) task->name);
  g_free ((char *) task->error);
}

static void
keep_if_slow (Pass *pass, const TtiJournalTask *task)
{
  GArray *slowest = pass->summary->slowest;
  gint64 duration = tti_journal_task_duration (task);
  guint n = slowest->len, at = n;

  while (at > 0 && tti_journal_task_duration (&g_array_index (slowest, TtiJournalTask, at - 1)) < duration)
    at--;
  if (at >= pass->wishes->n_slowest || duration <= 0)
    return;
  TtiJournalTask copy = *task;

  copy.name = g_strdup (task->name);
  copy.error = g_strdup (task->error);
  g_array_insert_val (slowest, at, copy);
  if (n + 1 > pass->wishes->n_slowest)
    g_array_set_size (slowest, pass->wishes->n_slowest);
}

/* --- procedures -------------------------------------------------------------------------------------------------------------- */

static void
count_procedure (Pass *pass, const TtiJournalTask *task)
{
  TtiJournalProcedure *procedure = g_hash_table_lookup (pass->procedures, task->name);

  if (procedure == NULL && g_hash_table_size (pass->procedures) >= MOST_PROCEDURES)
    {
      pass->summary->n_other_procedures++;
      return;
    }
  if (procedure == NULL)
    {
      procedure = g_new0 (TtiJournalProcedure, 1);
      procedure->name = g_strdup (task->name);
      g_hash_table_insert (pass->procedures, procedure->name, procedure);
    }
  procedure->n++;
  procedure->n_failed += task->end != TTI_LOOK_DONE;
  procedure->took += (guint64) task->took;
}

static int
compare_procedures (gconstpointer a, gconstpointer b)
{
  const TtiJournalProcedure *one = a, *other = b;

  return one->took != other->took ? (one->took > other->took ? -1 : 1) : strcmp (one->name, other->name);
}

static void
clear_procedure (gpointer data)
{
  g_free (((TtiJournalProcedure *) data)->name);
}

static void
keep_procedures (Pass *pass)
{
  GArray *all = pass->summary->procedures;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, pass->procedures);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_array_append_vals (all, value, 1);
  g_array_sort (all, compare_procedures);
  if (all->len > pass->wishes->n_procedures)
    {
      pass->summary->n_other_procedures += all->len - pass->wishes->n_procedures;
      g_array_set_size (all, pass->wishes->n_procedures);
    }
}

/* --- lines ------------------------------------------------------------------------------------------------------------------- */

static guint
hash_line (gconstpointer data)
{
  const Line *line = data;

  return (guint) line->pool * 31 + (guint) line->worker;
}

static gboolean
lines_are_equal (gconstpointer a, gconstpointer b)
{
  const Line *one = a, *other = b;

  return one->pool == other->pool && one->worker == other->worker;
}

static void
free_line (gpointer data)
{
  Line *line = data;

  g_free (line->busy);
  g_free (line->failed);
  g_free (line);
}

/* The line of TASK's worker. Those beyond the number that is wanted are only counted, and so have no columns. */
static Line *
find_line (Pass *pass, const TtiJournalTask *task)
{
  Line key = { .pool = task->pool, .worker = task->worker }, *line = g_hash_table_lookup (pass->lines, &key);

  if (line == NULL)
    {
      line = g_memdup2 (&key, sizeof key);
      if (g_hash_table_size (pass->lines) < pass->wishes->n_lines)
        {
          line->busy = g_new0 (float, pass->wishes->n_columns);
          line->failed = g_new0 (float, pass->wishes->n_columns);
        }
      else
        pass->summary->n_other_lines++;
      g_hash_table_add (pass->lines, line);
    }
  return line;
}

static void
draw (Pass *pass, const TtiJournalTask *task)
{
  const TtiJournalWishes *wishes = pass->wishes;
  gint64 from = MAX (task->busy_from, wishes->from), to = MIN (task->busy_to, wishes->to);

  if (task->worker < 0 || task->started == 0)
    return;
  double width = (double) MAX (wishes->to - wishes->from, 1) / wishes->n_columns;
  double left = (double) (from - wishes->from) / width, right = (double) (to - wishes->from) / width;
  Line *line = find_line (pass, task);
  gboolean has_failed = task->end > TTI_LOOK_DONE || task->end == TTI_JOURNAL_AGAIN;

  line->n += task->end != TTI_JOURNAL_UNFINISHED;
  line->time += task->end != TTI_JOURNAL_UNFINISHED ? (guint64) (task->busy_to - task->busy_from) : 0;
  for (guint i = (guint) left; from < to && line->busy != NULL && i < wishes->n_columns && i < right; i++)
    {
      float part = (float) (MIN (right, i + 1.0) - MAX (left, (double) i));

      line->busy[i] += part;
      if (has_failed)
        line->failed[i] += part;
    }
}

/* What is there at all is to be seen. */
static guint8 *
to_bytes (const float *parts, guint n)
{
  guint8 *bytes = g_new (guint8, n);

  for (guint i = 0; i < n; i++)
    bytes[i] = parts[i] > 0 ? (guint8) CLAMP (parts[i] * 255 + 0.5f, 1, 255) : 0;
  return bytes;
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  const TtiJournalLine *one = a, *other = b;

  return one->pool != other->pool ? (one->pool < other->pool ? -1 : 1) : one->worker < other->worker ? -1 : one->worker > other->worker;
}

static void
clear_line (gpointer data)
{
  TtiJournalLine *line = data;

  g_free (line->busy);
  g_free (line->failed);
}

static void
keep_lines (Pass *pass)
{
  guint n = pass->wishes->n_columns;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, pass->lines);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Line *line = value;

      if (line->busy == NULL)
        continue;
      TtiJournalLine kept = { line->pool, line->worker, line->n, line->time, to_bytes (line->busy, n), to_bytes (line->failed, n) };

      g_array_append_val (pass->summary->lines, kept);
    }
  g_array_sort (pass->summary->lines, compare_lines);
}

/* --- all --------------------------------------------------------------------------------------------------------------------- */

static void
take (Pass *pass, const TtiJournalTask *task)
{
  TtiJournalSummary *summary = pass->summary;

  draw (pass, task);
  if (task->is_maker)
    {
      summary->n_makers++;
      return;
    }
  keep_if_slow (pass, task);
  if (task->end == TTI_JOURNAL_AGAIN)
    summary->n_again++;
  else if (task->end == TTI_JOURNAL_UNKNOWN)
    summary->n_unknown++;
  else if (task->end == TTI_JOURNAL_UNFINISHED && task->started != 0)
    summary->n_running++;
  else if (task->end == TTI_JOURNAL_UNFINISHED)
    summary->n_waiting++;
  else
    {
      summary->n_by_end[task->end]++;
      count_procedure (pass, task);
    }
  if (task->end == TTI_LOOK_DONE)
    {
      pass->bins[bin_of ((guint64) task->took)]++;
      summary->longest = MAX (summary->longest, task->took);
    }
}

TtiJournalSummary *
tti_journal_summarize (TtiJournal *journal, gint64 run, const TtiJournalWishes *wishes)
{
  TtiJournalSummary *summary = g_new0 (TtiJournalSummary, 1);
  g_autoptr (GHashTable) procedures = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GHashTable) lines = g_hash_table_new_full (hash_line, lines_are_equal, free_line, NULL);
  g_autofree guint64 *bins = g_new0 (guint64, N_BINS);
  Pass pass = { summary, wishes, bins, procedures, lines };
  g_autoptr (TtiJournalWalk) walk = tti_journal_walk_new (journal, run, wishes->to);
  TtiJournalTask task;

  summary->bins = g_array_new (FALSE, FALSE, sizeof (TtiJournalBin));
  summary->slowest = g_array_new (FALSE, FALSE, sizeof (TtiJournalTask));
  g_array_set_clear_func (summary->slowest, clear_task);
  summary->procedures = g_array_new (FALSE, FALSE, sizeof (TtiJournalProcedure));
  g_array_set_clear_func (summary->procedures, clear_procedure);
  summary->lines = g_array_new (FALSE, FALSE, sizeof (TtiJournalLine));
  g_array_set_clear_func (summary->lines, clear_line);
  while (tti_journal_walk_next (walk, &task))
    take (&pass, &task);
  keep_bins (&pass);
  keep_procedures (&pass);
  keep_lines (&pass);
  return summary;
}

void
tti_journal_summary_free (TtiJournalSummary *summary)
{
  if (summary == NULL)
    return;
  g_array_unref (summary->bins);
  g_array_unref (summary->slowest);
  g_array_unref (summary->procedures);
  g_array_unref (summary->lines);
  g_free (summary);
}
