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
G_GNUC_UNUSED static TtiPool *
pool_with (TtiEngine *engine, guint size, const char *argument, GError **error)
{
  g_autofree char *program = helper ("rogue-worker");
  const char *const arguments[] = { argument, NULL };
  g_auto (GStrv) environment = g_get_environ ();
  TtiPoolOptions options = { .name = "test pool", .program = program, .arguments = argument != NULL ? arguments : NULL,
                               .environment = (const char *const *) environment, .keep_output = TRUE };

  g_autoptr (TtiEngine) user = engine != NULL ? tti_engine_ref (engine) : tti_engine_get_default (error);

  return user != NULL ? tti_pool_new (user, size, &options, error) : NULL;
}

G_GNUC_UNUSED static TtiEngine *
engine_new (void)
{
  g_autoptr (GError) error = NULL;
  TtiEngine *engine = tti_engine_new (&error);

  g_assert_no_error (error);
  return engine;
}

G_GNUC_UNUSED static TtiPool *
pool_in (TtiEngine *engine, guint size)
{
  g_autoptr (GError) error = NULL;
  TtiPool *pool = pool_with (engine, size, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (tti_pool_get_engine (pool) == engine);
  return pool;
}

G_GNUC_UNUSED static TtiPool *
pool_of (guint size, const char *argument, GError **error)
{
  return pool_with (NULL, size, argument, error);
}

G_GNUC_UNUSED static TtiPool *
pool_new (guint size)
{
  g_autoptr (GError) error = NULL;
  TtiPool *pool = pool_of (size, NULL, &error);

  g_assert_no_error (error);
  return pool;
}

G_GNUC_UNUSED static void
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

G_GNUC_UNUSED static void
pool_end (TtiPool *pool)
{
  pool_close (pool, 1000);
  tti_pool_unref (pool);
}

G_GNUC_UNUSED static TtiPayload *
text_payload (const char *text, TtiVector *vector)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
  if (vector != NULL)
    {
      tti_writer_free (g_steal_pointer (&writer));
      writer = tti_writer_new ();
      tti_writer_open (writer, TTI_ITEM_LIST, 0, 2);
      tti_writer_text (writer, TTI_ITEM_STRING, text, strlen (text));
      tti_writer_attach (writer, TTI_NUMBER_F64, vector, tti_vector_get_size (vector) / 8, TTI_TRAVEL_SHARED);
    }
  return tti_writer_finish (writer);
}

G_GNUC_UNUSED static TtiTask *
task_new (const char *text)
{
  g_autoptr (TtiPayload) payload = text_payload (text, NULL);

  return tti_task_new (TTI_HANDLER_ECHO, payload);
}

G_GNUC_UNUSED static TtiTask *
submit (TtiPool *pool, TtiTask *task)
{
  g_autoptr (GError) error = NULL;

  tti_pool_submit (pool, task, &error);
  g_assert_no_error (error);
  return task;
}

/* All of TASKS end with values, each at its first attempt. */
G_GNUC_UNUSED static void
assert_all_done (GPtrArray *tasks)
{
  for (guint i = 0; i < tasks->len; i++)
    {
      TtiTask *task = g_ptr_array_index (tasks, i);

      g_assert_true (tti_task_wait (task, LIMIT));
      g_assert_no_error (tti_task_get_error (task));
      g_assert_cmpuint (tti_task_get_attempts (task), ==, 1);
    }
}

G_GNUC_UNUSED static TtiTask *
run_text (TtiPool *pool, const char *text)
{
  TtiTask *task = submit (pool, task_new (text));

  g_assert_true (tti_task_wait (task, LIMIT));
  return task;
}

G_GNUC_UNUSED static void
assert_echo (TtiPool *pool, const char *text)
{
  g_autoptr (TtiTask) task = run_text (pool, text);
  g_autoptr (TtiPayload) expected = text_payload (text, NULL);

  g_assert_no_error (tti_task_get_error (task));
  g_assert_cmpint (tti_task_get_state (task), ==, TTI_TASK_DONE);
  g_assert_true (tti_payload_is_equal (tti_task_get_result (task), expected));
}

/* The next line that a worker wrote; skips deaths. */
G_GNUC_UNUSED static char *
take_line (TtiPool *pool, int wakeup)
{
  TtiOutputRecord record = { .text = NULL };
  guint64 dropped;
  gint64 limit = LIMIT;

  do
    {
      tti_output_record_clear (&record);
      while (!tti_pool_take_output (pool, &record, &dropped))
        {
          g_assert_true (tti_fd_wait (wakeup, G_IO_IN, limit));
          tti_fd_drain (wakeup);
        }
    }
  while (record.is_death);
  return record.text;
}
