/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several tasks that make one result: run while the caller waits, or started, and their end told to a GTask.
 *
 *   started -> waiting for N ends, and for a cancellation -> the last end: the result is made, and returned
 *
 * Who counts the last end down completes it, outside all locks. The handler of its cancellable, which may be running in another thread, and
 * the notices of ends, which may come later than the caller sees them, have references of their own. */
#include "embedding/operation.h"
#include "embedding/pool-private.h"

struct _TuttiOperation
{
  gatomicrefcount refs;
  TuttiPool *pool;        /* not owned: it is in DATA, or with the caller */
  GPtrArray *tasks;       /* of TtiTask, owned */
  gboolean stop_early;
  TuttiOperationFinish finish;
  gpointer data;
  GDestroyNotify data_free, value_free;
  gint n_left;            /* atomic: tasks that have not ended, and one while it is started */
  gint stopped;           /* atomic: its tasks were cancelled */
  GTask *result;          /* owned */
  GError *error;          /* why not all of its tasks could be submitted */
  gulong handler;
};

/* The end of one task of an operation, of which it is a reference. */
typedef struct
{
  TuttiOperation *operation;
  TtiTask *task;
} End;

TuttiOperation *
tutti_operation_new (TuttiPool *pool, GPtrArray *tasks, TuttiOperationFinish finish, gpointer data, GDestroyNotify data_free,
                     GDestroyNotify value_free)
{
  TuttiOperation *self = g_new0 (TuttiOperation, 1);

  g_atomic_ref_count_init (&self->refs);
  self->pool = pool;
  self->tasks = tasks;
  self->finish = finish;
  self->data = data;
  self->data_free = data_free;
  self->value_free = value_free;
  return self;
}

void
tutti_operation_set_stop_early (TuttiOperation *self)
{
  self->stop_early = TRUE;
}

static void
operation_unref (gpointer data)
{
  TuttiOperation *self = data;

  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_ptr_array_unref (self->tasks);
  g_free (self);
}

/* It is complete. Who still has a reference is about to find that its tasks have ended, and needs no more than these. */
static void
operation_end (TuttiOperation *self)
{
  g_clear_error (&self->error);
  g_clear_object (&self->result);
  if (self->data_free != NULL)
    self->data_free (g_steal_pointer (&self->data));
  operation_unref (self);
}

static void
operation_stop (TuttiOperation *self)
{
  if (!g_atomic_int_compare_and_exchange (&self->stopped, FALSE, TRUE))
    return;
  for (guint i = 0; i < self->tasks->len; i++)
    tti_task_cancel (self->tasks->pdata[i]);
}

static void
operation_cancelled (GCancellable *cancellable, gpointer data)
{
  (void) cancellable;
  operation_stop (data);
}

/* Submit task I, which may have to be cancelled at once. */
static gboolean
operation_submit (TuttiOperation *self, guint i)
{
  TtiTask *task = self->tasks->pdata[i];

  if (!tti_pool_submit (tutti_pool_inside (self->pool), task, &self->error))
    return FALSE;
  tutti_pool_signals_submitted (tutti_pool_get_signals (self->pool));
  if (g_atomic_int_get (&self->stopped))
    tti_task_cancel (task);
  return TRUE;
}

/* Call NOTICE with the end of task I, which is about to be submitted. */
static End *
operation_watch (TuttiOperation *self, guint i, TtiNotice notice)
{
  End *end = g_new (End, 1);

  *end = (End){ self, self->tasks->pdata[i] };
  g_atomic_ref_count_inc (&self->refs);
  (void) tti_task_watch (end->task, notice, end);
  return end;
}

static void
end_free (End *end)
{
  operation_unref (end->operation);
  g_free (end);
}

/* --- while the caller waits -------------------------------------------------------------------------------------------------- */

gpointer
tutti_operation_run (TuttiOperation *self, GCancellable *cancellable, GError **error)
{
  gpointer value = NULL;
  gint failed = FALSE;
  guint n = 0;

  if (cancellable != NULL)
    self->handler = g_cancellable_connect (cancellable, G_CALLBACK (operation_cancelled), self, NULL);
  for (; n < self->tasks->len && (!self->stop_early || !g_atomic_int_get (&failed)); n++)
    {
      tti_task_set_failure_flag (self->tasks->pdata[n], &failed);
      if (!operation_submit (self, n))
        break;
    }
  if (self->error != NULL)
    operation_stop (self);
  for (guint i = 0; i < n; i++)
    {
      /* The first that fails may be any of them. */
      if (self->stop_early && !tti_task_wait_unless (self->tasks->pdata[i], &failed))
        operation_stop (self);
      (void) tti_task_wait (self->tasks->pdata[i], -1);
    }
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, self->handler);
  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));
  else if (!g_atomic_int_get (&self->stopped) || !g_cancellable_set_error_if_cancelled (cancellable, error))
    value = self->finish ((TtiTask *const *) self->tasks->pdata, self->tasks->len, self->data, error);
  operation_end (self);
  return value;
}

/* --- in a main loop ---------------------------------------------------------------------------------------------------------- */

static void
operation_complete (TuttiOperation *self)
{
  /* g_cancellable_disconnect () would wait for handlers that run, and one of these may wait for this thread, which is the engine's. */
  if (self->handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (self->result), self->handler);
  gpointer value = self->error == NULL
    ? self->finish ((TtiTask *const *) self->tasks->pdata, self->tasks->len, self->data, &self->error) : NULL;
  if (value != NULL)
    g_task_return_pointer (self->result, value, self->value_free);
  else
    g_task_return_error (self->result, g_steal_pointer (&self->error));
  operation_end (self);
}

static void
operation_count_down (TuttiOperation *self)
{
  if (g_atomic_int_dec_and_test (&self->n_left))
    operation_complete (self);
}

static void
task_ended (gpointer data)
{
  End *end = data;
  TuttiOperation *operation = end->operation;

  if (operation->stop_early && tti_task_get_state (end->task) != TTI_TASK_DONE)
    operation_stop (operation);
  operation_count_down (operation);
  end_free (end);
}

void
tutti_operation_start (TuttiOperation *self, GTask *result)
{
  GCancellable *cancellable = g_task_get_cancellable (result);

  self->result = result;
  self->n_left = 1;
  if (cancellable != NULL)
    {
      g_atomic_ref_count_inc (&self->refs);
      self->handler = g_cancellable_connect (cancellable, G_CALLBACK (operation_cancelled), self, operation_unref);
    }
  for (guint i = 0; i < self->tasks->len && self->error == NULL; i++)
    {
      End *end = operation_watch (self, i, task_ended);

      g_atomic_int_inc (&self->n_left);
      if (operation_submit (self, i))
        continue;
      g_atomic_int_add (&self->n_left, -1);
      end_free (end);
    }
  if (self->error != NULL)
    operation_stop (self);
  operation_count_down (self);
}
