/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scripts that run at the same time do not see each other. It links with the public libraries alone. */
#include "script.h"

/* All scripts of a test meet before they go on: each says that it has come, and asks again and again whether all have. */
typedef struct { guint come, wanted, round; } Meeting;

static const char meet[] = "(define (meet) (let ((round (come!))) (let wait () (unless (met? round) (usleep 1000) (wait))))) ";

static TuttiValue *
come (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  Meeting *meeting = data;
  guint round = meeting->round;

  (void) arguments;
  (void) n;
  (void) error;
  if (++meeting->come == meeting->wanted)
    {
      meeting->come = 0;
      meeting->round++;
    }
  return tutti_value_new_integer (round);
}

static TuttiValue *
met (TuttiValue *const *arguments, gsize n, gpointer data, GError **error)
{
  g_assert_cmpuint (n, ==, 1);
  (void) error;
  return tutti_value_new_boolean ((gint64) ((Meeting *) data)->round > tutti_value_get_integer (arguments[0]));
}

/* Run TEXT as often at the same time as there are ENGINES, and return the jobs, whose values are printed. */
static GPtrArray *
run_together (TuttiEngine *const *engines, const char *const *texts, guint n)
{
  Meeting meeting = { 0, n, 0 };
  GPtrArray *jobs = g_ptr_array_new_with_free_func ((GDestroyNotify) job_free);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *text = g_strconcat (meet, texts[i], NULL);
      Job *job = job_new (tutti_guile_script_new_for_expression (engines[i], text));

      tutti_guile_script_define (job->script, "come!", come, &meeting, NULL);
      tutti_guile_script_define (job->script, "met?", met, &meeting, NULL);
      job_start (job);
      g_ptr_array_add (jobs, job);
    }
  for (guint i = 0; i < n; i++)
    job_wait (jobs->pdata[i]);
  return jobs;
}

static void
assert_values (GPtrArray *jobs, const char *const *expected)
{
  for (guint i = 0; i < jobs->len; i++)
    {
      Job *job = jobs->pdata[i];

      g_assert_no_error (job->error);
      g_autofree char *text = tutti_value_print (job->value);
      g_assert_cmpstr (text, ==, expected[i]);
    }
}

/* TEXT in two scripts at once, with one engine and with two, gives EXPECTED in both, as it does alone. */
static void
assert_apart (const char *text, const char *expected)
{
  g_autoptr (TuttiEngine) one = engine_new (), other = engine_new ();
  TuttiEngine *const same[] = { one, one }, *const two[] = { one, other };

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GPtrArray) jobs = run_together (i == 0 ? same : two, (const char *const[]){ text, text }, 2);

      assert_values (jobs, (const char *const[]){ expected, expected });
    }
}

static void
test_pool (void)
{
  assert_apart ("(define first (current-pool)) (call-with-pool 2 (lambda (pool) (meet)"
                "  (let ((seen (list first (eq? pool (current-pool)) (total-worker-count)))) (meet) seen)))",
                "(false true 2)");
}

/* close-all-pools! closes one's own. */
static void
test_close_all (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  TuttiEngine *const engines[] = { engine, engine };
  g_autoptr (GPtrArray) jobs = run_together (engines, (const char *const[]){
    "(define pool (make-pool 1)) (meet) (close-all-pools!) (meet) (list (total-worker-count) (pool-closed? pool))",
    "(define pool (make-pool 1)) (meet) (meet) (list (pool-map pool 1+ '(1 2)) (pool-closed? pool))" }, 2);

  assert_values (jobs, (const char *const[]){ "(0 true)", "((2 3) false)" });
}

/* Nor what one defines, in the module of the script, as a parameter, a port or a program's arguments. */
static void
test_definitions (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  TuttiEngine *const engines[] = { engine, engine };
  g_autoptr (GPtrArray) jobs = run_together (engines, (const char *const[]){
    "(define mine 1) (define-remote (f x) (* 2 x)) (define-remote-parameter p 10) (p 11) (task-retries 7) (meet)"
    "(display \"one\\n\") (meet)"
    "(list mine (p) (task-retries) (call-with-pool 1 (lambda (pool) (pool-apply pool (remote (lambda () (f (p))))))))",
    "(define-remote (f x) (* 3 x)) (define-remote-parameter p 20) (meet) (meet)"
    "(list (defined? 'mine) (p) (task-retries) (call-with-pool 1 (lambda (pool) (pool-apply pool (remote (lambda () (f (p))))))))" }, 2);

  assert_values (jobs, (const char *const[]){ "(1 11 7 (22))", "(false 20 2 (60))" });
  g_assert_cmpstr (((Job *) jobs->pdata[0])->output->str, ==, "one\n");
  g_assert_cmpstr (((Job *) jobs->pdata[1])->output->str, ==, "");
}

/* Random numbers of tasks are those of the script alone, whatever ran before it or runs beside it. */
static void
test_random (void)
{
  static const char text[] = "(define-remote (draw x) (random 1000000))"
                             "(call-with-pool 2 (lambda (pool) (meet) (pool-map pool draw (iota 4)) (pool-map pool draw (iota 4))))";
  g_autoptr (TuttiEngine) engine = engine_new ();
  TuttiEngine *const engines[] = { engine, engine, engine };
  g_autoptr (GPtrArray) alone = run_together (engines, (const char *const[]){ text }, 1);
  g_autofree char *expected = tutti_value_print (((Job *) alone->pdata[0])->value);

  assert_apart (text, expected);
}

/* What threads make belongs to their script, too: it is closed with that. */
static void
test_threads (void)
{
  assert_apart ("(use-modules (ice-9 threads))"
                "(define pool (join-thread (call-with-new-thread (lambda () (make-pool 2)))))"
                "(meet) (define seen (list (total-worker-count) (pool-map pool 1+ '(1)))) (meet) seen", "(2 (2))");
}

/* In tasks of serial pools as well. */
static void
test_serial (void)
{
  assert_apart ("(use-modules (srfi srfi-1))"
                "(define-remote (inner) (call-with-pool 1 (lambda (pool) (total-worker-count))))"
                "(meet) (define seen (pool-apply (make-serial-pool) inner)) (meet) seen", "(1)");
}

/* Deaths are counted, and told, where they are. */
static void
test_deaths (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  TuttiEngine *const engines[] = { engine, engine };
  g_autoptr (GPtrArray) jobs = run_together (engines, (const char *const[]){
    "(define-remote (die) (kill (getpid) SIGKILL))"
    "(parameterize ((task-retries 0)) (define pool (make-pool 1))"
    "  (define task (pool-submit! pool die)) (catch #t (lambda () (task-wait task)) (const #f)) (meet) 1)",
    "(define pool (make-pool 1)) (meet) (pool-map pool 1+ '(1))" }, 2);

  assert_values (jobs, (const char *const[]){ "1", "(2)" });
  g_assert_nonnull (strstr (((Job *) jobs->pdata[0])->errors->str, "in all, 1 worker died"));
  g_assert_cmpstr (((Job *) jobs->pdata[1])->errors->str, ==, "");
}

/* Its engine is the one that it was given: the workers of the other stay when that is shut down. */
static void
test_engines (void)
{
  g_autoptr (TuttiEngine) one = engine_new (), other = engine_new ();
  TuttiEngine *const engines[] = { one, other };

  tutti_engine_shutdown (other);
  g_autoptr (GPtrArray) jobs = run_together (engines, (const char *const[]){
    "(meet) (call-with-pool 1 (lambda (pool) (pool-map pool 1+ '(1))))",
    "(meet) (catch #t (lambda () (make-pool 1) 'made) (lambda _ 'refused))" }, 2);

  assert_values (jobs, (const char *const[]){ "(2)", "refused" });
}

/* Cancelling one does nothing to the other. */
static void
test_cancel (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (Job) one = job_new (tutti_guile_script_new_for_expression (engine, "(display \"now\\n\") (let loop () (loop))")),
                  other = job_new (tutti_guile_script_new_for_expression (
                    engine, "(define-remote (slow x) (usleep 20000) x)"
                            "(call-with-pool 1 (lambda (pool) (pool-map pool slow (iota 20))))"));

  one->cancel_at = "now";
  job_start (one);
  job_start (other);
  job_wait (one);
  job_wait (other);
  g_assert_error (one->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_no_error (other->error);
  g_assert_cmpuint (tutti_value_get_n_items (other->value), ==, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/script-apart/pool", test_pool);
  g_test_add_func ("/script-apart/close-all", test_close_all);
  g_test_add_func ("/script-apart/definitions", test_definitions);
  g_test_add_func ("/script-apart/random", test_random);
  g_test_add_func ("/script-apart/threads", test_threads);
  g_test_add_func ("/script-apart/serial", test_serial);
  g_test_add_func ("/script-apart/deaths", test_deaths);
  g_test_add_func ("/script-apart/engines", test_engines);
  g_test_add_func ("/script-apart/cancel", test_cancel);
  return g_test_run ();
}
