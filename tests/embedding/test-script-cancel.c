/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scripts that are cancelled, wherever they are. It links with the public libraries alone. */
#include "script.h"

static TuttiEngine *engine;

static void
assert_cancelled (Job *job)
{
  g_assert_error (job->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* What a script does when it has said "now", and is cancelled. */
static void
test_cancel (gconstpointer data)
{
  g_autofree char *text = g_strdup_printf ("(use-modules (ice-9 threads))"
                                           "(define-remote (nap x) (usleep 10000) (nap x))"
                                           "(define (now!) (display \"now\\n\"))"
                                           "(define pids '())"
                                           "(dynamic-wind (const #t) (lambda () %s) (lambda () (display \"left\\n\")))"
                                           "(display \"went on\\n\")", (const char *) data);
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, text));

  job->cancel_at = "now";
  job_start (job);
  job_wait (job);
  assert_cancelled (job);
  g_assert_cmpstr (job->output->str, ==, "now\nleft\n");
  g_assert_cmpint (tutti_guile_script_get_exit_status (job->script), ==, 0);
}

static const struct { const char *name, *text; } places[] = {
  { "loop", "(now!) (let loop () (loop))" },
  { "allocating", "(now!) (let loop ((x '())) (loop (list x)))" },
  { "sleep", "(now!) (sleep 1000)" },
  { "map", "(call-with-pool 2 (lambda (pool) (now!) (pool-map pool nap (iota 10))))" },
  { "task", "(call-with-pool 1 (lambda (pool) (let ((task (pool-submit! pool nap 1))) (now!) (task-wait task))))" },
  { "serial", "(now!) (pool-map (make-serial-pool) nap (iota 10))" },
  /* One that its own thread waits for as well; of others Guile says that they are locked already. */
  { "mutex", "(let ((m (make-mutex 'allow-external-unlock))) (lock-mutex m) (now!) (lock-mutex m))" },
  { "condition", "(let ((m (make-mutex)) (c (make-condition-variable))) (lock-mutex m) (now!) (wait-condition-variable c m))" },
  { "handlers", "(now!) (let loop () (catch #t (lambda () (let spin () (spin))) (const 1)) (loop))" },
  { "compiler", "(now!) (let loop () ((@ (system base compile) compile) '(lambda (x) (let ((y x)) (list y y)))) (loop))" },
  { "output", "(now!) (let loop () (display \"\") (force-output) (loop))" },
};

/* The application is asked something and takes its time: it cancels instead of answering. */
static TuttiValue *
ask (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  g_cancellable_cancel (((Job *) data)->cancellable);
  return tutti_value_new_integer (1);
}

static gboolean
cancel_now (gpointer data)
{
  g_cancellable_cancel (((Job *) data)->cancellable);
  return G_SOURCE_REMOVE;
}

/* A main loop inside of the procedure, as dialogs have them. */
static TuttiValue *
ask_with_loop (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  Job *job = data;

  (void) arguments;
  (void) n;
  (void) error;
  g_timeout_add (10, cancel_now, job);
  while (job->value == NULL && job->error == NULL)
    g_main_context_iteration (NULL, TRUE);
  return tutti_value_new_integer (1);
}

static void
test_cancel_in_procedure (gconstpointer data)
{
  g_autoptr (Job) job
    = job_new (tutti_guile_script_new_for_expression (engine, "(ask) (let loop () (loop))"));

  tutti_guile_script_define (job->script, "ask", *(TuttiGuileProcedure *) data, job, NULL);
  job_start (job);
  job_wait (job);
  assert_cancelled (job);
}

/* Before it has begun, or Guile. */
static void
test_cancelled_before (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "1"));
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (job->cancellable);
  job_start (job);
  job_wait (job);
  assert_cancelled (job);
  g_assert_null (tutti_guile_run_script (job->script, job->cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_cancelled_at_once (void)
{
  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "(let loop () (loop))"));

      job_start (job);
      g_usleep (i * 500); /* any time is right */
      g_cancellable_cancel (job->cancellable);
      job_wait (job);
      assert_cancelled (job);
    }
}

/* A cancellation that comes when the script is over, or leaves already, changes nothing. */
static void
test_cancelled_at_end (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "(display \"now\\n\") 5"));

  job->cancel_at = "now";
  job_start (job);
  job_wait (job);
  if (job->error != NULL)
    assert_cancelled (job);
  else
    g_assert_cmpint (tutti_value_get_integer (job->value), ==, 5);
}

/* The unwinding is not interrupted, and the workers are gone when it has ended. */
static void
test_workers_gone (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (
    engine, "(define pool (make-pool 3))"
            "(for-each (lambda (w) (display (worker-pid w)) (newline)) (pool-workers pool))"
            "(define-remote (hang x) (usleep 1000) (hang x))"
            "(display \"now\\n\")"
            "(pool-map pool hang (iota 5))"));

  job->cancel_at = "now";
  job_start (job);
  job_wait (job);
  assert_cancelled (job);
  g_auto (GStrv) lines = g_strsplit (job->output->str, "\n", -1);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *file = g_strconcat ("/proc/", lines[i], NULL);

      g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
    }
}

/* After all that scripts run as before. */
static void
test_afterwards (void)
{
  g_autoptr (Job) job = job_run (engine, "(call-with-pool 2 (lambda (pool) (apply + (pool-map pool 1+ (iota 10)))))");

  g_assert_no_error (job->error);
  g_assert_cmpint (tutti_value_get_integer (job->value), ==, 55);
}

static gpointer
cancel_from_thread (gpointer data)
{
  g_cancellable_cancel (((Job *) data)->cancellable);
  return NULL;
}

static void
blocking_output (TuttiGuileScript *script, const char *text, gboolean is_error, gpointer data)
{
  (void) script;
  (void) text;
  (void) is_error;
  g_thread_unref (g_thread_new ("cancel", cancel_from_thread, data));
}

static void
test_blocking (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "(display \"now\\n\") (let loop () (loop))"));
  g_autoptr (GError) error = NULL;

  g_signal_connect (job->script, "output", G_CALLBACK (blocking_output), job);
  g_assert_null (tutti_guile_run_script (job->script, job->cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  static TuttiGuileProcedure procedures[] = { ask, ask_with_loop };

  g_test_init (&argc, &argv, NULL);
  engine = engine_new ();
  g_test_add_func ("/script-cancel/before", test_cancelled_before);
  g_test_add_func ("/script-cancel/at-once", test_cancelled_at_once);
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autofree char *path = g_strconcat ("/script-cancel/in/", places[i].name, NULL);

      g_test_add_data_func (path, places[i].text, test_cancel);
    }
  g_test_add_data_func ("/script-cancel/in/procedure", &procedures[0], test_cancel_in_procedure);
  g_test_add_data_func ("/script-cancel/in/procedure-with-loop", &procedures[1], test_cancel_in_procedure);
  g_test_add_func ("/script-cancel/at-end", test_cancelled_at_end);
  g_test_add_func ("/script-cancel/workers-gone", test_workers_gone);
  g_test_add_func ("/script-cancel/blocking", test_blocking);
  g_test_add_func ("/script-cancel/afterwards", test_afterwards);
  int status = g_test_run ();

  g_object_unref (engine);
  return status;
}
