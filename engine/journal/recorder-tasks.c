/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What becomes of tasks: those that were short and good go to blocks, the others have rows. */
#include "journal/recorder-private.h"
#include "process/certificate.h"

enum
{
  SHORT_US = 50 * 1000,             /* a success that took less goes to a block */
  LONG_US = G_USEC_PER_SEC,         /* what runs for so long has a row before it ends */
  MOST_PENDING_ROWS = 100000
};

static const char *
name_of (const TtiRecorder *recorder, const TtiPending *pending)
{
  return pending->name != 0 ? g_ptr_array_index (recorder->texts, pending->name - 1) : NULL;
}

static TtiPending *
find_pending (TtiRecorder *recorder, guint64 task)
{
  return g_hash_table_lookup (recorder->pending, GSIZE_TO_POINTER ((gsize) task));
}

static TtiPending *
add_pending (TtiRecorder *recorder, guint64 task, guint64 pool, gint64 submitted)
{
  TtiPending *pending = g_slice_new0 (TtiPending);

  pending->task = task;
  pending->pool = pool;
  pending->submitted = submitted;
  g_hash_table_insert (recorder->pending, GSIZE_TO_POINTER ((gsize) task), pending);
  return pending;
}

/* GENERATION has one task more, or less. */
static void
count_task (TtiRecorder *recorder, guint64 generation, int by)
{
  TtiLifeState *life = g_hash_table_lookup (recorder->lives, GSIZE_TO_POINTER (generation));

  if (life != NULL && (by > 0 || life->n_tasks > 0))
    life->n_tasks += (guint) by;
}

static void
take_submitted (TtiRecorder *recorder, const TtiEvent *event)
{
  const TtiLookSubmitted *submitted = event->submitted;
  TtiPending *pending = find_pending (recorder, submitted->task);

  if (pending == NULL)
    {
      pending = add_pending (recorder, submitted->task, submitted->pool, recorder->in_snapshot ? 0 : event->time);
      pending->name = tti_recorder_number_of_name (recorder, event->texts[0]);
      pending->flags = submitted->flags;
      pending->attempt = submitted->attempts;
    }
  /* It was given back, or has waited for others. */
  else if (pending->started != 0)
    {
      count_task (recorder, pending->generation, -1);
      pending->started_before = pending->started;
      pending->started = 0;
    }
  pending->snapshot = recorder->snapshot;
}

static void
take_started (TtiRecorder *recorder, const TtiEvent *event)
{
  const TtiLookStarted *started = event->started;
  TtiPending *pending = find_pending (recorder, started->task);

  if (pending == NULL)
    pending = add_pending (recorder, started->task, started->pool, recorder->in_snapshot ? 0 : started->started);
  if (pending->started != 0)
    count_task (recorder, pending->generation, -1);
  pending->started = started->started;
  pending->worker = started->worker;
  pending->generation = started->generation;
  pending->attempt = started->attempt;
  pending->input = started->input;
  pending->snapshot = recorder->snapshot;
  count_task (recorder, started->generation, 1);
}

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

static void
write_ended (TtiRecorder *recorder, const TtiPending *pending, const TtiEvent *event)
{
  const TtiLookEnded *ended = event->ended;
  const char *name = *event->texts[1] != '\0' ? event->texts[1] : pending != NULL ? name_of (recorder, pending) : NULL;
  const char *outcome = tti_look_end_name ((TtiLookEnd) ended->end);
  gint64 submitted = pending != NULL ? pending->submitted : 0;
  gint64 generation = pending != NULL ? (gint64) pending->generation : 0;

  tti_database_write (recorder->database, TTI_SQL_TASK, "iiisnnnniniissniii", recorder->run, (gint64) ended->task, (gint64) ended->pool,
                      name, tti_recorder_wall (recorder, submitted), tti_recorder_wall (recorder, ended->started),
                      tti_recorder_wall (recorder, event->time), ended->took, (gint64) ended->worker, generation,
                      (gint64) ended->attempts, (gint64) ended->losses, outcome, *event->texts[0] != '\0' ? event->texts[0] : NULL,
                      (gint64) ended->culprit, (gint64) ended->input, (gint64) ended->result,
                      (gint64) ((ended->flags & TTI_LOOK_TASK_MAKER) != 0));
  if (ended->attempts > 0)
    tti_database_write (recorder->database, TTI_SQL_ATTEMPT, "iiiiinis", recorder->run, (gint64) ended->task, (gint64) ended->attempts,
                        (gint64) ended->worker, generation, tti_recorder_wall (recorder, ended->started),
                        tti_recorder_wall (recorder, event->time), outcome);
}

static void
take_ended (TtiRecorder *recorder, const TtiEvent *event)
{
  const TtiLookEnded *ended = event->ended;
  TtiPending *pending = find_pending (recorder, ended->task);
  gboolean is_short = ended->end == TTI_LOOK_DONE && ended->attempts == 1 && ended->started != 0
                      && event->time - ended->started < SHORT_US && (ended->flags & TTI_LOOK_TASK_MAKER) == 0
                      && ended->pool <= G_MAXUINT16 && (pending == NULL || !pending->has_row);

  if (is_short)
    tti_recorder_add_record (recorder, pending, event);
  else
    write_ended (recorder, pending, event);
  if (pending == NULL)
    return;
  if (pending->started != 0)
    count_task (recorder, pending->generation, -1);
  g_hash_table_remove (recorder->pending, GSIZE_TO_POINTER (ended->task));
}

static void
take_died (TtiRecorder *recorder, const TtiEvent *event)
{
  const TtiLookDied *died = event->died;
  TtiPending *pending = find_pending (recorder, died->task);
  gint64 now = tti_recorder_wall (recorder, event->time);
  gint64 started = pending == NULL ? 0 : pending->started != 0 ? pending->started : pending->started_before;

  tti_database_write (recorder->database, TTI_SQL_CERTIFICATE, "iiiiiinisiiiiss", recorder->run, now, (gint64) died->pool,
                      (gint64) died->worker, (gint64) died->generation, (gint64) died->pid, (gint64) died->task, (gint64) died->attempt,
                      tti_death_reason_name ((TuttiDeathReason) died->reason), (gint64) died->status, (gint64) died->signal,
                      (gint64) died->peak_memory, (gint64) died->again, event->texts[0], event->texts[1]);
  tti_database_write (recorder->database, TTI_SQL_WORKER_DIED, "iiii", recorder->run, (gint64) died->generation, now,
                      (gint64) died->peak_memory);
  if (died->task != 0 && died->again)
    tti_database_write (recorder->database, TTI_SQL_ATTEMPT, "iiiiinis", recorder->run, (gint64) died->task, (gint64) died->attempt,
                        (gint64) died->worker, (gint64) died->generation,
                        tti_recorder_wall (recorder, started), now, "again");
  g_hash_table_remove (recorder->lives, GSIZE_TO_POINTER (died->generation));
}

void
tti_recorder_take_task_event (TtiRecorder *recorder, const TtiEvent *event)
{
  switch ((int) event->kind)
    {
    case TTI_EVENT_SUBMITTED: take_submitted (recorder, event); break;
    case TTI_EVENT_STARTED: take_started (recorder, event); break;
    case TTI_EVENT_ENDED: take_ended (recorder, event); break;
    case TTI_EVENT_DIED: take_died (recorder, event); break;
    default: break;
    }
}

/* --- what has not ended ------------------------------------------------------------------------------------------------------ */

/* OUTCOME: NULL, or "unknown". */
static void
write_pending (TtiRecorder *recorder, TtiPending *pending, const char *outcome)
{
  pending->has_row = TRUE;
  tti_database_write (recorder->database, TTI_SQL_TASK, "iiisnnnniniissniii", recorder->run, (gint64) pending->task, (gint64) pending->pool,
                      name_of (recorder, pending), tti_recorder_wall (recorder, pending->submitted),
                      tti_recorder_wall (recorder, pending->started), (gint64) 0, (gint64) 0,
                      pending->started != 0 ? (gint64) pending->worker : -1, (gint64) pending->generation, (gint64) pending->attempt,
                      (gint64) 0, outcome, NULL, (gint64) 0, (gint64) pending->input, (gint64) 0,
                      (gint64) ((pending->flags & TTI_LOOK_TASK_MAKER) != 0));
}

void
tti_recorder_write_running (TtiRecorder *recorder, gint64 now)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  /* A long queue is not gone through for it each time: then the first that are found must do. */
  g_hash_table_iter_init (&iter, recorder->pending);
  while (n++ < MOST_PENDING_ROWS && g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiPending *pending = value;

      if (!pending->has_row && pending->started != 0 && now - pending->started > LONG_US)
        write_pending (recorder, pending, NULL);
    }
}

void
tti_recorder_take_snapshot (TtiRecorder *recorder, guint32 more)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  recorder->has_missed = FALSE;
  tti_database_write (recorder->database, TTI_SQL_TASKS_UNKNOWN, "i", recorder->run);
  g_hash_table_iter_init (&iter, recorder->pending);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiPending *pending = value;
      gboolean is_there = pending->snapshot == recorder->snapshot;

      if (!is_there && (pending->started != 0 || more == 0))
        {
          if (!pending->has_row && n++ < MOST_PENDING_ROWS)
            write_pending (recorder, pending, "unknown");
          if (pending->started != 0)
            count_task (recorder, pending->generation, -1);
          g_hash_table_iter_remove (&iter);
        }
      else if (pending->started != 0 || pending->has_row)
        write_pending (recorder, pending, NULL);
    }
}

void
tti_recorder_write_pending (TtiRecorder *recorder)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  g_hash_table_iter_init (&iter, recorder->pending);
  while (n < MOST_PENDING_ROWS && g_hash_table_iter_next (&iter, NULL, &value))
    if (!((TtiPending *) value)->has_row)
      {
        write_pending (recorder, value, NULL);
        n++;
      }
}
