/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replayed-tasks JOURNAL MODULE OPERATORS: tasks of a module in C that fail in several ways, each with a capsule. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <tutti/tutti.h>

/* Have POOL run FUNCTION of MODULE with ARGUMENT, which is taken, once, for SECONDS at most; print what it fails of. */
static void
fail (TuttiPool *pool, const char *module, const char *function, TuttiValue *argument, double seconds)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiTask) task = tutti_task_new (module, function, &argument, argument != NULL ? 1 : 0);

  if (argument != NULL)
    tutti_value_unref (argument);
  tutti_task_set_retries (task, 0);
  if (seconds > 0)
    tutti_task_set_timeout (task, (guint) (1000 * seconds));
  g_autoptr (TuttiValue) value = tutti_pool_submit (pool, task, &error) ? tutti_task_wait (task, NULL, &error) : NULL;

  g_assert_null (value);
  printf ("%s: %s\n", function, error->message);
}

/* An operator that does not exist. */
static void
fail_to_make (TuttiPool *pool, const char *module)
{
  g_autoptr (GError) error = NULL;
  TuttiOperator *operator = tutti_operator_new (pool, module, "nothing-known", NULL, NULL, &error);

  g_assert_null (operator);
  printf ("make: %s\n", error->message);
}

static void
fail_to_evaluate (TuttiPool *pool, const char *module)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("n", tutti_value_new_integer (3), "folder",
                                                                  tutti_value_new_text ("/nowhere"), NULL);
  g_autoptr (TuttiOperator) operator = tutti_operator_new (pool, module, "gate", parameters, NULL, &error);

  g_assert_no_error (error);
  g_autoptr (TuttiVector) x = tutti_vector_new (tutti_operator_get_domain (operator), &error);
  gsize n;

  tutti_vector_get_doubles (x, &n)[0] = NAN;
  TuttiVector *y = tutti_operator_evaluate (operator, x, NULL, &error);

  g_assert_null (y);
  printf ("evaluate: %s\n", error->message);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiEngine) engine = tutti_engine_new (&error);

  g_assert_cmpint (argc, ==, 4);
  g_assert_no_error (error);
  g_assert_true (tutti_engine_write_journal (engine, argv[1], &error));
  g_assert_true (tutti_engine_write_journal (engine, argv[1], &error));
  g_assert_false (tutti_engine_write_journal (engine, "/other", &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_autoptr (TuttiPool) pool = tutti_pool_new (engine, 1, &error);

  g_assert_no_error (error);
  fail (pool, argv[2], "fail", tutti_value_new_text ("of the earth"), 0);
  fail (pool, argv[2], "die", tutti_value_new_integer (SIGSEGV), 0);
  fail (pool, argv[2], "hang", NULL, 0.5);
  fail (pool, argv[2], "forget", NULL, 0);
  fail_to_make (pool, argv[3]);
  fail_to_evaluate (pool, argv[3]);
  tutti_engine_shutdown (engine);
  return EXIT_SUCCESS;
}
