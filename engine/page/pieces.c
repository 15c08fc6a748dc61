/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/pieces.h"
#include "page/json.h"

enum { MOST_POOLS = 100, MOST_NODES = 1000 };

static char *
finish (GString *json, char end)
{
  g_string_append_c (json, end);
  return g_string_free (json, FALSE);
}

/* A member with the note KEY, if there is one. */
static void
add_note (GString *json, const TtiBoard *board, const char *name, const char *key)
{
  const char *value = tti_board_get_note (board, key);

  if (value != NULL)
    tti_json_add_text (json, name, value);
}

/* A member with TEXT, unless it is empty. */
static void
add_some_text (GString *json, const char *name, const char *text)
{
  if (text != NULL && *text != '\0')
    tti_json_add_text (json, name, text);
}

char *
tti_piece_run (const TtiBoard *board, int pid, gint64 began, TtiPageEnd end)
{
  static const char *const ends[] = { "running", "ended", "lost" };
  GString *json = g_string_new ("{");

  add_note (json, board, "script", "script");
  add_note (json, board, "arguments", "arguments");
  add_note (json, board, "folder", "folder");
  add_note (json, board, "host", "host");
  tti_json_add_text (json, "version", TUTTI_VERSION);
  tti_json_add_number (json, "pid", (guint64) pid);
  tti_json_add_time (json, "began", began);
  tti_json_add_text (json, "state", ends[end]);
  if (end != TTI_PAGE_RUNNING)
    {
      tti_json_add_time (json, "ended", tti_board_wall (board, tti_board_get_time (board)));
      add_note (json, board, "status", "exit status");
    }
  return finish (json, '}');
}

char *
tti_piece_counts (const TtiBoard *board, gint64 now)
{
  GString *json = g_string_new ("{");
  TtiBoardCounts counts;

  tti_board_get_counts (board, &counts);
  tti_json_add_number (json, "submitted", counts.submitted);
  tti_json_add_number (json, "ended", counts.ended);
  tti_json_add_number (json, "done", counts.ended - MIN (counts.failed, counts.ended));
  tti_json_add_number (json, "failed", counts.failed);
  tti_json_add_number (json, "cancelled", counts.ends[TTI_LOOK_CANCELLED]);
  tti_json_add_number (json, "queued", counts.queued);
  tti_json_add_number (json, "waiting", counts.waiting);
  tti_json_add_number (json, "running", counts.running);
  tti_json_add_number (json, "busy", counts.busy);
  tti_json_add_number (json, "workers", counts.workers);
  tti_json_add_number (json, "failures", tti_board_count_failures (board));
  tti_json_add_double (json, "rate", tti_board_get_rate (board, now));
  return finish (json, '}');
}

char *
tti_piece_progress (const TtiBoard *board, gint64 now)
{
  const GPtrArray *all = tti_board_get_progresses (board);
  GString *json = g_string_new ("[");

  for (guint i = 0; i < all->len; i++)
    {
      const TtiBoardProgress *progress = g_ptr_array_index (all, i);
      gint64 left = tti_board_progress_left (progress, now);

      tti_json_next (json);
      g_string_append_c (json, '{');
      tti_json_add_number (json, "id", progress->number);
      add_some_text (json, "name", progress->name);
      tti_json_add_number (json, "done", progress->done);
      tti_json_add_number (json, "all", progress->all);
      tti_json_add_number (json, "failed", progress->failed);
      tti_json_add_double (json, "rate", tti_board_progress_rate (progress));
      tti_json_add_time (json, "began", tti_board_wall (board, progress->began));
      tti_json_add_time (json, "updated", tti_board_wall (board, progress->updated));
      if (progress->is_over)
        tti_json_add_true (json, "over");
      else if (left >= 0)
        /* In whole seconds, else it would change all the time; readers count on by themselves. */
        tti_json_add_number (json, "left", (guint64) (left + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
      g_string_append_c (json, '}');
    }
  return finish (json, ']');
}

char *
tti_piece_pools (const TtiBoard *board)
{
  const GPtrArray *all = tti_board_get_pools (board);
  GString *json = g_string_new ("[");

  for (guint i = all->len > MOST_POOLS ? all->len - MOST_POOLS : 0; i < all->len; i++)
    {
      const TtiBoardPool *pool = g_ptr_array_index (all, i);

      tti_json_next (json);
      g_string_append_c (json, '{');
      tti_json_add_number (json, "id", pool->number);
      add_some_text (json, "name", pool->name);
      add_some_text (json, "failure", pool->failure);
      tti_json_add_text (json, "state", tti_look_pool_state_name (pool->state));
      tti_json_add_number (json, "size", pool->size);
      tti_json_add_number (json, "goal", pool->goal);
      tti_json_add_number (json, "queued", pool->counts.queued);
      tti_json_add_number (json, "running", pool->counts.running);
      tti_json_add_number (json, "ended", pool->counts.ended);
      tti_json_add_number (json, "failed", pool->counts.failed);
      g_string_append_c (json, '}');
    }
  return finish (json, ']');
}

char *
tti_piece_nodes (const TtiBoard *board)
{
  const GPtrArray *all = tti_board_get_nodes (board);
  GString *json = g_string_new ("[");

  for (guint i = 0; i < MIN (all->len, MOST_NODES); i++)
    {
      const TtiBoardNode *node = g_ptr_array_index (all, i);

      tti_json_next (json);
      g_string_append_c (json, '{');
      tti_json_add_text (json, "name", node->name);
      tti_json_add_text (json, "state", tti_look_node_state_name (node->state));
      add_some_text (json, "reason", node->reason);
      if (node->is_here)
        tti_json_add_true (json, "here");
      g_string_append_c (json, '}');
    }
  return finish (json, ']');
}

char *
tti_piece_plots (const TtiPlots *plots)
{
  const GPtrArray *all = tti_plots_get (plots);
  GString *json = g_string_new ("[");

  for (guint i = 0; i < all->len; i++)
    {
      const TtiPlot *plot = g_ptr_array_index (all, i);

      tti_json_next (json);
      g_string_append_c (json, '{');
      tti_json_add_text (json, "name", plot->name);
      tti_json_add_number (json, "version", plot->version);
      g_string_append_c (json, '}');
    }
  return finish (json, ']');
}

char *
tti_piece_worker (const TtiBoard *board, const TtiBoardPool *pool, const TtiBoardWorker *worker)
{
  GString *json = g_string_new ("{");
  const TtiBoardTask *task = g_queue_peek_head ((GQueue *) &worker->tasks);
  gboolean alive = worker->generation != 0 && worker->state >= TTI_WORKER_IDLE && worker->state <= TTI_WORKER_BUSY;

  tti_json_add_number (json, "pool", pool->number);
  tti_json_add_number (json, "index", worker->index);
  tti_json_add_number (json, "pid", (guint64) MAX (worker->pid, 0));
  tti_json_add_text (json, "state", alive ? (task != NULL ? "busy" : "idle")
                                    : worker->generation == 0 ? "none" : tti_worker_state_name (worker->state));
  tti_json_add_number (json, "restarts", worker->restarts);
  tti_json_add_number (json, "done", worker->tasks_done);
  tti_json_add_number (json, "memory", worker->peak_memory);
  add_some_text (json, "node", worker->node);
  add_some_text (json, "ending", worker->ended_for);
  if (task != NULL)
    {
      tti_json_add_number (json, "task", task->task);
      add_some_text (json, "name", task->name);
      tti_json_add_time (json, "since", tti_board_wall (board, task->since != 0 ? task->since : task->started));
      if (task->attempt > 1)
        tti_json_add_number (json, "attempt", task->attempt);
      if (task->all > 0)
        {
          tti_json_add_number (json, "begun", task->begun);
          tti_json_add_number (json, "all", task->all);
        }
    }
  return finish (json, '}');
}

char *
tti_piece_failure (const TtiBoard *board, const TtiBoardFailure *failure)
{
  GString *json = g_string_new ("{");

  tti_json_add_number (json, "id", failure->number);
  tti_json_add_time (json, "time", tti_board_wall (board, failure->time));
  tti_json_add_text (json, "how", failure->kind == TTI_EVENT_DIED ? "worker died" : failure->kind == TTI_EVENT_ITEM ? "item failed"
                                  : tti_look_end_name (failure->end));
  if (failure->task != 0)
    tti_json_add_number (json, "task", failure->task);
  if (failure->kind == TTI_EVENT_ITEM)
    tti_json_add_number (json, "item", failure->item);
  if (failure->worker >= 0)
    tti_json_add_number (json, "worker", (guint64) failure->worker);
  if (failure->attempts > 1)
    tti_json_add_number (json, "attempts", failure->attempts);
  if (failure->again)
    tti_json_add_true (json, "again");
  add_some_text (json, "name", failure->name);
  add_some_text (json, "text", failure->text);
  add_some_text (json, "tail", failure->tail);
  return finish (json, '}');
}

char *
tti_piece_line (const TtiBoard *board, const TtiBoardLine *line)
{
  GString *json = g_string_new ("{");

  tti_json_add_number (json, "id", line->number);
  tti_json_add_time (json, "time", tti_board_wall (board, line->time));
  if (line->pool != 0)
    tti_json_add_number (json, "worker", line->worker);
  if (line->task != 0)
    tti_json_add_number (json, "task", line->task);
  if (line->is_error)
    tti_json_add_true (json, "error");
  tti_json_add_text (json, "text", line->text);
  return finish (json, '}');
}

char *
tti_piece_sample (const TtiBoard *board, gint64 now)
{
  const GPtrArray *pools = tti_board_get_pools (board);
  TtiBoardCounts counts;
  guint64 memory = 0;

  tti_board_get_counts (board, &counts);
  for (guint i = 0; i < pools->len; i++)
    {
      const TtiBoardPool *pool = g_ptr_array_index (pools, i);

      for (guint k = 0; k < pool->workers->len; k++)
        {
          const TtiBoardWorker *worker = g_ptr_array_index (pool->workers, k);

          memory += worker != NULL && worker->generation != 0 ? worker->peak_memory : 0;
        }
    }
  return g_strdup_printf ("[%" G_GINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%u]", tti_board_wall (board, now) / 1000,
                          counts.ended, memory, counts.busy);
}
