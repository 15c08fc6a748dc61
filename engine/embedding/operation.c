/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several tasks that make one result: run while the caller waits, or started, and their end told to a GTask.
 *
 *   started -> waiting for N ends, and for a cancellation -> the last end: the result is made, and returned
 *
 * Who counts the last end down completes it, outside all locks. A started operation is freed then; the handler of its cancellable, which
 * may
 * be running in another thread, has a reference of its own. */
#include "embedding/operation.h"

struct _TuttiOperation
{
  gatomicrefcount refs;
  TtiPool *pool;          /* not owned: the pool object is in DATA, or with the caller */
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

/* The end of one task of an operation. */
typedef struct
{
  TuttiOperation *operation;
  TtiTask *task;
} End;

TuttiOperation *
tutti_operation_new (TtiPool *pool, GPtrArray *tasks, TuttiOperationFinish finish, gpointer data, GDestroyNotify data_free,
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
  g_clear_error (&self->error);
  g_clear_object (&self->result);
  if (self->data_free != NULL)
    self->data_free (self->data);
  g_free (self);
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

  if (!tti_pool_submit (self->pool, task, &self->error))
    return FALSE;
  if (g_atomic_int_get (&self->stopped))
    tti_task_cancel (task);
  return TRUE;
}

/* --- while the caller waits -------------------------------------------------------------------------------------------------- */

gpointer
tutti_operation_run (TuttiOperation *self, GCancellable *cancellable, GError **error)
{
  gpointer value = NULL;
  guint n = 0;

  if (cancellable != NULL)
    self->handler = g_cancellable_connect (cancellable, G_CALLBACK (operation_cancelled), self, NULL);
  while (n < self->tasks->len && operation_submit (self, n))
    n++;
  if (self->error != NULL)
    operation_stop (self);
  for (guint i = 0; i < n; i++)
    {
      (void) tti_task_wait (self->tasks->pdata[i], -1);
      if (self->stop_early && tti_task_get_state (self->tasks->pdata[i]) != TTI_TASK_DONE)
        operation_stop (self);
    }
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, self->handler);
  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));
  else if (!g_atomic_int_get (&self->stopped) || !g_cancellable_set_error_if_cancelled (cancellable, error))
    value = self->finish ((TtiTask *const *) self->tasks->pdata, self->tasks->len, self->data, error);
  operation_unref (self);
  return value;
}

/* --- in a main loop ---------------------------------------------------------------------------------------------------------- */

static void
operation_complete (TuttiOperation *self)
{
  GCancellable *cancellable = g_task_get_cancellable (self->result);

  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, self->handler);
  gpointer value = self->error == NULL
    ? self->finish ((TtiTask *const *) self->tasks->pdata, self->tasks->len, self->data, &self->error) : NULL;
  if (value != NULL)
    g_task_return_pointer (self->result, value, self->value_free);
  else
    g_task_return_error (self->result, g_steal_pointer (&self->error));
  operation_unref (self);
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
  g_free (end);
  operation_count_down (operation);
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
      End *end = g_new (End, 1);

      *end = (End){ self, self->tasks->pdata[i] };
      g_atomic_int_inc (&self->n_left);
      (void) tti_task_watch (end->task, task_ended, end);
      if (operation_submit (self, i))
        continue;
      g_atomic_int_add (&self->n_left, -1);
      g_free (end);
    }
  if (self->error != NULL)
    operation_stop (self);
  operation_count_down (self);
}
