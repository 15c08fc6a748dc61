/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "embedding/task-private.h"
#include "platform/error.h"

/**
 * TuttiTask:
 *
 * A call of a function of a task module: made, submitted to a pool, run by one worker at a time, answered exactly once. If its worker dies,
 * another worker tries again, as often as [property@Task:retries] says.
 *
 * What a task is is fixed when it is submitted ([method@Pool.submit]). From then on any thread may ask for its state, wait for it and
 * cancel
 * it.
 */
struct _TuttiTask
{
  GObject parent;
  TuttiCallee *callee;     /* NULL until both are known: */
  char *module, *function; /* of a task that is made through properties */
  GPtrArray *arguments;    /* of TuttiValue; NULL: the value of the next one of DEPENDENCIES; all dropped when it is submitted */
  GPtrArray *dependencies; /* of TuttiTask, or NULL */
  guint timeout, retries;
  int worker;
  gint submitting;         /* atomic: a thread submits it, or has done so */
  gint cancelled;          /* atomic: before it was submitted */
  TtiTask *inside;         /* atomic: from when it is submitted */
};

enum { PROPERTY_MODULE = 1, PROPERTY_FUNCTION, PROPERTY_TIMEOUT, PROPERTY_RETRIES, PROPERTY_WORKER, N_PROPERTIES };
enum { DEFAULT_RETRIES = 2 };

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (TuttiTask, tutti_task, G_TYPE_OBJECT)

TtiTask *
tutti_task_inside (TuttiTask *self)
{
  return g_atomic_pointer_get (&self->inside);
}

/* --- a GObject ------------------------------------------------------------------------------------------------------------- */

static void
task_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  TuttiTask *self = TUTTI_TASK (object);

  switch (id)
    {
    case PROPERTY_MODULE: g_value_set_string (value, self->callee != NULL ? self->callee->module : self->module); break;
    case PROPERTY_FUNCTION: g_value_set_string (value, self->callee != NULL ? self->callee->function : self->function); break;
    case PROPERTY_TIMEOUT: g_value_set_uint (value, self->timeout); break;
    case PROPERTY_RETRIES: g_value_set_uint (value, self->retries); break;
    case PROPERTY_WORKER: g_value_set_int (value, tutti_task_get_worker (self)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

/* One of the two names of what it calls. */
static void
task_set_name (TuttiTask *self, char **name, const GValue *value)
{
  g_return_if_fail (g_atomic_pointer_get (&self->inside) == NULL);
  g_free (*name);
  *name = g_value_dup_string (value);
  g_clear_pointer (&self->callee, tutti_callee_unref);
  if (self->module != NULL && self->function != NULL)
    self->callee = tutti_callee_get (self->module, self->function);
}

static void
task_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  TuttiTask *self = TUTTI_TASK (object);

  switch (id)
    {
    case PROPERTY_MODULE: task_set_name (self, &self->module, value); break;
    case PROPERTY_FUNCTION: task_set_name (self, &self->function, value); break;
    case PROPERTY_TIMEOUT: tutti_task_set_timeout (self, g_value_get_uint (value)); break;
    case PROPERTY_RETRIES: tutti_task_set_retries (self, g_value_get_uint (value)); break;
    case PROPERTY_WORKER: tutti_task_set_worker (self, g_value_get_int (value)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
task_finalize (GObject *object)
{
  TuttiTask *self = TUTTI_TASK (object);

  g_clear_pointer (&self->callee, tutti_callee_unref);
  g_free (self->module);
  g_free (self->function);
  g_clear_pointer (&self->arguments, g_ptr_array_unref);
  g_clear_pointer (&self->dependencies, g_ptr_array_unref);
  tti_task_unref (self->inside);
  G_OBJECT_CLASS (tutti_task_parent_class)->finalize (object);
}

static void
tutti_task_class_init (TuttiTaskClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  /* Not at each construction, which would cost as much as all else. */
  const GParamFlags given = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
  const GParamFlags set = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = task_get_property;
  object_class->set_property = task_set_property;
  object_class->finalize = task_finalize;
  /**
   * TuttiTask:module:
   *
   * The task module: a file, or the name of one in the folders of `$TUTTI_MODULEDIR`. A name without a slash that does not end in `.so` is
   * looked for there, with `.so` behind it. A file with a relative name is looked for in the folder in which this process was when the
   * pool was
   * made, which is that of its workers.
   */
  properties[PROPERTY_MODULE] = g_param_spec_string ("module", NULL, NULL, NULL, given);
  /**
   * TuttiTask:function:
   *
   * The name of the function in the module.
   */
  properties[PROPERTY_FUNCTION] = g_param_spec_string ("function", NULL, NULL, NULL, given);
  /**
   * TuttiTask:timeout:
   *
   * How long one attempt may run, in milliseconds; 0: for ever. A worker that takes longer is ended, and the task fails with
   * %TUTTI_ERROR_TIMEOUT.
   */
  properties[PROPERTY_TIMEOUT] = g_param_spec_uint ("timeout", NULL, NULL, 0, G_MAXUINT, 0, set);
  /**
   * TuttiTask:retries:
   *
   * How often it is tried again after its worker has died.
   */
  properties[PROPERTY_RETRIES] = g_param_spec_uint ("retries", NULL, NULL, 0, G_MAXUINT, DEFAULT_RETRIES, set);
  /**
   * TuttiTask:worker:
   *
   * The index of the only worker that may run it; -1: any. From when it is submitted, the index of the one that has it, or had it last.
   */
  properties[PROPERTY_WORKER] = g_param_spec_int ("worker", NULL, NULL, -1, TUTTI_POOL_MAX_WORKERS - 1, -1, set);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
tutti_task_init (TuttiTask *self)
{
  self->retries = DEFAULT_RETRIES;
  self->worker = -1;
}

/* --- making it -------------------------------------------------------------------------------------------------------------- */

static void
argument_free (gpointer argument)
{
  tti_value_unref (argument);
}

static void
task_add (TuttiTask *self, TuttiValue *argument)
{
  if (self->arguments == NULL)
    self->arguments = g_ptr_array_new_with_free_func (argument_free);
  g_ptr_array_add (self->arguments, argument);
}

/**
 * tutti_task_new:
 * @module: the task module: see [property@Task:module]
 * @function: the name of the function in it
 * @arguments: (array length=n) (nullable): its first arguments
 * @n: how many
 *
 * Makes a task, which [method@Pool.submit] puts into the queue of a pool. It keeps references of its arguments until then; further ones are
 * added with [method@Task.add_argument] and [method@Task.add_dependency].
 *
 * Returns: (transfer full): a task, which is not submitted
 */
TuttiTask *
tutti_task_new (const char *module, const char *function, TuttiValue *const *arguments, gsize n)
{
  g_return_val_if_fail (module != NULL && function != NULL && tutti_values_are_given (arguments, n), NULL);
  TuttiTask *self = g_object_new (TUTTI_TYPE_TASK, NULL);

  self->callee = tutti_callee_get (module, function);
  for (gsize i = 0; i < n; i++)
    task_add (self, tti_value_ref (arguments[i]));
  return self;
}

/**
 * tutti_task_add_argument:
 * @task: a task that is not submitted
 * @argument: its next argument
 *
 * Appends an argument, of which the task keeps a reference. A function of a task module that takes a fixed number of arguments refuses any
 * other number when it is called.
 */
void
tutti_task_add_argument (TuttiTask *task, TuttiValue *argument)
{
  g_return_if_fail (TUTTI_IS_TASK (task) && argument != NULL && tutti_task_inside (task) == NULL);
  task_add (task, tti_value_ref (argument));
}

/**
 * tutti_task_add_dependency:
 * @task: a task that is not submitted
 * @dependency: another task, which is submitted before @task, to a pool of the same engine
 *
 * Makes the value of @dependency the next argument of @task. It goes from worker to worker without a copy, and nobody waits for it here. If
 * @dependency fails, so does @task, with the same error.
 */
void
tutti_task_add_dependency (TuttiTask *task, TuttiTask *dependency)
{
  g_return_if_fail (TUTTI_IS_TASK (task) && TUTTI_IS_TASK (dependency) && task != dependency && tutti_task_inside (task) == NULL);
  if (task->dependencies == NULL)
    task->dependencies = g_ptr_array_new_with_free_func (g_object_unref);
  g_ptr_array_add (task->dependencies, g_object_ref (dependency));
  task_add (task, NULL);
}

/**
 * tutti_task_set_timeout: (set-property timeout)
 * @task: a task that is not submitted
 * @timeout_ms: see [property@Task:timeout]
 *
 * Sets how long one attempt may run, in milliseconds; 0: for ever, which is the default. The time in the queue does not count.
 */
void
tutti_task_set_timeout (TuttiTask *task, guint timeout_ms)
{
  g_return_if_fail (TUTTI_IS_TASK (task) && tutti_task_inside (task) == NULL);
  task->timeout = timeout_ms;
  g_object_notify_by_pspec (G_OBJECT (task), properties[PROPERTY_TIMEOUT]);
}

/**
 * tutti_task_get_timeout: (get-property timeout)
 * @task: a task
 *
 * Gets how long one attempt may run.
 *
 * Returns: milliseconds; 0: none
 */
guint
tutti_task_get_timeout (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), 0);
  return task->timeout;
}

/**
 * tutti_task_set_retries: (set-property retries)
 * @task: a task that is not submitted
 * @retries: see [property@Task:retries]
 *
 * Sets how often the task is tried again after its worker has died; 2 by default. Errors of its function, time-outs and cancellation are
 * final.
 */
void
tutti_task_set_retries (TuttiTask *task, guint retries)
{
  g_return_if_fail (TUTTI_IS_TASK (task) && tutti_task_inside (task) == NULL);
  task->retries = retries;
  g_object_notify_by_pspec (G_OBJECT (task), properties[PROPERTY_RETRIES]);
}

/**
 * tutti_task_get_retries: (get-property retries)
 * @task: a task
 *
 * Gets how often the task is tried again after its worker has died.
 *
 * Returns: how often it may be tried again
 */
guint
tutti_task_get_retries (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), 0);
  return task->retries;
}

/**
 * tutti_task_set_worker: (set-property worker)
 * @task: a task that is not submitted
 * @worker: see [property@Task:worker]
 *
 * Sets the only worker that may run the task, by its index; -1: any, which is the default.
 */
void
tutti_task_set_worker (TuttiTask *task, int worker)
{
  g_return_if_fail (TUTTI_IS_TASK (task) && worker >= -1 && tutti_task_inside (task) == NULL);
  task->worker = worker;
  g_object_notify_by_pspec (G_OBJECT (task), properties[PROPERTY_WORKER]);
}

/* --- running it ------------------------------------------------------------------------------------------------------------- */

/* What POOL's engine gets for SELF. */
static TtiTask *
task_make_inside (TuttiTask *self, GError **error)
{
  guint n = self->arguments != NULL ? self->arguments->len : 0;

  if (self->callee == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a task has no %s: set its properties \"module\" and \"function\"",
                   self->module == NULL ? "module" : "function");
      return NULL;
    }
  for (guint i = 0; self->dependencies != NULL && i < self->dependencies->len; i++)
    if (tutti_task_inside (g_ptr_array_index (self->dependencies, i)) == NULL)
      {
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "task '%s' depends on a task that was not submitted: submit that one first",
                     self->callee->function);
        return NULL;
      }
  TtiTask *inside = tutti_request_new_call (self->callee, n > 0 ? (TuttiValue *const *) self->arguments->pdata : NULL, n, error);
  if (inside == NULL)
    return NULL;
  for (guint i = 0; self->dependencies != NULL && i < self->dependencies->len; i++)
    tti_task_add_dependency (inside, tutti_task_inside (g_ptr_array_index (self->dependencies, i)));
  tti_task_set_timeout (inside, (gint64) self->timeout * 1000);
  tti_task_set_retries (inside, self->retries);
  tti_task_set_worker (inside, self->worker);
  return inside;
}

gboolean
tutti_task_submit (TuttiTask *self, TtiPool *pool, GError **error)
{
  if (!g_atomic_int_compare_and_exchange (&self->submitting, FALSE, TRUE))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "task '%s' was submitted before: make another one to run it again",
                   self->callee != NULL ? self->callee->function : "?");
      return FALSE;
    }
  g_autoptr (TtiTask) inside = task_make_inside (self, error);

  if (inside == NULL || !tti_pool_submit (pool, inside, error))
    {
      g_atomic_int_set (&self->submitting, FALSE);
      return FALSE;
    }
  g_atomic_pointer_set (&self->inside, g_steal_pointer (&inside));
  /* Whoever cancels it either sees it here, or is seen. */
  if (g_atomic_int_get (&self->cancelled))
    tti_task_cancel (tutti_task_inside (self));
  g_clear_pointer (&self->arguments, g_ptr_array_unref);
  g_clear_pointer (&self->dependencies, g_ptr_array_unref);
  return TRUE;
}

/**
 * tutti_task_cancel:
 * @task: a task
 *
 * Ends it with %TUTTI_ERROR_CANCELLED, unless it has ended. A worker that runs it is ended and replaced. One that is not submitted ends as
 * soon as it is. Does not wait.
 */
void
tutti_task_cancel (TuttiTask *task)
{
  g_return_if_fail (TUTTI_IS_TASK (task));
  g_atomic_int_set (&task->cancelled, TRUE);
  if (tutti_task_inside (task) != NULL)
    tti_task_cancel (tutti_task_inside (task));
}

gboolean
tutti_task_check_submitted (TuttiTask *self, GError **error)
{
  if (tutti_task_inside (self) != NULL)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "task '%s' was not submitted: nobody would ever run it",
               self->callee != NULL ? self->callee->function : "?");
  return FALSE;
}

/* --- what is known of it ----------------------------------------------------------------------------------------------------- */

/**
 * tutti_task_get_id:
 * @task: a task
 *
 * Gets the number by which certificates name the task.
 *
 * Returns: its number, unique in the process; 0 before it is submitted
 */
guint64
tutti_task_get_id (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), 0);
  return tutti_task_inside (task) != NULL ? tti_task_get_id (tutti_task_inside (task)) : 0;
}

/**
 * tutti_task_get_state:
 * @task: a task
 *
 * Gets where the task is on its way. Does not block.
 *
 * Returns: its state now, which another thread may change at any time until it is %TUTTI_TASK_DONE or %TUTTI_TASK_FAILED
 */
TuttiTaskState
tutti_task_get_state (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), TUTTI_TASK_NEW);
  if (tutti_task_inside (task) == NULL)
    return TUTTI_TASK_NEW;
  switch (tti_task_get_state (tutti_task_inside (task)))
    {
    case TTI_TASK_NEW: return TUTTI_TASK_NEW;
    case TTI_TASK_WAITING: return TUTTI_TASK_WAITING;
    case TTI_TASK_QUEUED: return TUTTI_TASK_QUEUED;
    case TTI_TASK_RUNNING: return TUTTI_TASK_RUNNING;
    case TTI_TASK_DONE: return TUTTI_TASK_DONE;
    case TTI_TASK_RAISED:
    case TTI_TASK_FAILED: return TUTTI_TASK_FAILED;
    }
  g_assert_not_reached ();
}

/**
 * tutti_task_dup_result:
 * @task: a task that has ended
 * @error: where to put an error
 *
 * Gets the result of a task that has ended, without blocking and as often as it is asked for.
 *
 * Returns: (transfer full): its value; %NULL with its error as for [method@Task.wait], or %TUTTI_ERROR_ARGUMENT if it has not ended
 */
TuttiValue *
tutti_task_dup_result (TuttiTask *task, GError **error)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), NULL);
  return tutti_task_check_submitted (task, error) ? tutti_request_take_value (tutti_task_inside (task), error) : NULL;
}

/**
 * tutti_task_get_certificate:
 * @task: a task
 *
 * Gets how the worker died because of which the task has failed with %TUTTI_ERROR_DIED. The end of a worker that took too long is told by
 * [method@Pool.dup_last_death].
 *
 * Returns: (transfer none) (nullable): how the worker ended of which the task has failed, owned by @task; %NULL if no worker died of it
 */
TuttiCertificate *
tutti_task_get_certificate (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), NULL);
  return tutti_task_inside (task) != NULL ? (TuttiCertificate *) tti_task_get_certificate (tutti_task_inside (task)) : NULL;
}

/**
 * tutti_task_get_worker: (get-property worker)
 * @task: a task
 *
 * Gets which worker has or had the task.
 *
 * Returns: the index of the worker that had it last; before it has ended, the one that may run it, or -1
 */
int
tutti_task_get_worker (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), -1);
  TtiTask *inside = tutti_task_inside (task);

  return inside != NULL && tti_task_has_ended (inside) ? tti_task_get_worker (inside) : task->worker;
}

/**
 * tutti_task_get_attempts:
 * @task: a task
 *
 * Gets how often the task was given to a worker: 1 unless a worker died of it.
 *
 * Returns: how often it was given to a worker; 0 before it has ended
 */
guint
tutti_task_get_attempts (TuttiTask *task)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), 0);
  return tutti_task_inside (task) != NULL ? tti_task_get_attempts (tutti_task_inside (task)) : 0;
}
