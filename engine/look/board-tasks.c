/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools, workers, and the tasks that these have. Of the others there are only numbers: tasks are numbered in the order in which they are
 * submitted, so that an event of a higher one than all before is of a new task. */
#include "look/board-private.h"

enum { MOST_CLOSED = 16 }; /* pools that are kept when they have gone */

static void
task_free (gpointer data)
{
  TtiBoardTask *task = data;

  g_free (task->name);
  g_slice_free (TtiBoardTask, task);
}

static void
worker_free (gpointer data)
{
  TtiBoardWorker *worker = data;

  g_free (worker->node);
  g_free (worker->ended_for);
  g_slice_free (TtiBoardWorker, worker);
}

static void
pool_free (gpointer data)
{
  TtiBoardPool *pool = data;

  g_ptr_array_unref (pool->workers);
  g_free (pool->name);
  g_free (pool->failure);
  g_free (pool);
}

void
tti_board_init_tasks (TtiBoard *board)
{
  board->pools = g_ptr_array_new_with_free_func (pool_free);
  board->tasks = g_hash_table_new_full (NULL, NULL, NULL, task_free);
}

void
tti_board_clear_tasks (TtiBoard *board)
{
  g_ptr_array_unref (board->pools);
  g_hash_table_unref (board->tasks);
  for (guint i = 0; i < TTI_BOARD_MOST_NAMES; i++)
    g_free (board->names[i].name);
}

/* --- pools ------------------------------------------------------------------------------------------------------------------- */

static gpointer
task_key (guint64 task)
{
  return GSIZE_TO_POINTER ((gsize) task);
}

static TtiBoardPool *
find_pool (const TtiBoard *board, guint64 number)
{
  /* Most have one or two, and the last is the most in use. */
  for (guint i = board->pools->len; i-- > 0;)
    {
      TtiBoardPool *pool = g_ptr_array_index (board->pools, i);

      if (pool->number == number)
        return pool;
    }
  return NULL;
}

static TtiBoardWorker *
find_worker (const TtiBoardPool *pool, guint index)
{
  return pool != NULL && index < pool->workers->len ? g_ptr_array_index (pool->workers, index) : NULL;
}

/* What has neither ended nor runs nor waits for others is queued. */
static void
pool_count_queued (TtiBoardPool *pool)
{
  TtiBoardCounts *counts = &pool->counts;
  guint64 others = counts->ended + counts->waiting + counts->running;

  counts->queued = counts->submitted > others ? counts->submitted - others : 0;
}

static void
counts_add (TtiBoardCounts *sum, const TtiBoardCounts *counts)
{
  sum->submitted += counts->submitted;
  sum->ended += counts->ended;
  sum->failed += counts->failed;
  for (guint i = 0; i < TTI_LOOK_N_ENDS; i++)
    sum->ends[i] += counts->ends[i];
  sum->queued += counts->queued;
  sum->waiting += counts->waiting;
  sum->running += counts->running;
  sum->busy += counts->busy;
  sum->workers += counts->workers;
}

void
tti_board_get_counts (const TtiBoard *board, TtiBoardCounts *counts)
{
  *counts = board->past;
  for (guint i = 0; i < board->pools->len; i++)
    counts_add (counts, &((const TtiBoardPool *) g_ptr_array_index (board->pools, i))->counts);
}

const GPtrArray *
tti_board_get_pools (const TtiBoard *board)
{
  return board->pools;
}

const TtiBoardTask *
tti_board_find_task (const TtiBoard *board, guint64 task)
{
  return g_hash_table_lookup (board->tasks, task_key (task));
}

/* --- which task a worker has ------------------------------------------------------------------------------------------------- */

/* Another task may be the first of WORKER's now: that runs since TIME. */
static void
worker_update (TtiBoardPool *pool, TtiBoardWorker *worker, gint64 time)
{
  TtiBoardTask *task = g_queue_peek_head (&worker->tasks);

  if (worker->state == TTI_WORKER_IDLE || worker->state == TTI_WORKER_BUSY)
    worker->state = task != NULL ? TTI_WORKER_BUSY : TTI_WORKER_IDLE;
  if (task == NULL || task->counted)
    return;
  task->counted = TRUE;
  task->since = time;
  pool->counts.running += (task->flags & TTI_LOOK_TASK_MAKER) == 0;
  pool->counts.busy++;
}

/* TASK is not its worker's any more. */
static void
remove_task (TtiBoard *board, TtiBoardTask *task, gint64 time)
{
  TtiBoardPool *pool = find_pool (board, task->pool);
  TtiBoardWorker *worker = find_worker (pool, task->worker);

  g_queue_unlink (&worker->tasks, &task->link);
  if (task->counted)
    {
      pool->counts.running -= (task->flags & TTI_LOOK_TASK_MAKER) == 0;
      pool->counts.busy--;
    }
  worker_update (pool, worker, time);
  pool_count_queued (pool);
  TtiBoardName *gone = &board->names[board->n_names++ % TTI_BOARD_MOST_NAMES];

  g_free (gone->name);
  *gone = (TtiBoardName){ task->task, g_steal_pointer (&task->name) };
  g_hash_table_remove (board->tasks, task_key (task->task));
}

const char *
tti_board_name_of (const TtiBoard *board, guint64 task)
{
  const TtiBoardTask *present = tti_board_find_task (board, task);

  if (present != NULL)
    return present->name;
  for (guint i = 0; i < TTI_BOARD_MOST_NAMES; i++)
    if (board->names[i].name != NULL && board->names[i].task == task)
      return board->names[i].name;
  return "";
}

static void
worker_clear (TtiBoard *board, TtiBoardWorker *worker)
{
  while (worker->tasks.head != NULL)
    remove_task (board, worker->tasks.head->data, board->time);
}

/* The worker INDEX of POOL, which is made if there is none yet; NULL: it cannot be. */
static TtiBoardWorker *
ensure_worker (TtiBoardPool *pool, guint index)
{
  if (index >= TTI_BOARD_MOST_WORKERS)
    return NULL;
  for (guint i = pool->workers->len; i <= index; i++)
    {
      TtiBoardWorker *worker = g_slice_new0 (TtiBoardWorker);

      worker->pool = pool->number;
      worker->index = i;
      worker->node = g_strdup ("");
      worker->ended_for = g_strdup ("");
      g_ptr_array_add (pool->workers, worker);
    }
  return g_ptr_array_index (pool->workers, index);
}

/* Pools that have gone are kept for a while, without their workers; of those before there is a sum. */
static void
forget_closed (TtiBoard *board)
{
  guint n = 0;

  for (guint i = board->pools->len; i-- > 0;)
    {
      TtiBoardPool *pool = g_ptr_array_index (board->pools, i);
      gboolean closed = pool->state == TTI_LOOK_POOL_CLOSED;

      n += closed;
      if (!closed || n <= MOST_CLOSED)
        continue;
      counts_add (&board->past, &pool->counts);
      g_ptr_array_remove_index (board->pools, i);
    }
}

static void
pool_end (TtiBoard *board, TtiBoardPool *pool)
{
  for (guint k = 0; k < pool->workers->len; k++)
    worker_clear (board, g_ptr_array_index (pool->workers, k));
  g_ptr_array_set_size (pool->workers, 0);
  pool->state = TTI_LOOK_POOL_CLOSED;
  pool->counts.waiting = 0;
  pool->counts.workers = 0;
  pool->counts.queued = 0; /* what had not ended has ended unseen */
}

static TtiBoardPool *
add_pool (TtiBoard *board, guint64 number)
{
  TtiBoardPool *pool = g_new0 (TtiBoardPool, 1);
  guint at = board->pools->len;

  pool->number = number;
  pool->workers = g_ptr_array_new_with_free_func (worker_free);
  while (at > 0 && ((const TtiBoardPool *) g_ptr_array_index (board->pools, at - 1))->number > number)
    at--;
  g_ptr_array_insert (board->pools, (gint) at, pool);
  return pool;
}

void
tti_board_take_pool (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookPool *look = event->pool;
  TtiBoardPool *pool = find_pool (board, look->pool);
  TtiBoardCounts *counts;

  if (pool == NULL && board->pools->len >= TTI_BOARD_MOST_POOLS)
    return;
  if (pool == NULL)
    pool = add_pool (board, look->pool);
  counts = &pool->counts;
  pool->mark = board->mark;
  g_free (pool->name);
  g_free (pool->failure);
  pool->name = tti_board_copy_text (event->texts[0]);
  pool->failure = tti_board_copy_text (event->texts[1]);
  pool->state = (TtiLookPoolState) look->state;
  pool->size = look->size;
  pool->goal = look->goal;
  counts->submitted = look->submitted;
  counts->ended = look->ended;
  counts->failed = look->failed;
  counts->waiting = look->n_waiting;
  counts->workers = look->size;
  for (guint i = 0; i < TTI_LOOK_N_ENDS; i++)
    counts->ends[i] = look->ends[i];
  if (pool->state == TTI_LOOK_POOL_CLOSED)
    pool_end (board, pool);
  else
    pool_count_queued (pool);
  forget_closed (board);
}

void
tti_board_take_worker (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookWorker *look = event->worker;
  TtiBoardPool *pool = find_pool (board, look->pool);
  TtiBoardWorker *worker = pool != NULL && pool->state != TTI_LOOK_POOL_CLOSED ? ensure_worker (pool, look->index) : NULL;

  if (worker == NULL)
    return;
  /* What one had that has gone is tried again, or has ended: events of it may have been before, or will be. */
  if (worker->generation != look->generation || look->state == TTI_WORKER_DEAD)
    worker_clear (board, worker);
  worker->mark = board->mark;
  worker->generation = look->generation;
  worker->pid = look->pid;
  worker->state = (TtiWorkerState) look->state;
  worker->restarts = look->restarts;
  worker->tasks_done = look->tasks_done;
  worker->peak_memory = look->peak_memory;
  g_free (worker->node);
  g_free (worker->ended_for);
  worker->node = tti_board_copy_text (event->texts[0]);
  worker->ended_for = tti_board_copy_text (event->texts[1]);
  worker_update (pool, worker, event->time);
}

/* --- tasks ------------------------------------------------------------------------------------------------------------------- */

/* Is TASK one that there was no event of before? */
static gboolean
is_new (TtiBoard *board, guint64 task)
{
  gboolean is = task > board->last_task;

  board->last_task = MAX (board->last_task, task);
  return is && !board->in_snapshot;
}

void
tti_board_take_submitted (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookSubmitted *look = event->submitted;
  TtiBoardTask *task = g_hash_table_lookup (board->tasks, task_key (look->task));
  TtiBoardPool *pool = find_pool (board, look->pool);
  gboolean new = is_new (board, look->task);

  /* In a snapshot the events of pools and of tasks that run say it all. */
  if (board->in_snapshot || pool == NULL)
    return;
  gboolean had_worker = task != NULL;

  if (task != NULL)
    remove_task (board, task, event->time);
  if (look->flags & TTI_LOOK_TASK_MAKER)
    return;
  pool->counts.submitted += new;
  if (look->n_missing > 0)
    pool->counts.waiting++;
  else if (!new && !had_worker && pool->counts.waiting > 0)
    pool->counts.waiting--;
  pool_count_queued (pool);
}

void
tti_board_take_started (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookStarted *look = event->started;
  TtiBoardTask *task = g_hash_table_lookup (board->tasks, task_key (look->task));
  TtiBoardPool *pool = find_pool (board, look->pool);
  TtiBoardWorker *worker = pool != NULL && pool->state != TTI_LOOK_POOL_CLOSED ? ensure_worker (pool, look->worker) : NULL;

  (void) is_new (board, look->task);
  /* One that was known before a snapshot runs as long as it has. */
  gint64 since = task != NULL && task->attempt == look->attempt && task->generation == look->generation ? task->since : 0;

  if (task != NULL)
    remove_task (board, task, event->time);
  if (worker == NULL || g_hash_table_size (board->tasks) >= TTI_BOARD_MOST_TASKS)
    return;
  task = g_slice_new0 (TtiBoardTask);
  *task = (TtiBoardTask){ .task = look->task, .pool = look->pool, .generation = look->generation, .input = look->input,
                          .started = look->started, .worker = look->worker, .attempt = look->attempt, .flags = look->flags,
                          .name = tti_board_copy_text (event->texts[0]), .link = { .data = task }, .mark = board->mark };
  g_hash_table_insert (board->tasks, task_key (look->task), task);
  g_queue_push_tail_link (&worker->tasks, &task->link);
  worker_update (pool, worker, since != 0 ? since : look->started);
  pool_count_queued (pool);
}

void
tti_board_take_parts (TtiBoard *board, const TtiEvent *event)
{
  TtiBoardTask *task = g_hash_table_lookup (board->tasks, task_key (event->parts->task));

  if (task == NULL)
    return;
  task->begun = event->parts->begun;
  task->all = event->parts->all;
}

void
tti_board_take_ended (TtiBoard *board, const TtiEvent *event)
{
  const TtiLookEnded *look = event->ended;
  TtiBoardTask *task = g_hash_table_lookup (board->tasks, task_key (look->task));
  TtiBoardPool *pool = find_pool (board, look->pool);
  gboolean new = is_new (board, look->task), had_worker = task != NULL;

  if (had_worker)
    remove_task (board, task, event->time);
  if (pool == NULL || (look->flags & TTI_LOOK_TASK_MAKER))
    return;
  pool->counts.submitted += new;
  pool->counts.ended++;
  pool->counts.failed += look->end != TTI_LOOK_DONE;
  pool->counts.ends[MIN (look->end, TTI_LOOK_N_ENDS - 1)]++;
  /* It has waited for the one with which it ends. */
  if (!new && !had_worker && look->culprit != 0 && pool->counts.waiting > 0)
    pool->counts.waiting--;
  pool_count_queued (pool);
}

/* --- after a snapshot -------------------------------------------------------------------------------------------------------- */

void
tti_board_sweep_tasks (TtiBoard *board)
{
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, board->tasks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((const TtiBoardTask *) value)->mark != board->mark)
      g_ptr_array_add (gone, value);
  for (guint i = 0; i < gone->len; i++)
    remove_task (board, g_ptr_array_index (gone, i), board->time);
  for (guint i = 0; i < board->pools->len; i++)
    {
      TtiBoardPool *pool = g_ptr_array_index (board->pools, i);

      if (pool->mark != board->mark && pool->state != TTI_LOOK_POOL_CLOSED)
        pool_end (board, pool);
      /* Workers are never fewer, but those at the end may have gone for good. */
      for (guint k = pool->workers->len; k-- > 0 && ((const TtiBoardWorker *) g_ptr_array_index (pool->workers, k))->mark != board->mark;)
        {
          worker_clear (board, g_ptr_array_index (pool->workers, k));
          g_ptr_array_remove_index (pool->workers, k);
        }
    }
  forget_closed (board);
}
