/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of pools: a pool of rogue workers, which do what the text of a task says, and tasks for it. */
#pragma once
#include "platform/error.h"
#include "platform/fd.h"
#include "pool/pool.h"
#include "transport/codec.h"
#include <string.h>

#define LIMIT (g_get_monotonic_time () + 60 * G_USEC_PER_SEC)

G_GNUC_UNUSED static char *
helper (const char *name)
{
  return g_build_filename (g_getenv ("TUTTI_HELPERS"), name, NULL);
}

/* A pool of ENGINE; NULL: the default one. */
G_GNUC_UNUSED static TuttiPool *
pool_with (TuttiEngine *engine, guint size, const char *argument, GError **error)
{
  g_autofree char *program = helper ("rogue-worker");
  const char *const arguments[] = { argument, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  TuttiPoolOptions options = { .name = "test pool", .program = program, .arguments = argument != NULL ? arguments : NULL,
                               .environment = (const char *const *) environment, .keep_output = TRUE };

  g_autoptr (TuttiEngine) user = engine != NULL ? tutti_engine_ref (engine) : tutti_engine_get_default (error);

  return user != NULL ? tutti_pool_new (user, size, &options, error) : NULL;
}

G_GNUC_UNUSED static TuttiPool *
pool_of (guint size, const char *argument, GError **error)
{
  return pool_with (NULL, size, argument, error);
}

G_GNUC_UNUSED static TuttiPool *
pool_new (guint size)
{
  g_autoptr (GError) error = NULL;
  TuttiPool *pool = pool_of (size, NULL, &error);

  g_assert_no_error (error);
  return pool;
}

G_GNUC_UNUSED static void
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

G_GNUC_UNUSED static void
pool_end (TuttiPool *pool)
{
  pool_close (pool, 1000);
  tutti_pool_unref (pool);
}

G_GNUC_UNUSED static TuttiPayload *
text_payload (const char *text, TuttiVector *vector)
{
  g_autoptr (TuttiWriter) writer = tutti_writer_new ();

  tutti_writer_text (writer, TUTTI_ITEM_STRING, text, strlen (text));
  if (vector != NULL)
    {
      tutti_writer_free (g_steal_pointer (&writer));
      writer = tutti_writer_new ();
      tutti_writer_open (writer, TUTTI_ITEM_LIST, 0, 2);
      tutti_writer_text (writer, TUTTI_ITEM_STRING, text, strlen (text));
      tutti_writer_attach (writer, TUTTI_NUMBER_F64, vector, tutti_vector_get_size (vector) / 8, TUTTI_TRAVEL_SHARED);
    }
  return tutti_writer_finish (writer);
}

G_GNUC_UNUSED static TuttiTask *
task_new (const char *text)
{
  g_autoptr (TuttiPayload) payload = text_payload (text, NULL);

  return tutti_task_new (TUTTI_HANDLER_ECHO, payload);
}

G_GNUC_UNUSED static TuttiTask *
submit (TuttiPool *pool, TuttiTask *task)
{
  g_autoptr (GError) error = NULL;

  tutti_pool_submit (pool, task, &error);
  g_assert_no_error (error);
  return task;
}

G_GNUC_UNUSED static TuttiTask *
run_text (TuttiPool *pool, const char *text)
{
  TuttiTask *task = submit (pool, task_new (text));

  g_assert_true (tutti_task_wait (task, LIMIT));
  return task;
}

G_GNUC_UNUSED static void
assert_echo (TuttiPool *pool, const char *text)
{
  g_autoptr (TuttiTask) task = run_text (pool, text);
  g_autoptr (TuttiPayload) expected = text_payload (text, NULL);

  g_assert_no_error (tutti_task_get_error (task));
  g_assert_cmpint (tutti_task_get_state (task), ==, TUTTI_TASK_DONE);
  g_assert_true (g_bytes_equal (tutti_payload_get_bytes (tutti_task_get_result (task)), tutti_payload_get_bytes (expected)));
}

/* The next line that a worker wrote; skips deaths. */
G_GNUC_UNUSED static char *
take_line (TuttiPool *pool, int wakeup)
{
  TuttiOutputRecord record = { .text = NULL };
  guint64 dropped;
  gint64 limit = LIMIT;

  do
    {
      g_free (record.text);
      while (!tutti_pool_take_output (pool, &record, &dropped))
        {
          g_assert_true (tutti_fd_wait (wakeup, G_IO_IN, limit));
          tutti_fd_drain (wakeup);
        }
    }
  while (record.is_death);
  return record.text;
}
