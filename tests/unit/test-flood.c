/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers that send without end do not starve others and deadlines. Workers that send invalid messages are ended, and the pool goes
 * on. */
#include "pool-fixture.h"

static TtiTask *
submit_with_timeout (TtiPool *pool, const char *text, gint64 timeout)
{
  TtiTask *task = task_new (text);

  tti_task_set_retries (task, 0);
  tti_task_set_timeout (task, timeout);
  return submit (pool, task);
}

static void
assert_timed_out (TtiTask *task)
{
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
}

/* While the workers of one pool flood us, tasks of this and of another pool get answers and time out. */
static void
test_flood (gconstpointer what)
{
  TtiPool *loud = pool_new (3), *quiet = pool_new (2);
  g_autofree char *text = g_strdup_printf ("flood %s", (const char *) what);
  g_autoptr (TtiTask) endless = submit_with_timeout (loud, text, 0);
  g_autoptr (TtiTask) another = submit_with_timeout (loud, text, 0);
  g_autoptr (TtiTask) limited = submit_with_timeout (loud, text, 200 * 1000);

  for (guint i = 0; i < 20; i++)
    assert_echo (quiet, "hello");
  g_autoptr (TtiTask) nap = submit_with_timeout (quiet, "nap 50", 0);
  g_assert_true (tti_task_wait (nap, LIMIT));
  g_assert_no_error (tti_task_get_error (nap));
  g_autoptr (TtiTask) stuck = submit_with_timeout (quiet, "hang", 200 * 1000);
  assert_timed_out (stuck);
  assert_timed_out (limited);
  g_assert_false (tti_task_has_ended (endless));
  tti_task_cancel (endless);
  assert_echo (loud, "going on");
  g_assert_false (tti_task_has_ended (another));
  pool_end (quiet);
  pool_end (loud);
}

static void
test_lie (gconstpointer how)
{
  TtiPool *pool = pool_new (1);
  g_autofree char *text = g_strdup_printf ("lie %s", (const char *) how);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (TtiTask) task = submit_with_timeout (pool, text, 0);
      TtiCertificate *certificate;

      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
      certificate = tti_task_get_certificate (task);
      g_assert_cmpint (certificate->reason, ==, TUTTI_DEATH_PROTOCOL);
      g_assert_nonnull (certificate->detail);
      assert_echo (pool, "going on");
    }
  pool_end (pool);
}

/* A worker that sends false news of leases harms only its own view: storages leased to another worker, or leased again, keep their
 * contents. */
static void
test_invented_news (void)
{
  TtiPool *pool = pool_new (2);

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (TtiVector) vector = tti_vector_new (100 * 1000, NULL);
      g_autoptr (TtiPayload) payload = text_payload (i % 2 == 0 ? "lie news" : "honest", vector);
      g_autoptr (TtiTask) task = tti_task_new (TTI_HANDLER_ECHO, payload);

      tti_task_set_worker (task, (int) (i / 2 % 2));
      submit (pool, task);
      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_no_error (tti_task_get_error (task));
    }
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  static const char *const lies[] = { "directory", "socket", "unsealed", "truncated", "small", "unknown" };

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/flood/answers", "answers", test_flood);
  g_test_add_data_func ("/flood/news", "news", test_flood);
  g_test_add_data_func ("/flood/packets", "packets", test_flood);
  g_test_add_data_func ("/flood/output", "output", test_flood);
  for (guint i = 0; i < G_N_ELEMENTS (lies); i++)
    {
      g_autofree char *path = g_strdup_printf ("/lie/%s", lies[i]);

      g_test_add_data_func (path, lies[i], test_lie);
    }
  g_test_add_func ("/lie/news", test_invented_news);
  return g_test_run ();
}
