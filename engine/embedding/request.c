/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Single requests to workers: making them, waiting for them, their values. */
#include "embedding/embedding-private.h"
#include "module/task-requests.h"
#include "platform/error.h"
#include <string.h>

static TtiPayload *
write_call (TuttiCallee *callee, TuttiValue *const *arguments, gsize n, GError **error)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  guint n_dependencies = 0;

  tti_writer_open (writer, TTI_ITEM_LIST, 0, 4);
  tti_writer_integer (writer, TTI_REQUEST_CALL);
  tti_writer_text (writer, TTI_ITEM_STRING, callee->module, strlen (callee->module));
  tti_writer_text (writer, TTI_ITEM_STRING, callee->function, strlen (callee->function));
  tti_writer_open (writer, TTI_ITEM_LIST, 0, n);
  for (gsize i = 0; i < n; i++)
    {
      if (arguments[i] == NULL)
        tti_writer_embedded (writer, n_dependencies++);
      else if (!tti_value_write (arguments[i], writer, error))
        {
          g_prefix_error (error, "argument %" G_GSIZE_FORMAT " of '%s': ", i, callee->function);
          return NULL;
        }
    }
  return tti_writer_finish (writer);
}

TtiTask *
tutti_request_new_call (TuttiCallee *callee, TuttiValue *const *arguments, gsize n, GError **error)
{
  g_autoptr (TtiPayload) payload = n > 0 ? write_call (callee, arguments, n, error) : tti_payload_ref (callee->without);

  return payload != NULL ? tti_task_new (TTI_HANDLER_MODULE, payload) : NULL;
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
