/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which signals a process handles, blocks and ignores before and after it has run scripts: what changes is what the documentation of
 * TuttiGuileScript lists. It links with the public libraries alone. */
#include "script.h"
#include <signal.h>
#include <stdlib.h>

/* Guile's collector stops and continues threads with these. */
static const int collector_signals[] = { SIGPWR, SIGXCPU };

static guint64
bit (int signal_number)
{
  return G_GUINT64_CONSTANT (1) << (signal_number - 1);
}

/* The mask called FIELD in /proc/self/status. */
static guint64
mask (const char *field)
{
  g_autofree char *text = NULL, *start = g_strconcat ("\n", field, ":", NULL);

  g_assert_true (g_file_get_contents ("/proc/self/status", &text, NULL, NULL));
  const char *found = strstr (text, start);

  g_assert_nonnull (found);
  /* 32 and 33 are the C library's own: it handles them when there are threads, whoever has started them. */
  return g_ascii_strtoull (found + strlen (start), NULL, 16) & ~(bit (32) | bit (33));
}

static guint64 handled, ignored, blocked;

static void
assert_as_documented (void)
{
  guint64 documented = handled;

  for (gsize i = 0; i < G_N_ELEMENTS (collector_signals); i++)
    documented |= bit (collector_signals[i]);
  g_assert_cmphex (mask ("SigCgt"), ==, documented);
  g_assert_cmphex (mask ("SigIgn"), ==, ignored);
  g_assert_cmphex (mask ("SigBlk"), ==, blocked);
}

static void
test_script (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();

  g_assert_cmphex (mask ("SigCgt"), ==, handled);
  g_autoptr (Job) job = job_run (engine,
                                 "(define-remote (f x) (usleep 100000) (* x x))"
                                 "(call-with-pool 2 (lambda (pool) (pool-map pool f (iota 4))))"
                                 "(call-with-execution-manager (lambda (m) (task-wait (pool-submit! (make-pool 1) f 2))))");

  g_assert_no_error (job->error);
  assert_as_documented ();
}

static void
test_cancelled (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (Job) job = job_new (tutti_guile_script_new_for_expression (
    engine, "(define-remote (f x) (usleep 1000) (f x))"
            "(call-with-pool 2 (lambda (pool) (display \"now\\n\") (pool-map pool f (iota 4))))"));

  job->cancel_at = "now";
  job_start (job);
  job_wait (job);
  g_assert_error (job->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_as_documented ();
}

/* Handlers at the end of the process would end, or hang, one that exits while a script runs. */
static void
test_exit (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (TuttiEngine) engine = engine_new ();
      Job *job = job_new (tutti_guile_script_new_for_expression (engine, "(define pool (make-pool 2)) (display \"now\\n\") (sleep 1000)"));

      job_start (job);
      while (job->output->len == 0)
        g_main_context_iteration (NULL, TRUE);
      exit (7);
    }
  g_test_trap_subprocess (NULL, PATIENCE * G_USEC_PER_SEC, G_TEST_SUBPROCESS_DEFAULT);
  g_assert_true (g_test_trap_has_passed () || !g_test_trap_reached_timeout ());
  g_test_trap_assert_stderr_unmatched ("*tutti*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  handled = mask ("SigCgt");
  ignored = mask ("SigIgn");
  blocked = mask ("SigBlk");
  g_test_add_func ("/script-signals/script", test_script);
  g_test_add_func ("/script-signals/cancelled", test_cancelled);
  g_test_add_func ("/script-signals/exit", test_exit);
  return g_test_run ();
}
