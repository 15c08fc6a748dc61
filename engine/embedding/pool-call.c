/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Calls and maps: tasks that are made, submitted, waited for and forgotten at once. */
#include "embedding/operation.h"
#include "embedding/pool-private.h"
#include "platform/error.h"

/* --- calls ------------------------------------------------------------------------------------------------------------------ */

/**
 * tutti_pool_call:
 * @pool: a pool
 * @module: a task module: see [property@Task:module]
 * @function: the name of a function in it
 * @arguments: (array length=n) (nullable): its arguments
 * @n: how many
 * @cancellable: (nullable): cancelling it cancels the call
 * @error: where to put an error
 *
 * Calls a function on a worker, and waits for its value. In a main loop use [method@Pool.call_async].
 *
 * Returns: (transfer full): its value; %NULL with an error as for [method@Task.wait]
 */
TuttiValue *
tutti_pool_call (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *arguments, gsize n,
                 GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool) && module != NULL && function != NULL, NULL);
  g_return_val_if_fail (tutti_values_are_given (arguments, n), NULL);
  g_autoptr (TuttiCallee) callee = tutti_callee_get (module, function);
  g_autoptr (TtiTask) task = tutti_request_new_call (callee, arguments, n, error);

  if (task == NULL || !tti_pool_submit (tutti_pool_inside (pool), task, error))
    return NULL;
  tutti_pool_signals_submitted (tutti_pool_get_signals (pool));
  return tutti_request_wait (task, cancellable, error) ? tutti_request_take_value (task, error) : NULL;
}

static gpointer
take_value (TtiTask *const *tasks, guint n, gpointer data, GError **error)
{
  (void) n;
  (void) data;
  return tutti_request_take_value (tasks[0], error);
}

/* A GTask for what TASKS, which are submitted for it, return; with TASKS NULL it returns ERROR. */
static void
start (TuttiPool *pool, GPtrArray *tasks, TuttiOperationFinish finish, GTask *result, GError *error)
{
  if (tasks == NULL)
    {
      g_task_return_error (result, error);
      g_object_unref (result);
      return;
    }
  TuttiOperation *operation = tutti_operation_new (pool, tasks, finish, NULL, NULL, (GDestroyNotify) tti_value_unref);

  tutti_operation_set_stop_early (operation);
  tutti_operation_start (operation, result);
}

/**
 * tutti_pool_call_async:
 * @pool: a pool
 * @module: a task module: see [property@Task:module]
 * @function: the name of a function in it
 * @arguments: (array length=n) (nullable): its arguments
 * @n: how many
 * @cancellable: (nullable): cancelling it cancels the call
 * @callback: (nullable) (scope async): what to call when it has ended
 * @user_data: for @callback
 *
 * Calls a function on a worker, without blocking: @callback is called in the thread-default main context of the caller.
 */
void
tutti_pool_call_async (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *arguments, gsize n,
                       GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (tutti_pool_is_initialized (pool) && module != NULL && function != NULL);
  g_return_if_fail (tutti_values_are_given (arguments, n));
  GTask *result = g_task_new (pool, cancellable, callback, user_data);
  GError *error = NULL;
  g_autoptr (TuttiCallee) callee = tutti_callee_get (module, function);
  TtiTask *task = tutti_request_new_call (callee, arguments, n, &error);
  GPtrArray *tasks = task != NULL ? g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref) : NULL;

  g_task_set_source_tag (result, tutti_pool_call_async);
  if (task != NULL)
    g_ptr_array_add (tasks, task);
  start (pool, tasks, take_value, result, error);
}

/**
 * tutti_pool_call_finish:
 * @pool: a pool
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Pool.call_async] has begun.
 *
 * Returns: (transfer full): the value of the function; %NULL with an error as for [method@Task.wait]
 */
TuttiValue *
tutti_pool_call_finish (TuttiPool *pool, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, pool), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- maps ------------------------------------------------------------------------------------------------------------------- */

/* The list of the values of N tasks; or NULL with the error of the first that failed by itself. */
static gpointer
take_values (TtiTask *const *tasks, guint n, gpointer data, GError **error)
{
  g_autofree TuttiValue **items = g_new0 (TuttiValue *, n);
  TuttiValue *list = NULL;
  guint failed = n, done;

  (void) data;
  for (done = 0; done < n; done++)
    if (tti_task_get_state (tasks[done]) != TTI_TASK_DONE)
      {
        const GError *why = tti_task_get_error (tasks[done]);

        failed = failed == n ? done : failed;
        /* The others were cancelled for it. */
        if (why == NULL || !g_error_matches (why, TUTTI_ERROR, TUTTI_ERROR_CANCELLED))
          {
            failed = done;
            break;
          }
      }
  for (done = 0; failed == n && done < n; done++)
    {
      items[done] = tutti_request_take_value (tasks[done], error);
      if (items[done] == NULL)
        break;
    }
  if (failed < n)
    {
      (void) tutti_request_take_value (tasks[failed], error);
      g_prefix_error (error, "item %u of %u: ", failed, n);
    }
  else if (done == n)
    list = tutti_value_new_list (items, n);
  for (guint i = 0; i < n; i++)
    tti_value_unref (items[i]);
  return list;
}

/* So many are submitted in the thread of a main loop: a fraction of a millisecond. */
enum { MOST_AT_ONCE = 200 };

/* One task per item; NULL if an item cannot travel. */
static GPtrArray *
make_tasks (TuttiCallee *callee, TuttiValue *const *items, gsize n, GError **error)
{
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  for (gsize i = 0; i < n; i++)
    {
      TtiTask *task = tutti_request_new_call (callee, &items[i], 1, error);

      if (task == NULL)
        {
          g_prefix_error (error, "item %" G_GSIZE_FORMAT ": ", i);
          return NULL;
        }
      g_ptr_array_add (tasks, task);
    }
  return g_steal_pointer (&tasks);
}

/* A map that another thread submits. */
typedef struct
{
  TuttiCallee *callee;
  GPtrArray *items;
  GTask *result;
} Map;

static gpointer
map_in_thread (gpointer data)
{
  Map *map = data;
  GError *error = NULL;
  TuttiPool *pool = g_task_get_source_object (map->result);
  GPtrArray *tasks = make_tasks (map->callee, (TuttiValue *const *) map->items->pdata, map->items->len, &error);

  tutti_callee_unref (map->callee);
  g_ptr_array_unref (map->items);
  start (pool, tasks, take_values, map->result, error);
  g_free (map);
  return NULL;
}

/* To submit many takes longer than a main loop should be kept: a thread does it. FALSE: there is none to be had. */
static gboolean
map_start_thread (TuttiCallee *callee, TuttiValue *const *items, gsize n, GTask *result)
{
  Map *map = g_new (Map, 1);

  *map = (Map){ callee, g_ptr_array_new_full ((guint) n, (GDestroyNotify) tti_value_unref), result };
  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (map->items, tti_value_ref (items[i]));
  GThread *thread = g_thread_try_new ("tutti-map", map_in_thread, map, NULL);
  if (thread != NULL)
    {
      g_thread_unref (thread);
      return TRUE;
    }
  g_ptr_array_unref (map->items);
  g_free (map);
  return FALSE;
}

/**
 * tutti_pool_map_async:
 * @pool: a pool
 * @module: a task module: see [property@Task:module]
 * @function: the name of a function of one argument in it
 * @items: (array length=n): its argument for each call
 * @n: how many
 * @cancellable: (nullable): cancelling it cancels the calls
 * @callback: (nullable) (scope async): what to call when all have ended
 * @user_data: for @callback
 *
 * Calls a function for each item, on all workers, without blocking: @callback is called in the thread-default main context of the
 * caller. If one call fails, the others are cancelled. Vectors among the items must not be written to until then.
 */
void
tutti_pool_map_async (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *items, gsize n,
                      GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (tutti_pool_is_initialized (pool) && module != NULL && function != NULL);
  g_return_if_fail (tutti_values_are_given (items, n) && n <= G_MAXINT);
  GTask *result = g_task_new (pool, cancellable, callback, user_data);
  GError *error = NULL;
  TuttiCallee *callee = tutti_callee_get (module, function);

  g_task_set_source_tag (result, tutti_pool_map_async);
  if (n > MOST_AT_ONCE && map_start_thread (callee, items, n, result))
    return;
  GPtrArray *tasks = make_tasks (callee, items, n, &error);
  tutti_callee_unref (callee);
  start (pool, tasks, take_values, result, error);
}

/**
 * tutti_pool_map_finish:
 * @pool: a pool
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Pool.map_async] has begun.
 *
 * Returns: (transfer full): the list of the values, in the order of the items; %NULL with the error of the first item that failed, as for
 *   [method@Task.wait], whose message begins with the number of the item
 */
TuttiValue *
tutti_pool_map_finish (TuttiPool *pool, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, pool), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * tutti_pool_map:
 * @pool: a pool
 * @module: a task module: see [property@Task:module]
 * @function: the name of a function of one argument in it
 * @items: (array length=n): its argument for each call
 * @n: how many
 * @cancellable: (nullable): cancelling it cancels the calls
 * @error: where to put an error
 *
 * Calls a function for each item, on all workers, and waits for the values. In a main loop use [method@Pool.map_async]. If one call fails,
 * the others are cancelled.
 *
 * Returns: (transfer full): the list of the values, in the order of the items; %NULL as for [method@Pool.map_finish]
 */
TuttiValue *
tutti_pool_map (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *items, gsize n, GCancellable *cancellable,
                GError **error)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool) && module != NULL && function != NULL, NULL);
  g_return_val_if_fail (tutti_values_are_given (items, n) && n <= G_MAXINT, NULL);
  g_autoptr (TuttiCallee) callee = tutti_callee_get (module, function);
  GPtrArray *tasks = make_tasks (callee, items, n, error);

  if (tasks == NULL)
    return NULL;
  TuttiOperation *operation = tutti_operation_new (pool, tasks, take_values, NULL, NULL, NULL);
  tutti_operation_set_stop_early (operation);
  return tutti_operation_run (operation, cancellable, error);
}
