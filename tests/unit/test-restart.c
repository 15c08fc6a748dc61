/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* When dead workers are replaced, and when their pool fails instead. */
#include "platform/error.h"
#include "pool/pool.h"
#include "transport/codec.h"
#include <signal.h>
#include <string.h>

#define LIMIT (g_get_monotonic_time () + 60 * G_USEC_PER_SEC)

static TuttiPool *
pool_new (guint size, const char *argument)
{
  g_autofree char *program = g_build_filename (g_getenv ("TUTTI_HELPERS"), "rogue-worker", NULL);
  const char *const arguments[] = { argument, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  TuttiPoolOptions options = { .name = "test pool", .program = program, .arguments = arguments,
                               .environment = (const char *const *) environment };
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiEngine) engine = tutti_engine_get_default (&error);
  TuttiPool *pool = engine != NULL ? tutti_pool_new (engine, size, &options, &error) : NULL;

  g_assert_no_error (error);
  return pool;
}

static void
pool_close (TuttiPool *pool, int grace_ms)
{
  gint64 limit = LIMIT;

  /* It waits no longer than the grace period and a second; on a slow machine processes may need longer. */
  if (!tutti_pool_close_and_wait (pool, grace_ms))
    while (!tutti_pool_is_quiet (pool))
      {
        g_assert_cmpint (g_get_monotonic_time (), <, limit);
        g_usleep (1000);
      }
}

static void
pool_end (TuttiPool *pool)
{
  pool_close (pool, 1000);
  tutti_pool_unref (pool);
}

static TuttiTask *
task_new (const char *text, int worker)
{
  g_autoptr (TuttiWriter) writer = tutti_writer_new ();

  tutti_writer_text (writer, TUTTI_ITEM_STRING, text, strlen (text));
  g_autoptr (TuttiPayload) payload = tutti_writer_finish (writer);
  TuttiTask *task = tutti_task_new (TUTTI_HANDLER_ECHO, payload);

  tutti_task_set_worker (task, worker);
  return task;
}

static TuttiTask *
submit (TuttiPool *pool, const char *text, int worker)
{
  TuttiTask *task = task_new (text, worker);
  g_autoptr (GError) error = NULL;

  tutti_pool_submit (pool, task, &error);
  g_assert_no_error (error);
  return task;
}

static void
assert_fine (TuttiPool *pool, int worker)
{
  g_autoptr (TuttiTask) task = submit (pool, "fine", worker);

  g_assert_true (tutti_task_wait (task, LIMIT));
  g_assert_no_error (tutti_task_get_error (task));
}

/* The process of worker INDEX, once it is idle and no longer FORMER; 0: the pool takes no more tasks. */
static int
await_idle (TuttiPool *pool, guint index, int former)
{
  gint64 limit = LIMIT;

  for (;;)
    {
      TuttiWorkerInfo info;
      g_autoptr (TuttiTask) probe = task_new ("fine", 1000);
      g_autoptr (GError) error = NULL;

      tutti_pool_get_worker (pool, index, &info);
      /* Its greeting may arrive before its pid. */
      if (info.state == TUTTI_WORKER_IDLE && info.pid != 0 && info.pid != former)
        return info.pid;
      /* There is no such worker: as long as the pool works, this is the error. */
      g_assert_false (tutti_pool_submit (pool, probe, &error));
      if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_DIED))
        return 0;
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
}

/* Kill worker INDEX while it is idle. TRUE: it was replaced; FALSE: the pool has failed. */
static gboolean
kill_idle (TuttiPool *pool, guint index)
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
  TuttiPool *pool = pool_new (3, NULL);
  g_autoptr (TuttiTask) late = task_new ("late", -1);
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
  g_assert_false (tutti_pool_submit (pool, late, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (error->message, "signal 9"));
  /* The pool ends the others because of it; the certificate is still that of the worker that made it fail. */
  pool_close (pool, 1000);
  TuttiCertificate *certificate = tutti_pool_get_last_death (pool);
  g_assert_cmpint (certificate->reason, ==, TUTTI_DEATH_SIGNAL);
  tutti_certificate_unref (certificate);
  tutti_pool_unref (pool);
}

static void
test_progress (void)
{
  TuttiPool *pool = pool_new (2, NULL);

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
  TuttiPool *pool = pool_new (2, "stillborn 1");
  gint64 start = g_get_monotonic_time ();
  g_autoptr (TuttiTask) long_one = submit (pool, "hang", 0);
  g_autoptr (TuttiTask) hopeless = submit (pool, "fine", 1);
  TuttiWorkerInfo info;

  g_assert_true (tutti_task_wait (hopeless, LIMIT));
  g_assert_error (tutti_task_get_error (hopeless), TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_nonnull (strstr (tutti_task_get_error (hopeless)->message, "worker 1"));
  g_assert_nonnull (strstr (tutti_task_get_error (hopeless)->message, "status 9"));
  g_assert_cmpint (tutti_task_get_certificate (hopeless)->status, ==, 9);
  g_assert_cmpint (tutti_task_get_state (long_one), ==, TUTTI_TASK_RUNNING);
  do
    {
      tutti_pool_get_worker (pool, 1, &info);
      g_assert_cmpint (g_get_monotonic_time (), <, start + 60 * G_USEC_PER_SEC);
      g_usleep (1000);
    }
  while (info.restarts < 9);
  /* 50 + 100 + 200 + 400 + 800 + 1600 ms of pauses before the ninth is decided on. */
  g_assert_cmpint (g_get_monotonic_time () - start, >, 3 * G_USEC_PER_SEC);
  g_assert_cmpint (tutti_task_get_state (long_one), ==, TUTTI_TASK_RUNNING);
  tutti_task_cancel (long_one);
  assert_fine (pool, 0);
  pool_end (pool);
}

/* A task that kills every worker must not delay the others until its retries are used up. */
static void
test_poison (void)
{
  TuttiPool *pool = pool_new (1, NULL);
  g_autoptr (TuttiTask) first = submit (pool, "fine", -1);
  g_autoptr (TuttiTask) poison = task_new ("signal 11", -1);
  g_autoptr (GError) error = NULL;

  tutti_task_set_retries (poison, 1000000);
  g_assert_true (tutti_pool_submit (pool, poison, &error));
  for (guint i = 0; i < 20; i++)
    assert_fine (pool, -1);
  g_assert_false (tutti_task_has_ended (poison));
  tutti_task_cancel (poison);
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
  tutti_engine_end_default ();
  return status;
}
