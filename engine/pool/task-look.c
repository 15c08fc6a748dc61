/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What others see of tasks. */
#include "platform/error.h"
#include "pool/held-private.h"

static TtiExceptionReader read_exception; /* atomic */

void
tti_engine_set_exception_reader (TtiExceptionReader reader)
{
  g_atomic_pointer_set (&read_exception, reader);
}

char *
tti_engine_read_exception (TtiPayload *payload)
{
  TtiExceptionReader read = g_atomic_pointer_get (&read_exception);

  return read != NULL && payload != NULL ? read (payload) : NULL;
}

const char *
tti_task_get_name (TtiTask *task)
{
  const char *name = task->name;

  for (guint i = 0; task->held != NULL && i < task->held->len && name == NULL; i++)
    name = tti_held_get_name (g_ptr_array_index (task->held, i));
  return name;
}

static guint32
task_flags (const TtiTask *task)
{
  return (task->is_maker || task->makes != NULL ? TTI_LOOK_TASK_MAKER : 0) | (task->is_wide ? TTI_LOOK_TASK_WIDE : 0);
}

/* The numbers of the first tasks that TASK waits for. */
static void
list_missing (const TtiTask *task, TtiLookSubmitted *submitted)
{
  guint n = 0;

  if (task->maker != NULL)
    submitted->missing[n++] = task->maker->id;
  for (guint i = 0; task->dependencies != NULL && i < task->dependencies->len && n < TTI_EVENT_MOST_MISSING; i++)
    {
      TtiTask *dependency = g_ptr_array_index (task->dependencies, i);

      if (!tti_task_has_ended (dependency))
        submitted->missing[n++] = dependency->id;
    }
}

void
tti_task_show_submitted_locked (TtiTask *task)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiLookSubmitted submitted = { .task = task->id, .pool = task->runner->number, .time_out = task->timeout, .place = task->pinned_to,
                                 .flags = task_flags (task), .retries = task->retries, .attempts = task->attempts, .n_cpus = task->n_cpus,
                                 .n_missing = task->n_missing };

  if (task->n_missing > 0)
    list_missing (task, &submitted);
  tti_engine_show_locked (task->engine, TTI_EVENT_SUBMITTED, &submitted, tti_task_get_name (task), NULL);
}

void
tti_task_show_started_locked (TtiTask *task, guint64 generation)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  TtiLookStarted started = { .task = task->id, .pool = task->runner->number, .generation = generation, .started = task->placed,
                             .input = task->input_size, .worker = (guint32) task->worker, .attempt = task->attempts,
                             .flags = task_flags (task) };

  tti_engine_show_locked (task->engine, TTI_EVENT_STARTED, &started, tti_task_get_name (task), NULL);
}

TtiLookEnd
tti_task_look_end (TtiTaskState state, const GError *error)
{
  if (state == TTI_TASK_DONE)
    return TTI_LOOK_DONE;
  if (state == TTI_TASK_RAISED)
    return TTI_LOOK_RAISED;
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CANCELLED))
    return TTI_LOOK_CANCELLED;
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT))
    return TTI_LOOK_TIMED_OUT;
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_DIED))
    return TTI_LOOK_DIED;
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
    return TTI_LOOK_CLOSED;
  return TTI_LOOK_FAILED;
}

void
tti_task_show_ending_locked (TtiTask *task, TtiTaskState state, TtiPayload *result, const GError *error)
{
  TTI_ASSERT_LOCKED (&task->engine->lock);
  const gboolean done = state == TTI_TASK_DONE;
  g_autofree char *raised = state == TTI_TASK_RAISED ? tti_engine_read_exception (result) : NULL;
  TtiLookEnded ended = { .task = task->id, .pool = task->runner->number, .culprit = task->culprit != NULL ? task->culprit->id : 0,
                         .started = task->placed, .took = task->took, .input = task->input_size,
                         .result = result != NULL ? tti_payload_get_size (result) : 0, .worker = task->worker,
                         .end = tti_task_look_end (state, error), .attempts = task->attempts, .losses = task->losses,
                         .flags = task_flags (task) };

  tti_engine_show_locked (task->engine, TTI_EVENT_ENDED, &ended, error != NULL ? error->message : raised,
                          done ? NULL : tti_task_get_name (task));
}
