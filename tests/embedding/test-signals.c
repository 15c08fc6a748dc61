/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Signals of pools: deaths, lines and progress come in the pool's context, in order, and no more when the pool is gone. */
#include "embedding-test.h"
#include <signal.h>

/* What was heard of a pool. */
typedef struct
{
  GThread *thread;
  GPtrArray *lines[2]; /* to standard output and error */
  GPtrArray *deaths;
  guint n_retried, n_progress;
  guint64 n_ended, n_submitted;
} Heard;

static void
line_came (TuttiPool *pool, guint worker, const char *line, gboolean is_error, gpointer data)
{
  Heard *heard = data;

  g_assert_true (TUTTI_IS_POOL (pool));
  g_assert_true (heard->thread == g_thread_self ());
  g_assert_cmpuint (worker, <, tutti_pool_get_n_workers (pool));
  g_ptr_array_add (heard->lines[is_error ? 1 : 0], g_strdup (line));
}

static void
worker_died (TuttiPool *pool, TuttiCertificate *certificate, gboolean is_retried, gpointer data)
{
  Heard *heard = data;

  (void) pool;
  g_assert_true (heard->thread == g_thread_self ());
  g_ptr_array_add (heard->deaths, tutti_certificate_ref (certificate));
  heard->n_retried += is_retried ? 1 : 0;
}

static void
progress_came (TuttiPool *pool, guint64 n_ended, guint64 n_submitted, gpointer data)
{
  Heard *heard = data;

  (void) pool;
  g_assert_true (heard->thread == g_thread_self ());
  g_assert_cmpuint (n_ended, <=, n_submitted);
  g_assert_cmpuint (n_ended, >=, heard->n_ended);
  heard->n_ended = n_ended;
  heard->n_submitted = n_submitted;
  heard->n_progress++;
}

static Heard *
hear (TuttiPool *pool)
{
  Heard *heard = g_new0 (Heard, 1);

  heard->thread = g_thread_self ();
  for (guint i = 0; i < 2; i++)
    heard->lines[i] = g_ptr_array_new_with_free_func (g_free);
  heard->deaths = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_certificate_unref);
  g_signal_connect (pool, "output", G_CALLBACK (line_came), heard);
  g_signal_connect (pool, "worker-died", G_CALLBACK (worker_died), heard);
  g_signal_connect (pool, "progress", G_CALLBACK (progress_came), heard);
  return heard;
}

static void
heard_free (Heard *heard)
{
  for (guint i = 0; i < 2; i++)
    g_ptr_array_unref (heard->lines[i]);
  g_ptr_array_unref (heard->deaths);
  g_free (heard);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Heard, heard_free)

static void
say (TuttiPool *pool, guint start, guint n)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *line = g_strdup_printf ("line %u", start + i);

      g_ptr_array_add (lines, tutti_value_new_text (line));
    }
  g_autoptr (TuttiValue) value = tutti_pool_call (pool, example (), "say", (TuttiValue *const *) lines->pdata, n, NULL, &error);
  g_assert_no_error (error);
}

static void
test_output (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (Heard) heard = hear (pool);

  for (guint i = 0; i < 20; i++)
    say (pool, 100 * i, 100);
  /* Nothing is emitted but by the loop. */
  g_assert_cmpuint (heard->lines[0]->len + heard->lines[1]->len, ==, 0);
  ITERATE (NULL, heard->lines[0]->len == 1000 && heard->lines[1]->len == 1000);
  for (guint i = 0; i < 2000; i++)
    {
      g_autofree char *expected = g_strdup_printf ("line %u", i);

      g_assert_cmpstr (heard->lines[i % 2]->pdata[i / 2], ==, expected);
    }
  g_autoptr (TuttiValue) odd = CALL (pool, "say-bytes", NULL);
  ITERATE (NULL, heard->lines[0]->len == 1001);
  g_assert_cmpstr (heard->lines[0]->pdata[1000], ==, "caf\xef\xbf\xbd");
  pool_end (pool);
}

static void
test_deaths (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (Heard) heard = hear (pool);
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiTask) task = task_of ("die", tutti_value_new_integer (SIGKILL)), cancelled = task_of ("hang", NULL);

  tutti_task_set_retries (task, 1);
  submit (pool, task);
  g_assert_null (tutti_task_wait (task, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
  ITERATE (NULL, heard->deaths->len == 2);
  g_assert_cmpuint (heard->n_retried, ==, 1);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (tutti_certificate_get_signal (heard->deaths->pdata[i]), ==, SIGKILL);
      g_assert_cmpuint (tutti_certificate_get_task (heard->deaths->pdata[i]), ==, tutti_task_get_id (task));
    }
  /* All that it wrote came before that. */
  g_assert_cmpuint (heard->lines[1]->len, ==, 2);
  /* Ends that were asked for are no news. */
  submit (pool, cancelled);
  tutti_task_cancel (cancelled);
  assert_square (pool, 3);
  g_assert_true (tutti_pool_close (pool));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (heard->deaths->len, ==, 2);
  pool_end (pool);
}

static void
test_progress (void)
{
  TuttiPool *pool = pool_new (3);
  g_autoptr (Heard) heard = hear (pool);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  g_autofree char *module = helper ("complex-operator.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("n", tutti_value_new_integer (4), NULL);
  g_autoptr (Answer) answer = answer_new ();

  for (guint i = 0; i < 20000; i++)
    g_ptr_array_add (items, tutti_value_new_integer (i));
  tutti_pool_map_async (pool, example (), "square", (TuttiValue *const *) items->pdata, items->len, NULL, answer_came, answer);
  ITERATE (NULL, heard->n_submitted == 20000 && heard->n_ended == 20000);
  answer_await (answer, NULL);
  g_autoptr (TuttiValue) list = tutti_pool_map_finish (pool, answer->result, &error);
  g_assert_no_error (error);
  /* What is made, evaluated, fails or is cancelled is counted as well; what is refused is not. */
  g_autoptr (TuttiOperator) operator = tutti_operator_new (pool, module, "square", parameters, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (TuttiVector) x = tutti_vector_new_typed (TUTTI_ELEMENT_C64, 4, &error);
  g_autoptr (TuttiVector) y = tutti_operator_evaluate (operator, x, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (call (pool, "none-such", NULL, NULL));
  g_autoptr (TuttiTask) pinned = task_of ("nothing", NULL);
  tutti_task_set_worker (pinned, 7);
  g_assert_false (tutti_pool_submit (pool, pinned, NULL));
  ITERATE (NULL, heard->n_submitted == 20003 && heard->n_ended == 20003);
  guint n = heard->n_progress;
  for (guint i = 0; i < 10; i++)
    {
      g_usleep (20000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  g_assert_cmpuint (heard->n_progress, ==, n);
  g_autoptr (TuttiTask) hanging = task_of ("hang", NULL);
  submit (pool, hanging);
  g_assert_true (tutti_pool_close (pool));
  ITERATE (NULL, heard->n_submitted == 20004 && heard->n_ended == 20004);
  g_clear_pointer (&operator, tutti_operator_unref);
  pool_end (pool);
}

/* --- contexts and ends ------------------------------------------------------------------------------------------------------- */

static gpointer
hear_in_thread (gpointer data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();

  (void) data;
  g_main_context_push_thread_default (context);
  TuttiPool *pool = pool_new (1);
  g_autoptr (Heard) heard = hear (pool);
  say (pool, 0, 2);
  ITERATE (context, heard->lines[0]->len == 1 && heard->lines[1]->len == 1 && heard->n_ended == 1);
  pool_end (pool);
  g_main_context_pop_thread_default (context);
  return NULL;
}

/* While the default context runs as well, and must not get them. */
static void
test_contexts (void)
{
  GThread *threads[3];

  for (guint i = 0; i < 3; i++)
    threads[i] = g_thread_new ("hear", hear_in_thread, NULL);
  for (guint i = 0; i < 20; i++)
    {
      g_usleep (1000);
      g_main_context_iteration (NULL, FALSE);
    }
  for (guint i = 0; i < 3; i++)
    g_thread_join (threads[i]);
}

static void
never (void)
{
  g_assert_not_reached ();
}

static void
test_gone (void)
{
  TuttiPool *pool = pool_new (1);
  g_autoptr (Heard) heard = hear (pool);

  say (pool, 0, 100);
  g_assert_cmpuint (g_signal_handlers_disconnect_by_data (pool, heard), ==, 3);
  gulong handler = g_signal_connect (pool, "output", G_CALLBACK (never), NULL);
  g_signal_handler_disconnect (pool, handler);
  for (guint i = 0; i < 20; i++)
    {
      g_usleep (10000);
      g_main_context_iteration (NULL, FALSE);
    }
  g_assert_cmpuint (heard->lines[0]->len + heard->n_progress, ==, 0);
  g_signal_connect (pool, "output", G_CALLBACK (never), NULL);
  g_signal_connect (pool, "worker-died", G_CALLBACK (never), NULL);
  g_signal_connect (pool, "progress", G_CALLBACK (never), NULL);
  say (pool, 0, 100);
  gpointer gone = pool;
  g_object_add_weak_pointer (G_OBJECT (pool), &gone);
  pool_end (pool);
  g_assert_null (gone);
  for (guint i = 0; i < 20; i++)
    {
      g_usleep (10000);
      g_main_context_iteration (NULL, FALSE);
    }
}

typedef struct
{
  TuttiPool **pool;
  guint n;
} Dropper;

static void
drop_pool (TuttiPool *pool, guint worker, const char *line, gboolean is_error, gpointer data)
{
  Dropper *dropper = data;

  (void) pool;
  (void) worker;
  (void) line;
  (void) is_error;
  dropper->n++;
  g_clear_object (dropper->pool);
}

/* A handler may drop the last reference; what is being emitted is the last. */
static void
test_dropped_by_handler (void)
{
  TuttiPool *pool = pool_new (1);
  Dropper dropper = { &pool, 0 };

  g_signal_connect (pool, "output", G_CALLBACK (drop_pool), &dropper);
  say (pool, 0, 1);
  ITERATE (NULL, dropper.n > 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (dropper.n, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/signals/output", test_output);
  g_test_add_func ("/embedding/signals/deaths", test_deaths);
  g_test_add_func ("/embedding/signals/progress", test_progress);
  g_test_add_func ("/embedding/signals/contexts", test_contexts);
  g_test_add_func ("/embedding/signals/gone", test_gone);
  g_test_add_func ("/embedding/signals/dropped-by-handler", test_dropped_by_handler);
  return g_test_run ();
}
