/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Engines and pools: their properties and limits, one worker and many, copies of the process, and what is left behind. */
#include "../support/descriptors.h"
#include "embedding-test.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static TuttiPool *
pool_with (GError **error, const char *property, ...)
{
  va_list rest;

  va_start (rest, property);
  g_autoptr (GObject) object = g_object_new_valist (TUTTI_TYPE_POOL, property, rest);
  va_end (rest);
  return g_initable_init (G_INITABLE (object), NULL, error) ? TUTTI_POOL (g_steal_pointer (&object)) : NULL;
}

static void
test_properties (void)
{
  g_autoptr (TuttiEngine) engine = engine_new (), its = NULL;
  g_autoptr (GError) error = NULL;
  const char *const settings[] = { "TUTTI_EMBEDDING_TEST=a=b", "OPENBLAS_NUM_THREADS=3", NULL };
  TuttiPool *pool = pool_with (&error, "engine", engine, "n-workers", 2, "name", "the pool", "memory-limit",
                               G_GUINT64_CONSTANT (1) << 40, "environment", settings, NULL);
  g_autofree char *name = NULL;
  g_auto (GStrv) environment = NULL;
  guint n_workers;
  guint64 limit;
  gboolean shut_down;

  g_assert_no_error (error);
  g_object_get (pool, "engine", &its, "n-workers", &n_workers, "name", &name, "memory-limit", &limit, "environment", &environment, NULL);
  g_assert_true (its == engine);
  g_assert_true (tutti_pool_get_engine (pool) == engine);
  g_assert_cmpuint (n_workers, ==, 2);
  g_assert_cmpstr (name, ==, "the pool");
  g_assert_cmpstr (tutti_pool_get_name (pool), ==, "the pool");
  g_assert_cmpuint (limit, ==, G_GUINT64_CONSTANT (1) << 40);
  g_assert_cmpuint (g_strv_length (environment), ==, 2);
  g_autoptr (TuttiValue) own = CALL (pool, "setting", tutti_value_new_text ("TUTTI_EMBEDDING_TEST"), NULL);
  g_autoptr (TuttiValue) changed = CALL (pool, "setting", tutti_value_new_text ("OPENBLAS_NUM_THREADS"), NULL);
  g_autoptr (TuttiValue) usual = CALL (pool, "setting", tutti_value_new_text ("OMP_NUM_THREADS"), NULL);
  g_autoptr (TuttiValue) inherited = CALL (pool, "setting", tutti_value_new_text ("TUTTI_HELPERS"), NULL);
  g_assert_cmpstr (tutti_value_get_text (own), ==, "a=b");
  g_assert_cmpstr (tutti_value_get_text (changed), ==, "3");
  g_assert_cmpstr (tutti_value_get_text (usual), ==, "1");
  g_assert_cmpstr (tutti_value_get_text (inherited), ==, g_getenv ("TUTTI_HELPERS"));
  g_assert_null (g_getenv ("TUTTI_EMBEDDING_TEST"));
  g_assert_null (tutti_pool_dup_last_death (pool));
  g_assert_cmpint (tutti_pool_get_worker_pid (pool, 0), !=, tutti_pool_get_worker_pid (pool, 1));
  g_assert_true (tutti_pool_close (pool));
  g_assert_true (tutti_pool_close (pool));
  g_assert_cmpint (tutti_pool_get_worker_pid (pool, 0), ==, 0);
  g_object_get (engine, "shut-down", &shut_down, NULL);
  g_assert_false (shut_down);
  g_object_unref (pool);
  tutti_engine_shutdown (engine);
  g_object_get (engine, "shut-down", &shut_down, NULL);
  g_assert_true (shut_down);
}

static void
test_refused (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (GError) error = NULL;
  const char *const wrong[] = { "no setting", NULL };

  g_assert_null (pool_with (&error, "engine", engine, "n-workers", 1, "environment", wrong, NULL));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "no setting"));
  g_clear_error (&error);
  g_autofree char *programs = g_strdup (g_getenv ("TUTTI_LIBEXECDIR"));
  g_setenv ("TUTTI_LIBEXECDIR", "/there/is/none", TRUE);
  g_assert_null (tutti_pool_new (engine, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, "tutti-worker"));
  g_clear_error (&error);
  g_assert_null (tutti_engine_new (&error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN);
  g_assert_nonnull (strstr (error->message, "tutti-watcher"));
  g_clear_error (&error);
  g_setenv ("TUTTI_LIBEXECDIR", programs, TRUE);
  tutti_engine_shutdown (engine);
  g_assert_null (tutti_pool_new (engine, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
}

static void
test_default_engine (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiPool) pool = tutti_pool_new (NULL, 0, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tutti_pool_get_n_workers (pool), >, 0);
  g_autoptr (TuttiEngine) one = tutti_engine_get_default (&error), other = tutti_engine_get_default (&error);
  g_assert_no_error (error);
  g_assert_true (one == other);
  g_assert_true (tutti_pool_get_engine (pool) == one);
  assert_square (pool, 3);
  tutti_engine_shutdown (one);
  g_autoptr (TuttiEngine) again = tutti_engine_get_default (&error);
  g_assert_no_error (error);
  g_assert_true (again != one);
  g_assert_false (tutti_engine_is_shut_down (again));
  tutti_engine_shutdown (again);
}

static void
test_sizes (void)
{
  const guint sizes[] = { 1, 64 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      TuttiPool *pool = pool_new (sizes[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);

      for (guint k = 0; k < 2000; k++)
        g_ptr_array_add (items, tutti_value_new_integer (k));
      g_autoptr (TuttiValue) list = tutti_pool_map (pool, example (), "square", (TuttiValue *const *) items->pdata, items->len, NULL,
                                                    &error);
      g_assert_no_error (error);
      g_autoptr (TuttiValue) last = tutti_value_get_item (list, 1999);
      assert_real (last, 1999.0 * 1999.0);
      /* Each worker has its own process. */
      for (guint k = 0; k < sizes[i]; k++)
        {
          g_autoptr (TuttiTask) task = task_of ("who", NULL);

          tutti_task_set_worker (task, (int) k);
          submit (pool, task);
          g_autoptr (TuttiValue) who = tutti_task_wait (task, NULL, &error), pid = tutti_value_get_item (who, 0);
          g_assert_cmpint (tutti_value_get_integer (pid), ==, tutti_pool_get_worker_pid (pool, k));
        }
      pool_end (pool);
    }
}

static void
test_memory_limit (void)
{
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (GError) error = NULL;
  const gint64 mebibyte = 1 << 20;
  TuttiPool *pool = pool_with (&error, "engine", engine, "n-workers", 2, "memory-limit", (guint64) (300 * mebibyte), NULL);

  g_assert_no_error (error);
  g_autoptr (TuttiTask) task = task_of ("allocate", tutti_value_new_integer (600 * mebibyte));
  tutti_task_set_retries (task, 0);
  submit (pool, task);
  g_assert_null (tutti_task_wait (task, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
  g_assert_cmpint (tutti_certificate_get_reason (tutti_task_get_certificate (task)), ==, TUTTI_DEATH_MEMORY_LIMIT);
  assert_square (pool, 3);
  g_object_unref (pool);
  tutti_engine_shutdown (engine);
}

/* --- memory and descriptors -------------------------------------------------------------------------------------------------- */

static gsize
resident_bytes (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  const char *space = strchr (text, ' ');
  return (gsize) g_ascii_strtoull (space, NULL, 10) * (gsize) sysconf (_SC_PAGESIZE);
}

/* Large results stay where workers have written them, and their memory is used again. */
static void
test_large_results (void)
{
  TuttiPool *pool = pool_new (2);
  const gsize n = 1000000;
  gsize before = 0;

  for (guint i = 0; i < 60; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (TuttiValue) value = CALL (pool, "count", tutti_value_new_integer ((gint64) n), NULL);
      guint64 offset;
      int fd = tutti_vector_dup_fd (tutti_value_get_vector (value), &offset, &error);
      gsize length;
      const double *numbers = tutti_vector_get_doubles (tutti_value_get_vector (value), &length);

      g_assert_no_error (error);
      g_assert_cmpint (close (fd), ==, 0);
      g_assert_cmpuint (length, ==, n);
      for (gsize k = 0; k < n; k += 1000)
        g_assert_cmpfloat (numbers[k], ==, (double) k);
      if (i == 9)
        before = resident_bytes ();
    }
  g_assert_cmpuint (resident_bytes (), <, before + 3 * n * sizeof (double));
  pool_end (pool);
}

static void
test_nothing_left (void)
{
  guint before = 0;

  for (guint i = 0; i < 10; i++)
    {
      TuttiPool *pool = pool_new (3);

      assert_square (pool, 3);
      pool_end (pool);
      if (i == 1)
        before = count_descriptors ();
    }
  /* Another thread may be about to drop the last reference of what it was told of. */
  AWAIT (count_descriptors () <= before);
}

/* --- copies of the process --------------------------------------------------------------------------------------------------- */

typedef struct
{
  TuttiPool *pool;
  TuttiTask *running, *done;
  TuttiOperator *operator;
} Things;

static gboolean
is_refused (gpointer value, GError **error)
{
  gboolean refused = value == NULL && g_error_matches (*error, TUTTI_ERROR, TUTTI_ERROR_FORKED) && (*error)->message[0] != '\0';

  g_clear_error (error);
  return refused;
}

static void
refusal_came (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  TuttiValue *value = tutti_pool_call_finish (TUTTI_POOL (source), result, &error);

  *(gboolean *) data = is_refused (value, &error);
}

/* The number of the check that failed, 0 if none did. */
static int
in_copy (const Things *things)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiVector) x = tutti_vector_new_typed (TUTTI_ELEMENT_C64, 3, &error);
  g_autoptr (TuttiTask) task = task_of ("nothing", NULL);
  g_autoptr (TuttiValue) item = tutti_value_new_real (1);
  g_autoptr (GMainContext) context = g_main_context_new ();
  gboolean refused = FALSE;

  if (!is_refused (tutti_engine_new (&error), &error) || !is_refused (tutti_engine_get_default (&error), &error))
    return 1;
  if (!is_refused (tutti_pool_new (tutti_pool_get_engine (things->pool), 1, &error), &error))
    return 2;
  if (!is_refused (call (things->pool, "nothing", &error, NULL), &error))
    return 3;
  if (tutti_pool_submit (things->pool, task, &error) || !is_refused (NULL, &error))
    return 4;
  if (!is_refused (tutti_pool_map (things->pool, example (), "square", &item, 1, NULL, &error), &error))
    return 5;
  if (!is_refused (tutti_operator_evaluate (things->operator, x, NULL, &error), &error))
    return 6;
  if (!is_refused (tutti_task_wait (things->running, NULL, &error), &error))
    return 7;
  tutti_task_cancel (things->running);
  /* Values that were there can be read. */
  g_autoptr (TuttiValue) value = tutti_task_wait (things->done, NULL, &error);
  if (value == NULL || tutti_value_get_real (value) != 9)
    return 8;
  g_main_context_push_thread_default (context);
  tutti_pool_call_async (things->pool, example (), "nothing", NULL, 0, NULL, refusal_came, &refused);
  while (!refused && g_main_context_iteration (context, FALSE))
    ;
  g_main_context_pop_thread_default (context);
  if (!refused)
    return 9;
  (void) tutti_pool_close (things->pool);
  tutti_engine_shutdown (tutti_pool_get_engine (things->pool));
  return 0;
}

static int
run_copy (const Things *things, gboolean at_exit)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      int failed = in_copy (things);

#ifndef __SANITIZE_ADDRESS__ /* it does not see what threads of the original hold */
      /* Also with all that is done at exit. */
      if (at_exit && failed == 0)
        exit (0);
#else
      (void) at_exit;
#endif
      _exit (failed);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_fork (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autofree char *module = helper ("complex-operator.so");
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("n", tutti_value_new_integer (3), NULL);
  g_autoptr (TuttiOperator) operator = tutti_operator_new (pool, module, "square", parameters, NULL, &error);
  g_autoptr (TuttiTask) done = task_of ("square", tutti_value_new_real (3)), running = task_of ("hang", NULL);

  g_assert_no_error (error);
  /* It has a thread, which the copy should not be the first to need. */
  g_type_ensure (G_TYPE_TASK);
  submit (pool, done);
  g_autoptr (TuttiValue) value = tutti_task_wait (done, NULL, &error);
  submit (pool, running);
  for (guint i = 0; i < 5; i++)
    {
      const Things things = { pool, running, done, operator };

      g_assert_cmpint (run_copy (&things, i % 2 == 0), ==, 0);
      assert_square (pool, i);
    }
  g_assert_cmpint (tutti_task_get_state (running), ==, TUTTI_TASK_RUNNING);
  g_assert_null (tutti_pool_dup_last_death (pool));
  tutti_task_cancel (running);
  g_clear_pointer (&operator, tutti_operator_unref);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/pools/properties", test_properties);
  g_test_add_func ("/embedding/pools/refused", test_refused);
  g_test_add_func ("/embedding/pools/default-engine", test_default_engine);
  g_test_add_func ("/embedding/pools/sizes", test_sizes);
  g_test_add_func ("/embedding/pools/memory-limit", test_memory_limit);
  g_test_add_func ("/embedding/pools/large-results", test_large_results);
  g_test_add_func ("/embedding/pools/nothing-left", test_nothing_left);
  g_test_add_func ("/embedding/pools/fork", test_fork);
  return g_test_run ();
}
