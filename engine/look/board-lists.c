/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Nodes, notes, progress, and what has happened. */
#include "look/board-private.h"
#include <string.h>

enum { SAME_US = G_USEC_PER_SEC }; /* between the two times of one failure */

typedef struct
{
  char *value;
  guint mark;
} Note;

static void
note_free (gpointer data)
{
  Note *note = data;

  g_free (note->value);
  g_free (note);
}

static void
node_free (gpointer data)
{
  TtiBoardNode *node = data;

  g_free (node->name);
  g_free (node->reason);
  g_free (node);
}

static void
progress_free (gpointer data)
{
  TtiBoardProgress *progress = data;

  g_free (progress->name);
  g_free (progress);
}

static void
failure_clear (TtiBoardFailure *failure)
{
  g_free (failure->name);
  g_free (failure->text);
  g_free (failure->tail);
}

void
tti_board_init_lists (TtiBoard *board)
{
  board->nodes = g_ptr_array_new_with_free_func (node_free);
  board->notes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, note_free);
  board->progresses = g_ptr_array_new_with_free_func (progress_free);
}

void
tti_board_clear_lists (TtiBoard *board)
{
  g_ptr_array_unref (board->nodes);
  g_hash_table_unref (board->notes);
  g_ptr_array_unref (board->progresses);
  for (guint i = 0; i < TTI_BOARD_MOST_FAILURES; i++)
    failure_clear (&board->failures[i]);
  for (guint kind = 0; kind < TTI_BOARD_N_LINES; kind++)
    for (guint i = 0; i < TTI_BOARD_MOST_LINES; i++)
      g_free (board->lines[kind].lines[i].text);
}

/* --- nodes and notes --------------------------------------------------------------------------------------------------------- */

void
tti_board_take_node (TtiBoard *board, const TtiEvent *event)
{
  TtiBoardNode *node = NULL;

  for (guint i = 0; i < board->nodes->len && node == NULL; i++)
    {
      TtiBoardNode *one = g_ptr_array_index (board->nodes, i);

      node = strcmp (one->name, event->texts[0]) == 0 ? one : NULL;
    }
  if (node == NULL && board->nodes->len >= TTI_BOARD_MOST_NODES)
    return;
  if (node == NULL)
    {
      node = g_new0 (TtiBoardNode, 1);
      node->name = g_strdup (event->texts[0]);
      g_ptr_array_add (board->nodes, node);
    }
  /* A snapshot does not say the reason again. */
  if (!board->in_snapshot || node->reason == NULL)
    {
      g_free (node->reason);
      node->reason = tti_board_copy_text (event->texts[1]);
    }
  node->state = (TtiLookNodeState) event->node->state;
  node->is_here = event->node->is_here != 0;
  node->mark = board->mark;
}

const GPtrArray *
tti_board_get_nodes (const TtiBoard *board)
{
  return board->nodes;
}

void
tti_board_take_note (TtiBoard *board, const TtiEvent *event)
{
  const char *key = event->texts[0];
  Note *note = g_hash_table_lookup (board->notes, key);

  board->over = board->over || strcmp (key, "end") == 0;
  if (note == NULL && g_hash_table_size (board->notes) >= TTI_BOARD_MOST_NOTES)
    return;
  if (*event->texts[1] == '\0')
    {
      g_hash_table_remove (board->notes, key);
      return;
    }
  if (note == NULL)
    {
      note = g_new0 (Note, 1);
      g_hash_table_insert (board->notes, g_strdup (key), note);
    }
  g_free (note->value);
  note->value = g_strdup (event->texts[1]);
  note->mark = board->mark;
}

const char *
tti_board_get_note (const TtiBoard *board, const char *key)
{
  const Note *note = g_hash_table_lookup (board->notes, key);

  return note != NULL ? note->value : NULL;
}

void
tti_board_foreach_note (const TtiBoard *board, void (*function) (const char *key, const char *value, gpointer data), gpointer data)
{
  GHashTableIter iter;
  gpointer key, note;

  g_hash_table_iter_init (&iter, board->notes);
  while (g_hash_table_iter_next (&iter, &key, &note))
    function (key, ((const Note *) note)->value, data);
}

/* --- progress ---------------------------------------------------------------------------------------------------------------- */

/* Let go one of them: the oldest that is over, or the oldest. */
static void
forget_progress (TtiBoard *board)
{
  guint at = 0;

  for (guint i = board->progresses->len; i-- > 0;)
    if (((const TtiBoardProgress *) g_ptr_array_index (board->progresses, i))->is_over)
      at = i;
  g_ptr_array_remove_index (board->progresses, at);
}

static TtiBoardProgress *
ensure_progress (TtiBoard *board, guint64 number)
{
  guint at = board->progresses->len;

  for (; at > 0; at--)
    {
      TtiBoardProgress *progress = g_ptr_array_index (board->progresses, at - 1);

      if (progress->number == number)
        return progress;
      if (progress->number < number)
        break;
    }
  TtiBoardProgress *progress = g_new0 (TtiBoardProgress, 1);

  progress->number = number;
  g_ptr_array_insert (board->progresses, (gint) at, progress);
  return progress;
}

void
tti_board_take_progress (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookProgress *look = event->progress;
  TtiBoardProgress *progress = ensure_progress (board, look->progress);
  gboolean has_changed = progress->name == NULL || progress->done != look->done || !board->in_snapshot;

  g_free (progress->name);
  progress->name = tti_board_copy_text (event->texts[0]);
  progress->done = look->done;
  progress->all = look->all;
  progress->failed = look->failed;
  progress->began = look->began;
  progress->is_over = look->is_over != 0;
  progress->mark = board->mark;
  if (has_changed)
    progress->updated = event->time;
  if (board->progresses->len > TTI_BOARD_MOST_PROGRESSES)
    forget_progress (board);
}

const GPtrArray *
tti_board_get_progresses (const TtiBoard *board)
{
  return board->progresses;
}

double
tti_board_progress_rate (const TtiBoardProgress *progress)
{
  gint64 elapsed = progress->updated - progress->began;

  return elapsed > 0 ? (double) progress->done * G_USEC_PER_SEC / (double) elapsed : 0;
}

gint64
tti_board_progress_left (const TtiBoardProgress *progress, gint64 now)
{
  double rate = tti_board_progress_rate (progress);

  if (progress->is_over || rate <= 0 || progress->done > progress->all)
    return progress->is_over ? 0 : -1;
  double left = (double) (progress->all - progress->done) * G_USEC_PER_SEC / rate - (double) (now - progress->updated);

  return left > 0 ? (gint64) MIN (left, 1e17) : 0;
}

/* --- what has happened ------------------------------------------------------------------------------------------------------- */

/* Where the next failure goes; that which was there is cleared. */
static TtiBoardFailure *
next_failure (TtiBoard *board, const TtiEvent *event, const char *name, const char *text, const char *tail)
{
  TtiBoardFailure *failure = &board->failures[board->n_failures++ % TTI_BOARD_MOST_FAILURES];

  failure_clear (failure);
  *failure = (TtiBoardFailure){ .number = event->number, .time = event->time, .kind = event->kind, .worker = -1,
                                .name = tti_board_copy_text (name), .text = tti_board_copy_text (text),
                                .tail = tti_board_copy_text (tail) };
  return failure;
}

static void
take_failed_task (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookEnded *ended = event->ended;

  if (ended->end == TTI_LOOK_DONE || ended->end == TTI_LOOK_CANCELLED || ended->end == TTI_LOOK_CLOSED || ended->culprit != 0)
    return;
  TtiBoardFailure *failure = next_failure (board, event, event->texts[1], event->texts[0], "");

  failure->task = ended->task;
  failure->pool = ended->pool;
  failure->worker = ended->worker;
  failure->end = (TtiLookEnd) ended->end;
  failure->attempts = ended->attempts;
}

static void
take_death (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookDied *died = event->died;

  /* It was ended because somebody wanted that. */
  if (died->reason == TUTTI_DEATH_CANCELLED || died->reason == TUTTI_DEATH_CLOSED)
    return;
  TtiBoardFailure *failure = next_failure (board, event, tti_board_name_of (board, died->task), event->texts[0], event->texts[1]);

  failure->task = died->task;
  failure->pool = died->pool;
  failure->worker = (gint32) died->worker;
  failure->attempts = died->attempt;
  failure->again = died->again != 0;
  failure->reason = (TuttiDeathReason) died->reason;
}

static void
take_failed_item (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookItem *item = event->item;
  TtiBoardFailure *failure = next_failure (board, event, tti_board_name_of (board, item->task), event->texts[0], "");

  failure->task = item->task;
  failure->item = item->item;
}

/* Is LOOK known already, from the event that was written when it happened, or from another snapshot? */
static gboolean
knows_failure (const TtiBoard *board, const TtiLookFailure *look)
{
  for (guint i = 0; i < tti_board_get_n_failures (board); i++)
    {
      const TtiBoardFailure *failure = tti_board_get_failure (board, i);

      if ((guint32) failure->kind == look->kind && failure->task == look->task && failure->item == look->item
          && failure->worker == look->worker && failure->attempts == look->attempts
          && ABS (failure->time - look->time) < SAME_US)
        return TRUE;
    }
  return FALSE;
}

static void
take_old_failure (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookFailure *look = event->failure;
  gsize length = strcspn (event->texts[1], look->kind == TTI_EVENT_DIED ? "\n" : "");

  if (knows_failure (board, look))
    return;
  g_autofree char *text = g_strndup (event->texts[1], length);
  TtiBoardFailure *failure = next_failure (board, event, event->texts[0], text, event->texts[1][length] != '\0'
                                                                                  ? event->texts[1] + length + 1 : "");

  failure->time = look->time;
  failure->kind = (TtiEventKind) look->kind;
  failure->task = look->task;
  failure->item = look->item;
  failure->pool = look->pool;
  failure->worker = look->worker;
  failure->end = (TtiLookEnd) look->end;
  failure->attempts = look->attempts;
  failure->again = look->again != 0;
  failure->reason = (TuttiDeathReason) look->reason;
}

void
tti_board_take_failure (TtiBoard *board, const TtiEvent *event)
{
  switch ((int) event->kind)
    {
    case TTI_EVENT_ENDED: take_failed_task (board, event); break;
    case TTI_EVENT_DIED: take_death (board, event); break;
    case TTI_EVENT_ITEM: take_failed_item (board, event); break;
    default: take_old_failure (board, event);
    }
}

guint
tti_board_get_n_failures (const TtiBoard *board)
{
  return (guint) MIN (board->n_failures, TTI_BOARD_MOST_FAILURES);
}

const TtiBoardFailure *
tti_board_get_failure (const TtiBoard *board, guint i)
{
  return &board->failures[(board->n_failures - 1 - i) % TTI_BOARD_MOST_FAILURES];
}

guint64
tti_board_count_failures (const TtiBoard *board)
{
  return board->n_failures;
}

void
tti_board_take_line (TtiBoard *board, const TtiEvent *event)
{
  TtiBoardLineRing *ring = &board->lines[event->kind == TTI_EVENT_TOLD ? TTI_BOARD_TOLD : TTI_BOARD_OUTPUT];
  TtiBoardLine *line = &ring->lines[ring->n++ % TTI_BOARD_MOST_LINES];

  g_free (line->text);
  *line = (TtiBoardLine){ .number = event->number, .time = event->time, .text = tti_board_copy_text (event->texts[0]) };
  if (event->kind == TTI_EVENT_TOLD)
    return;
  line->pool = event->output->pool;
  line->task = event->output->task;
  line->worker = event->output->worker;
  line->is_error = event->output->is_error != 0;
}

guint
tti_board_get_n_lines (const TtiBoard *board, TtiBoardLines kind)
{
  return (guint) MIN (board->lines[kind].n, TTI_BOARD_MOST_LINES);
}

const TtiBoardLine *
tti_board_get_line (const TtiBoard *board, TtiBoardLines kind, guint i)
{
  const TtiBoardLineRing *ring = &board->lines[kind];

  return &ring->lines[(ring->n - 1 - i) % TTI_BOARD_MOST_LINES];
}

/* --- after a snapshot -------------------------------------------------------------------------------------------------------- */

void
tti_board_sweep_lists (TtiBoard *board)
{
  GHashTableIter iter;
  gpointer note;

  for (guint i = board->nodes->len; i-- > 0;)
    if (((const TtiBoardNode *) g_ptr_array_index (board->nodes, i))->mark != board->mark)
      g_ptr_array_remove_index (board->nodes, i);
  for (guint i = 0; i < board->progresses->len; i++)
    {
      TtiBoardProgress *progress = g_ptr_array_index (board->progresses, i);

      /* It has ended unseen. */
      progress->is_over = progress->is_over || progress->mark != board->mark;
    }
  g_hash_table_iter_init (&iter, board->notes);
  while (g_hash_table_iter_next (&iter, NULL, &note))
    if (((const Note *) note)->mark != board->mark)
      g_hash_table_iter_remove (&iter);
}
