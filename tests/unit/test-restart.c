/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* When dead workers are replaced, and when their pool fails instead. */
#include "platform/error.h"
#include "pool/pool.h"
#include "transport/codec.h"
#include <signal.h>
#include <string.h>

#define LIMIT (g_get_monotonic_time () + 60 * G_USEC_PER_SEC)

static TtiPool *
pool_new (guint size, const char *argument)
{
  g_autofree char *program = g_build_filename (g_getenv ("TUTTI_HELPERS"), "rogue-worker", NULL);
  const char *const arguments[] = { argument, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  TtiPoolOptions options = { .name = "test pool", .program = program, .arguments = arguments,
                               .environment = (const char *const *) environment };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = tti_engine_get_default (&error);
  TtiPool *pool = engine != NULL ? tti_pool_new (engine, size, &options, &error) : NULL;

  g_assert_no_error (error);
  return pool;
}

static void
pool_close (TtiPool *pool, int grace_ms)
{
  gint64 limit = LIMIT;

  /* It waits no longer than the grace period and a second; on a slow machine processes may need longer. */
  if (!tti_pool_close_and_wait (pool, grace_ms))
    while (!tti_pool_is_quiet (pool))
      {
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
        g_usleep (1000);
      }
}

static void
pool_end (TtiPool *pool)
{
  pool_close (pool, 1000);
  tti_pool_unref (pool);
}

static TtiTask *
task_new (const char *text, int worker)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_set_worker (task, worker);
  return task;
}

static TtiTask *
submit (TtiPool *pool, const char *text, int worker)
{
  TtiTask *task = task_new (text, worker);
  g_autoptr (GError) error = NULL;

  tti_pool_submit (pool, task, &error);
  g_assert_no_error (error);
  return task;
}

static void
assert_fine (TtiPool *pool, int worker)
{
  g_autoptr (TtiTask) task = submit (pool, "fine", worker);

  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_no_error (tti_task_get_error (task));
}

/* The process of worker INDEX, once it is idle and no longer FORMER; 0: the pool takes no more tasks. */
static int
await_idle (TtiPool *pool, guint index, int former)
{
  gint64 limit = LIMIT;

  for (;;)
    {
      TtiWorkerInfo info;
      g_autoptr (TtiTask) probe = task_new ("fine", 1000);
      g_autoptr (GError) error = NULL;

      tti_pool_get_worker (pool, index, &info);
      /* Its greeting may arrive before its pid. */
      if (info.state == TTI_WORKER_IDLE && info.pid != 0 && info.pid != former)
        return info.pid;
      /* There is no such worker: as long as the pool works, this is the error. */
      g_assert_false (tti_pool_submit (pool, probe, &error));
      if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_DIED))
        return 0;
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

/* Kill worker INDEX while it is idle. TRUE: it was replaced; FALSE: the pool has failed. */
static gboolean
kill_idle (TtiPool *pool, guint index)
{
  int pid = await_idle (pool, index, 0);

  g_assert_cmpint (pid, >, 0);
  kill (pid, SIGKILL);
  return await_idle (pool, index, pid) != 0;
}

/* Whether five deaths in ten seconds are in KILLS, the times of all blows until now: then the pool must have failed. A slow machine may not
 * get that far. */
static gboolean
five_in_time (GArray *kills)
{
  return kills->len >= 5
         && g_get_monotonic_time () - g_array_index (kills, gint64, kills->len - 5) < 10 * G_USEC_PER_SEC;
}

static void
test_five_idle (void)
{
  TtiPool *pool = pool_new (3, NULL);
  g_autoptr (TtiTask) late = task_new ("late", -1);
  g_autoptr (GArray) kills = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    assert_fine (pool, (int) i);
  for (gboolean lives = TRUE; lives && kills->len < 50;)
    {
      gint64 now = g_get_monotonic_time ();

      g_array_append_val (kills, now);
      lives = kill_idle (pool, (kills->len - 1) % 3);
      g_assert_false (lives ? five_in_time (kills) : kills->len < 5);
    }
  if (kills->len == 50)
    {
      g_test_message ("this machine is too slow for five deaths in ten seconds");
      pool_end (pool);
      return;
    }
  g_assert_false (tti_pool_submit (pool, late, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (error->message, "signal 9"));
  /* The pool ends the others because of it; the certificate is still that of the worker that made it fail. */
  pool_close (pool, 1000);
  TtiCertificate *certificate = tti_pool_get_last_death (pool);
  g_assert_cmpint (certificate->reason, ==, TUTTI_DEATH_SIGNAL);
  tti_certificate_unref (certificate);
  tti_pool_unref (pool);
}

static void
test_progress (void)
{
  TtiPool *pool = pool_new (2, NULL);

  for (guint i = 0; i < 14; i++)
    {
      g_assert_true (kill_idle (pool, i % 2));
      assert_fine (pool, -1);
    }
  pool_end (pool);
}

static void
test_one_cannot_live (void)
{
  TtiPool *pool = pool_new (2, "stillborn 1");
  gint64 start = g_get_monotonic_time ();
  g_autoptr (TtiTask) long_one = submit (pool, "hang", 0);
  g_autoptr (TtiTask) hopeless = submit (pool, "fine", 1);
  TtiWorkerInfo info;

  g_assert_true (tti_task_wait (hopeless, LIMIT));
  g_assert_error (tti_task_get_error (hopeless), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (tti_task_get_error (hopeless)->message, "worker 1"));
  g_assert_nonnull (strstr (tti_task_get_error (hopeless)->message, "status 9"));
  g_assert_cmpint (tti_task_get_certificate (hopeless)->status, ==, 9);
  g_assert_cmpint (tti_task_get_state (long_one), ==, TTI_TASK_RUNNING);
  do
    {
      tti_pool_get_worker (pool, 1, &info);
      g_assert_cmpint (g_get_monotonic_time (), <, start + 60 * G_USEC_PER_SEC);
      g_usleep (1000);
    }
  while (info.restarts < 9);
  /* 50 + 100 + 200 + 400 + 800 + 1600 ms of pauses before the ninth is decided on. */
  g_assert_cmpint (g_get_monotonic_time () - start, >, 3 * G_USEC_PER_SEC);
  g_assert_cmpint (tti_task_get_state (long_one), ==, TTI_TASK_RUNNING);
  tti_task_cancel (long_one);
  assert_fine (pool, 0);
  pool_end (pool);
}

/* A task that kills every worker must not delay the others until its retries are used up. */
static void
test_poison (void)
{
  TtiPool *pool = pool_new (1, NULL);
  g_autoptr (TtiTask) first = submit (pool, "fine", -1);
  g_autoptr (TtiTask) poison = task_new ("signal 11", -1);
  g_autoptr (GError) error = NULL;

  tti_task_set_retries (poison, 1000000);
  g_assert_true (tti_pool_submit (pool, poison, &error));
  for (guint i = 0; i < 20; i++)
    assert_fine (pool, -1);
  g_assert_false (tti_task_has_ended (poison));
  tti_task_cancel (poison);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restart/five-idle", test_five_idle);
  g_test_add_func ("/restart/progress", test_progress);
  g_test_add_func ("/restart/one-cannot-live", test_one_cannot_live);
  g_test_add_func ("/restart/poison", test_poison);
  status = g_test_run ();
  tti_engine_end_default ();
  return status;
}
