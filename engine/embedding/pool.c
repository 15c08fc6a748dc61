/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "embedding/pool-private.h"
#include "embedding/task-private.h"
#include "platform/error.h"
#include "platform/processors.h"
#include <string.h>

/**
 * TuttiPool:
 *
 * A fixed number of worker processes and one queue of tasks. Each task that is submitted ends, once: with a value or with an error. A
 * worker
 * that dies is replaced.
 *
 * The workers of such a pool have no Guile: they run functions of task modules ([method@Pool.call], [class@Task]) and hold operators
 * ([struct@Operator]). Each is a small process of about a megabyte, with one thread and one BLAS thread.
 *
 * One that was made by g_object_new() does nothing before g_initable_init().
 *
 * Its signals are emitted in the main context that was the thread's default when it was made, while that context is iterated. Any thread
 * may
 * use a pool. When its last reference is dropped it is closed, without waiting.
 */
struct _TuttiPool
{
  GObject parent;
  TuttiEngine *engine;
  guint n_workers;
  char *name;
  guint64 memory_limit;
  char **environment;
  TtiPool *inside;           /* from when it is initialised */
  TuttiPoolSignals *signals;
  gint n_chosen;             /* atomic */
};

enum { PROPERTY_ENGINE = 1, PROPERTY_N_WORKERS, PROPERTY_NAME, PROPERTY_MEMORY_LIMIT, PROPERTY_ENVIRONMENT, N_PROPERTIES };
enum { SIGNAL_WORKER_DIED, SIGNAL_OUTPUT, SIGNAL_PROGRESS, N_SIGNALS };
enum { GRACE_MS = 1000 };

static GParamSpec *properties[N_PROPERTIES];
static guint signals[N_SIGNALS];

static void pool_initable_init (GInitableIface *iface);

/* GLib's own implementation makes it in a thread. */
G_DEFINE_FINAL_TYPE_WITH_CODE (TuttiPool, tutti_pool, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, pool_initable_init)
                               G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_INITABLE, NULL))

TtiPool *
tutti_pool_inside (TuttiPool *self)
{
  return self->inside;
}

gboolean
tutti_pool_is_initialized (TuttiPool *self)
{
  return TUTTI_IS_POOL (self) && self->inside != NULL;
}

TuttiPoolSignals *
tutti_pool_get_signals (TuttiPool *self)
{
  return self->signals;
}

int
tutti_pool_choose_worker (TuttiPool *self)
{
  return (int) ((guint) g_atomic_int_add (&self->n_chosen, 1) % self->n_workers);
}

/* --- a GObject ------------------------------------------------------------------------------------------------------------- */

static void
pool_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TuttiPool *self = TUTTI_POOL (object);

  switch (id)
    {
    case PROPERTY_ENGINE: g_value_set_object (value, self->engine); break;
    case PROPERTY_N_WORKERS: g_value_set_uint (value, self->n_workers); break;
    case PROPERTY_NAME: g_value_set_string (value, self->name); break;
    case PROPERTY_MEMORY_LIMIT: g_value_set_uint64 (value, self->memory_limit); break;
    case PROPERTY_ENVIRONMENT: g_value_set_boxed (value, self->environment); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
pool_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  TuttiPool *self = TUTTI_POOL (object);

  switch (id)
    {
    case PROPERTY_ENGINE: self->engine = g_value_dup_object (value); break;
    case PROPERTY_N_WORKERS: self->n_workers = g_value_get_uint (value); break;
    case PROPERTY_NAME: self->name = g_strdup (g_value_get_string (value) != NULL ? g_value_get_string (value) : "pool"); break;
    case PROPERTY_MEMORY_LIMIT: self->memory_limit = g_value_get_uint64 (value); break;
    case PROPERTY_ENVIRONMENT: self->environment = g_value_dup_boxed (value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
pool_constructed (GObject *object)
{
  TuttiPool *self = TUTTI_POOL (object);
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();

  G_OBJECT_CLASS (tutti_pool_parent_class)->constructed (object);
  self->signals = tutti_pool_signals_new (self, context);
}

static void
pool_finalize (GObject *object)
{
  TuttiPool *self = TUTTI_POOL (object);

  tutti_pool_signals_free (self->signals);
  if (self->inside != NULL)
    tti_pool_unref (self->inside);
  g_clear_object (&self->engine);
  g_free (self->name);
  g_strfreev (self->environment);
  G_OBJECT_CLASS (tutti_pool_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *class)
{
  const GParamFlags given = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  /**
   * TuttiPool:engine:
   *
   * Its engine; %NULL: the default engine.
   */
  properties[PROPERTY_ENGINE] = g_param_spec_object ("engine", NULL, NULL, TUTTI_TYPE_ENGINE, given);
  /**
   * TuttiPool:n-workers:
   *
   * How many workers it has, at most `TUTTI_POOL_MAX_WORKERS`; 0: one for each processor that this process may use.
   */
  properties[PROPERTY_N_WORKERS] = g_param_spec_uint ("n-workers", NULL, NULL, 0, TUTTI_POOL_MAX_WORKERS, 0, given);
  /**
   * TuttiPool:name:
   *
   * What it is called in messages.
   */
  properties[PROPERTY_NAME] = g_param_spec_string ("name", NULL, NULL, "pool", given);
  /**
   * TuttiPool:memory-limit:
   *
   * Bytes of memory of its own (shared vectors do not count) that each worker and what it starts may have together; 0: no limit. A worker
   * that has more is ended, and the certificate says %TUTTI_DEATH_MEMORY_LIMIT.
   */
  properties[PROPERTY_MEMORY_LIMIT] = g_param_spec_uint64 ("memory-limit", NULL, NULL, 0, G_MAXUINT64, 0, given);
  /**
   * TuttiPool:environment:
   *
   * Settings, such as "NAME=value", that its workers have beside the environment of this process. Unless one of them says otherwise, the
   * libraries for linear algebra have one thread there: the bits of their results depend on it.
   */
  properties[PROPERTY_ENVIRONMENT] = g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, given);
  g_object_class_install_properties (class, N_PROPERTIES, properties);
}

static void
tutti_pool_class_init (TuttiPoolClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GType type = G_TYPE_FROM_CLASS (class);

  object_class->get_property = pool_get_property;
  object_class->set_property = pool_set_property;
  object_class->constructed = pool_constructed;
  object_class->finalize = pool_finalize;
  install_properties (object_class);
  /**
   * TuttiPool::worker-died:
   * @self: a pool
   * @certificate: how the worker ended
   * @is_retried: whether the task that it ran is tried again
   *
   * A worker has died, and another takes its place. Not emitted for a worker that was ended because its task was cancelled or the pool was
   * closed.
   */
  signals[SIGNAL_WORKER_DIED] = g_signal_new ("worker-died", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                                              TUTTI_TYPE_CERTIFICATE, G_TYPE_BOOLEAN);
  /**
   * TuttiPool::output:
   * @self: a pool
   * @worker: the index of a worker
   * @line: what it wrote, without the newline; bytes that are not UTF-8 are U+FFFD
   * @is_error: whether that was to standard error
   *
   * A worker has written a line. Lines of one worker come in order. If they come faster than the main loop takes them, at most a megabyte
   * is kept.
   */
  signals[SIGNAL_OUTPUT] = g_signal_new ("output", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3, G_TYPE_UINT,
                                         G_TYPE_STRING, G_TYPE_BOOLEAN);
  /**
   * TuttiPool::progress:
   * @self: a pool
   * @n_ended: how many of its tasks have ended
   * @n_submitted: how many were submitted
   *
   * Tasks have ended; emitted at most 20 times a second, and for the last one.
   */
  signals[SIGNAL_PROGRESS] = g_signal_new ("progress", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_UINT64,
                                           G_TYPE_UINT64);
}

static void
tutti_pool_init (TuttiPool *self)
{
  (void) self;
}

void
tutti_pool_emit_worker_died (TuttiPool *self, TuttiCertificate *certificate, gboolean is_retried)
{
  g_signal_emit (self, signals[SIGNAL_WORKER_DIED], 0, certificate, is_retried);
}

void
tutti_pool_emit_output (TuttiPool *self, guint worker, const char *line, gboolean is_error)
{
  g_signal_emit (self, signals[SIGNAL_OUTPUT], 0, worker, line, is_error);
}

void
tutti_pool_emit_progress (TuttiPool *self, guint64 n_ended, guint64 n_submitted)
{
  g_signal_emit (self, signals[SIGNAL_PROGRESS], 0, n_ended, n_submitted);
}

/* --- starting it ------------------------------------------------------------------------------------------------------------ */

/* What workers get; NULL if a setting is none. */
static char **
pool_make_environment (TuttiPool *self, GError **error)
{
  static const char *const threads[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                                         "VECLIB_MAXIMUM_THREADS" };
  g_auto (GStrv) environment = g_get_environ ();

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    environment = g_environ_setenv (environment, threads[i], "1", TRUE);
  for (char **setting = self->environment; setting != NULL && *setting != NULL; setting++)
    {
      const char *equals = strchr (*setting, '=');

      if (equals == NULL || equals == *setting)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s: '%s' in its environment is not NAME=value", self->name, *setting);
          return NULL;
        }
      g_autofree char *name = g_strndup (*setting, (gsize) (equals - *setting));
      environment = g_environ_setenv (environment, name, equals + 1, TRUE);
    }
  return g_steal_pointer (&environment);
}

static gboolean
pool_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  TuttiPool *self = TUTTI_POOL (initable);

  if (self->inside != NULL)
    return TRUE;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (self->engine == NULL && (self->engine = tutti_engine_get_default (error)) == NULL)
    return FALSE;
  if (tutti_engine_inside (self->engine) == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "%s: its engine was not made with tutti_engine_new ()", self->name);
      return FALSE;
    }
  if (self->n_workers == 0)
    self->n_workers = MIN (tti_processors (), TUTTI_POOL_MAX_WORKERS);
  g_auto (GStrv) environment = pool_make_environment (self, error);
  if (environment == NULL)
    return FALSE;
  g_autofree char *program = tti_engine_find_program ("tutti-worker");
  TtiPoolOptions options = { .name = self->name, .program = program, .environment = (const char *const *) environment,
                             .memory_limit = self->memory_limit, .has_template = self->n_workers > 1, .keep_output = TRUE };

  self->inside = tti_pool_new (tutti_engine_inside (self->engine), self->n_workers, &options, error);
  if (self->inside == NULL)
    return FALSE;
  tutti_pool_signals_follow (self->signals, self->inside);
  return TRUE;
}

static void
pool_initable_init (GInitableIface *iface)
{
  iface->init = pool_init;
}

/**
 * tutti_pool_new:
 * @engine: (nullable): its engine; %NULL: the default engine
 * @n_workers: how many workers: see [property@Pool:n-workers]
 * @error: where to put an error
 *
 * Makes a pool, and waits until the programs of its workers have started. For other options use g_initable_new() with properties:
 *
 * ```c
 * g_initable_new (TUTTI_TYPE_POOL, NULL, &error, "engine", engine, "n-workers", 4, "memory-limit", G_GUINT64_CONSTANT (1) << 30, NULL);
 * ```
 *
 * Returns: (transfer full): the pool; %NULL with %TUTTI_ERROR_SPAWN if a program cannot be started, %TUTTI_ERROR_SHORTAGE,
 *   %TUTTI_ERROR_CLOSED if the engine was shut down, or %TUTTI_ERROR_FORKED
 */
TuttiPool *
tutti_pool_new (TuttiEngine *engine, guint n_workers, GError **error)
{
  g_return_val_if_fail (engine == NULL || TUTTI_IS_ENGINE (engine), NULL);
  g_return_val_if_fail (n_workers <= TUTTI_POOL_MAX_WORKERS, NULL);
  return g_initable_new (TUTTI_TYPE_POOL, NULL, error, "engine", engine, "n-workers", n_workers, NULL);
}

/**
 * tutti_pool_new_async:
 * @engine: (nullable): its engine; %NULL: the default engine
 * @n_workers: how many workers: see [property@Pool:n-workers]
 * @cancellable: (nullable): cancelling it stops the start: [ctor@Pool.new_finish] sets %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Makes a pool as [ctor@Pool.new] does, without blocking. For other options use g_async_initable_new_async().
 */
void
tutti_pool_new_async (TuttiEngine *engine, guint n_workers, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (engine == NULL || TUTTI_IS_ENGINE (engine));
  g_return_if_fail (n_workers <= TUTTI_POOL_MAX_WORKERS);
  g_async_initable_new_async (TUTTI_TYPE_POOL, G_PRIORITY_DEFAULT, cancellable, callback, user_data, "engine", engine,
                              "n-workers", n_workers, NULL);
}

/**
 * tutti_pool_new_finish:
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [func@Pool.new_async] has begun.
 *
 * Returns: (transfer full): the pool; %NULL as for [ctor@Pool.new]
 */
TuttiPool *
tutti_pool_new_finish (GAsyncResult *result, GError **error)
{
  g_autoptr (GObject) source = g_async_result_get_source_object (result);
  GObject *object = g_async_initable_new_finish (G_ASYNC_INITABLE (source), result, error);

  return object != NULL ? TUTTI_POOL (object) : NULL;
}

/* --- what is known of it ----------------------------------------------------------------------------------------------------- */

/**
 * tutti_pool_get_engine: (get-property engine)
 * @pool: a pool
 *
 * Gets the engine whose processes the workers are.
 *
 * Returns: (transfer none): its engine
 */
TuttiEngine *
tutti_pool_get_engine (TuttiPool *pool)
{
  g_return_val_if_fail (TUTTI_IS_POOL (pool), NULL);
  return pool->engine;
}

/**
 * tutti_pool_get_n_workers: (get-property n-workers)
 * @pool: a pool
 *
 * Gets the number of workers, which never changes: one that died is replaced under the same index.
 *
 * Returns: how many workers it has
 */
guint
tutti_pool_get_n_workers (TuttiPool *pool)
{
  g_return_val_if_fail (TUTTI_IS_POOL (pool), 0);
  return pool->n_workers;
}

/**
 * tutti_pool_get_name: (get-property name)
 * @pool: a pool
 *
 * Gets the name that messages and certificates have for the pool.
 *
 * Returns: what it is called in messages
 */
const char *
tutti_pool_get_name (TuttiPool *pool)
{
  g_return_val_if_fail (TUTTI_IS_POOL (pool), NULL);
  return pool->name;
}

/**
 * tutti_pool_get_worker_pid:
 * @pool: a pool
 * @worker: the index of a worker, from 0
 *
 * Gets the process id of a worker, for other programs that look at processes. It may have died by the time this returns.
 *
 * Returns: its process id now; 0 if it is being started or has ended
 */
int
tutti_pool_get_worker_pid (TuttiPool *pool, guint worker)
{
  TtiWorkerInfo info;

  g_return_val_if_fail (tutti_pool_is_initialized (pool) && worker < pool->n_workers, 0);
  tti_pool_get_worker (pool->inside, worker, &info);
  return info.pid;
}

/**
 * tutti_pool_dup_last_death:
 * @pool: a pool
 *
 * Gets the certificate of the latest death, also of a worker whose task was cancelled or timed out. To hear of deaths when they happen, use
 * [signal@Pool::worker-died].
 *
 * Returns: (transfer full) (nullable): how the worker ended that died last; %NULL if none has
 */
TuttiCertificate *
tutti_pool_dup_last_death (TuttiPool *pool)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool), NULL);
  return (TuttiCertificate *) tti_pool_get_last_death (pool->inside);
}

/* --- using it ---------------------------------------------------------------------------------------------------------------- */

/**
 * tutti_pool_submit:
 * @pool: a pool
 * @task: a task that was not submitted before
 * @error: where to put an error
 *
 * Puts @task into the queue of @pool; it starts at once if a worker is free. The pool keeps a reference until it has ended.
 *
 * Returns: %TRUE; %FALSE with %TUTTI_ERROR_CLOSED if @pool is closed, %TUTTI_ERROR_ARGUMENT if @task was submitted before or an argument
 *   cannot
 *   travel, or %TUTTI_ERROR_FORKED: then @task is as before
 */
gboolean
tutti_pool_submit (TuttiPool *pool, TuttiTask *task, GError **error)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool) && TUTTI_IS_TASK (task), FALSE);
  if (!tutti_task_submit (task, pool->inside, error))
    return FALSE;
  tutti_pool_signals_submitted (pool->signals);
  return TRUE;
}

/**
 * tutti_pool_is_closed:
 * @pool: a pool
 *
 * Tells whether the pool was closed, by [method@Pool.close] or with its engine. Does not block.
 *
 * Returns: whether it takes no more tasks
 */
gboolean
tutti_pool_is_closed (TuttiPool *pool)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool), TRUE);
  return tti_pool_is_closed (pool->inside);
}

/**
 * tutti_pool_close:
 * @pool: a pool
 *
 * Closes it: tasks that have not ended fail with %TUTTI_ERROR_CLOSED, and its workers end, with a second of grace. Waits for that, two
 * seconds at
 * most; in a main loop use [method@Pool.close_async]. Closing twice is fine.
 *
 * Returns: whether the end of every worker is confirmed
 */
gboolean
tutti_pool_close (TuttiPool *pool)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool), FALSE);
  return tti_pool_close_and_wait (pool->inside, GRACE_MS);
}

static void
close_in_thread (GTask *task, gpointer pool, gpointer data, GCancellable *cancellable)
{
  (void) data;
  (void) cancellable;
  g_task_return_boolean (task, tutti_pool_close (pool));
}

/**
 * tutti_pool_close_async:
 * @pool: a pool
 * @cancellable: (nullable): whether to stop waiting; the pool is closed all the same
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Closes it as [method@Pool.close] does, without waiting.
 */
void
tutti_pool_close_async (TuttiPool *pool, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (tutti_pool_is_initialized (pool));
  g_autoptr (GTask) task = g_task_new (pool, cancellable, callback, user_data);

  g_task_set_source_tag (task, tutti_pool_close_async);
  g_task_set_return_on_cancel (task, TRUE);
  g_task_run_in_thread (task, close_in_thread);
}

/**
 * tutti_pool_close_finish:
 * @pool: a pool
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Pool.close_async] has begun.
 *
 * Returns: whether the end of every worker is confirmed; %FALSE with %G_IO_ERROR_CANCELLED if the wait was cancelled
 */
gboolean
tutti_pool_close_finish (TuttiPool *pool, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, pool), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
