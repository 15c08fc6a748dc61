/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/board-private.h"
#include <string.h>

enum
{
  RATE_US = 5 * G_USEC_PER_SEC,
  LEAST_RATE_US = G_USEC_PER_SEC / 2, /* from fewer no rate is made */
  SAMPLE_US = RATE_US / 25,
  PATIENCE_US = G_USEC_PER_SEC        /* for a snapshot that was asked for */
};

char *
tti_board_copy_text (const char *text)
{
  gsize length = strnlen (text, TTI_BOARD_MOST_TEXT + 1);

  if (length <= TTI_BOARD_MOST_TEXT)
    return g_strdup (text);
  /* Not within a character. */
  for (length = TTI_BOARD_MOST_TEXT; length > 0 && ((guchar) text[length] & 0xc0) == 0x80;)
    length--;
  return g_strndup (text, length);
}

TtiBoard *
tti_board_new (void)
{
  TtiBoard *board = g_new0 (TtiBoard, 1);

  tti_board_init_tasks (board);
  tti_board_init_lists (board);
  return board;
}

void
tti_board_free (TtiBoard *board)
{
  if (board == NULL)
    return;
  tti_board_clear_tasks (board);
  tti_board_clear_lists (board);
  g_free (board);
}

/* --- events ------------------------------------------------------------------------------------------------------------------ */

static void
take_snapshot (TtiBoard *board, const TtiEvent *event)
{
  if (event->snapshot->begins)
    {
      board->in_snapshot = TRUE;
      board->over = FALSE;
      board->mark++;
      return;
    }
  if (!board->in_snapshot)
    return;
  board->in_snapshot = FALSE;
  board->complete = TRUE;
  board->asked = 0;
  board->last_task = MAX (board->last_task, event->snapshot->last);
  tti_board_sweep_tasks (board);
  tti_board_sweep_lists (board);
}

/* Between two snapshots and outside of answers. */
static void
take_change (TtiBoard *board, const TtiEvent *event)
{
  switch (event->kind)
    {
    case TTI_EVENT_CLOCK: board->wall_offset = event->clock->wall - event->time; break;
    case TTI_EVENT_SNAPSHOT: take_snapshot (board, event); break;
    case TTI_EVENT_POOL: tti_board_take_pool (board, event); break;
    case TTI_EVENT_WORKER: tti_board_take_worker (board, event); break;
    case TTI_EVENT_NODE: tti_board_take_node (board, event); break;
    case TTI_EVENT_SUBMITTED: tti_board_take_submitted (board, event); break;
    case TTI_EVENT_STARTED: tti_board_take_started (board, event); break;
    case TTI_EVENT_PARTS: tti_board_take_parts (board, event); break;
    case TTI_EVENT_ENDED:
      tti_board_take_ended (board, event);
      tti_board_take_failure (board, event);
      break;
    case TTI_EVENT_ITEM:
    case TTI_EVENT_DIED:
    case TTI_EVENT_FAILURE: tti_board_take_failure (board, event); break;
    case TTI_EVENT_OUTPUT:
    case TTI_EVENT_TOLD: tti_board_take_line (board, event); break;
    case TTI_EVENT_PROGRESS: tti_board_take_progress (board, event); break;
    case TTI_EVENT_NOTE: tti_board_take_note (board, event); break;
    case TTI_EVENT_ANSWER: board->in_answer = event->answer->begins; break;
    }
}

static void
take_sample (TtiBoard *board)
{
  const TtiBoardSample *last = &board->samples[(board->n_samples - 1) % TTI_BOARD_MOST_SAMPLES];
  TtiBoardCounts counts;

  if (!board->complete || board->in_snapshot || (board->n_samples > 0 && board->time - last->time < SAMPLE_US))
    return;
  tti_board_get_counts (board, &counts);
  board->samples[board->n_samples++ % TTI_BOARD_MOST_SAMPLES] = (TtiBoardSample){ board->time, counts.ended };
}

gboolean
tti_board_take (TtiBoard *board, const TtiEvent *event)
{
  gboolean ask;

  /* What a ring has lost before the first event that is read, a snapshot that follows makes good. */
  if (event->n_dropped > 0 && board->number > 0)
    {
      board->in_snapshot = board->in_answer = board->complete = FALSE;
      board->asked = MAX (board->asked, 1);
    }
  board->number = event->number;
  board->time = MAX (board->time, event->time);
  if (!board->in_answer || event->kind == TTI_EVENT_ANSWER)
    take_change (board, event);
  take_sample (board);
  ask = board->asked != 0 && board->time - board->asked > PATIENCE_US;
  if (ask)
    board->asked = board->time;
  return ask;
}

/* --- what it knows ----------------------------------------------------------------------------------------------------------- */

gboolean
tti_board_is_complete (const TtiBoard *board)
{
  return board->complete;
}

gboolean
tti_board_is_over (const TtiBoard *board)
{
  return board->over;
}

guint64
tti_board_get_number (const TtiBoard *board)
{
  return board->number;
}

gint64
tti_board_get_time (const TtiBoard *board)
{
  return board->time;
}

gint64
tti_board_wall (const TtiBoard *board, gint64 time)
{
  return board->wall_offset != 0 && time != 0 ? time + board->wall_offset : 0;
}

double
tti_board_get_rate (const TtiBoard *board, gint64 now)
{
  guint64 n = MIN (board->n_samples, TTI_BOARD_MOST_SAMPLES);
  const TtiBoardSample *first = NULL;
  TtiBoardCounts counts;

  for (guint64 i = board->n_samples - n; i < board->n_samples && first == NULL; i++)
    {
      const TtiBoardSample *sample = &board->samples[i % TTI_BOARD_MOST_SAMPLES];

      if (now - sample->time <= RATE_US + SAMPLE_US)
        first = sample;
    }
  if (first == NULL || now - first->time < LEAST_RATE_US)
    return -1;
  tti_board_get_counts (board, &counts);
  return counts.ended > first->ended ? (double) (counts.ended - first->ended) * G_USEC_PER_SEC / (double) (now - first->time) : 0;
}
