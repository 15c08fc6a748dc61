/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scripts in an application: values, output, progress, procedures, errors. It links with the public libraries alone. */
#include "script.h"
#include <glib/gstdio.h>
#include <unistd.h>

static TuttiEngine *engine;

static void
assert_printed (Job *job, const char *expected)
{
  g_assert_no_error (job->error);
  g_autofree char *text = tutti_value_print (job->value);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_value (void)
{
  static const struct { const char *text, *printed; } cases[] = {
    { "1 2 (+ 1 2)", "3" },
    { "(list 1 2.5 \"a\" #t)", "(1 2.5 \"a\" true)" },
    { "(define x 1)", "null" },           /* a definition has no value */
    { "", "null" },
    { "(if #f #f)", "null" },
    { "(lambda () 1)", "null" },           /* cannot travel */
    { "(values)", "null" },
    { "(values 7 8)", "7" },
    { "(exit)", "null" },
    { "(exit #t)", "null" },
    { "(cdr (command-line))", "(\"one\" \"zwei ä\")" },
    { "(read-char)", NULL },
    { "(call-with-pool 2 (lambda (pool) (pool-map pool sqrt '(1 4 9))))", "(1 2 3)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, cases[i].text));

      tutti_guile_script_set_arguments (job->script, (const char *const[]){ "one", "zwei ä", NULL });
      job_start (job);
      job_wait (job);
      g_test_message ("%s", cases[i].text);
      if (cases[i].printed != NULL)
        assert_printed (job, cases[i].printed);
      else
        g_assert_no_error (job->error);
    }
}

static void
test_output (void)
{
  g_autoptr (Job) job = job_run (engine,
                                 "(display \"a\") (display \"b\\nc\\n\") (display \"warn\\n\" (current-error-port))"
                                 "(define-remote (say x) (display \"from a worker\\n\") x)"
                                 "(call-with-pool 1 (lambda (pool) (pool-apply pool say 1)))"
                                 "(display \"größer\\n\") (display \"no newline\")");

  g_assert_no_error (job->error);
  g_assert_cmpstr (job->output->str, ==, "ab\nc\ngrößer\nno newline\n");
  g_assert_cmpstr (job->errors->str, ==, "warn\n[worker 0] from a worker\n");
}

/* A script that writes faster than the application reads waits, and nothing is lost. */
static void
test_much_output (void)
{
  g_autoptr (Job) job = job_run (engine,
                                 "(define line (make-string 99 #\\x))"
                                 "(do ((i 0 (1+ i))) ((= i 100000)) (display line) (newline))");

  g_assert_no_error (job->error);
  g_assert_cmpuint (job->output->len, ==, 100000 * 100);
}

static void
test_progress (void)
{
  g_autoptr (Job) job = job_run (engine,
                                 "(define-remote (slow x) (usleep 150000) x)"
                                 "(call-with-pool 2 (lambda (pool) (length (pool-map pool slow (iota 8)))))");

  assert_printed (job, "8");
  g_assert_cmpuint (job->n_progress, >=, 2);
  g_assert_cmpuint (job->done, ==, 8);
  g_assert_cmpuint (job->total, ==, 8);
  g_assert_true (g_str_has_prefix (job->progress_text, "slow: 8/8"));
  g_assert_cmpstr (job->errors->str, ==, "");
}

/* Where the script sends progress elsewhere, the application is not told. */
static void
test_progress_elsewhere (void)
{
  g_autoptr (Job) job = job_run (engine,
                                 "(define-remote (slow x) (usleep 150000) x)"
                                 "(parameterize ((progress-port #f))"
                                 "  (call-with-pool 2 (lambda (pool) (length (pool-map pool slow (iota 4))))))");

  assert_printed (job, "4");
  g_assert_cmpuint (job->n_progress, ==, 0);
}

typedef struct { GThread *thread; guint n; } Procedure;

static TuttiValue *
join (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  Procedure *procedure = data;

  (void) error;
  procedure->n++;
  g_assert_true (g_thread_self () == procedure->thread);
  return tutti_value_new_list (arguments, n);
}

static TuttiValue *
fail (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  (void) arguments;
  (void) n;
  (void) data;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "there is no such well");
  return NULL;
}

static TuttiValue *
sum (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  gsize size;
  double *numbers = n == 1 && tutti_value_get_vector (arguments[0]) != NULL
                      ? tutti_vector_get_doubles (tutti_value_get_vector (arguments[0]), &size) : NULL;
  double total = 0;

  (void) data;
  if (numbers == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "expected a vector of doubles");
      return NULL;
    }
  for (gsize i = 0; i < size; i++)
    total += numbers[i];
  return tutti_value_new_real (total);
}

static void
procedure_gone (gpointer data)
{
  ((Procedure *) data)->n += 1000;
}

static Job *
job_with_procedures (const char *text, Procedure *procedure)
{
  Job *job = job_new (tutti_guile_script_new_for_expression (engine, text));

  tutti_guile_script_define (job->script, "join", fail, NULL, NULL); /* defined again below */
  tutti_guile_script_define (job->script, "join", join, procedure, procedure_gone);
  tutti_guile_script_define (job->script, "fail", fail, NULL, NULL);
  tutti_guile_script_define (job->script, "sum", sum, NULL, NULL);
  job_start (job);
  job_wait (job);
  return job;
}

static void
test_procedure (void)
{
  static const struct { const char *text, *printed; } cases[] = {
    { "(join)", "()" },
    { "(join 1 \"two\" '(3 4) #f)", "(1 \"two\" (3 4) false)" },
    { "(sum (make-f64vector 100000 0.5))", "50000.0" },
    { "(sum (f64vector 1 2))", "3.0" },
    { "(procedure-name join)", "join" },
    { "(guard (e ((application-error? e) (list (exception-message e) (application-error-domain e) (application-error-code e))))"
      "  (fail))", "(\"there is no such well\" \"g-io-error-quark\" 1)" },
    { "(guard (e ((not-remotable? e) 'refused)) (join (current-output-port)))", "refused" },
    { "(begin (call-with-pool 2 (lambda (pool) (join (pool-map pool sqrt '(4 9))))))", "((2 3))" },
    { "(use-modules (ice-9 threads)) (par-map (lambda (i) (join i)) (iota 5))", "((0) (1) (2) (3) (4))" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Procedure procedure = { g_thread_self (), 0 };
      g_autofree char *text = g_strconcat ("(use-modules (ice-9 exceptions)) ", cases[i].text, NULL);
      Job *job = job_with_procedures (text, &procedure);

      g_test_message ("%s", cases[i].text);
      assert_printed (job, cases[i].printed);
      job_free (job);
      g_assert_cmpuint (procedure.n, >=, 1000);
    }
}

static void
test_procedure_fails (void)
{
  Procedure procedure = { g_thread_self (), 0 };
  g_autoptr (Job) job = job_with_procedures ("(fail)", &procedure);

  g_assert_error (job->error, TUTTI_GUILE_ERROR, TUTTI_GUILE_ERROR_RAISED);
  g_assert_cmpstr (job->error->message, ==, "expression: In procedure fail: there is no such well");
}

/* While a script waits for workers and the application, the loop goes on. */
static gboolean
tick (gpointer data)
{
  ++*(guint *) data;
  return G_SOURCE_CONTINUE;
}

static void
test_loop_goes_on (void)
{
  guint n = 0, source = g_timeout_add (1, tick, &n);
  g_autoptr (Job) job = job_run (engine, "(let loop ((i 0)) (if (< i 20000000) (loop (1+ i)))) (usleep 300000)");

  g_source_remove (source);
  g_assert_no_error (job->error);
  g_assert_cmpuint (n, >, 20);
}

/* --- errors ------------------------------------------------------------------------------------------------------------------ */

static void
test_errors (void)
{
  static const struct { const char *text, *message; TuttiGuileError code; } cases[] = {
    { "(car 1)", "expression: In procedure car: Wrong type (expecting pair): 1", TUTTI_GUILE_ERROR_RAISED },
    { "(display \"x\") (vec-nrm 1)", NULL, TUTTI_GUILE_ERROR_RAISED },
    { "(throw 'something 1 2)", NULL, TUTTI_GUILE_ERROR_RAISED },
    { "(raise-exception 7)", NULL, TUTTI_GUILE_ERROR_RAISED },
    { "(foo", NULL, TUTTI_GUILE_ERROR_SYNTAX },
    { "(let ((x)) x)", NULL, TUTTI_GUILE_ERROR_SYNTAX },
    { "(exit 3)", "the script has ended itself with status 3", TUTTI_GUILE_ERROR_EXITED },
    { "(exit #f)", "the script has ended itself with status 1", TUTTI_GUILE_ERROR_EXITED },
    { "(call-with-pool 1 (lambda (pool) (exit 4)))", "the script has ended itself with status 4", TUTTI_GUILE_ERROR_EXITED },
    { "(call-with-pool 1 (lambda (pool) (pool-map pool car '(1))))", NULL, TUTTI_GUILE_ERROR_RAISED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Job) job = job_run (engine, cases[i].text);

      g_test_message ("%s: %s", cases[i].text, job->error != NULL ? job->error->message : "no error");
      g_assert_error (job->error, TUTTI_GUILE_ERROR, (int) cases[i].code);
      if (cases[i].message != NULL)
        g_assert_cmpstr (job->error->message, ==, cases[i].message);
      g_assert_cmpint (tutti_guile_script_get_exit_status (job->script), ==, cases[i].code != TUTTI_GUILE_ERROR_EXITED ? 0
                       : atoi (strrchr (job->error->message, ' ')));
    }
}

/* What `tutti run' prints. */
static char *
run_by_program (const char *file, const char *path)
{
  g_autofree char *errors = NULL, *output = NULL;
  g_autoptr (GError) error = NULL;
  const char *program = g_getenv ("TUTTI");

  g_assert_nonnull (program);
  g_spawn_sync (path, (char *[]){ (char *) program, "run", (char *) file, NULL }, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, &errors, NULL,
                &error);
  g_assert_no_error (error);
  return g_strchomp (g_steal_pointer (&errors));
}

/* TEXT without the numbers of tasks, which count on in the process. */
static char *
without_numbers (const char *text)
{
  g_autoptr (GRegex) number = g_regex_new ("task [0-9]+", 0, 0, NULL);

  return g_regex_replace_literal (number, text, -1, 0, "task N", 0, NULL);
}

static void
test_message_of_file (void)
{
  static const char *const texts[] = {
    "(use-modules (tutti))\n(define (inner x) (+ 1 (car x)))\n(define (outer x) (* 2 (inner x)))\n(outer 5)\n",
    "(use-modules (tutti))\n(vec-nrm 1)\n",
    "(use-modules (tutti))\n(display (list 1 2)\n",
    "(use-modules (tutti))\n(let ((x)) x)\n",
    "(use-modules (tutti))\n(define-remote (f x) (car x))\n(call-with-pool 1 (lambda (pool) (pool-map pool f (list 1))))\n",
    "(use-modules (tutti))\n(define y 1)\n(define-remote (f x) (+ y x))\n(call-with-pool 1 (lambda (pool) (pool-map pool f (list 1))))\n",
  };
  g_autofree char *folder = g_dir_make_tmp ("tutti-script-XXXXXX", NULL), *file = g_build_filename (folder, "a script.scm", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_assert_true (g_file_set_contents (file, texts[i], -1, NULL));
      g_autofree char *printed = run_by_program (file, folder), *expected = without_numbers (printed);
      g_autoptr (Job) job = job_new (tutti_guile_script_new_for_file (engine, file));

      job_start (job);
      job_wait (job);
      g_assert_nonnull (job->error);
      /* Of warnings, which come before, the program makes one text with the report. */
      g_autofree char *all = g_strconcat (job->errors->str, job->error->message, NULL), *without = without_numbers (all);

      g_assert_cmpstr (without, ==, expected);
      TuttiGuileError code = i == 2 || i == 3 ? TUTTI_GUILE_ERROR_SYNTAX : TUTTI_GUILE_ERROR_RAISED;
      g_assert_error (job->error, TUTTI_GUILE_ERROR, (int) code);
    }
  g_remove (file);
  g_rmdir (folder);
}

static void
test_unreadable (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_file (engine, "/nonexistent/script.scm"));

  job_start (job);
  job_wait (job);
  g_assert_error (job->error, TUTTI_GUILE_ERROR, TUTTI_GUILE_ERROR_UNREADABLE);
  g_assert_cmpstr (job->error->message, ==, "tutti: cannot read the script /nonexistent/script.scm: No such file or directory");
}

/* The folder of a file has its modules, for it and its workers, and is forgotten afterwards. */
static void
test_file (void)
{
  g_autofree char *folder = g_dir_make_tmp ("tutti-script-XXXXXX", NULL), *file = g_build_filename (folder, "script.scm", NULL),
                  *module = g_build_filename (folder, "beside.scm", NULL);

  g_assert_true (g_file_set_contents (module, "(define-module (beside) #:export (triple)) (define (triple x) (* 3 x))", -1, NULL));
  g_assert_true (g_file_set_contents (file, "(use-modules (tutti) (beside))\n(display (command-line))\n"
                                            "(call-with-pool 2 (lambda (pool) (pool-map pool triple '(1 2))))", -1, NULL));
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_file (engine, file));

  tutti_guile_script_set_arguments (job->script, (const char *const[]){ "-v", NULL });
  job_start (job);
  job_wait (job);
  assert_printed (job, "(3 6)");
  g_autofree char *line = g_strdup_printf ("(%s -v)\n", file);
  g_assert_cmpstr (job->output->str, ==, line);
  g_autofree char *question = g_strdup_printf ("(->bool (member %s%s%s %%load-path))", "\"", folder, "\"");
  g_autoptr (Job) after = job_run (engine, question);
  assert_printed (after, "false");
  g_remove (file);
  g_remove (module);
  g_rmdir (folder);
}

/* --- how it is called -------------------------------------------------------------------------------------------------------- */

static void
test_blocking (void)
{
  g_autoptr (GError) error = NULL;
  Procedure procedure = { g_thread_self (), 0 };
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "(display \"line\\n\") (join (join 1))"));

  tutti_guile_script_define (job->script, "join", join, &procedure, NULL);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (TuttiValue) value = tutti_guile_run_script (job->script, NULL, &error);

      g_assert_no_error (error);
      g_autofree char *text = tutti_value_print (value);
      g_assert_cmpstr (text, ==, "((1))");
    }
  g_assert_cmpuint (procedure.n, ==, 6);
  g_assert_cmpstr (job->output->str, ==, "line\nline\nline\n");
}

static void
test_pending (void)
{
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (engine, "(usleep 200000) 1"));
  g_autoptr (GError) error = NULL;

  job_start (job);
  g_assert_null (tutti_guile_run_script (job->script, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  job_wait (job);
  assert_printed (job, "1");
}

static void
test_default_engine (void)
{
  g_autoptr (Job) job = job_run (NULL, "(call-with-pool 1 (lambda (pool) (pool-map pool 1+ '(1))))");

  assert_printed (job, "(2)");
}

/* What a script leaves open is closed. Its workers print their numbers. */
static void
assert_workers_gone (const char *numbers)
{
  g_auto (GStrv) parts = g_strsplit (numbers, "\n", -1);
  guint n = 0;

  for (guint i = 0; parts[i] != NULL; i++)
    if (parts[i][0] != '\0')
      {
        g_autofree char *file = g_strconcat ("/proc/", parts[i], NULL);

        n++;
        g_assert_false (g_file_test (file, G_FILE_TEST_EXISTS));
      }
  g_assert_cmpuint (n, ==, 3);
}

static void
test_left_open (void)
{
  static const char begin[] = "(define pool (make-pool 3))"
                              "(for-each (lambda (w) (display (worker-pid w)) (newline)) (pool-workers pool))"
                              "(define-remote (hang) (let loop () (usleep 1000) (loop)))";
  static const char *const ends[] = {
    "1", "(exit 2)", "(for-each (lambda (i) (pool-submit! pool hang)) (iota 5)) (car 1)", "(pool-submit! pool hang)",
    "(call-with-execution-manager (lambda (m) (make-pool 1) (error \"no\")))"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (ends); i++)
    {
      g_autofree char *text = g_strconcat (begin, ends[i], NULL);
      g_autoptr (Job) job = job_run (engine, text);

      g_test_message ("%s", ends[i]);
      assert_workers_gone (job->output->str);
    }
}

static guint
count_files (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* A thread that has ended is there for a moment. */
static gboolean
settles (const char *folder, guint most)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE * G_TIME_SPAN_SECOND;

  while (count_files (folder) > most)
    if (g_get_monotonic_time () > deadline)
      return FALSE;
    else
      g_usleep (1000);
  return TRUE;
}

static void
test_many (void)
{
  static const char text[] = "(define-remote (f x) (* x x)) (call-with-pool 2 (lambda (pool) (pool-map pool f (iota 5))))";
  guint threads = 0, descriptors = 0;

  for (guint i = 0; i < 25; i++)
    {
      g_autoptr (Job) job = job_run (engine, text);

      assert_printed (job, "(0 1 4 9 16)");
      if (i == 4)
        {
          threads = count_files ("/proc/self/task");
          descriptors = count_files ("/proc/self/fd");
        }
    }
  /* One that had not gone yet when they were counted would only be in favour. */
  g_assert_true (settles ("/proc/self/task", threads));
  g_assert_true (settles ("/proc/self/fd", descriptors));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  engine = engine_new ();
  g_test_add_func ("/script/value", test_value);
  g_test_add_func ("/script/output", test_output);
  g_test_add_func ("/script/much-output", test_much_output);
  g_test_add_func ("/script/progress", test_progress);
  g_test_add_func ("/script/progress-elsewhere", test_progress_elsewhere);
  g_test_add_func ("/script/procedure", test_procedure);
  g_test_add_func ("/script/procedure-fails", test_procedure_fails);
  g_test_add_func ("/script/loop-goes-on", test_loop_goes_on);
  g_test_add_func ("/script/errors", test_errors);
  g_test_add_func ("/script/message-of-file", test_message_of_file);
  g_test_add_func ("/script/unreadable", test_unreadable);
  g_test_add_func ("/script/file", test_file);
  g_test_add_func ("/script/blocking", test_blocking);
  g_test_add_func ("/script/pending", test_pending);
  g_test_add_func ("/script/default-engine", test_default_engine);
  g_test_add_func ("/script/left-open", test_left_open);
  g_test_add_func ("/script/many", test_many);
  int status = g_test_run ();

  g_object_unref (engine);
  return status;
}
