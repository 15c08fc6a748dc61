/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What others see of a pool, of its workers and of what these write. */
#include "pool/pool-private.h"
#include <string.h>

enum
{
  MOST_LINES = 500,     /* of output between two pulses: who floods has files for that */
  MOST_LINE = 4096,     /* bytes of one */
  MOST_DEPTH = 32,      /* of tasks that wait for others, when somebody asks for one */
  MOST_MEASURED = 64    /* workers of which the memory is read at a pulse */
};

static TtiLookPoolState
pool_look_state (const TtiPool *pool)
{
  switch (pool->state)
    {
    case POOL_OPEN: return pool->failure != NULL ? TTI_LOOK_POOL_FAILED : TTI_LOOK_POOL_OPEN;
    case POOL_CLOSING: return TTI_LOOK_POOL_CLOSING;
    case POOL_QUIET: break;
    }
  return TTI_LOOK_POOL_CLOSED;
}

void
tti_pool_show_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiLookPool event = { .pool = pool->runner.number, .state = pool_look_state (pool), .size = pool->size, .goal = pool->goal,
                        .n_waiting = g_hash_table_size (pool->queue.waiting), .submitted = pool->n_submitted, .ended = pool->n_ended,
                        .failed = pool->n_failed };

  memcpy (event.ends, pool->n_ends, sizeof event.ends);
  tti_engine_show_locked (pool->engine, TTI_EVENT_POOL, &event, pool->name, pool->failure != NULL ? pool->failure->message : NULL);
}

static void
pool_show_worker_locked (TtiPool *pool, TtiSlot *slot, gboolean measure)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiWorker *worker = slot->worker;
  TtiLookWorker event = { .pool = pool->runner.number, .index = slot->index, .restarts = pool->restarts[slot->index].n_restarts,
                          .tasks_done = slot->tasks_done, .peak_memory = slot->peak_memory, .state = TTI_WORKER_DEAD };

  if (worker != NULL)
    {
      event.generation = worker->generation;
      event.pid = worker->pid;
      event.state = worker->state;
      if (measure && worker->pid != 0)
        event.peak_memory = MAX (event.peak_memory, tti_node_get_peak_memory (worker->node, worker->generation));
    }
  tti_engine_show_locked (pool->engine, TTI_EVENT_WORKER, &event, tti_node_get_name (slot->life.node),
                          worker != NULL && worker->ended_by_us ? tti_death_reason_name (worker->reason) : NULL);
}

void
tti_pool_show_worker_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool_show_worker_locked (pool, slot, FALSE);
}

/* --- all of it -------------------------------------------------------------------------------------------------------------- */

static int
compare_tasks (gconstpointer one, gconstpointer other)
{
  const TtiTask *a = *(TtiTask *const *) one, *b = *(TtiTask *const *) other;

  return a->id < b->id ? -1 : a->id > b->id;
}

/* Show the first of QUEUE, with those of *LEFT. */
static void
show_queue (const GQueue *queue, guint *left)
{
  for (GList *l = queue->head; l != NULL && *left > 0; l = l->next)
    {
      TtiTask *task = l->data;

      if (tti_task_has_ended (task))
        continue;
      tti_task_show_submitted_locked (task);
      (*left)--;
    }
}

static void
pool_show_running_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    for (GList *l = pool->slots[i]->running.head; l != NULL; l = l->next)
      {
        TtiTask *task = l->data;

        if (tti_task_has_ended (task))
          continue;
        tti_task_show_submitted_locked (task);
        tti_task_show_started_locked (task, pool->slots[i]->life.generation);
      }
}

/* Those that are queued or wait, up to TTI_EVENT_MOST_WAITING of each kind. Returns how many were left out. */
static guint
pool_show_waiting_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GPtrArray) waiting = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  guint queued = pool->queue.any.length + pool->queue.wide.length, left = TTI_EVENT_MOST_WAITING;

  show_queue (&pool->queue.any, &left);
  show_queue (&pool->queue.wide, &left);
  for (guint i = 0; i < pool->n_slots; i++)
    {
      queued += pool->queue.pinned[i].length;
      show_queue (&pool->queue.pinned[i], &left);
    }
  guint n_left_out = queued - MIN (queued, TTI_EVENT_MOST_WAITING - left);

  tti_queue_list_waiting_locked (&pool->queue, waiting);
  g_ptr_array_sort (waiting, compare_tasks);
  for (guint i = 0; i < waiting->len && i < TTI_EVENT_MOST_WAITING; i++)
    tti_task_show_submitted_locked (g_ptr_array_index (waiting, i));
  return n_left_out + waiting->len - MIN (waiting->len, TTI_EVENT_MOST_WAITING);
}

guint
tti_pool_show_all_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  tti_pool_show_locked (pool);
  for (guint i = 0; i < pool->n_slots; i++)
    pool_show_worker_locked (pool, pool->slots[i], i < MOST_MEASURED);
  if (pool->state == POOL_QUIET)
    return 0;
  pool_show_running_locked (pool);
  return pool_show_waiting_locked (pool);
}

/* --- one task ---------------------------------------------------------------------------------------------------------------- */

/* TASK, if it has not ended, and those that it waits for. */
static void
task_show_with_missing_locked (TtiTask *task, guint depth)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (tti_task_has_ended (task) || task->id == 0 || task->runner == NULL)
    return;
  tti_task_show_submitted_locked (task);
  if (task->state == TTI_TASK_RUNNING)
    tti_task_show_started_locked (task, tti_pool_of_task (task)->slots[task->worker]->life.generation);
  if (depth == 0 || task->n_missing == 0)
    return;
  if (task->maker != NULL)
    task_show_with_missing_locked (task->maker, depth - 1);
  for (guint i = 0, n = 0; task->dependencies != NULL && i < task->dependencies->len && n < TTI_EVENT_MOST_MISSING; i++)
    if (!tti_task_has_ended (g_ptr_array_index (task->dependencies, i)))
      {
        task_show_with_missing_locked (g_ptr_array_index (task->dependencies, i), n == 0 ? depth - 1 : 0);
        n++;
      }
}

/* *N_AHEAD: so many are before it. */
static TtiTask *
find_in_queue (const GQueue *queue, guint64 id, guint64 *n_ahead)
{
  *n_ahead = 0;
  for (GList *l = queue->head; l != NULL; l = l->next, (*n_ahead)++)
    if (((TtiTask *) l->data)->id == id)
      return l->data;
  return NULL;
}

TtiTask *
tti_pool_find_task_locked (TtiPool *pool, guint64 id, guint64 *n_ahead)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *found = NULL;
  GHashTableIter iter;
  gpointer key;

  for (guint i = 0; i < pool->n_slots && found == NULL; i++)
    {
      found = find_in_queue (&pool->slots[i]->running, id, n_ahead);
      if (found == NULL)
        found = find_in_queue (&pool->queue.pinned[i], id, n_ahead);
    }
  if (found == NULL)
    found = find_in_queue (&pool->queue.any, id, n_ahead);
  if (found == NULL)
    found = find_in_queue (&pool->queue.wide, id, n_ahead);
  if (found != NULL)
    return found;
  *n_ahead = 0;
  g_hash_table_iter_init (&iter, pool->queue.waiting);
  while (found == NULL && g_hash_table_iter_next (&iter, &key, NULL))
    if (((TtiTask *) key)->id == id)
      found = key;
  return found;
}

gboolean
tti_pool_show_task_locked (TtiPool *pool, guint64 id, guint64 *n_ahead)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *task = tti_pool_find_task_locked (pool, id, n_ahead);

  if (task == NULL || tti_task_has_ended (task))
    return FALSE;
  task_show_with_missing_locked (task, MOST_DEPTH);
  return TRUE;
}

/* --- what goes on ------------------------------------------------------------------------------------------------------------ */

static void
pool_show_parts_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *task = g_queue_peek_head (&slot->running);
  guint begun = task != NULL && !tti_task_has_ended (task) ? tti_slot_get_parts_begun_locked (slot, task) : 0;

  if (begun == 0)
    return;
  TtiParts *parts = tti_slot_find_parts_locked (slot, task);
  TtiLookParts event = { .task = task->id, .pool = pool->runner.number, .begun = begun, .all = tti_parts_get_all (parts, task->id) };

  tti_engine_show_locked (pool->engine, TTI_EVENT_PARTS, &event, NULL, NULL);
}

void
tti_pool_show_pulse_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint n = pool->engine->looking.n_pulses;

  pool->n_lines_shown = 0;
  if (pool->state == POOL_QUIET)
    return;
  if (n % 2 == 0)
    tti_pool_show_locked (pool);
  /* To read how much memory a worker has takes some µs; those of a large pool have their turns. */
  guint n_turns = pool->n_slots / MOST_MEASURED + 1, turn = n / 2 % n_turns;

  for (guint i = 0; i < pool->n_slots; i++)
    {
      pool_show_parts_locked (pool, pool->slots[i]);
      if (n % 2 == 0)
        pool_show_worker_locked (pool, pool->slots[i], i % n_turns == turn);
    }
}

void
tti_pool_show_death_locked (TtiPool *pool, const TtiCertificate *certificate, guint attempt, guint begun, gboolean again)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autofree char *text = tti_certificate_describe (certificate);
  TtiLookDied event = { .pool = pool->runner.number, .generation = certificate->generation, .task = certificate->task,
                        .input = certificate->task != 0 ? certificate->input_size : 0, .peak_memory = certificate->peak_memory,
                        .worker = certificate->index, .pid = certificate->pid, .reason = certificate->reason,
                        .status = certificate->status, .signal = certificate->signal, .attempt = attempt, .begun = begun,
                        .again = again };

  tti_engine_show_locked (pool->engine, TTI_EVENT_DIED, &event, text, certificate->stderr_tail);
}

void
tti_pool_show_line_locked (TtiPool *pool, guint index, gboolean is_error, const char *text, gsize length)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiSlot *slot = pool->slots[index];
  TtiTask *task = g_queue_peek_head (&slot->running);
  TtiLookOutput event = { .pool = pool->runner.number, .task = task != NULL ? task->id : 0, .worker = index, .is_error = is_error };

  if (pool->n_lines_shown++ >= MOST_LINES)
    return;
  /* There may be anything in it, also zeros. */
  g_autofree char *line = g_utf8_make_valid (text, (gssize) MIN (length, MOST_LINE));

  tti_engine_show_locked (pool->engine, TTI_EVENT_OUTPUT, &event, line, NULL);
}
