/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Waiting for a task, in a thread or in a main loop. */
#include "embedding/task-private.h"
#include "platform/error.h"

/**
 * tutti_task_wait:
 * @task: a task that was submitted
 * @cancellable: (nullable): cancelling it cancels the task
 * @error: where to put an error
 *
 * Waits until it has ended. In a main loop use [method@Task.wait_async].
 *
 * Returns: (transfer full): its value; %NULL with an error of its function, or of `TUTTI_ERROR`: %TUTTI_ERROR_DIED, %TUTTI_ERROR_TIMEOUT,
 *   %TUTTI_ERROR_CANCELLED, %TUTTI_ERROR_CLOSED, %TUTTI_ERROR_MODULE, %TUTTI_ERROR_FAULT; or with %G_IO_ERROR_CANCELLED
 */
TuttiValue *
tutti_task_wait (TuttiTask *task, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (TUTTI_IS_TASK (task), NULL);
  if (!tutti_task_check_submitted (task, error) || !tutti_request_wait (tutti_task_inside (task), cancellable, error))
    return NULL;
  return tutti_request_take_value (tutti_task_inside (task), error);
}

/* --- waiting in a main loop -------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiTask *inside;
  gulong handler;
} Wait;

static void
wait_free (gpointer data)
{
  Wait *wait = data;

  tti_task_unref (wait->inside);
  g_free (wait);
}

static void
wait_cancelled (GCancellable *cancellable, gpointer inside)
{
  (void) cancellable;
  tti_task_cancel (inside);
}

static void
inside_unref (gpointer inside)
{
  tti_task_unref (inside);
}

static void
wait_return (gpointer data)
{
  g_autoptr (GTask) result = data;
  Wait *wait = g_task_get_task_data (result);
  GError *error = NULL;
  TuttiValue *value = NULL;

  /* g_cancellable_disconnect () would wait for handlers that run, and one of these may wait for this thread, which is the engine's. */
  if (wait->handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (result), wait->handler);
  value = tutti_request_take_value (wait->inside, &error);
  if (value != NULL)
    g_task_return_pointer (result, value, (GDestroyNotify) tti_value_unref);
  else
    g_task_return_error (result, error);
}

/**
 * tutti_task_wait_async:
 * @task: a task that was submitted
 * @cancellable: (nullable): cancelling it cancels the task
 * @callback: (nullable) (scope async): what to call when it has ended
 * @user_data: for @callback
 *
 * Waits as [method@Task.wait] does, without blocking: @callback is called in the thread-default main context of the caller.
 */
void
tutti_task_wait_async (TuttiTask *task, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (TUTTI_IS_TASK (task));
  g_autoptr (GTask) result = g_task_new (task, cancellable, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (result, tutti_task_wait_async);
  if (!tutti_task_check_submitted (task, &error))
    {
      g_task_return_error (result, error);
      return;
    }
  Wait *wait = g_new0 (Wait, 1);
  wait->inside = tti_task_ref (tutti_task_inside (task));
  g_task_set_task_data (result, wait, wait_free);
  if (cancellable != NULL)
    wait->handler = g_cancellable_connect (cancellable, G_CALLBACK (wait_cancelled), tti_task_ref (wait->inside), inside_unref);
  if (tti_task_watch (wait->inside, wait_return, result))
    g_steal_pointer (&result);
  else
    wait_return (g_steal_pointer (&result));
}

/**
 * tutti_task_wait_finish:
 * @task: a task
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Task.wait_async] has begun.
 *
 * Returns: (transfer full): its value; %NULL with an error, as for [method@Task.wait]
 */
TuttiValue *
tutti_task_wait_finish (TuttiTask *task, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, task), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
