/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Workers that send without end do not starve others and deadlines. Workers that send invalid messages are ended, and the pool goes
 * on. */
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

/* While the workers of one pool flood us, tasks of this and of another pool get answers and time out. */
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

static void
test_lie (gconstpointer how)
{
  TuttiPool *pool = pool_new (1);
  g_autofree char *text = g_strdup_printf ("lie %s", (const char *) how);

  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (TuttiTask) task = submit_with_timeout (pool, text, 0);
      TuttiCertificate *certificate;

      g_assert_true (tutti_task_wait (task, LIMIT));
      g_assert_error (tutti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
      certificate = tutti_task_get_certificate (task);
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
  TuttiPool *pool = pool_new (2);

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (TuttiVector) vector = tutti_vector_new (100 * 1000, NULL);
      g_autoptr (TuttiPayload) payload = text_payload (i % 2 == 0 ? "lie news" : "honest", vector);
      g_autoptr (TuttiTask) task = tutti_task_new (TUTTI_HANDLER_ECHO, payload);

      tutti_task_set_worker (task, (int) (i / 2 % 2));
      submit (pool, task);
      g_assert_true (tutti_task_wait (task, LIMIT));
      g_assert_no_error (tutti_task_get_error (task));
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
