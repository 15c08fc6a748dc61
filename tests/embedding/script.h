/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What tests of scripts share: running one in the main loop, and what came of it. */
#pragma once
#include <string.h>
#include <tutti/guile.h>

/* Seconds after which a test hangs, on a slow machine too. */
#define PATIENCE 120

typedef struct
{
  TuttiGuileScript *script;
  GCancellable *cancellable;
  GMainLoop *loop;
  GString *output, *errors;   /* lines */
  guint n_progress;
  guint64 done, total;
  char *progress_text;
  const char *cancel_at;      /* when this line comes the script is cancelled */
  gint64 cancelled_at;
  TuttiValue *value;
  GError *error;
} Job;

static void
job_output (TuttiGuileScript *script, const char *text, gboolean is_error, gpointer data)
{
  Job *job = data;

  g_assert_true (TUTTI_IS_GUILE_SCRIPT (script));
  g_string_append_printf (is_error ? job->errors : job->output, "%s\n", text);
  if (g_strcmp0 (text, job->cancel_at) == 0)
    {
      job->cancelled_at = g_get_monotonic_time ();
      g_cancellable_cancel (job->cancellable);
    }
}

static void
job_progress (TuttiGuileScript *script, guint64 done, guint64 total, const char *text, gpointer data)
{
  Job *job = data;

  g_assert_true (TUTTI_IS_GUILE_SCRIPT (script));
  g_assert_cmpuint (done, >=, job->done);
  job->n_progress++;
  job->done = done;
  job->total = total;
  g_free (job->progress_text);
  job->progress_text = g_strdup (text);
}

static Job *
job_new (TuttiGuileScript *script)
{
  Job *job = g_new0 (Job, 1);

  job->script = script;
  job->cancellable = g_cancellable_new ();
  job->output = g_string_new (NULL);
  job->errors = g_string_new (NULL);
  g_signal_connect (script, "output", G_CALLBACK (job_output), job);
  g_signal_connect (script, "progress", G_CALLBACK (job_progress), job);
  return job;
}

static void
job_free (Job *job)
{
  g_signal_handlers_disconnect_by_data (job->script, job);
  g_object_unref (job->script);
  g_object_unref (job->cancellable);
  g_string_free (job->output, TRUE);
  g_string_free (job->errors, TRUE);
  g_free (job->progress_text);
  g_clear_pointer (&job->value, tutti_value_unref);
  g_clear_error (&job->error);
  g_free (job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Job, job_free)

static void
job_ended (GObject *object, GAsyncResult *result, gpointer data)
{
  Job *job = data;

  job->value = tutti_guile_run_script_finish (TUTTI_GUILE_SCRIPT (object), result, &job->error);
  g_assert_true ((job->value == NULL) == (job->error != NULL));
}

static gboolean
job_hangs (gpointer data)
{
  (void) data;
  g_error ("a script has not ended after %d seconds", PATIENCE);
  return G_SOURCE_REMOVE;
}

static void
job_start (Job *job)
{
  tutti_guile_run_script_async (job->script, job->cancellable, job_ended, job);
}

/* Iterate the main context until JOB has ended. */
static void
job_wait (Job *job)
{
  guint watchdog = g_timeout_add_seconds (PATIENCE, job_hangs, NULL);

  while (job->value == NULL && job->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (watchdog);
}

/* Run TEXT with ENGINE to its end. */
G_GNUC_UNUSED static Job *
job_run (TuttiEngine *engine, const char *text)
{
  Job *job = job_new (tutti_guile_script_new_for_expression (engine, text));

  job_start (job);
  job_wait (job);
  return job;
}

static TuttiEngine *
engine_new (void)
{
  g_autoptr (GError) error = NULL;
  TuttiEngine *engine = tutti_engine_new (&error);

  g_assert_no_error (error);
  return engine;
}
