/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Single requests to workers: making them, waiting for them, their values. */
#include "embedding/embedding-private.h"
#include "module/task-requests.h"
#include "platform/error.h"
#include <string.h>

static void
write_text (TtiWriter *writer, const char *text)
{
  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
}

TtiTask *
tutti_request_new_call (const char *module, const char *function, TuttiValue *const *arguments, gsize n, GError **error)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  guint n_dependencies = 0;

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 4);
  tti_writer_integer (writer, TTI_REQUEST_CALL);
  write_text (writer, module);
  write_text (writer, function);
  if (n > 0)
    tti_writer_open (writer, TTI_ITEM_LIST, 0, n);
  else
    tti_writer_constant (writer, TTI_ITEM_NIL);
  for (gsize i = 0; i < n; i++)
    {
      if (arguments[i] == NULL)
        tti_writer_embedded (writer, n_dependencies++);
      else if (!tti_value_write (arguments[i], writer, error))
        {
          g_prefix_error (error, "argument %" G_GSIZE_FORMAT " of '%s': ", i, function);
          return NULL;
        }
    }
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  return tti_task_new (TTI_HANDLER_MODULE, payload);
}

TuttiValue *
tutti_request_take_value (TtiTask *task, GError **error)
{
  switch (tti_task_get_state (task))
    {
    case TTI_TASK_DONE: return tti_value_decode (tti_task_get_result (task), error);
    case TTI_TASK_RAISED: g_propagate_error (error, tti_value_decode_error (tti_task_get_result (task))); return NULL;
    case TTI_TASK_FAILED: g_propagate_error (error, g_error_copy (tti_task_get_error (task))); return NULL;
    case TTI_TASK_NEW:
    case TTI_TASK_WAITING:
    case TTI_TASK_QUEUED:
    case TTI_TASK_RUNNING: break;
    }
  /* Waiting ends early in a copy of the process only. */
  if (!tti_engine_is_copy (error))
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the task has not ended");
  return NULL;
}

static void
cancel_task (GCancellable *cancellable, gpointer task)
{
  (void) cancellable;
  tti_task_cancel (task);
}

gboolean
tutti_request_wait (TtiTask *task, GCancellable *cancellable, GError **error)
{
  gulong handler = cancellable != NULL ? g_cancellable_connect (cancellable, G_CALLBACK (cancel_task), task, NULL) : 0;

  (void) tti_task_wait (task, -1);
  if (cancellable == NULL)
    return TRUE;
  g_cancellable_disconnect (cancellable, handler);
  /* One that was done before is done. */
  if (tti_task_get_state (task) == TTI_TASK_DONE)
    return TRUE;
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}
