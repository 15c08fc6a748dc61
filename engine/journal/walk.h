/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tasks of a run in a journal, those with rows and those in blocks alike: one by its number, or all, in the order in which workers were
 * given them. */
#pragma once
#include "journal/reader.h"

/* How a task ended: a TtiLookEnd (look/events.h), or one of these. */
enum
{
  TTI_JOURNAL_UNFINISHED = -1, /* it has not, or that is not known */
  TTI_JOURNAL_UNKNOWN = -3,    /* it has, in a gap, and nobody knows how */
  TTI_JOURNAL_AGAIN = -2       /* this is an attempt with which a worker died, or its node was lost; the task was tried again */
};

typedef struct
{
  guint64 task, pool;
  guint64 culprit;           /* the task with whose failure it has ended; 0: none */
  guint64 generation;        /* of the life of its worker; 0: none, or not known, as of those in blocks */
  guint64 input, result;     /* bytes */
  gint64 submitted;          /* µs since 1970; 0: that is not known */
  gint64 started, ended;     /* the same; 0: never, or not yet */
  gint64 took;               /* µs in the worker; 0: less, or not known */
  gint64 busy_from, busy_to; /* of a walk: when its worker was at it: of one worker's tasks two have no time in common, but that those
                              * that have not ended go on to the end of the run. Equal: never */
  gint32 worker;             /* -1: none */
  gint32 end;
  guint32 attempts, losses;
  gboolean is_maker;         /* it only makes an object for others */
  gboolean is_in_block;
  const char *name, *error;  /* "": none. Clean (journal/clean-text.h), ERROR with its lines; until the next call */
} TtiJournalTask;

typedef struct _TtiJournalWalk TtiJournalWalk;

/* Through all tasks of RUN, and the attempts that were no last ones (TTI_JOURNAL_AGAIN). What is not ended goes on until NOW, µs since
 * 1970. Memory does not grow with the number of tasks in blocks. */
TtiJournalWalk *tti_journal_walk_new (TtiJournal *journal, gint64 run, gint64 now) G_GNUC_WARN_UNUSED_RESULT;
void tti_journal_walk_free (TtiJournalWalk *walk); /* NULL is fine */

/* The next one. FALSE: there is none; what could not be read is among what is missing. */
gboolean tti_journal_walk_next (TtiJournalWalk *walk, TtiJournalTask *task);

/* The task with the number TASK of RUN; its texts are appended to TEXTS, where they stay while it does. FALSE: it is not there. */
gboolean tti_journal_find_task (TtiJournal *journal, gint64 run, guint64 task, TtiJournalTask *found, GPtrArray *texts);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiJournalWalk, tti_journal_walk_free)
