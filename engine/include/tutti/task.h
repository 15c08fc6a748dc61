/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task: a call of a function of a task module, run by one worker at a time, answered exactly once. */
#pragma once
#include "tutti/certificate.h"
#include "tutti/error.h"
#include "tutti/value.h"

G_BEGIN_DECLS

/**
 * TuttiTaskState:
 * @TUTTI_TASK_NEW: not submitted
 * @TUTTI_TASK_WAITING: for the values of other tasks
 * @TUTTI_TASK_QUEUED: for a worker
 * @TUTTI_TASK_RUNNING: a worker has it
 * @TUTTI_TASK_DONE: it has a result
 * @TUTTI_TASK_FAILED: it has an error
 *
 * Where a task is on its way. The last two are for good.
 */
typedef enum
{
  TUTTI_TASK_NEW,
  TUTTI_TASK_WAITING,
  TUTTI_TASK_QUEUED,
  TUTTI_TASK_RUNNING,
  TUTTI_TASK_DONE,
  TUTTI_TASK_FAILED
} TuttiTaskState;

#define TUTTI_TYPE_TASK (tutti_task_get_type ())
TUTTI_API G_DECLARE_FINAL_TYPE (TuttiTask, tutti_task, TUTTI, TASK, GObject)

TUTTI_API TuttiTask *tutti_task_new (const char *module, const char *function, TuttiValue *const *arguments, gsize n);
TUTTI_API void tutti_task_add_argument (TuttiTask *task, TuttiValue *argument);
TUTTI_API void tutti_task_add_dependency (TuttiTask *task, TuttiTask *dependency);
TUTTI_API void tutti_task_set_timeout (TuttiTask *task, guint timeout_ms);
TUTTI_API guint tutti_task_get_timeout (TuttiTask *task);
TUTTI_API void tutti_task_set_retries (TuttiTask *task, guint retries);
TUTTI_API guint tutti_task_get_retries (TuttiTask *task);
TUTTI_API void tutti_task_set_worker (TuttiTask *task, int worker);

TUTTI_API void tutti_task_cancel (TuttiTask *task);
TUTTI_API TuttiValue *tutti_task_wait (TuttiTask *task, GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_task_wait_async (TuttiTask *task, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiValue *tutti_task_wait_finish (TuttiTask *task, GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TUTTI_API guint64 tutti_task_get_id (TuttiTask *task);
TUTTI_API TuttiTaskState tutti_task_get_state (TuttiTask *task);
TUTTI_API TuttiValue *tutti_task_dup_result (TuttiTask *task, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiCertificate *tutti_task_get_certificate (TuttiTask *task);
TUTTI_API int tutti_task_get_worker (TuttiTask *task);
TUTTI_API guint tutti_task_get_attempts (TuttiTask *task);

G_END_DECLS
