/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks: their states, dependencies, ends of every kind, and what is refused. */
#include "embedding-test.h"
#include <glib/gstdio.h>
#include <glib/gstdio.h>
#include <signal.h>

/* A folder for tasks that meet us at a file. */
typedef struct
{
  char *folder, *file;
} Meeting;

static void
meeting_begin (Meeting *self)
{
  g_autoptr (GError) error = NULL;

  self->folder = g_dir_make_tmp ("tutti-embedding-XXXXXX", &error);
  g_assert_no_error (error);
  self->file = g_build_filename (self->folder, "here", NULL);
}

static TuttiTask *
meeting_task (Meeting *self)
{
  return task_of ("meet", tutti_value_new_text (self->file));
}

static void
meeting_await (Meeting *self)
{
  AWAIT (g_file_test (self->file, G_FILE_TEST_EXISTS));
}

static void
meeting_end (Meeting *self)
{
  (void) g_unlink (self->file);
  g_assert_cmpint (g_rmdir (self->folder), ==, 0);
  g_free (self->folder);
  g_free (self->file);
}

static TuttiValue *
wait_for (TuttiTask *task)
{
  g_autoptr (GError) error = NULL;
  TuttiValue *value = tutti_task_wait (task, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpint (tutti_task_get_state (task), ==, TUTTI_TASK_DONE);
  return value;
}

/* TASK ends with CODE, and says so again and again. */
static void
assert_fails (TuttiTask *task, GQuark domain, int code, const char *part)
{
  g_autoptr (GError) error = NULL, again = NULL;

  g_assert_null (tutti_task_wait (task, NULL, &error));
  g_assert_error (error, domain, code);
  if (part != NULL && strstr (error->message, part) == NULL)
    g_error ("'%s' is not in '%s'", part, error->message);
  g_assert_cmpint (tutti_task_get_state (task), ==, TUTTI_TASK_FAILED);
  g_assert_null (tutti_task_dup_result (task, &again));
  g_assert_error (again, domain, code);
}

static void
test_states (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (GError) error = NULL;
  Meeting meeting;
  meeting_begin (&meeting);
  g_autoptr (TuttiTask) first = meeting_task (&meeting), second = task_of ("square", tutti_value_new_real (3));
  g_autoptr (TuttiTask) third = task_of ("square", NULL);

  tutti_task_add_dependency (third, second);
  g_assert_cmpint (tutti_task_get_state (first), ==, TUTTI_TASK_NEW);
  g_assert_cmpuint (tutti_task_get_id (first), ==, 0);
  g_assert_cmpint (tutti_task_get_worker (first), ==, -1);
  g_assert_null (tutti_task_get_certificate (first));
  submit (pool, first);
  submit (pool, second);
  submit (pool, third);
  meeting_await (&meeting);
  g_assert_cmpint (tutti_task_get_state (first), ==, TUTTI_TASK_RUNNING);
  g_assert_cmpint (tutti_task_get_state (third), ==, TUTTI_TASK_WAITING);
  g_assert_cmpuint (tutti_task_get_id (first), >, 0);
  g_assert_cmpuint (tutti_task_get_id (first), <, tutti_task_get_id (second));
  g_assert_null (tutti_task_dup_result (first, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_cmpint (g_unlink (meeting.file), ==, 0);
  g_autoptr (TuttiValue) one = wait_for (first), two = wait_for (second), three = wait_for (third), again = wait_for (third);
  assert_real (two, 9);
  assert_real (three, 81);
  assert_real (again, 81);
  g_assert_cmpint (tutti_value_get_integer (one), ==, tutti_pool_get_worker_pid (pool, 0));
  g_assert_cmpint (tutti_task_get_worker (third), ==, 0);
  g_assert_cmpuint (tutti_task_get_attempts (third), ==, 1);
  meeting_end (&meeting);
  pool_end (pool);
}

static void
test_properties (void)
{
  g_autoptr (TuttiTask) task = task_of ("nothing", NULL);
  g_autofree char *module = NULL, *function = NULL;
  guint timeout, retries;
  int worker;

  g_object_set (task, "timeout", 5000, "retries", 7, "worker", 1, NULL);
  g_object_get (task, "module", &module, "function", &function, "timeout", &timeout, "retries", &retries, "worker", &worker, NULL);
  g_assert_cmpstr (module, ==, example ());
  g_assert_cmpstr (function, ==, "nothing");
  g_assert_cmpuint (timeout, ==, 5000);
  g_assert_cmpuint (tutti_task_get_timeout (task), ==, 5000);
  g_assert_cmpuint (retries, ==, 7);
  g_assert_cmpuint (tutti_task_get_retries (task), ==, 7);
  g_assert_cmpint (worker, ==, 1);
  tutti_task_set_timeout (task, 0);
  tutti_task_set_retries (task, 0);
  tutti_task_set_worker (task, -1);
  g_assert_cmpuint (tutti_task_get_timeout (task), ==, 0);
  g_assert_cmpuint (tutti_task_get_retries (task), ==, 0);
  g_assert_cmpint (tutti_task_get_worker (task), ==, -1);
}

/* The sum of squares, as a tree of tasks on all workers; large values go from worker to worker. */
static void
test_dependencies (void)
{
  TuttiPool *pool = pool_new (3);
  g_autoptr (TuttiTask) sum = task_of ("sum", tutti_value_new_real (1000));
  double expected = 1000;

  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (TuttiTask) square = task_of ("square", tutti_value_new_integer (i)), again = task_of ("square", NULL);

      submit (pool, square);
      tutti_task_add_dependency (again, square);
      submit (pool, again);
      tutti_task_add_dependency (sum, again);
      expected += (double) i * i * i * i;
    }
  submit (pool, sum);
  g_autoptr (TuttiValue) total = wait_for (sum);
  assert_real (total, expected);
  g_autoptr (TuttiTask) numbers = task_of ("count", tutti_value_new_integer (300000)), scaled = task_of ("scale", NULL);
  submit (pool, numbers);
  tutti_task_add_dependency (scaled, numbers);
  g_autoptr (TuttiValue) factor = tutti_value_new_real (2);
  tutti_task_add_argument (scaled, factor);
  submit (pool, scaled);
  g_autoptr (TuttiValue) value = wait_for (scaled);
  gsize n;
  g_assert_cmpfloat (tutti_vector_get_doubles (tutti_value_get_vector (value), &n)[299999], ==, 599998);
  pool_end (pool);
}

static void
test_failed_dependency (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiTask) bad = task_of ("fail", tutti_value_new_text ("earth")), on = task_of ("square", NULL);
  g_autoptr (TuttiTask) over = task_of ("square", NULL);

  tutti_task_add_dependency (on, bad);
  tutti_task_add_dependency (over, on);
  g_assert_false (tutti_pool_submit (pool, on, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  submit (pool, bad);
  submit (pool, on);
  submit (pool, over);
  assert_fails (over, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "earth");
  assert_fails (bad, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "earth");
  /* One of another engine that has ended is as good as any. */
  TuttiPool *elsewhere = pool_new (1);
  g_autoptr (TuttiTask) there = task_of ("square", tutti_value_new_real (2)), here = task_of ("square", NULL);
  submit (elsewhere, there);
  tutti_value_unref (wait_for (there));
  tutti_task_add_dependency (here, there);
  submit (pool, here);
  g_autoptr (TuttiValue) value = wait_for (here);
  assert_real (value, 16);
  g_autoptr (TuttiTask) hanging = task_of ("hang", NULL), on_it = task_of ("square", NULL);
  submit (elsewhere, hanging);
  tutti_task_add_dependency (on_it, hanging);
  g_assert_false (tutti_pool_submit (pool, on_it, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  pool_end (elsewhere);
  pool_end (pool);
}

static void
test_errors (void)
{
  TuttiPool *pool = pool_new (1);
  const struct { const char *function, *part; GQuark domain; int code; } cases[] = {
    { "fail", "no model 'x'", G_IO_ERROR, G_IO_ERROR_NOT_FOUND },
    { "none-such", "has no function 'none-such', only 'nothing'", TUTTI_ERROR, TUTTI_ERROR_MODULE },
    { "nothing", "takes 0 arguments, and got 1", TUTTI_ERROR, TUTTI_ERROR_ARGUMENT },
    { "scale", "takes 2 arguments, and got 1", TUTTI_ERROR, TUTTI_ERROR_ARGUMENT },
    { "square", "what is squared is a text, expected a real number", TUTTI_ERROR, TUTTI_ERROR_ARGUMENT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (TuttiTask) task = task_of (cases[i].function, tutti_value_new_text ("x"));

      submit (pool, task);
      assert_fails (task, cases[i].domain, cases[i].code, cases[i].part);
      g_assert_null (tutti_task_get_certificate (task));
    }
  g_autoptr (TuttiTask) forget = task_of ("forget", NULL), file = tutti_task_new ("/there/is/none.so", "f", NULL, 0);
  g_autoptr (TuttiTask) named = tutti_task_new ("no-such-module", "f", NULL, 0);
  g_autofree char *operators = helper ("complex-operator.so");
  g_autoptr (TuttiTask) other = tutti_task_new (operators, "f", NULL, 0);
  submit (pool, forget);
  submit (pool, file);
  submit (pool, named);
  submit (pool, other);
  assert_fails (forget, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "tutti_value_new_null ()");
  assert_fails (file, TUTTI_ERROR, TUTTI_ERROR_MODULE, "/there/is/none.so");
  assert_fails (named, TUTTI_ERROR, TUTTI_ERROR_MODULE, "no-such-module");
  assert_fails (other, TUTTI_ERROR, TUTTI_ERROR_MODULE, "is not a task module");
  assert_square (pool, 3);
  pool_end (pool);
}

static void
test_refused (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiTask) task = task_of ("square", tutti_value_new_real (3)), pinned = task_of ("nothing", NULL);
  g_autoptr (TuttiTask) unnamed = g_object_new (TUTTI_TYPE_TASK, NULL);

  g_assert_null (tutti_task_wait (task, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "not submitted"));
  g_clear_error (&error);
  g_assert_null (tutti_task_dup_result (task, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  submit (pool, task);
  g_assert_false (tutti_pool_submit (pool, task, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "submitted before"));
  g_clear_error (&error);
  g_autoptr (TuttiValue) value = wait_for (task);
  assert_real (value, 9);
  g_assert_false (tutti_pool_submit (pool, task, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (tutti_pool_submit (pool, unnamed, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  tutti_task_set_worker (pinned, 2);
  g_assert_false (tutti_pool_submit (pool, pinned, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  /* It is as it was. */
  tutti_task_set_worker (pinned, 1);
  submit (pool, pinned);
  tutti_value_unref (wait_for (pinned));
  g_assert_cmpint (tutti_task_get_worker (pinned), ==, 1);
  g_autoptr (TuttiTask) late = task_of ("nothing", NULL);
  g_assert_true (tutti_pool_close (pool));
  g_assert_true (tutti_pool_is_closed (pool));
  g_assert_false (tutti_pool_submit (pool, late, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  pool_end (pool);
}

typedef struct
{
  TuttiPool *pool;
  TuttiTask *task;
  gint n_accepted; /* atomic */
} Race;

static gpointer
submit_too (gpointer data)
{
  Race *race = data;

  if (tutti_pool_submit (race->pool, race->task, NULL))
    g_atomic_int_inc (&race->n_accepted);
  return NULL;
}

/* Of threads that submit the same task one does so. */
static void
test_submitted_twice_at_once (void)
{
  TuttiPool *pool = pool_new (2);

  for (guint i = 0; i < 100; i++)
    {
      g_autoptr (TuttiTask) task = task_of ("square", tutti_value_new_integer (i));
      Race race = { pool, task, 0 };
      GThread *threads[3];

      for (guint k = 0; k < 3; k++)
        threads[k] = g_thread_new ("submit", submit_too, &race);
      for (guint k = 0; k < 3; k++)
        g_thread_join (threads[k]);
      g_assert_cmpint (race.n_accepted, ==, 1);
      g_autoptr (TuttiValue) value = wait_for (task);
      assert_real (value, (double) i * i);
    }
  pool_end (pool);
}

static void
test_timeout_and_death (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (TuttiTask) slow = task_of ("hang", NULL), deadly = task_of ("die", tutti_value_new_integer (SIGSEGV));

  tutti_task_set_timeout (slow, 50);
  tutti_task_set_retries (deadly, 1);
  submit (pool, slow);
  submit (pool, deadly);
  assert_fails (slow, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT, NULL);
  assert_fails (deadly, TUTTI_ERROR, TUTTI_ERROR_DIED, "SIGSEGV");
  g_assert_null (tutti_task_get_certificate (slow));
  TuttiCertificate *certificate = tutti_task_get_certificate (deadly);
  g_assert_cmpint (tutti_certificate_get_reason (certificate), ==, TUTTI_DEATH_SIGNAL);
  g_assert_cmpint (tutti_certificate_get_signal (certificate), ==, SIGSEGV);
  g_assert_cmpint (tutti_certificate_get_exit_status (certificate), ==, -1);
  g_assert_cmpuint (tutti_certificate_get_task (certificate), ==, tutti_task_get_id (deadly));
  g_assert_cmpuint (tutti_certificate_get_worker (certificate), ==, (guint) tutti_task_get_worker (deadly));
  g_assert_cmpint (tutti_certificate_get_pid (certificate), >, 0);
  g_assert_cmpuint (tutti_certificate_get_input_size (certificate), >, 0);
  g_assert_cmpuint (tutti_certificate_get_peak_memory (certificate), >, 0);
  g_assert_nonnull (strstr (tutti_certificate_get_stderr (certificate), "dying of signal 11"));
  (void) tutti_certificate_get_detail (certificate);
  g_autofree char *line = tutti_certificate_describe (certificate);
  g_assert_nonnull (strstr (line, "SIGSEGV"));
  g_assert_cmpuint (tutti_task_get_attempts (deadly), ==, 2);
  g_autoptr (TuttiCertificate) kept = tutti_certificate_ref (certificate), last = tutti_pool_dup_last_death (pool);
  g_assert_nonnull (last);
  g_clear_object (&deadly);
  g_assert_cmpint (tutti_certificate_get_signal (kept), ==, SIGSEGV);
  assert_square (pool, 4);
  pool_end (pool);
}

static void
test_retried (void)
{
  TuttiPool *pool = pool_new (2);
  Meeting meeting;

  meeting_begin (&meeting);
  g_autoptr (TuttiTask) task = task_of ("die-once", tutti_value_new_text (meeting.file));
  submit (pool, task);
  g_autoptr (TuttiValue) value = wait_for (task);
  g_assert_cmpint (tutti_value_get_integer (value), ==, 1);
  g_assert_cmpuint (tutti_task_get_attempts (task), ==, 2);
  g_assert_null (tutti_task_get_certificate (task));
  meeting_end (&meeting);
  pool_end (pool);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancelled (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (GError) error = NULL;
  Meeting meeting;
  meeting_begin (&meeting);
  g_autoptr (TuttiTask) before = task_of ("square", tutti_value_new_real (2)), running = meeting_task (&meeting);
  g_autoptr (TuttiTask) queued = task_of ("nothing", NULL);

  /* Before it is submitted: it never runs. */
  tutti_task_cancel (before);
  g_assert_cmpint (tutti_task_get_state (before), ==, TUTTI_TASK_NEW);
  submit (pool, before);
  assert_fails (before, TUTTI_ERROR, TUTTI_ERROR_CANCELLED, NULL);
  submit (pool, running);
  submit (pool, queued);
  meeting_await (&meeting);
  tutti_task_cancel (queued);
  assert_fails (queued, TUTTI_ERROR, TUTTI_ERROR_CANCELLED, NULL);
  g_assert_cmpint (tutti_task_get_state (running), ==, TUTTI_TASK_RUNNING);
  tutti_task_cancel (running);
  assert_fails (running, TUTTI_ERROR, TUTTI_ERROR_CANCELLED, NULL);
  assert_square (pool, 2);
  /* What has ended stays as it is. */
  g_autoptr (TuttiTask) done = task_of ("square", tutti_value_new_real (5));
  submit (pool, done);
  g_autoptr (TuttiValue) value = wait_for (done);
  tutti_task_cancel (done);
  g_autoptr (TuttiValue) same = wait_for (done);
  assert_real (same, 25);
  /* By a cancellable, from another thread while this one waits; and one that was cancelled before. */
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (TuttiTask) hang = task_of ("hang", NULL), hang_too = task_of ("hang", NULL);
  submit (pool, hang);
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_null (tutti_task_wait (hang, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_thread_join (thread);
  submit (pool, hang_too);
  g_assert_null (tutti_task_wait (hang_too, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  assert_fails (hang_too, TUTTI_ERROR, TUTTI_ERROR_CANCELLED, NULL);
  g_assert_null (tutti_pool_call (pool, example (), "hang", NULL, 0, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_square (pool, 3);
  meeting_end (&meeting);
  pool_end (pool);
}

/* What a function starts ends with it, and what it changes in its worker is not seen by the next. */
static void
test_left_behind (void)
{
  TuttiPool *pool = pool_new (1);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (TuttiValue) pid = tutti_pool_call (pool, example (), "leave", NULL, 0, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (kill ((pid_t) tutti_value_get_integer (pid), 0), <, 0);
    }
  /* A worker with ThreadSanitizer lacks the functions that see such changes: the sanitizer would call them before it is ready. */
#ifndef __SANITIZE_THREAD__
  g_autoptr (TuttiValue) before = tutti_pool_call (pool, example (), "change", NULL, 0, NULL, NULL);
  g_autoptr (TuttiValue) after = tutti_pool_call (pool, example (), "change", NULL, 0, NULL, NULL);
  g_assert_true (tutti_value_equal (before, after));
#endif
  pool_end (pool);
}

/* A relative name means the folder in which the application was when it made the pool, also for workers that come later. */
static void
test_relative_name (void)
{
  g_autofree char *here = g_get_current_dir ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_chdir (g_getenv ("TUTTI_HELPERS")), ==, 0);
  TuttiPool *pool = pool_new (1);
  g_assert_cmpint (g_chdir ("/"), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (TuttiValue) value = tutti_pool_call (pool, "./example-module.so", "nothing", NULL, 0, NULL, &error);

      g_assert_no_error (error);
      g_assert_nonnull (value);
      g_autoptr (TuttiValue) number = tutti_value_new_integer (SIGKILL);
      g_autoptr (TuttiTask) death = tutti_task_new ("example-module.so", "die", &number, 1);

      tutti_task_set_retries (death, 0);
      g_assert_true (tutti_pool_submit (pool, death, NULL));
      g_assert_null (tutti_task_wait (death, NULL, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
      g_clear_error (&error);
    }
  pool_end (pool);
  g_assert_cmpint (g_chdir (here), ==, 0);
}

static void
test_later_version (void)
{
  TuttiPool *pool = pool_new (1);
  g_autofree char *module = helper ("newer-module.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) value = tutti_pool_call (pool, module, "nothing", NULL, 0, NULL, &error);

  g_assert_null (value);
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE);
  g_assert_nonnull (strstr (error->message, "flags 0x100000"));
  g_assert_nonnull (strstr (error->message, "newer one"));
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/tasks/states", test_states);
  g_test_add_func ("/embedding/tasks/properties", test_properties);
  g_test_add_func ("/embedding/tasks/dependencies", test_dependencies);
  g_test_add_func ("/embedding/tasks/failed-dependency", test_failed_dependency);
  g_test_add_func ("/embedding/tasks/errors", test_errors);
  g_test_add_func ("/embedding/tasks/refused", test_refused);
  g_test_add_func ("/embedding/tasks/submitted-twice-at-once", test_submitted_twice_at_once);
  g_test_add_func ("/embedding/tasks/timeout-and-death", test_timeout_and_death);
  g_test_add_func ("/embedding/tasks/retried", test_retried);
  g_test_add_func ("/embedding/tasks/cancelled", test_cancelled);
  g_test_add_func ("/embedding/tasks/left-behind", test_left_behind);
  g_test_add_func ("/embedding/tasks/relative-name", test_relative_name);
  g_test_add_func ("/embedding/tasks/later-version", test_later_version);
  return g_test_run ();
}
