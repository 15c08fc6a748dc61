/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers that send without end: others, and deadlines, have their turn. */
#include "pool-fixture.h"

static TuttiTask *
submit_with_timeout (TuttiPool *pool, const char *text, gint64 timeout)
{
  TuttiTask *task = task_new (text);

  tutti_task_set_retries (task, 0);
  tutti_task_set_timeout (task, timeout);
  return submit (pool, task);
}

static void
assert_timed_out (TuttiTask *task)
{
  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_error (tutti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
}

/* While the workers of one pool flood us, another pool's tasks are answered and time out, and so do theirs. */
static void
test_flood (gconstpointer what)
{
  TuttiPool *loud = pool_new (3), *quiet = pool_new (2);
  g_autofree char *text = g_strdup_printf ("flood %s", (const char *) what);
  g_autoptr (TuttiTask) endless = submit_with_timeout (loud, text, 0);
  g_autoptr (TuttiTask) another = submit_with_timeout (loud, text, 0);
  g_autoptr (TuttiTask) limited = submit_with_timeout (loud, text, 200 * 1000);

  for (guint i = 0; i < 20; i++)
    assert_echo (quiet, "hello");
  g_autoptr (TuttiTask) nap = submit_with_timeout (quiet, "nap 50", 0);
  g_assert_true (tutti_task_wait (nap, LIMIT));
  g_assert_no_error (tutti_task_get_error (nap));
  g_autoptr (TuttiTask) stuck = submit_with_timeout (quiet, "hang", 200 * 1000);
  assert_timed_out (stuck);
  assert_timed_out (limited);
  g_assert_false (tutti_task_has_ended (endless));
  tutti_task_cancel (endless);
  assert_echo (loud, "going on");
  g_assert_false (tutti_task_has_ended (another));
  pool_end (quiet);
  pool_end (loud);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/flood/answers", "answers", test_flood);
  g_test_add_data_func ("/flood/news", "news", test_flood);
  g_test_add_data_func ("/flood/packets", "packets", test_flood);
  g_test_add_data_func ("/flood/output", "output", test_flood);
  return g_test_run ();
}
