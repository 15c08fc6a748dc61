/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Making, using and closing pools. */
#include "pool/pool.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "platform/host-name.h"
#include "pool/pool-private.h"
#include "process/worker-title.h"

enum
{
  START_LIMIT_US = 60 * G_USEC_PER_SEC,
  CLOSE_LIMIT_US = 4 * G_USEC_PER_SEC, /* after the grace: by then workers that cannot be ended have been given up */
};

/* In this process: the socket, two pipes and a pidfd of each worker; and some for all, with which things are found out and said. */
enum { DESCRIPTORS_OF_WORKER = 4, DESCRIPTORS_OF_POOL = 16 };

/* What the workers of POOL are started with. */
static void
program_init (TtiSlotProgram *program, TtiPool *pool, const TtiPoolOptions *options)
{
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();

  g_strv_builder_add (argv, options->program);
  if (options->arguments != NULL)
    g_strv_builder_addv (argv, (const char **) options->arguments);
  *program = (TtiSlotProgram){ .pool_name = pool->name, .program = g_strdup (options->program), .argv = g_strv_builder_end (argv),
                                 .title_setting = tti_worker_title_setting (pool->name),
                                 .environment = g_strdupv ((char **) options->environment), .start = tti_start_state_new (),
                                 .has_template = options->has_template, .memory_limit = options->memory_limit,
                                 .n_cpus = options->n_cpus, .n_gpus = options->n_gpus };
}

static void
program_clear (TtiSlotProgram *program)
{
  g_strfreev (program->argv);
  g_strfreev (program->environment);
  tti_start_state_free (program->start);
  g_free (program->title_setting);
  g_free (program->program);
}

/* The nodes of OPTIONS, each once. */
static GArray *
nodes_new (TtiEngine *engine, const TtiPoolOptions *options)
{
  GArray *nodes = g_array_new (FALSE, FALSE, sizeof (TtiPoolNode));

  for (guint i = 0; i < MAX (options->n_nodes, 1); i++)
    {
      TtiNode *node = i < options->n_nodes ? options->nodes[i] : NULL;
      const TtiPoolNode new = { .node = node != NULL ? node : g_ptr_array_index (engine->nodes, 0) };

      g_array_append_val (nodes, new);
    }
  return nodes;
}

void
tti_pool_add_slot (TtiPool *pool, guint home)
{
  guint index = pool->n_slots;
  TtiSlot *slot = g_new0 (TtiSlot, 1);

  *slot = (TtiSlot){ .life.node = g_array_index (pool->nodes, TtiPoolNode, home).node, .events = &tti_pool_slot_events,
                     .user_data = pool, .engine = pool->engine, .queue = &pool->queue, .program = &pool->program, .index = index };
  tti_slot_init (slot);
  tti_pool_add_spill (pool);
  tti_queue_add_list (&pool->queue);
  pool->restarts = g_renew (TtiRestart, pool->restarts, index + 1);
  pool->restarts[index] = (TtiRestart){ .home = home, .here = home };
  pool->slots = g_renew (TtiSlot *, pool->slots, index + 1);
  pool->slots[index] = slot;
  pool->n_slots++;
}

static TtiPool *
pool_alloc (TtiEngine *engine, guint size, const TtiPoolOptions *options)
{
  static guint64 last_number;
  TtiPool *pool = g_new0 (TtiPool, 1);

  pool->client = (TtiEngineClient){ .ops = &tti_pool_client_ops, .handles = 1, .wakeups = g_array_new (FALSE, FALSE, sizeof (int)) };
  pool->runner = (TtiTaskRunner){ .ops = &tti_pool_runner_ops, .number = __atomic_add_fetch (&last_number, 1, __ATOMIC_RELAXED) };
  pool->engine = tti_engine_hold (engine);
  pool->name = g_strdup (options->name != NULL ? options->name : "pool");
  pool->size = pool->goal = size;
  pool->nodes = nodes_new (engine, options);
  program_init (&pool->program, pool, options);
  tti_pool_init_output (pool, options->keep_output, options->output_limit);
  tti_queue_init (&pool->queue, &engine->lock, size);
  pool->early_deaths = g_array_new (FALSE, FALSE, sizeof (gint64));
  /* In blocks: neighbours are on one node. */
  for (guint i = 0; i < size; i++)
    tti_pool_add_slot (pool, (guint) ((guint64) i * pool->nodes->len / size));
  return pool;
}

void
tti_pool_free (TtiPool *pool)
{
  for (guint i = 0; i < pool->n_slots; i++)
    {
      tti_slot_clear (pool->slots[i]);
      g_free (pool->slots[i]);
    }
  tti_queue_clear (&pool->queue);
  tti_pool_free_output (pool);
  g_clear_pointer (&pool->output_source, g_source_unref);
  program_clear (&pool->program);
  g_array_unref (pool->early_deaths);
  g_array_unref (pool->client.wakeups);
  g_array_unref (pool->nodes);
  g_clear_error (&pool->failure);
  g_clear_error (&pool->growth_error);
  tti_certificate_unref (pool->last_death);
  g_free (pool->restarts);
  g_free (pool->slots);
  g_free (pool->name);
  g_free (pool);
}

/* Has every worker's program been started, or failed to? */
static gboolean
pool_is_started_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->failure != NULL || pool->state != POOL_OPEN)
    return TRUE;
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker == NULL || pool->slots[i]->worker->pid == 0)
      return FALSE;
  return TRUE;
}

static gboolean
pool_start_locked (TtiEngine *engine, TtiPool *pool, GError **error)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gint64 limit = g_get_monotonic_time () + START_LIMIT_US;

  if (tti_engine_is_over_locked (engine, error) || !tti_pool_has_room_locked (pool, error))
    return FALSE;
  if (tti_engine_is_watched_locked (engine))
    tti_pool_show_locked (pool);
  pool->starting = TRUE;
  for (guint i = 0; i < pool->n_slots; i++)
    if (!tti_pool_start_worker_locked (pool, pool->slots[i], error))
      return FALSE;
  while (!pool_is_started_locked (pool))
    if (!tti_engine_wait_locked (engine, limit))
      {
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: the %u workers were not started within %d s", pool->name,
                     pool->size, (int) (START_LIMIT_US / G_USEC_PER_SEC));
        return FALSE;
      }
  pool->starting = FALSE;
  if (pool->failure != NULL)
    {
      g_propagate_error (error, g_error_copy (pool->failure));
      return FALSE;
    }
  return pool->state == POOL_OPEN || !tti_engine_is_over_locked (engine, error);
}

gboolean
tti_pool_has_descriptors (const char *name, guint n, GError **error)
{
  g_autofree char *what = g_strdup_printf ("%s of %u workers", name, n);

  return tti_fd_check_free (n * DESCRIPTORS_OF_WORKER + DESCRIPTORS_OF_POOL, what, error);
}

TtiPool *
tti_pool_new (TtiEngine *engine, guint size, const TtiPoolOptions *options, GError **error)
{
  TtiPool *pool;
  gboolean started;

  g_return_val_if_fail (engine != NULL && options->program != NULL && options->environment != NULL, NULL);
  if (size < 1 || size > TTI_POOL_MAX_SIZE)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a pool has 1 to %d workers, not %u", TTI_POOL_MAX_SIZE, size);
      return NULL;
    }
  if (tti_engine_is_copy (error) || !tti_pool_has_descriptors (options->name != NULL ? options->name : "a pool", size, error))
    return NULL;
  pool = pool_alloc (engine, size, options);
  tti_engine_lock (engine);
  g_ptr_array_add (engine->clients, &pool->client);
  started = pool_start_locked (engine, pool, error);
  tti_engine_unlock (engine);
  if (!started)
    g_clear_pointer (&pool, tti_pool_unref);
  return pool;
}

static void
pool_set_first_made (TtiPool *pool, TtiHeld **first, TtiHeld *held)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  /* It was made for this pool: no other engine's can have it. */
  if (pool->state == POOL_OPEN && tti_held_claim (held, engine, NULL))
    {
      tti_held_unref (*first);
      *first = tti_held_ref (held);
    }
  tti_engine_unlock (engine);
}

void
tti_pool_set_setup (TtiPool *pool, TtiHeld *setup)
{
  pool_set_first_made (pool, &pool->program.setup, setup);
}

void
tti_pool_set_files (TtiPool *pool, TtiHeld *files)
{
  pool_set_first_made (pool, &pool->program.files, files);
}

/* A pool in which every worker is gone is quiet: nothing more can happen in it. What it had for starting workers goes now, since a
 * descriptor is among it: the pool itself may live until a collector finds that nobody has it. */
void
tti_pool_check_quiet_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->state != POOL_OPEN || pool->failure != NULL)
    tti_pool_leave_places_locked (pool);
  if (pool->state != POOL_CLOSING)
    return;
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker != NULL)
      return;
  pool->state = POOL_QUIET;
  g_clear_pointer (&pool->program.start, tti_start_state_free);
  pool->client.must_wake = TRUE;
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_locked (pool);
}

/* End with ERROR every task that has not ended. */
static void
pool_end_tasks_locked (TtiPool *pool, const GError *error, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  tti_queue_move_any_locked (&pool->queue, tasks);
  for (guint i = 0; i < pool->n_slots; i++)
    {
      tti_queue_move_pinned_locked (&pool->queue, i, tasks);
      /* Those with a worker stay in its list until it is gone. */
      for (GList *l = pool->slots[i]->running.head; l != NULL; l = l->next)
        g_ptr_array_add (tasks, tti_task_ref (l->data));
    }
  tti_queue_list_waiting_locked (&pool->queue, tasks);
  for (guint i = 0; i < tasks->len; i++)
    {
      TtiTask *task = g_ptr_array_index (tasks, i);

      if (!tti_task_has_ended (task))
        tti_task_end_locked (task, TTI_TASK_FAILED, NULL, g_error_copy (error), certificate);
    }
}

static void
pool_end_workers_locked (TtiPool *pool, int grace_ms)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->worker == NULL)
        continue;
      tti_slot_dismiss_locked (slot, grace_ms);
    }
}

void
tti_pool_fail_locked (TtiPool *pool, GError *error, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->failure != NULL)
    {
      g_error_free (error);
      return;
    }
  pool->failure = error;
  if (pool->goal > pool->size)
    tti_pool_fail_growth_locked (pool, g_error_copy (error));
  pool_end_tasks_locked (pool, error, certificate);
  pool_end_workers_locked (pool, 0);
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_locked (pool);
  pool->client.must_wake = TRUE;
}

void
tti_pool_close_locked (TtiPool *pool, int grace_ms)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GError) error = NULL;

  if (pool->state != POOL_OPEN)
    return;
  pool->state = POOL_CLOSING;
  pool->client.must_wake = TRUE;
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_locked (pool);
  error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s was closed before the task had ended", pool->name);
  if (pool->goal > pool->size)
    tti_pool_fail_growth_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s was closed before it had grown", pool->name));
  pool_end_tasks_locked (pool, error, NULL);
  g_clear_pointer (&pool->program.setup, tti_held_unref);
  g_clear_pointer (&pool->program.files, tti_held_unref);
  pool_end_workers_locked (pool, grace_ms);
  tti_pool_check_quiet_locked (pool);
}

void
tti_pool_close (TtiPool *pool, int grace_ms)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  tti_pool_close_locked (pool, grace_ms);
  tti_engine_unlock (engine);
}

void
tti_pool_unref (TtiPool *pool)
{
  if (pool == NULL || tti_engine_is_copy (NULL))
    return;
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  pool->client.handles--;
  if (pool->client.handles == 0)
    tti_pool_close_locked (pool, TTI_TERM_GRACE_MS);
  tti_engine_unlock (engine); /* frees it once it is quiet */
}

gboolean
tti_pool_is_closed (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  gboolean closed = pool->state != POOL_OPEN;
  tti_engine_unlock (engine);
  return closed;
}

gboolean
tti_pool_is_quiet (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  gboolean quiet = pool->state == POOL_QUIET;
  tti_engine_unlock (engine);
  return quiet;
}

gboolean
tti_pool_close_and_wait (TtiPool *pool, int grace_ms)
{
  TtiEngine *engine = pool->engine;
  gint64 limit = g_get_monotonic_time () + grace_ms * (gint64) 1000 + CLOSE_LIMIT_US;

  if (tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  tti_pool_close_locked (pool, grace_ms);
  /* The state is looked at under the lock, the wish to be woken is in it: no wake-up can be missed. */
  while (pool->state != POOL_QUIET && tti_engine_wait_locked (engine, limit))
    ;
  gboolean quiet = pool->state == POOL_QUIET;
  tti_engine_unlock (engine);
  return quiet;
}

void
tti_pool_add_wakeup (TtiPool *pool, int wakeup)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  g_array_append_val (pool->client.wakeups, wakeup);
  tti_engine_fall_asleep_locked (engine);
  tti_engine_unlock (engine);
}

void
tti_pool_remove_wakeup (TtiPool *pool, int wakeup)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  for (guint i = pool->client.wakeups->len; i-- > 0;)
    if (g_array_index (pool->client.wakeups, int, i) == wakeup)
      {
        g_array_remove_index_fast (pool->client.wakeups, i);
        tti_engine_wake_up_locked (engine);
      }
  tti_engine_unlock (engine);
}

TtiEngine *
tti_pool_get_engine (TtiPool *pool)
{
  return pool->engine;
}

guint
tti_pool_get_size (TtiPool *pool)
{
  return (guint) g_atomic_int_get ((gint *) &pool->size);
}

gboolean
tti_pool_shares_memory (TtiPool *pool)
{
  gboolean shares = TRUE;

  if (tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (pool->engine);
  for (guint i = 0; shares && i < pool->nodes->len; i++)
    shares = g_array_index (pool->nodes, TtiPoolNode, i).node->shares_memory;
  tti_engine_unlock (pool->engine);
  return shares;
}

const char *
tti_pool_get_name (TtiPool *pool)
{
  return pool->name;
}

TtiCertificate *
tti_pool_get_last_death (TtiPool *pool)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  TtiCertificate *certificate = pool->last_death != NULL ? tti_certificate_ref (pool->last_death) : NULL;
  tti_engine_unlock (engine);
  return certificate;
}

guint64
tti_pool_get_n_ended (TtiPool *pool, guint64 *n_submitted)
{
  TtiEngine *engine = pool->engine;

  tti_engine_lock (engine);
  guint64 n = pool->n_ended;

  if (n_submitted != NULL)
    *n_submitted = pool->n_submitted;
  tti_engine_unlock (engine);
  return n;
}

/* How much memory WORKER (NULL: there is none) has had at most until now, 0 if that is not known. Nodes have locks of their own, which no
 * fork () takes: so a copy must not ask them. */
static guint64
worker_peak_memory (TtiWorker *worker)
{
  return worker == NULL || worker->pid == 0 || tti_engine_is_copy (NULL) ? 0 : tti_node_get_peak_memory (worker->node, worker->generation);
}

void
tti_pool_get_worker (TtiPool *pool, guint index, TtiWorkerInfo *info)
{
  TtiEngine *engine = pool->engine;

  g_return_if_fail (index < TTI_POOL_MAX_SIZE);
  tti_engine_lock (engine);
  if (index >= pool->n_slots)
    {
      tti_engine_unlock (engine);
      *info = (TtiWorkerInfo){ .state = TTI_WORKER_DEAD, .host = tti_host_name () };
      return;
    }
  TtiSlot *slot = pool->slots[index];

  info->pid = slot->worker != NULL ? slot->worker->pid : 0;
  info->state = slot->worker != NULL ? slot->worker->state : TTI_WORKER_DEAD;
  info->restarts = pool->restarts[index].n_restarts;
  info->tasks_done = slot->tasks_done;
  info->host = tti_node_get_name (slot->life.node);
  info->peak_memory = MAX (slot->peak_memory, worker_peak_memory (slot->worker));
  tti_engine_unlock (engine);
}

/* What GET, one of tti_node_get_cpus () and tti_node_get_gpus (), tells of the worker with INDEX. */
static char *
pool_ask_node (TtiPool *pool, guint index, char *(*get) (TtiNode *, guint64))
{
  char *text = NULL;

  g_return_val_if_fail (index < TTI_POOL_MAX_SIZE, NULL);
  if (tti_engine_is_copy (NULL))
    return NULL;
  tti_engine_lock (pool->engine);
  if (index < pool->n_slots)
    text = get (pool->slots[index]->life.node, pool->slots[index]->life.generation);
  tti_engine_unlock (pool->engine);
  return text;
}

char *
tti_pool_get_worker_cpus (TtiPool *pool, guint index)
{
  return pool_ask_node (pool, index, tti_node_get_cpus);
}

char *
tti_pool_get_worker_gpus (TtiPool *pool, guint index)
{
  return pool_ask_node (pool, index, tti_node_get_gpus);
}
