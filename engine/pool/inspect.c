/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How pools, workers and tasks stand, for who asks. */
#include "pool/inspect.h"
#include "pool/pool-private.h"

enum { MOST_BYTES = 16384 }; /* of a reason, which may have a backtrace */

/* The pool that CLIENT is; NULL: it is another kind of client. */
static TtiPool *
pool_of (gpointer client)
{
  return ((TtiEngineClient *) client)->ops == &tti_pool_client_ops ? client : NULL;
}

static TtiPool *
find_pool_locked (TtiEngine *engine, guint64 number)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiPool *pool = pool_of (g_ptr_array_index (engine->clients, i));

      if (pool != NULL && pool->runner.number == number)
        return pool;
    }
  return NULL;
}

TtiPool *
tti_engine_find_pool (TtiEngine *engine, guint64 number)
{
  tti_engine_lock (engine);
  TtiPool *pool = find_pool_locked (engine, number);

  if (pool != NULL)
    pool->client.handles++;
  tti_engine_unlock (engine);
  return pool;
}

/* --- pools ------------------------------------------------------------------------------------------------------------------- */

static const char *
pool_state_name (const TtiPool *pool)
{
  if (pool->failure != NULL)
    return "failed";
  return pool->state == POOL_OPEN ? "open" : pool->state == POOL_CLOSING ? "closing" : "closed";
}

void
tti_pool_facts_clear (TtiPoolFacts *facts)
{
  g_free (facts->name);
  g_free (facts->failure);
}

static TtiPoolFacts
pool_facts_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiPoolFacts facts = { .number = pool->runner.number, .name = g_strdup (pool->name), .state = pool_state_name (pool),
                         .failure = pool->failure != NULL ? g_strdup (pool->failure->message) : NULL, .size = pool->size,
                         .goal = pool->goal, .n_queued = pool->queue.any.length + pool->queue.wide.length,
                         .n_waiting = g_hash_table_size (pool->queue.waiting), .submitted = pool->n_submitted, .ended = pool->n_ended,
                         .failed = pool->n_failed };

  for (guint i = 0; i < pool->n_slots; i++)
    {
      guint n = pool->slots[i]->running.length;

      facts.n_busy += n > 0;
      facts.n_queued += pool->queue.pinned[i].length + (n > 0 ? n - 1 : 0);
    }
  return facts;
}

GArray *
tti_engine_list_pools (TtiEngine *engine)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (TtiPoolFacts));

  g_array_set_clear_func (list, (GDestroyNotify) tti_pool_facts_clear);
  tti_engine_lock (engine);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiPool *pool = pool_of (g_ptr_array_index (engine->clients, i));

      if (pool != NULL)
        {
          TtiPoolFacts facts = pool_facts_locked (pool);

          g_array_append_val (list, facts);
        }
    }
  tti_engine_unlock (engine);
  return list;
}

TtiPoolFacts
tti_pool_get_facts (TtiPool *pool)
{
  if (tti_engine_is_copy (NULL))
    return (TtiPoolFacts){ .number = pool->runner.number, .name = g_strdup (pool->name), .state = "closed" };
  tti_engine_lock (pool->engine);
  TtiPoolFacts facts = pool_facts_locked (pool);

  tti_engine_unlock (pool->engine);
  return facts;
}

/* --- workers ----------------------------------------------------------------------------------------------------------------- */

TtiWorkerFacts
tti_pool_get_worker_facts_locked (TtiPool *pool, guint index)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiSlot *slot = pool->slots[index];
  TtiWorker *worker = slot->worker;
  TtiTask *task = g_queue_peek_head (&slot->running);
  TtiWorkerFacts facts = { .index = slot->index, .state = "dead", .host = tti_node_get_name (slot->life.node),
                           .restarts = pool->restarts[index].n_restarts, .tasks_done = slot->tasks_done, .peak_memory = slot->peak_memory };

  if (worker != NULL)
    {
      facts.pid = worker->pid;
      facts.state = worker->stopped_by != 0 ? "stopped" : tti_worker_state_name (worker->state);
    }
  if (task != NULL)
    {
      facts.task = task->id;
      facts.task_name = tti_task_get_name (task);
      facts.since = slot->since;
      facts.n_behind = slot->running.length - 1;
    }
  return facts;
}

GArray *
tti_engine_list_workers (TtiEngine *engine, guint64 number)
{
  GArray *list = NULL;

  tti_engine_lock (engine);
  TtiPool *pool = find_pool_locked (engine, number);

  if (pool != NULL)
    list = g_array_new (FALSE, FALSE, sizeof (TtiWorkerFacts));
  /* Those that are one too many count as long as they are there. */
  for (guint i = 0; pool != NULL && i < pool->n_slots; i++)
    if (i < pool->size || pool->slots[i]->worker != NULL)
      {
        TtiWorkerFacts facts = tti_pool_get_worker_facts_locked (pool, i);

        g_array_append_val (list, facts);
      }
  tti_engine_unlock (engine);
  return list;
}

/* --- tasks ------------------------------------------------------------------------------------------------------------------- */

static void
note_missing (const TtiTask *task, TtiTaskFacts *facts)
{
  guint n = 0;

  facts->n_missing = task->n_missing;
  if (task->maker != NULL)
    facts->missing[n++] = task->maker->id;
  for (guint i = 0; task->dependencies != NULL && i < task->dependencies->len && n < TTI_FACTS_MOST_MISSING; i++)
    if (!tti_task_has_ended (g_ptr_array_index (task->dependencies, i)))
      facts->missing[n++] = ((TtiTask *) g_ptr_array_index (task->dependencies, i))->id;
}

static TtiTaskFacts
task_facts (TtiTask *task, TtiStanding standing, guint place, int worker)
{
  TtiTaskFacts facts = { .id = task->id, .pool = task->runner->number, .name = tti_task_get_name (task), .standing = standing,
                         .is_maker = task->is_maker, .worker = worker, .place = place, .attempts = task->attempts };

  if (standing == TTI_STANDING_WAITING)
    note_missing (task, &facts);
  return facts;
}

/* The task at the place PLACE, from 0, of those that SLOT's worker has. */
static TtiTaskFacts
given_facts_locked (TtiSlot *slot, TtiTask *task, guint place)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTaskFacts facts = task_facts (task, place == 0 ? TTI_STANDING_RUNNING : TTI_STANDING_GIVEN, place, (int) slot->index);
  TtiParts *parts = place == 0 ? tti_slot_find_parts_locked (slot, task) : NULL;

  facts.host = task->host;
  facts.since = place == 0 ? slot->since : task->placed;
  if (parts != NULL)
    {
      facts.begun = tti_parts_get_begun (parts, task->id);
      facts.all = tti_parts_get_all (parts, task->id);
    }
  return facts;
}

typedef struct
{
  GArray *list;
  guint most, n_others;
  TtiTaskCounts counts;
} Search;

static void
search_add (Search *search, const TtiTaskFacts *facts)
{
  g_array_append_vals (search->list, facts, 1);
  search->n_others += facts->standing != TTI_STANDING_RUNNING;
}

static void
search_queue (Search *search, const GQueue *queue, TtiStanding standing, int worker)
{
  guint place = 0;

  search->counts.queued += queue->length;
  for (GList *l = queue->head; l != NULL && search->n_others < search->most; l = l->next)
    {
      TtiTask *task = l->data;

      place++;
      if (!tti_task_has_ended (task))
        {
          TtiTaskFacts facts = task_facts (task, standing, place, worker);

          search_add (search, &facts);
        }
    }
}

static void
search_given_locked (Search *search, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  guint place = 0;

  for (GList *l = slot->running.head; l != NULL; l = l->next, place++)
    {
      TtiTask *task = l->data;

      search->counts.running += place == 0;
      search->counts.queued += place > 0;
      if (tti_task_has_ended (task) || (place == 0 ? search->counts.running > search->most : search->n_others >= search->most))
        continue;
      TtiTaskFacts facts = given_facts_locked (slot, task, place);

      search_add (search, &facts);
    }
}

static void
search_waiting_locked (Search *search, TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  GHashTableIter iter;
  gpointer key;

  search->counts.waiting += g_hash_table_size (pool->queue.waiting);
  g_hash_table_iter_init (&iter, pool->queue.waiting);
  while (search->n_others < search->most && g_hash_table_iter_next (&iter, &key, NULL))
    {
      TtiTaskFacts facts = task_facts (key, TTI_STANDING_WAITING, 0, -1);

      search_add (search, &facts);
    }
}

static void
search_pool_locked (Search *search, TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state == POOL_QUIET)
    return;
  for (guint i = 0; i < pool->n_slots; i++)
    search_given_locked (search, pool->slots[i]);
  search_queue (search, &pool->queue.any, TTI_STANDING_QUEUED, -1);
  search_queue (search, &pool->queue.wide, TTI_STANDING_WIDE, -1);
  for (guint i = 0; i < pool->n_slots; i++)
    search_queue (search, &pool->queue.pinned[i], TTI_STANDING_PINNED, (int) i);
  search_waiting_locked (search, pool);
}

/* What runs comes first, then what has the smaller number. */
static int
compare_facts (gconstpointer one, gconstpointer other)
{
  const TtiTaskFacts *a = one, *b = other;
  gboolean a_runs = a->standing == TTI_STANDING_RUNNING, b_runs = b->standing == TTI_STANDING_RUNNING;

  if (a_runs != b_runs)
    return a_runs ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

GArray *
tti_engine_list_tasks (TtiEngine *engine, guint64 number, guint most, TtiTaskCounts *counts)
{
  Search all = { .list = g_array_new (FALSE, FALSE, sizeof (TtiTaskFacts)), .most = most };

  tti_engine_lock (engine);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiPool *pool = pool_of (g_ptr_array_index (engine->clients, i));

      if (pool != NULL && (number == 0 || pool->runner.number == number))
        search_pool_locked (&all, pool);
    }
  tti_engine_unlock (engine);
  g_array_sort (all.list, compare_facts);
  *counts = all.counts;
  return all.list;
}

/* PLACE: from 1, in the queue that TASK is in, if it is in one; 0: not known. */
static TtiTaskFacts
own_facts_locked (TtiTask *task, guint place)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  if (task->state == TTI_TASK_RUNNING)
    {
      TtiSlot *slot = tti_pool_of_task (task)->slots[task->worker];

      return given_facts_locked (slot, task, (guint) MAX (g_queue_index (&slot->running, task), 0));
    }
  if (task->state == TTI_TASK_WAITING)
    return task_facts (task, TTI_STANDING_WAITING, 0, -1);
  if (task->pinned_to >= 0)
    return task_facts (task, TTI_STANDING_PINNED, place, task->slot);
  return task_facts (task, task->is_wide ? TTI_STANDING_WIDE : TTI_STANDING_QUEUED, place, -1);
}

gboolean
tti_engine_find_task (TtiEngine *engine, guint64 id, TtiTaskFacts *facts)
{
  gboolean found = FALSE;

  tti_engine_lock (engine);
  for (guint i = 0; i < engine->clients->len && !found; i++)
    {
      TtiPool *pool = pool_of (g_ptr_array_index (engine->clients, i));
      guint64 n_ahead = 0;
      TtiTask *task = pool != NULL ? tti_pool_find_task_locked (pool, id, &n_ahead) : NULL;

      found = task != NULL && !tti_task_has_ended (task);
      if (found)
        *facts = own_facts_locked (task, (guint) n_ahead + 1);
    }
  tti_engine_unlock (engine);
  return found;
}

gboolean
tti_task_get_facts (TtiTask *task, TtiTaskFacts *facts)
{
  TtiEngine *engine = g_atomic_pointer_get (&task->engine);

  if (engine == NULL || tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  gboolean stands = !tti_task_has_ended (task) && task->id != 0 && task->runner != NULL;

  if (stands)
    *facts = own_facts_locked (task, 0);
  tti_engine_unlock (engine);
  return stands;
}

char *
tti_task_describe_failure (TtiTask *task)
{
  const GError *error = tti_task_get_error (task);

  if (error != NULL)
    return g_strdup (error->message);
  return tti_task_get_state (task) == TTI_TASK_RAISED ? tti_engine_read_exception (tti_task_get_result (task)) : NULL;
}

/* --- what is over ------------------------------------------------------------------------------------------------------------ */

static void
past_death_clear (gpointer death)
{
  tti_certificate_unref (((TtiPastDeath *) death)->certificate);
}

GArray *
tti_engine_list_past (TtiEngine *engine, guint64 id, TtiPastFailure *failure, guint64 *n_forgotten)
{
  GArray *deaths = g_array_new (FALSE, FALSE, sizeof (TtiPastDeath));
  g_autoptr (TtiPayload) exception = NULL;

  *failure = (TtiPastFailure){ 0 };
  g_array_set_clear_func (deaths, past_death_clear);
  tti_engine_lock (engine);
  const TtiPastFailure *found = tti_history_find_failure (&engine->history, id);

  if (found != NULL)
    {
      *failure = *found;
      failure->text = g_strdup (found->text);
      failure->exception = NULL;
      exception = found->exception != NULL ? tti_payload_ref (found->exception) : NULL;
    }
  *n_forgotten = engine->history.n_forgotten;
  for (const GList *l = engine->history.deaths.head; l != NULL; l = l->next)
    {
      TtiPastDeath death = *(const TtiPastDeath *) l->data;

      if (death.certificate->task != id)
        continue;
      tti_certificate_ref (death.certificate);
      g_array_append_val (deaths, death);
    }
  tti_engine_unlock (engine);
  /* To read it takes longer than anybody should have the lock. */
  if (exception != NULL)
    failure->text = tti_engine_read_exception (exception);
  return deaths;
}

void
tti_pool_remember_failure_locked (TtiPool *pool, TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiPastFailure failure = { .task = task->id, .pool = pool->runner.number, .culprit = task->culprit != NULL ? task->culprit->id : 0,
                             .name = tti_task_get_name (task), .end = tti_task_look_end (state, error), .worker = task->worker,
                             .attempts = task->attempts, .at = g_get_monotonic_time () };

  if (error != NULL)
    failure.text = g_strndup (error->message, MOST_BYTES);
  else if (result != NULL && tti_payload_get_n_vectors (result) == 0 && tti_payload_get_size (result) <= MOST_BYTES)
    failure.exception = tti_payload_ref (result);
  tti_history_add_failure (&pool->engine->history, &failure);
}
