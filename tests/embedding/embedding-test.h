/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests of the public API: pools of ordinary workers, calls of the example module, and loops that have a deadline. */
#pragma once
#include <string.h>
#include <tutti/tutti.h>

/* Against hanging; no test takes a fraction of it. */
enum { DEADLINE_S = 120 };

G_GNUC_UNUSED static char *
helper (const char *name)
{
  return g_build_filename (g_getenv ("TUTTI_HELPERS"), name, NULL);
}

/* The example module, once for the program. */
G_GNUC_UNUSED static const char *
example (void)
{
  static char *file;

  if (g_once_init_enter (&file))
    {
      char *name = g_build_filename (g_getenv ("TUTTI_HELPERS"), "example-module.so", NULL);

      g_once_init_leave (&file, name);
    }
  return file;
}

/* The one engine of a test. */
G_GNUC_UNUSED static TuttiEngine *
engine_new (void)
{
  g_autoptr (GError) error = NULL;
  TuttiEngine *engine = tutti_engine_new (&error);

  g_assert_no_error (error);
  g_assert_true (TUTTI_IS_ENGINE (engine));
  return engine;
}

/* A pool of an engine of its own, which ends with it. */
G_GNUC_UNUSED static TuttiPool *
pool_new (guint n_workers)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (GError) error = NULL;
  TuttiPool *pool = tutti_pool_new (engine, n_workers, &error);

  g_assert_no_error (error);
  g_assert_true (TUTTI_IS_POOL (pool));
  g_assert_cmpuint (tutti_pool_get_n_workers (pool), ==, n_workers);
  return pool;
}

/* Close POOL, shut its engine down, and drop both. */
G_GNUC_UNUSED static void
pool_end (TuttiPool *pool)
{
  g_autoptr (TuttiEngine) engine = g_object_ref (tutti_pool_get_engine (pool));

  g_assert_true (tutti_pool_close (pool));
  tutti_engine_shutdown (engine);
  g_object_unref (pool);
}

/* --- values ------------------------------------------------------------------------------------------------------------------ */

/* FUNCTION of the example module with N ARGUMENTS, which are dropped. */
G_GNUC_UNUSED static TuttiValue *
call (TuttiPool *pool, const char *function, GError **error, TuttiValue *first, ...)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  va_list rest;

  va_start (rest, first);
  for (TuttiValue *argument = first; argument != NULL; argument = va_arg (rest, TuttiValue *))
    g_ptr_array_add (arguments, argument);
  va_end (rest);
  return tutti_pool_call (pool, example (), function, (TuttiValue *const *) arguments->pdata, arguments->len, NULL, error);
}

/* The same, where it must succeed. */
#define CALL(pool, ...)                                               \
  ({                                                                  \
    g_autoptr (GError) error_ = NULL;                                 \
    TuttiValue *value_ = call ((pool), CALL_NAME (__VA_ARGS__), &error_, CALL_REST (__VA_ARGS__)); \
    g_assert_no_error (error_);                                       \
    g_assert_nonnull (value_);                                        \
    value_;                                                           \
  })
#define CALL_NAME(name, ...) name
#define CALL_REST(name, ...) __VA_ARGS__

G_GNUC_UNUSED static void
assert_real (TuttiValue *value, double expected)
{
  g_assert_cmpint (tutti_value_get_value_type (value), ==, TUTTI_VALUE_REAL);
  g_assert_cmpfloat (tutti_value_get_real (value), ==, expected);
}

/* The pool works. */
G_GNUC_UNUSED static void
assert_square (TuttiPool *pool, double x)
{
  g_autoptr (TuttiValue) value = CALL (pool, "square", tutti_value_new_real (x), NULL);

  assert_real (value, x * x);
}

G_GNUC_UNUSED static TuttiTask *
task_of (const char *function, TuttiValue *argument)
{
  TuttiTask *task = tutti_task_new (example (), function, NULL, 0);

  if (argument != NULL)
    tutti_task_add_argument (task, argument);
  tutti_value_unref (argument);
  return task;
}

G_GNUC_UNUSED static void
submit (TuttiPool *pool, TuttiTask *task)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tutti_pool_submit (pool, task, &error));
  g_assert_no_error (error);
}

/* --- waiting ----------------------------------------------------------------------------------------------------------------- */

/* Wait until CONDITION holds, doing STEP; a failure if it never does. */
#define UNTIL(condition, step)                                                              \
  for (gint64 limit_ = g_get_monotonic_time () + DEADLINE_S * G_USEC_PER_SEC; !(condition);) \
    {                                                                                       \
      g_assert_cmpint (g_get_monotonic_time (), <, limit_);                                  \
      step;                                                                                 \
    }

#define AWAIT(condition) UNTIL (condition, g_usleep (1000))

G_GNUC_UNUSED static gboolean
tick (gpointer data)
{
  (void) data;
  return G_SOURCE_CONTINUE;
}

/* Iterate CONTEXT until CONDITION holds. */
#define ITERATE(context, condition)                                  \
  do                                                                 \
    {                                                                \
      GSource *ticks_ = g_timeout_source_new (5);                    \
      g_source_set_callback (ticks_, tick, NULL, NULL);              \
      g_source_attach (ticks_, (context));                           \
      UNTIL (condition, g_main_context_iteration ((context), TRUE)); \
      g_source_destroy (ticks_);                                     \
      g_source_unref (ticks_);                                       \
    }                                                                \
  while (0)

/* What an async call has come to: its callback must come once, in the thread and context where it was started. */
typedef struct
{
  GThread *thread;
  GAsyncResult *result;
  GObject *source;
  guint n_calls;
} Answer;

G_GNUC_UNUSED static Answer *
answer_new (void)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->thread = g_thread_self ();
  return answer;
}

G_GNUC_UNUSED static void
answer_free (Answer *answer)
{
  g_clear_object (&answer->result);
  g_free (answer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Answer, answer_free)

G_GNUC_UNUSED static void
answer_came (GObject *source, GAsyncResult *result, gpointer data)
{
  Answer *answer = data;

  g_assert_true (answer->thread == g_thread_self ());
  g_assert_cmpuint (++answer->n_calls, ==, 1);
  answer->source = source;
  answer->result = g_object_ref (result);
}

/* Are we where nothing is called that was not asked for? One more round of the loop shows it. */
G_GNUC_UNUSED static void
answer_await (Answer *answer, GMainContext *context)
{
  ITERATE (context, answer->n_calls > 0);
  g_main_context_iteration (context, FALSE);
  g_assert_cmpuint (answer->n_calls, ==, 1);
}
