/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a board (look/board.h) shows, as association lists. Times are microseconds of the monotonic clock, as %monotonic-time has it; what
 * is not known is #f. */
#include "bindings/guile-board.h"
#include "bindings/guile-error.h"
#include "bindings/guile-pool-private.h"

#define FIELDS(fields) tti_guile_fields (fields, G_N_ELEMENTS (fields))
#define NUMBER(n) scm_from_uint64 (n)
#define SYMBOL(name) scm_from_utf8_symbol (name)

static SCM
time_or_false (gint64 time)
{
  return time != 0 ? scm_from_int64 (time) : SCM_BOOL_F;
}

static SCM
number_or_false (guint64 number)
{
  return number != 0 ? NUMBER (number) : SCM_BOOL_F;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------- */

static SCM
counts_fields (const TtiBoardCounts *counts)
{
  SCM ends = SCM_EOL;

  for (guint i = TTI_LOOK_N_ENDS; i-- > 0;)
    ends = scm_acons (SYMBOL (tti_look_end_name ((TtiLookEnd) i)), NUMBER (counts->ends[i]), ends);
  const TtiField fields[] = {
    { "submitted", NUMBER (counts->submitted) }, { "ended", NUMBER (counts->ended) },     { "failed", NUMBER (counts->failed) },
    { "queued", NUMBER (counts->queued) },       { "waiting", NUMBER (counts->waiting) }, { "running", NUMBER (counts->running) },
    { "busy", NUMBER (counts->busy) },           { "workers", NUMBER (counts->workers) }, { "ends", ends },
  };

  return FIELDS (fields);
}

/* (%board-facts watch) -> how it stands as a whole; began: µs since 1970 */
static SCM
board_facts (SCM object)
{
  TtiWatch *watch = tti_guile_to_watch (object, "%board-facts");
  TtiBoard *board = watch->board;
  double rate = tti_board_get_rate (board, g_get_monotonic_time ());
  TtiBoardCounts counts;

  tti_board_get_counts (board, &counts);
  const TtiField fields[] = {
    { "pid", scm_from_int (tti_viewer_get_pid (watch->viewer)) },
    { "began", scm_from_int64 (tti_viewer_get_began (watch->viewer)) },
    { "time", scm_from_int64 (tti_board_get_time (board)) },
    { "complete?", scm_from_bool (tti_board_is_complete (board)) },
    { "over?", scm_from_bool (tti_board_is_over (board)) },
    { "script", tti_guile_text (tti_board_get_note (board, "script")) },
    { "program", tti_guile_text (tti_board_get_note (board, "program")) },
    { "arguments", tti_guile_text (tti_board_get_note (board, "arguments")) },
    { "rate", rate >= 0 ? scm_from_double (rate) : SCM_BOOL_F },
    { "failures", NUMBER (tti_board_count_failures (board)) },
    { "counts", counts_fields (&counts) },
  };

  scm_remember_upto_here_1 (object);
  return FIELDS (fields);
}

/* --- pools, workers, tasks --------------------------------------------------------------------------------------------------- */

/* (%board-pools watch) -> those that are not closed */
static SCM
board_pools (SCM object)
{
  const GPtrArray *pools = tti_board_get_pools (tti_guile_to_watch (object, "%board-pools")->board);
  SCM list = SCM_EOL;

  for (guint i = pools->len; i-- > 0;)
    {
      const TtiBoardPool *pool = g_ptr_array_index (pools, i);
      const TtiField fields[] = {
        { "number", NUMBER (pool->number) },
        { "name", tti_guile_text (pool->name) },
        { "failure", tti_guile_text (pool->failure) },
        { "state", SYMBOL (tti_look_pool_state_name (pool->state)) },
        { "size", scm_from_uint (pool->size) },
        { "goal", scm_from_uint (pool->goal) },
        { "counts", counts_fields (&pool->counts) },
      };

      if (pool->state != TTI_LOOK_POOL_CLOSED)
        list = scm_cons (FIELDS (fields), list);
    }
  scm_remember_upto_here_1 (object);
  return list;
}

static SCM
task_fields (const TtiBoardTask *task, guint n_behind)
{
  const TtiField fields[] = {
    { "task", NUMBER (task->task) },       { "pool", NUMBER (task->pool) },          { "name", tti_guile_text (task->name) },
    { "worker", NUMBER (task->worker) },   { "since", time_or_false (task->since) }, { "started", time_or_false (task->started) },
    { "attempt", NUMBER (task->attempt) }, { "begun", number_or_false (task->begun) }, { "all", number_or_false (task->all) },
    { "behind", NUMBER (n_behind) },
    { "maker?", scm_from_bool (task->flags & TTI_LOOK_TASK_MAKER) }, { "wide?", scm_from_bool (task->flags & TTI_LOOK_TASK_WIDE) },
  };

  return FIELDS (fields);
}

/* (%board-task watch number) -> that task, if a worker has it, or #f */
static SCM
board_task (SCM object, SCM number)
{
  const TtiBoardTask *task = tti_board_find_task (tti_guile_to_watch (object, "%board-task")->board, scm_to_uint64 (number));
  SCM result = task != NULL ? task_fields (task, 0) : SCM_BOOL_F;

  scm_remember_upto_here_1 (object);
  return result;
}

static SCM
worker_fields (const TtiBoardPool *pool, const TtiBoardWorker *worker)
{
  const TtiBoardTask *task = worker->tasks.length > 0 ? worker->tasks.head->data : NULL;
  const TtiField fields[] = {
    { "pool", NUMBER (pool->number) },
    { "pool-name", tti_guile_text (pool->name) },
    { "index", NUMBER (worker->index) },
    { "pid", number_or_false ((guint64) worker->pid) },
    { "state", SYMBOL (worker->state == TTI_WORKER_NONE ? "none" : tti_worker_state_name (worker->state)) },
    { "restarts", NUMBER (worker->restarts) },
    { "done", NUMBER (worker->tasks_done) },
    { "memory", number_or_false (worker->peak_memory) },
    { "node", tti_guile_text (worker->node) },
    { "ended-for", tti_guile_text (worker->ended_for) },
    { "task", task != NULL ? task_fields (task, worker->tasks.length - 1) : SCM_BOOL_F },
  };

  return FIELDS (fields);
}

/* (%board-workers watch from most) -> a pair: how many workers there are in all pools; and a list of them from number FROM on, MOST at
 * most */
static SCM
board_workers (SCM object, SCM from, SCM most)
{
  const GPtrArray *pools = tti_board_get_pools (tti_guile_to_watch (object, "%board-workers")->board);
  guint first = scm_to_uint (from), left = scm_to_uint (most), n = 0;
  SCM list = SCM_EOL;

  for (guint i = 0; i < pools->len; i++)
    {
      const TtiBoardPool *pool = g_ptr_array_index (pools, i);

      for (guint k = 0; k < pool->workers->len; k++, n++)
        if (n >= first && left > 0)
          {
            list = scm_cons (worker_fields (pool, g_ptr_array_index (pool->workers, k)), list);
            left--;
          }
    }
  scm_remember_upto_here_1 (object);
  return scm_cons (scm_from_uint (n), scm_reverse_x (list, SCM_EOL));
}

/* (%board-nodes watch) */
static SCM
board_nodes (SCM object)
{
  const GPtrArray *nodes = tti_board_get_nodes (tti_guile_to_watch (object, "%board-nodes")->board);
  SCM list = SCM_EOL;

  for (guint i = nodes->len; i-- > 0;)
    {
      const TtiBoardNode *node = g_ptr_array_index (nodes, i);
      const TtiField fields[] = {
        { "name", tti_guile_text (node->name) },
        { "state", SYMBOL (tti_look_node_state_name (node->state)) },
        { "reason", tti_guile_text (node->reason) },
        { "here?", scm_from_bool (node->is_here) },
      };

      list = scm_cons (FIELDS (fields), list);
    }
  scm_remember_upto_here_1 (object);
  return list;
}

/* --- progress and failures ---------------------------------------------------------------------------------------------------- */

/* (%board-progress watch) -> what goes on; left: µs */
static SCM
board_progress (SCM object)
{
  const GPtrArray *all = tti_board_get_progresses (tti_guile_to_watch (object, "%board-progress")->board);
  gint64 now = g_get_monotonic_time ();
  SCM list = SCM_EOL;

  for (guint i = all->len; i-- > 0;)
    {
      const TtiBoardProgress *progress = g_ptr_array_index (all, i);
      gint64 left = tti_board_progress_left (progress, now);
      double rate = tti_board_progress_rate (progress);
      const TtiField fields[] = {
        { "name", tti_guile_text (progress->name) },     { "done", NUMBER (progress->done) },
        { "all", NUMBER (progress->all) },               { "failed", NUMBER (progress->failed) },
        { "began", scm_from_int64 (progress->began) },   { "updated", scm_from_int64 (progress->updated) },
        { "rate", rate > 0 ? scm_from_double (rate) : SCM_BOOL_F }, { "left", left >= 0 ? scm_from_int64 (left) : SCM_BOOL_F },
      };

      if (!progress->is_over)
        list = scm_cons (FIELDS (fields), list);
    }
  scm_remember_upto_here_1 (object);
  return list;
}

static SCM
failure_fields (const TtiBoardFailure *failure)
{
  const TtiField fields[] = {
    { "kind", SYMBOL (tti_event_kind_name (failure->kind)) },
    { "time", scm_from_int64 (failure->time) },
    { "task", number_or_false (failure->task) },
    { "item", failure->kind == TTI_EVENT_ITEM ? NUMBER (failure->item) : SCM_BOOL_F },
    { "pool", number_or_false (failure->pool) },
    { "worker", failure->worker >= 0 ? scm_from_int (failure->worker) : SCM_BOOL_F },
    { "end", failure->kind == TTI_EVENT_ENDED ? SYMBOL (tti_look_end_name (failure->end)) : SCM_BOOL_F },
    { "attempts", scm_from_uint (failure->attempts) },
    { "again?", scm_from_bool (failure->again) },
    { "name", tti_guile_text (failure->name) },
    { "text", tti_guile_text (failure->text) },
    { "tail", tti_guile_text (failure->tail) },
  };

  return FIELDS (fields);
}

/* (%board-failures watch most) -> the latest first */
static SCM
board_failures (SCM object, SCM most)
{
  const TtiBoard *board = tti_guile_to_watch (object, "%board-failures")->board;
  SCM list = SCM_EOL;

  for (guint i = MIN (tti_board_get_n_failures (board), scm_to_uint (most)); i-- > 0;)
    list = scm_cons (failure_fields (tti_board_get_failure (board, i)), list);
  scm_remember_upto_here_1 (object);
  return list;
}

static const struct { const char *name; int req; scm_t_subr proc; } primitives[] = {
  { "%board-facts", 1, board_facts },       { "%board-pools", 1, board_pools },
  { "%board-task", 2, board_task },         { "%board-workers", 3, board_workers },   { "%board-nodes", 1, board_nodes },
  { "%board-progress", 1, board_progress }, { "%board-failures", 2, board_failures },
};

void
tti_guile_init_board (void)
{
  tti_guile_init_viewer ();
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, 0, 0, primitives[i].proc);
}
