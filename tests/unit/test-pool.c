/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools, with real guards, watchers and workers. */
#include "../support/descriptors.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "pool-fixture.h"
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

static void
test_echo (void)
{
  TtiPool *pool = pool_new (3);

  for (int i = 0; i < 200; i++)
    assert_echo (pool, "hello");
  pool_end (pool);
}

static void
test_many_at_once (void)
{
  enum { N = 2000 };
  TtiPool *pool = pool_new (4);
  TtiTask *tasks[N];

  for (int i = 0; i < N; i++)
    tasks[i] = submit (pool, task_new (i % 7 == 0 ? "raise" : "fine"));
  for (int i = 0; i < N; i++)
    {
      g_assert_true (tti_task_wait (tasks[i], LIMIT));
      g_assert_cmpint (tti_task_get_state (tasks[i]), ==, i % 7 == 0 ? TTI_TASK_RAISED : TTI_TASK_DONE);
      tti_task_unref (tasks[i]);
    }
  pool_end (pool);
}

static void
assert_died (TtiPool *pool, const char *text, TuttiDeathReason reason, int status, int signal)
{
  g_autoptr (TtiTask) task = task_new (text);

  tti_task_set_retries (task, 1);
  submit (pool, task);
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
  TtiCertificate *certificate = tti_task_get_certificate (task);
  g_assert_cmpint (certificate->reason, ==, reason);
  g_assert_cmpint (certificate->status, ==, status);
  g_assert_cmpint (certificate->signal, ==, signal);
  g_assert_cmpuint (certificate->task, ==, tti_task_get_id (task));
  g_assert_cmpuint (tti_task_get_attempts (task), ==, 2);
  assert_echo (pool, "going on");
}

static void
test_deaths (void)
{
  TtiPool *pool = pool_new (2);

  assert_died (pool, "exit 3", TUTTI_DEATH_EXIT, 3, 0);
  assert_died (pool, "exit 0", TUTTI_DEATH_EXIT, 0, 0);
  assert_died (pool, "signal 9", TUTTI_DEATH_SIGNAL, -1, SIGKILL);
  assert_died (pool, "signal 11", TUTTI_DEATH_SIGNAL, -1, SIGSEGV);
  assert_died (pool, "garbage", TUTTI_DEATH_PROTOCOL, -1, SIGKILL);
  assert_died (pool, "order", TUTTI_DEATH_PROTOCOL, -1, SIGKILL);
  assert_died (pool, "close", TUTTI_DEATH_PROTOCOL, -1, SIGKILL);
  assert_died (pool, "signal 19", TUTTI_DEATH_STOPPED, -1, SIGKILL);
  pool_end (pool);
}

static void
test_last_words (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) task = run_text (pool, "die talking");
  const char *tail = tti_task_get_certificate (task)->stderr_tail;

  g_assert_true (g_str_has_prefix (tail, "line 11\n"));
  g_assert_true (g_str_has_suffix (tail, "line 30\n"));
  pool_end (pool);
}

static void
test_retry (void)
{
  TtiPool *pool = pool_new (2);
  g_autofree char *folder = g_dir_make_tmp ("tutti-test-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "once", NULL);
  g_autofree char *text = g_strconcat ("once ", file, NULL);
  g_autoptr (TtiTask) task = run_text (pool, text);

  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
  g_assert_cmpuint (tti_task_get_attempts (task), ==, 2);
  g_unlink (file);
  g_rmdir (folder);
  pool_end (pool);
}

static void
test_late_news (void)
{
  TtiPool *pool = pool_new (1);

  assert_echo (pool, "late");
  assert_echo (pool, "twice");
  assert_echo (pool, "and now");
  pool_end (pool);
}

static void
assert_ended_in_time (TtiPool *pool, const char *text)
{
  g_autoptr (TtiTask) task = task_new (text);
  gint64 start = g_get_monotonic_time ();

  tti_task_set_timeout (task, 100 * 1000);
  submit (pool, task);
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_TIMEOUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 100 * 1000);
  assert_echo (pool, "next");
}

static void
test_timeout (void)
{
  TtiPool *pool = pool_new (1);

  assert_ended_in_time (pool, "hang");
  assert_ended_in_time (pool, "deaf");
  pool_end (pool);
}

static void
test_fault (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiVector) vector = tti_vector_new (80000, NULL);
  g_autoptr (TtiPayload) payload = text_payload ("fault", vector);
  g_autoptr (TtiTask) task = tti_task_new (TTI_HANDLER_ECHO, payload);

  g_assert_false (tti_vector_is_borrowed (vector));
  submit (pool, task);
  g_assert_true (tti_task_wait (task, LIMIT));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_FAULT);
  g_assert_nonnull (strstr (tti_task_get_error (task)->message, "80000 bytes"));
  g_assert_cmpuint (tti_task_get_attempts (task), ==, 1);
  g_assert_false (tti_vector_is_borrowed (vector));
  g_assert_cmpint (((char *) tti_vector_get_data (vector))[7], ==, 0);
  assert_echo (pool, "next");
  pool_end (pool);
}

static void
wait_until_running (TtiTask *task)
{
  gint64 limit = LIMIT;

  while (tti_task_get_state (task) != TTI_TASK_RUNNING && g_get_monotonic_time () < limit)
    g_thread_yield ();
  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_RUNNING);
}

static void
test_cancel (void)
{
  TtiPool *pool = pool_new (1);
  g_autoptr (TtiTask) running = submit (pool, task_new ("hang"));
  g_autoptr (TtiTask) queued = submit (pool, task_new ("queued"));

  wait_until_running (running);
  tti_task_cancel (queued);
  g_assert_error (tti_task_get_error (queued), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  tti_task_cancel (running);
  g_assert_error (tti_task_get_error (running), TUTTI_ERROR, TUTTI_ERROR_CANCELLED);
  tti_task_cancel (running);
  assert_echo (pool, "next");
  pool_end (pool);
}

static void
test_close (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiTask) busy = submit (pool, task_new ("deaf"));
  g_autoptr (TtiTask) late = task_new ("late");

  wait_until_running (busy);
  pool_close (pool, 100);
  g_assert_error (tti_task_get_error (busy), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  g_assert_false (tti_pool_submit (pool, late, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  pool_end (pool);
}

static void
test_dependencies (void)
{
  TtiPool *pool = pool_new (2);
  g_autoptr (TtiTask) first = submit (pool, task_new ("value"));
  g_autoptr (TtiTask) bad = submit (pool, task_new ("exit 1"));
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_embedded (writer, 0);
  g_autoptr (TtiPayload) payload = tti_writer_finish (writer);
  g_autoptr (TtiTask) second = tti_task_new (TTI_HANDLER_ECHO, payload);
  g_autoptr (TtiTask) third = tti_task_new (TTI_HANDLER_ECHO, payload);

  tti_task_add_dependency (second, first);
  tti_task_add_dependency (third, bad);
  submit (pool, third);
  submit (pool, second);
  g_assert_true (tti_task_wait (second, LIMIT) && tti_task_wait (third, LIMIT));
  g_assert_no_error (tti_task_get_error (second));
  g_assert_cmpint (tti_task_get_state (second), ==, TTI_TASK_DONE);
  g_autoptr (TtiReader) reader = tti_reader_new (tti_task_get_result (second));
  TtiItem item;
  g_assert_true (tti_reader_next (reader, &item, NULL));
  g_assert_cmpmem (item.bytes, item.n_bytes, "value", 5);
  g_assert_error (tti_task_get_error (third), TUTTI_ERROR, TUTTI_ERROR_DIED);
  pool_end (pool);
}

static void
test_stillborn (void)
{
  g_autoptr (GError) error = NULL;
  TtiPool *pool = pool_of (2, "stillborn", &error);

  /* Its program starts, so there is a pool; the pool then fails for good instead of starting workers for ever. */
  if (pool != NULL)
    {
      g_autoptr (TtiTask) task = task_new ("never");

      if (tti_pool_submit (pool, task, &error))
        {
          g_assert_true (tti_task_wait (task, LIMIT));
          g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_DIED);
          g_assert_nonnull (strstr (tti_task_get_error (task)->message, "status 9"));
        }
      else
        g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
      pool_end (pool);
    }
  else
    g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
}

static void
test_no_program (void)
{
  const char *const environment[] = { NULL };
  TtiPoolOptions options = { .program = "/nonexistent/worker", .environment = environment };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) engine = tti_engine_get_default (NULL);

  g_assert_null (tti_pool_new (engine, 2, &options, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, "/nonexistent/worker"));
  g_assert_nonnull (strstr (error->message, g_strerror (ENOENT)));
  g_clear_error (&error);
  g_assert_null (tti_pool_new (engine, 0, &options, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
}

static void
test_output (void)
{
  TtiPool *pool = pool_new (1);
  tti_autofd int wakeup = tti_fd_open_wakeup (NULL);

  tti_pool_add_wakeup (pool, wakeup);
  assert_echo (pool, "say good evening");
  g_autofree char *line = take_line (pool, wakeup);
  g_assert_cmpstr (line, ==, "good evening");
  tti_pool_remove_wakeup (pool, wakeup);
  pool_end (pool);
}

static void
test_pinned (void)
{
  TtiPool *pool = pool_new (3);

  for (int i = 0; i < 9; i++)
    {
      g_autoptr (TtiTask) task = task_new ("here");

      tti_task_set_worker (task, i % 3);
      submit (pool, task);
      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_cmpint (tti_task_get_worker (task), ==, i % 3);
    }
  pool_end (pool);
}

static void
test_no_leak (void)
{
  guint before;

  pool_end (pool_new (4));
  before = count_descriptors ();
  for (int i = 0; i < 20; i++)
    {
      TtiPool *pool = pool_new (4);

      tti_task_unref (run_text (pool, "fine"));
      pool_end (pool);
    }
  g_assert_cmpuint (count_descriptors (), ==, before);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/echo", test_echo);
  g_test_add_func ("/pool/many-at-once", test_many_at_once);
  g_test_add_func ("/pool/deaths", test_deaths);
  g_test_add_func ("/pool/last-words", test_last_words);
  g_test_add_func ("/pool/retry", test_retry);
  g_test_add_func ("/pool/late-news", test_late_news);
  g_test_add_func ("/pool/timeout", test_timeout);
  g_test_add_func ("/pool/fault", test_fault);
  g_test_add_func ("/pool/cancel", test_cancel);
  g_test_add_func ("/pool/close", test_close);
  g_test_add_func ("/pool/dependencies", test_dependencies);
  g_test_add_func ("/pool/stillborn", test_stillborn);
  g_test_add_func ("/pool/no-program", test_no_program);
  g_test_add_func ("/pool/output", test_output);
  g_test_add_func ("/pool/pinned", test_pinned);
  g_test_add_func ("/pool/no-leak", test_no_leak);
  status = g_test_run ();
  tti_engine_end_default ();
  return status;
}
