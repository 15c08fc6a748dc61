/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* After the engine's end there are no more pools, and making one fails at once. */
#include "pool-fixture.h"

static void
test_closed (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) done = NULL, late = task_new ("late");
  g_autoptr (GError) error = NULL;

  assert_echo (pool, "before");
  done = run_text (pool, "done");
  tti_engine_end_default ();
  tti_engine_end_default ();
  g_assert_true (tti_pool_is_quiet (pool));
  g_assert_nonnull (tti_task_get_result (done));
  g_assert_false (tti_pool_submit (pool, late, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  tti_pool_unref (pool);
}

static void
test_refused (void)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      gint64 start = g_get_monotonic_time ();

      g_assert_null (pool_of (1, NULL, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      g_assert_nonnull (strstr (error->message, "shut down"));
      g_assert_cmpint (g_get_monotonic_time () - start, <, 20 * G_USEC_PER_SEC);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/end/closed", test_closed);
  g_test_add_func ("/engine/end/refused", test_refused);
  return g_test_run ();
}
