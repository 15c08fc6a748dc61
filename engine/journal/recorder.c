/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "journal/recorder.h"
#include "journal/recorder-private.h"
#include "journal/capsule-files.h"
#include "platform/fd.h"
#include "platform/host-name.h"
#include <poll.h>
#include <string.h>

struct _TtiRecording
{
  TtiRecorder recorder; /* first */
};

enum
{
  NAP_MS = 20,
  TURN = 20000,                      /* events between two looks at the clock */
  COMMIT_US = 100 * 1000,
  MOST_LINES = 100                   /* of standard output in a second; of standard error all are kept that come */
};

/* --- events that are no tasks' ------------------------------------------------------------------------------------------------ */

static void
take_pool (TtiRecorder *self, const TtiEvent *event)
{
  const TtiLookPool *pool = event->pool;
  gint64 now = tti_recorder_wall (self, event->time);
  gboolean is_over = pool->state == TTI_LOOK_POOL_CLOSED;
  GHashTableIter iter;
  gpointer value;
  gint64 busy = 0;
  guint64 memory = 0;

  g_hash_table_iter_init (&iter, self->lives);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const TtiLifeState *life = value;

      if (life->pool != pool->pool)
        continue;
      busy += life->n_tasks > 0;
      memory += life->peak_memory;
    }
  tti_database_write (self->database, TTI_SQL_POOL, "iisissiiiin", self->run, (gint64) pool->pool, event->texts[0], (gint64) pool->size,
                      tti_look_pool_state_name ((TtiLookPoolState) pool->state), *event->texts[1] != '\0' ? event->texts[1] : NULL,
                      (gint64) pool->submitted, (gint64) pool->ended, (gint64) pool->failed, now, is_over ? now : 0);
  tti_database_write (self->database, TTI_SQL_SAMPLE, "iiiiiiii", self->run, now, (gint64) pool->pool, (gint64) pool->submitted,
                      (gint64) pool->ended, (gint64) pool->failed, busy, (gint64) memory);
}

static void
take_worker (TtiRecorder *self, const TtiEvent *event)
{
  const TtiLookWorker *worker = event->worker;

  if (worker->generation == 0)
    return;
  TtiLifeState *life = g_hash_table_lookup (self->lives, GSIZE_TO_POINTER (worker->generation));

  if (life == NULL)
    {
      life = g_new0 (TtiLifeState, 1);
      life->pool = worker->pool;
      g_hash_table_insert (self->lives, GSIZE_TO_POINTER (worker->generation), life);
    }
  life->peak_memory = MAX (life->peak_memory, worker->peak_memory);
  tti_database_write (self->database, TTI_SQL_WORKER, "iiiisiiii", self->run, (gint64) worker->generation, (gint64) worker->pool,
                      (gint64) worker->index, event->texts[0], (gint64) worker->pid, tti_recorder_wall (self, event->time),
                      (gint64) worker->restarts, (gint64) worker->peak_memory);
}

/* A snapshot tells again what is known. */
static void
take_node (TtiRecorder *self, const TtiEvent *event)
{
  gpointer state = GUINT_TO_POINTER (event->node->state + 1);

  if (g_hash_table_lookup (self->nodes, event->texts[0]) == state)
    return;
  g_hash_table_replace (self->nodes, g_strdup (event->texts[0]), state);
  tti_database_write (self->database, TTI_SQL_NODE, "iisss", self->run, tti_recorder_wall (self, event->time), event->texts[0],
                      tti_look_node_state_name ((TtiLookNodeState) event->node->state), *event->texts[1] != '\0' ? event->texts[1] : NULL);
}

static void
take_output (TtiRecorder *self, const TtiEvent *event)
{
  const TtiLookOutput *output = event->output;

  if (!output->is_error && self->n_lines++ >= MOST_LINES)
    return;
  tti_database_write (self->database, TTI_SQL_OUTPUT, "iiiinis", self->run, tti_recorder_wall (self, event->time), (gint64) output->pool,
                      (gint64) output->worker, (gint64) output->task, (gint64) output->is_error, event->texts[0]);
}

static void
take_note (TtiRecorder *self, const TtiEvent *event)
{
  if (strcmp (event->texts[0], "end") == 0)
    self->was_shut_down = TRUE;
  else
    tti_database_write (self->database, TTI_SQL_NOTE, "iss", self->run, event->texts[0], event->texts[1]);
}

static void
take_other (TtiRecorder *self, const TtiEvent *event)
{
  gint64 now = tti_recorder_wall (self, event->time);

  switch ((int) event->kind)
    {
    case TTI_EVENT_POOL: take_pool (self, event); break;
    case TTI_EVENT_WORKER: take_worker (self, event); break;
    case TTI_EVENT_OUTPUT: take_output (self, event); break;
    case TTI_EVENT_NOTE: take_note (self, event); break;
    case TTI_EVENT_NODE: take_node (self, event); break;
    case TTI_EVENT_ITEM:
      tti_database_write (self->database, TTI_SQL_ITEM, "iiiis", self->run, now, (gint64) event->item->task, (gint64) event->item->item,
                          event->texts[0]);
      break;
    case TTI_EVENT_PROGRESS:
      tti_database_write (self->database, TTI_SQL_PROGRESS, "iisiiiii", self->run, (gint64) event->progress->progress, event->texts[0],
                          (gint64) event->progress->done, (gint64) event->progress->all, (gint64) event->progress->failed,
                          tti_recorder_wall (self, event->progress->began), now);
      break;
    case TTI_EVENT_TOLD:
      tti_database_write (self->database, TTI_SQL_MESSAGE, "iis", self->run, now, event->texts[0]);
      break;
    default: break;
    }
}

static void
write_gap (TtiRecorder *self, gint64 began, gint64 ended, const char *kind, guint64 lost, const char *text)
{
  tti_database_write (self->database, TTI_SQL_GAP, "iiisis", self->run, began, ended, kind, (gint64) lost, text);
}

/* Something was lost. What has ended meanwhile is not known: the present state is. */
static void
ask_again (TtiRecorder *self)
{
  self->has_missed = TRUE;
  (void) tti_viewer_ask (self->viewer, TTI_LOOK_ASK_SNAPSHOT, 0);
}

static void
take_dropped (TtiRecorder *self, const TtiEvent *event)
{
  guint64 known = self->seen > self->last_event ? self->seen - self->last_event : 0;
  guint64 lost = event->n_dropped - MIN (event->n_dropped, known);
  gint64 now = tti_recorder_wall (self, event->time);

  if (lost == 0)
    return;
  write_gap (self, now, now, "dropped", lost, NULL);
  self->in_snapshot = FALSE; /* a part of it may have been among those */
  ask_again (self);
}

static void
take_snapshot (TtiRecorder *self, const TtiEvent *event)
{
  if (event->snapshot->begins)
    {
      self->snapshot++;
      self->in_snapshot = TRUE;
      return;
    }
  if (self->in_snapshot && self->has_missed && event->number > self->seen)
    tti_recorder_take_snapshot (self, event->snapshot->more);
  self->in_snapshot = FALSE;
}

static void
take_event (TtiRecorder *self, const TtiEvent *event)
{
  if (event->kind == TTI_EVENT_CLOCK)
    self->wall = event->clock->wall - event->time;
  tti_database_set_quiet (self->database, event->number <= self->seen);
  if (event->n_dropped > 0 && event->number > self->seen + 1)
    take_dropped (self, event);
  self->last_event = event->number;
  switch ((int) event->kind)
    {
    case TTI_EVENT_SUBMITTED:
    case TTI_EVENT_STARTED:
    case TTI_EVENT_ENDED:
    case TTI_EVENT_DIED:
      tti_recorder_take_task_event (self, event);
      break;
    case TTI_EVENT_SNAPSHOT: take_snapshot (self, event); break;
    default:
      take_other (self, event);
    }
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------- */

/* What has come, before its event was read. */
typedef struct
{
  TtiLookCapsule capsule;
  int fd;
} Arrival;

/* Take the capsules that have come. Their events are in the ring by now. */
static void
receive_capsules (TtiRecorder *self)
{
  Arrival arrival;

  while (tti_viewer_next_capsule (self->viewer, &arrival.capsule, &arrival.fd))
    g_array_append_val (self->arrivals, arrival);
}

/* Write down those that have come; the rows of their tasks are there. */
static void
write_capsules (TtiRecorder *self)
{
  for (guint i = 0; i < self->arrivals->len; i++)
    {
      Arrival *arrival = &g_array_index (self->arrivals, Arrival, i);
      const TtiLookCapsule *capsule = &arrival->capsule;
      g_autoptr (GError) error = NULL;
      g_autofree char *path = arrival->fd >= 0 ? tti_capsule_file_write (self->capsules, self->run, capsule, arrival->fd, &error)
                                               : g_strdup_printf ("none: %s", capsule->reason);

      tti_fd_clear (&arrival->fd);
      if (path == NULL)
        path = g_strdup_printf ("none: %s", error->message);
      if (capsule->item >= 0)
        tti_database_write (self->database, TTI_SQL_ITEM_CAPSULE, "iiis", self->run, (gint64) capsule->task, capsule->item, path);
      else
        tti_database_write (self->database, TTI_SQL_TASK_CAPSULE, "iis", self->run, (gint64) capsule->task, path);
    }
  g_array_set_size (self->arrivals, 0);
}

/* Take events, until there is none or it is time for something else. FALSE: there is none now. */
static gboolean
take_events (TtiRecorder *self)
{
  g_autoptr (GError) error = NULL;
  TtiEvent event;
  guint n = 0;

  while (n < TURN && !self->is_broken && tti_viewer_next (self->viewer, &event, &error))
    {
      take_event (self, &event);
      n++;
    }
  tti_database_set_quiet (self->database, FALSE);
  if (error == NULL)
    return n == TURN;
  gint64 now = g_get_real_time ();

  write_gap (self, now, now, "broken", 0, error->message);
  self->is_broken = TRUE;
  return FALSE;
}

static void
write_down (TtiRecorder *self, gint64 now)
{
  guint64 lost;
  gint64 since;
  const char *reason;

  if (tti_database_take_gap (self->database, &lost, &since, &reason))
    {
      write_gap (self, tti_recorder_wall (self, since), tti_recorder_wall (self, now), "full", lost, reason);
      tti_recorder_write_names (self);
      ask_again (self);
    }
  tti_recorder_write_block (self, now, FALSE);
  tti_database_write (self->database, TTI_SQL_TOUCH_RUN, "iii", tti_recorder_wall (self, now), (gint64) self->last_event, self->run);
  tti_database_commit (self->database, now);
}

/* Once in a second. */
static void
write_each_second (TtiRecorder *self, gint64 now)
{
  gint64 wall = tti_recorder_wall (self, now);

  tti_recorder_write_running (self, now);
  if (self->n_lines > MOST_LINES)
    write_gap (self, wall - G_USEC_PER_SEC, wall, "output", self->n_lines - MOST_LINES, NULL);
  self->n_lines = 0;
}

void
tti_recording_run (TtiRecording *recording)
{
  TtiRecorder *self = &recording->recorder;
  gint64 committed = 0, second = 0;
  gboolean over = FALSE;

  for (gboolean ended = FALSE; !over;)
    {
      receive_capsules (self);
      gboolean more = take_events (self);
      gint64 now = g_get_monotonic_time ();

      if (!more)
        write_capsules (self);
      over = ended && !more;
      ended = ended || self->is_broken || tti_viewer_has_ended (self->viewer);
      if (now - second >= G_USEC_PER_SEC)
        {
          write_each_second (self, now);
          second = now;
        }
      if (now - committed >= COMMIT_US)
        {
          write_down (self, now);
          committed = now;
        }
      if (!more && !ended)
        poll (NULL, 0, NAP_MS);
    }
  gint64 now = g_get_monotonic_time ();

  write_each_second (self, now);
  tti_recorder_write_pending (self);
  tti_recorder_write_block (self, now, TRUE);
  tti_database_write (self->database, TTI_SQL_END_RUN, "iisi", tti_recorder_wall (self, now), (gint64) self->last_event,
                      self->was_shut_down ? "ended" : "lost", self->run);
}

/* --- its beginning ------------------------------------------------------------------------------------------------------------ */

static void
free_pending (gpointer pending)
{
  g_slice_free (TtiPending, pending);
}

/* The run of the viewer's engine: a new one, or one that another recorder has written before. */
static gboolean
begin_run (TtiRecorder *self, GError **error)
{
  int pid = tti_viewer_get_pid (self->viewer);
  g_autofree char *engine = g_strdup_printf ("%s:%d:%" G_GINT64_FORMAT, tti_host_name (), pid, tti_viewer_get_began (self->viewer));
  gint64 now = g_get_real_time (), last_event = 0, ended = 0;

  self->run = tti_database_find_run (self->database, engine, &last_event, &ended);
  if (self->run != 0)
    {
      self->seen = (guint64) last_event;
      self->has_missed = TRUE;
      tti_recorder_read_names (self);
      write_gap (self, ended, now, "recorder", 0, NULL);
      return TRUE;
    }
  self->run = tti_database_add_run (self->database, engine, tti_host_name (), pid, now, error);
  return self->run != 0;
}

void
tti_recording_free (TtiRecording *recording)
{
  TtiRecorder *self = &recording->recorder;

  tti_database_close (self->database);
  (void) tti_viewer_ask (self->viewer, TTI_LOOK_FINISHED, 0);
  tti_viewer_free (self->viewer);
  for (guint i = 0; i < self->arrivals->len; i++)
    tti_fd_clear (&g_array_index (self->arrivals, Arrival, i).fd);
  g_array_unref (self->arrivals);
  g_hash_table_unref (self->pending);
  g_hash_table_unref (self->lives);
  g_hash_table_unref (self->nodes);
  g_hash_table_unref (self->names);
  g_ptr_array_unref (self->texts);
  g_free (self->records);
  g_free (self->capsules);
  g_free (recording);
}

TtiRecording *
tti_recording_new (const char *file, TtiViewer *viewer, GError **error)
{
  TtiDatabase *database = tti_database_open (file, error);

  if (database == NULL)
    {
      tti_viewer_free (viewer);
      return NULL;
    }
  TtiRecording *recording = g_new0 (TtiRecording, 1);
  TtiRecorder *self = &recording->recorder;

  self->database = database;
  self->viewer = viewer;
  self->wall = g_get_real_time () - g_get_monotonic_time ();
  self->capsules = g_strconcat (file, ".capsules", NULL);
  self->pending = g_hash_table_new_full (NULL, NULL, NULL, free_pending);
  self->lives = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->texts = g_ptr_array_new ();
  self->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->arrivals = g_array_new (FALSE, FALSE, sizeof (Arrival));
  self->records = g_new (TtiJournalRecord, TTI_BLOCK_RECORDS);
  if (!begin_run (self, error))
    {
      tti_recording_free (recording);
      return NULL;
    }
  (void) tti_viewer_ask (viewer, TTI_LOOK_ASK_CAPSULES, 0);
  return recording;
}
