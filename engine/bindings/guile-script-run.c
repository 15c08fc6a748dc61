/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One run of a script: what comes from its thread for the application is a queue of events, which are handled in order in one thread of
 * the application. The last one is its end. */
#include "bindings/guile-internals.h"
#include "bindings/guile-script.h"
#include "platform/fd.h"
#include "platform/thread.h"
#include <string.h>

/* As much output may wait for an application. */
enum { MOST_QUEUED = 1 << 20 };
/* So many events are handled before others of the main context have their turn. */
enum { EVENTS_AT_ONCE = 64 };

typedef enum { EVENT_LINE, EVENT_PROGRESS, EVENT_CALL, EVENT_END } EventKind;

typedef struct
{
  EventKind kind;
  gboolean is_error;
  char *text;
  guint64 progress, done, total;
  TtiScriptCall *call;
} Event;

static void
event_free (gpointer data)
{
  Event *event = data;

  g_free (event->text);
  tti_script_call_unref (event->call);
  g_free (event);
}

void
tti_script_call_unref (TtiScriptCall *call)
{
  if (call == NULL || !g_atomic_ref_count_dec (&call->refs))
    return;
  g_ptr_array_unref (call->arguments);
  tti_payload_unref (call->result);
  g_clear_error (&call->error);
  g_free (call);
}

TtiScriptRun *
tti_script_run_ref (TtiScriptRun *run)
{
  g_atomic_ref_count_inc (&run->refs);
  return run;
}

static void
plan_clear (TtiScriptPlan *plan)
{
  g_clear_object (&plan->script);
  tti_engine_unref (g_steal_pointer (&plan->engine));
  g_clear_pointer (&plan->file, g_free);
  g_clear_pointer (&plan->expression, g_free);
  g_clear_pointer (&plan->arguments, g_strfreev);
  g_clear_pointer (&plan->procedures, g_ptr_array_unref);
  g_clear_pointer (&plan->context, g_main_context_unref);
  g_clear_object (&plan->result);
}

void
tti_script_run_unref (TtiScriptRun *run)
{
  if (run == NULL || !g_atomic_ref_count_dec (&run->refs))
    return;
  plan_clear (&run->plan);
  g_queue_clear_full (&run->events, event_free);
  g_array_unref (run->wakeups);
  g_string_free (run->rest[0], TRUE);
  g_string_free (run->rest[1], TRUE);
  g_clear_pointer (&run->value, tutti_value_unref);
  g_clear_error (&run->error);
  g_cond_clear (&run->changed);
  g_free (run);
}

/* --- from the script's threads ----------------------------------------------------------------------------------------------- */

static void
run_push_locked (TtiScriptRun *run, Event *event)
{
  TTI_ASSERT_LOCKED (&run->lock);
  g_queue_push_tail (&run->events, event);
  if (run->source != NULL)
    g_source_set_ready_time (run->source, 0);
  else
    g_cond_signal (&run->changed);
}

static void
run_wake_locked (TtiScriptRun *run)
{
  TTI_ASSERT_LOCKED (&run->lock);
  for (guint i = 0; i < run->wakeups->len; i++)
    tti_fd_wake (g_array_index (run->wakeups, int, i));
}

void
tti_script_run_push_line (TtiScriptRun *run, const char *line, gsize size, gboolean is_error)
{
  Event *event = g_new0 (Event, 1);

  event->kind = EVENT_LINE;
  event->is_error = is_error;
  event->text = g_utf8_make_valid (line, (gssize) size);
  tti_lock_take (&run->lock);
  if (run->is_over)
    event_free (event);
  else
    {
      run->queued += size + 1;
      run_push_locked (run, event);
    }
  tti_lock_release (&run->lock);
}

void
tti_script_run_push_progress (TtiScriptRun *run, guint64 progress, guint64 done, guint64 total, const char *text)
{
  tti_lock_take (&run->lock);
  Event *last = g_queue_peek_tail (&run->events);

  if (!run->is_over && last != NULL && last->kind == EVENT_PROGRESS && last->progress == progress)
    {
      /* An application that is slow needs to know the latest only. */
      last->done = done;
      g_free (last->text);
      last->text = g_strdup (text);
    }
  else if (!run->is_over)
    {
      Event *event = g_new0 (Event, 1);

      *event = (Event){ .kind = EVENT_PROGRESS, .progress = progress, .done = done, .total = total, .text = g_strdup (text) };
      run_push_locked (run, event);
    }
  tti_lock_release (&run->lock);
}

gboolean
tti_script_run_push_call (TtiScriptRun *run, TtiScriptCall *call)
{
  tti_lock_take (&run->lock);
  gboolean possible = !run->is_over;

  if (possible)
    {
      Event *event = g_new0 (Event, 1);

      event->kind = EVENT_CALL;
      event->call = call;
      g_atomic_ref_count_inc (&call->refs);
      run_push_locked (run, event);
    }
  tti_lock_release (&run->lock);
  return possible;
}

gboolean
tti_script_run_has_room (TtiScriptRun *run)
{
  tti_lock_take (&run->lock);
  gboolean has_room = run->is_over || run->queued <= MOST_QUEUED;

  tti_lock_release (&run->lock);
  return has_room;
}

/* --- in the application's thread --------------------------------------------------------------------------------------------- */

static void
handle_call (TtiScriptRun *run, TtiScriptCall *call)
{
  TtiScriptProcedure *procedure = g_ptr_array_index (run->plan.procedures, call->index);
  GError *error = NULL;

  tti_lock_take (&run->lock);
  gboolean is_forgotten = call->is_forgotten;
  tti_lock_release (&run->lock);
  if (is_forgotten)
    return;
  g_autoptr (TuttiValue) value
    = procedure->function ((TuttiValue *const *) call->arguments->pdata, call->arguments->len, procedure->data, &error);
  TtiPayload *payload = value != NULL && error == NULL ? tti_value_encode (value, &error) : NULL;

  if (payload == NULL && error == NULL)
    error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the application's procedure %s has returned neither a value nor an error",
                         procedure->name);
  tti_lock_take (&run->lock);
  call->result = payload;
  call->error = error;
  call->is_done = TRUE;
  run_wake_locked (run);
  tti_lock_release (&run->lock);
}

/* What belongs to the application is let go of here, in its thread, whoever has references of the run. */
static void
handle_end (TtiScriptRun *run)
{
  TtiScriptPlan plan = run->plan;
  GTask *result = plan.result;

  run->plan = (TtiScriptPlan){ NULL };

  if (run->source != NULL)
    {
      g_source_destroy (run->source);
      g_source_unref (g_steal_pointer (&run->source));
    }
  tti_script_end_run (plan.script, run->exit_status);
  if (result != NULL && run->error != NULL)
    g_task_return_error (result, g_steal_pointer (&run->error));
  else if (result != NULL)
    g_task_return_pointer (result, g_steal_pointer (&run->value), (GDestroyNotify) tutti_value_unref);
  plan_clear (&plan);
}

/* Handle EVENT, and free it. TRUE: it was the last. */
static gboolean
handle (TtiScriptRun *run, Event *event)
{
  gboolean is_last = event->kind == EVENT_END;

  switch (event->kind)
    {
    case EVENT_LINE:
      tti_script_emit_output (run->plan.script, event->text, event->is_error);
      break;
    case EVENT_PROGRESS:
      tti_script_emit_progress (run->plan.script, event->done, event->total, event->text);
      break;
    case EVENT_CALL:
      handle_call (run, event->call);
      break;
    case EVENT_END:
      handle_end (run);
    }
  event_free (event);
  return is_last;
}

static Event *
run_pop_locked (TtiScriptRun *run)
{
  TTI_ASSERT_LOCKED (&run->lock);
  Event *event = g_queue_pop_head (&run->events);

  if (event != NULL && event->kind == EVENT_LINE)
    {
      gboolean had_room = run->queued <= MOST_QUEUED;

      run->queued -= MIN (run->queued, strlen (event->text) + 1);
      if (!had_room && run->queued <= MOST_QUEUED)
        run_wake_locked (run);
    }
  return event;
}

static gboolean
events_ready (gpointer data)
{
  TtiScriptRun *run = tti_script_run_ref (data);

  for (guint i = 0; i < EVENTS_AT_ONCE; i++)
    {
      tti_lock_take (&run->lock);
      Event *event = run_pop_locked (run);

      /* A loop inside of a procedure may have handled the end already. */
      if (event == NULL && run->source != NULL)
        g_source_set_ready_time (run->source, -1);
      tti_lock_release (&run->lock);
      if (event == NULL || handle (run, event))
        break;
    }
  tti_script_run_unref (run);
  return G_SOURCE_CONTINUE;
}

static gboolean
events_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  (void) source;
  return callback (data);
}

static GSourceFuncs events_functions = { NULL, NULL, events_dispatch, NULL, NULL, NULL };

TuttiValue *
tti_script_run_wait (TtiScriptRun *run, GError **error)
{
  Event *event;

  do
    {
      tti_lock_take (&run->lock);
      while ((event = run_pop_locked (run)) == NULL)
        tti_lock_wait (&run->lock, &run->changed, -1);
      tti_lock_release (&run->lock);
    }
  while (!handle (run, event));
  if (run->error != NULL)
    g_propagate_error (error, g_steal_pointer (&run->error));
  return g_steal_pointer (&run->value);
}

/* --- the thread -------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiScriptRun *run;
  GCancellable *cancellable;
} Start;

static void
cancelled (GCancellable *cancellable, gpointer data)
{
  TtiScriptRun *run = data;

  (void) cancellable;
  tti_lock_take (&run->lock);
  run->is_cancelled = TRUE;
  gboolean is_over = run->is_over;
  tti_lock_release (&run->lock);
  if (!is_over)
    tti_guile_interrupt (run);
}

static void *
in_guile (void *run)
{
  tti_script_run_in_guile (run);
  return NULL;
}

static gpointer
run_thread (gpointer data)
{
  g_autofree Start *start = data;
  TtiScriptRun *run = start->run;
  gulong handler = 0;

  tti_guile_accept_collector_signals ();
  if (start->cancellable != NULL)
    handler = g_cancellable_connect (start->cancellable, G_CALLBACK (cancelled), tti_script_run_ref (run),
                                     (GDestroyNotify) tti_script_run_unref);
  if (tti_guile_start (&run->error))
    scm_with_guile (in_guile, run);
  if (start->cancellable != NULL)
    {
      g_cancellable_disconnect (start->cancellable, handler);
      g_object_unref (start->cancellable);
    }
  Event *end = g_new0 (Event, 1);

  end->kind = EVENT_END;
  tti_lock_take (&run->lock);
  run->is_over = TRUE;
  run_wake_locked (run);
  run_push_locked (run, end);
  tti_lock_release (&run->lock);
  tti_script_run_unref (run);
  return NULL;
}

static void
run_attach_source (TtiScriptRun *run)
{
  run->source = g_source_new (&events_functions, sizeof (GSource));
  g_source_set_static_name (run->source, "[tutti-script-events]");
  /* A procedure of the application may run a loop of its own. */
  g_source_set_can_recurse (run->source, TRUE);
  g_source_set_callback (run->source, events_ready, tti_script_run_ref (run), (GDestroyNotify) tti_script_run_unref);
  g_source_attach (run->source, run->plan.context);
}

TtiScriptRun *
tti_script_run_start (const TtiScriptPlan *plan, GCancellable *cancellable, GError **error)
{
  static guint last_number; /* atomic */
  TtiScriptRun *run = g_new0 (TtiScriptRun, 1);
  Start *start = g_new (Start, 1);

  g_atomic_ref_count_init (&run->refs);
  run->plan = *plan;
  run->number = g_atomic_int_add (&last_number, 1) + 1;
  g_cond_init (&run->changed);
  g_queue_init (&run->events);
  run->wakeups = g_array_new (FALSE, FALSE, sizeof (int));
  run->rest[0] = g_string_new (NULL);
  run->rest[1] = g_string_new (NULL);
  if (plan->context != NULL)
    run_attach_source (run);
  *start = (Start){ tti_script_run_ref (run), cancellable != NULL ? g_object_ref (cancellable) : NULL };
  GThread *thread = tti_thread_start ("tutti-script", run_thread, start, error);

  if (thread != NULL)
    {
      g_thread_unref (thread);
      return run;
    }
  if (run->source != NULL)
    {
      g_source_destroy (run->source);
      g_source_unref (g_steal_pointer (&run->source));
    }
  g_clear_object (&start->cancellable);
  tti_script_run_unref (start->run);
  g_free (start);
  tti_script_run_unref (run);
  return NULL;
}
