/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is to be said of all tasks of a run together, in memory that does not grow with their number. */
#pragma once
#include "journal/walk.h"
#include "look/events.h"

/* Tasks whose time in the worker was from LOW µs, to below HIGH. */
typedef struct
{
  guint64 low, high, n;
} TtiJournalBin;

typedef struct
{
  char *name;                /* of the procedure; "": none */
  guint64 n, n_failed;       /* tasks that have ended; those that ended otherwise than well */
  guint64 took;              /* µs in workers */
} TtiJournalProcedure;

/* What a worker did in each column of time, as part of that: 0 (nothing) to 255 (all of it). */
typedef struct
{
  guint64 pool;
  gint32 worker;
  guint64 n, time;           /* tasks and attempts that have ended; µs for these */
  guint8 *busy, *failed;     /* FAILED: that was with tasks that ended otherwise than well, and is part of BUSY */
} TtiJournalLine;

/* Tasks that only make objects for others are in lines, and counted apart. */
typedef struct
{
  guint64 n_by_end[TTI_LOOK_CLOSED + 1]; /* by TtiLookEnd */
  guint64 n_running, n_waiting;          /* of those that have not ended */
  guint64 n_unknown;                     /* have ended in a gap */
  guint64 n_again;                       /* attempts that were tried again */
  guint64 n_makers;
  GArray *bins;              /* of TtiJournalBin: those that ended well, by their time in the worker; ascending; 1 % wide */
  gint64 longest;            /* µs, exactly, of these */
  GArray *slowest;           /* of TtiJournalTask: those that took longest, whatever became of them; with texts of their own */
  GArray *procedures;        /* of TtiJournalProcedure: those that took most together first */
  guint64 n_other_procedures; /* that are not among them */
  GArray *lines;             /* of TtiJournalLine, by pool and worker */
  guint64 n_other_lines;
} TtiJournalSummary;

/* What is wanted. */
typedef struct
{
  gint64 from, to;           /* µs since 1970: the time of the lines; what has not ended lasts until TO */
  guint n_slowest, n_columns, n_lines, n_procedures; /* at most */
} TtiJournalWishes;

/* Of all tasks of RUN. */
TtiJournalSummary *tti_journal_summarize (TtiJournal *journal, gint64 run, const TtiJournalWishes *wishes) G_GNUC_WARN_UNUSED_RESULT;
void tti_journal_summary_free (TtiJournalSummary *summary); /* NULL is fine */

/* How long a task took, µs: in the worker, or, if that is not known, since it was given to one. */
gint64 tti_journal_task_duration (const TtiJournalTask *task);

/* The µs that the part QUANTILE (0 to 1) of those in the bins did not exceed, up to 1 %. 0: there are none. */
gint64 tti_journal_summary_quantile (const TtiJournalSummary *summary, double quantile);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiJournalSummary, tti_journal_summary_free)
