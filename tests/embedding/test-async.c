/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Calls and maps, blocking and not: values and errors arrive once, in the context where they were asked for. */
#include "embedding-test.h"
#include <signal.h>

/* The squares of N numbers from START, as a map's items. */
static GPtrArray *
new_items (guint start, guint n)
{
  GPtrArray *items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (items, tutti_value_new_integer (start + i));
  return items;
}

static void
assert_squares (TuttiValue *list, guint start, guint n)
{
  g_assert_cmpint (tutti_value_get_value_type (list), ==, TUTTI_VALUE_LIST);
  g_assert_cmpuint (tutti_value_get_n_items (list), ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (TuttiValue) item = tutti_value_get_item (list, i);

      assert_real (item, (double) (start + i) * (start + i));
    }
}

static TuttiValue *
map (TuttiPool *pool, const char *function, GPtrArray *items, GCancellable *cancellable, GError **error)
{
  return tutti_pool_map (pool, example (), function, (TuttiValue *const *) items->pdata, items->len, cancellable, error);
}

static void
map_async (TuttiPool *pool, const char *function, GPtrArray *items, GCancellable *cancellable, Answer *answer)
{
  tutti_pool_map_async (pool, example (), function, (TuttiValue *const *) items->pdata, items->len, cancellable, answer_came, answer);
}

static void
test_blocking (void)
{
  TuttiPool *pool = pool_new (3);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = new_items (5, 1000), none = new_items (0, 0), deadly = new_items (SIGKILL, 1);

  assert_square (pool, 7);
  g_autoptr (TuttiValue) nothing = CALL (pool, "nothing", NULL);
  g_assert_cmpint (tutti_value_get_value_type (nothing), ==, TUTTI_VALUE_NULL);
  g_autoptr (TuttiValue) total = CALL (pool, "sum", tutti_value_new_real (1), tutti_value_new_integer (2), tutti_value_new_real (3), NULL);
  assert_real (total, 6);
  g_autoptr (TuttiValue) squares = map (pool, "square", items, NULL, &error);
  g_assert_no_error (error);
  assert_squares (squares, 5, 1000);
  g_autoptr (TuttiValue) empty = map (pool, "square", none, NULL, &error);
  g_assert_no_error (error);
  assert_squares (empty, 0, 0);
  g_ptr_array_add (items, tutti_value_new_text ("bad"));
  g_assert_null (map (pool, "square", items, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_true (g_str_has_prefix (error->message, "item 1000 of 1001: "));
  g_clear_error (&error);
  g_assert_null (map (pool, "die", deadly, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_DIED);
  assert_square (pool, 8);
  pool_end (pool);
}

/* The first that fails ends the others, also those that would never end. */
static void
test_stops_early (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  g_autoptr (Answer) answer = answer_new ();

  g_ptr_array_add (items, tutti_value_new_text ("hang"));
  g_ptr_array_add (items, tutti_value_new_text ("fail"));
  g_ptr_array_add (items, tutti_value_new_text ("hang"));
  g_assert_null (map (pool, "hang-or-fail", items, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_true (g_str_has_prefix (error->message, "item 1 of 3: "));
  g_clear_error (&error);
  map_async (pool, "hang-or-fail", items, NULL, answer);
  answer_await (answer, NULL);
  g_assert_null (tutti_pool_map_finish (pool, answer->result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  pool_end (pool);
}

/* --- contexts --------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TuttiPool *pool;
  guint start;
} Loop;

static gpointer
run_loop (gpointer data)
{
  const Loop *loop = data;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  for (guint round = 0; round < 30; round++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (Answer) one = answer_new (), all = answer_new (), wait = answer_new ();
      g_autoptr (GPtrArray) items = new_items (loop->start, 50);
      g_autoptr (TuttiValue) argument = tutti_value_new_real (loop->start);
      g_autoptr (TuttiTask) task = task_of ("square", tutti_value_new_integer (loop->start));

      tutti_pool_call_async (loop->pool, example (), "square", &argument, 1, NULL, answer_came, one);
      map_async (loop->pool, "square", items, NULL, all);
      submit (loop->pool, task);
      tutti_task_wait_async (task, NULL, answer_came, wait);
      /* Never before the function that was called has returned. */
      g_assert_cmpuint (one->n_calls + all->n_calls + wait->n_calls, ==, 0);
      answer_await (one, context);
      answer_await (all, context);
      answer_await (wait, context);
      g_autoptr (TuttiValue) square = tutti_pool_call_finish (loop->pool, one->result, &error);
      g_assert_no_error (error);
      assert_real (square, (double) loop->start * loop->start);
      g_autoptr (TuttiValue) squares = tutti_pool_map_finish (loop->pool, all->result, &error);
      g_assert_no_error (error);
      assert_squares (squares, loop->start, 50);
      g_autoptr (TuttiValue) waited = tutti_task_wait_finish (task, wait->result, &error);
      g_assert_no_error (error);
      assert_real (waited, (double) loop->start * loop->start);
    }
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_three_loops (void)
{
  TuttiPool *pool = pool_new (3);
  g_autoptr (TuttiTask) first = task_of ("nothing", NULL); /* the sanitizer does not see how GObject orders the making of a class */
  GThread *threads[3];
  Loop loops[3];

  for (guint i = 0; i < 3; i++)
    {
      loops[i] = (Loop){ pool, 100 * i };
      threads[i] = g_thread_new ("loop", run_loop, &loops[i]);
    }
  for (guint i = 0; i < 3; i++)
    g_thread_join (threads[i]);
  pool_end (pool);
}

static void
test_new_and_end (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiEngine) engine = engine_new ();
  g_autoptr (Answer) made = answer_new (), closed = answer_new (), ended = answer_new (), refused = answer_new (), stopped = answer_new ();
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();

  g_cancellable_cancel (cancelled);
  tutti_pool_new_async (engine, 2, cancelled, answer_came, stopped);
  answer_await (stopped, NULL);
  g_assert_null (tutti_pool_new_finish (stopped->result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  tutti_pool_new_async (engine, 2, NULL, answer_came, made);
  answer_await (made, NULL);
  TuttiPool *pool = tutti_pool_new_finish (made->result, &error);
  g_assert_no_error (error);
  assert_square (pool, 3);
  tutti_pool_close_async (pool, NULL, answer_came, closed);
  answer_await (closed, NULL);
  g_assert_true (tutti_pool_close_finish (pool, closed->result, &error));
  g_assert_no_error (error);
  tutti_engine_shutdown_async (engine, NULL, answer_came, ended);
  answer_await (ended, NULL);
  g_assert_true (tutti_engine_shutdown_finish (engine, ended->result, &error));
  g_assert_true (tutti_engine_is_shut_down (engine));
  tutti_pool_new_async (engine, 2, NULL, answer_came, refused);
  answer_await (refused, NULL);
  g_assert_null (tutti_pool_new_finish (refused->result, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  tutti_engine_shutdown (engine);
  g_clear_object (&stopped->result);
  g_clear_object (&made->result);
  g_clear_object (&closed->result);
  g_object_unref (pool);
}

/* --- cancellables ------------------------------------------------------------------------------------------------------------ */

static void
assert_cancelled (TuttiPool *pool, Answer *answer)
{
  g_autoptr (GError) error = NULL;

  answer_await (answer, NULL);
  g_assert_null (g_async_result_is_tagged (answer->result, tutti_pool_map_async) ? tutti_pool_map_finish (pool, answer->result, &error)
                                                                                  : tutti_pool_call_finish (pool, answer->result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static gpointer
cancel_in_thread (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancelled (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);

  for (guint i = 0; i < 20; i++)
    g_ptr_array_add (items, tutti_value_new_text ("hang"));
  for (guint round = 0; round < 10; round++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (Answer) one = answer_new (), all = answer_new (), after = answer_new (), good = answer_new ();
      g_autoptr (TuttiValue) argument = tutti_value_new_real (2);
      g_autoptr (GError) error = NULL;

      tutti_pool_call_async (pool, example (), "square", &argument, 1, cancellable, answer_came, good);
      answer_await (good, NULL);
      g_autoptr (TuttiValue) value = tutti_pool_call_finish (pool, good->result, &error);
      g_assert_no_error (error);
      assert_real (value, 4);
      tutti_pool_call_async (pool, example (), "hang", NULL, 0, cancellable, answer_came, one);
      map_async (pool, "hang-or-fail", items, cancellable, all);
      if (round % 2 == 0)
        g_cancellable_cancel (cancellable);
      else
        g_thread_unref (g_thread_new ("cancel", cancel_in_thread, cancellable));
      assert_cancelled (pool, one);
      assert_cancelled (pool, all);
      tutti_pool_call_async (pool, example (), "hang", NULL, 0, cancellable, answer_came, after);
      assert_cancelled (pool, after);
    }
  assert_square (pool, 2);
  pool_end (pool);
}

static void
close_when_cancelled (GCancellable *cancellable, gpointer pool)
{
  (void) cancellable;
  tutti_pool_close (pool);
}

/* A handler of the same cancellable may wait for the engine. */
static void
test_cancelled_with_handler (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (Answer) one = answer_new ();

  tutti_pool_call_async (pool, example (), "hang", NULL, 0, cancellable, answer_came, one);
  gulong handler = g_cancellable_connect (cancellable, G_CALLBACK (close_when_cancelled), pool, NULL);
  GThread *thread = g_thread_new ("cancel", cancel_in_thread, cancellable);
  assert_cancelled (pool, one);
  g_thread_join (thread);
  g_cancellable_disconnect (cancellable, handler);
  g_assert_true (tutti_pool_is_closed (pool));
  pool_end (pool);
}

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

typedef enum { CLOSE, SHUT_DOWN, CLOSE_ASYNC, SHUT_DOWN_ASYNC, N_ENDS } End;

/* Whatever is pending when a pool or engine ends is answered once. */
static void
end_while_pending (End how)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GPtrArray) items = new_items (0, 20), answers = g_ptr_array_new_with_free_func ((GDestroyNotify) answer_free);
  g_autoptr (TuttiTask) task = task_of ("hang", NULL);
  g_autoptr (Answer) ended = answer_new (), waited = answer_new ();

  submit (pool, task);
  tutti_task_wait_async (task, NULL, answer_came, waited);
  for (guint i = 0; i < 20; i++)
    {
      Answer *answer = answer_new ();

      g_ptr_array_add (answers, answer);
      if (i % 2 == 0)
        tutti_pool_call_async (pool, example (), "hang", NULL, 0, NULL, answer_came, answer);
      else
        map_async (pool, "square", items, NULL, answer);
    }
  if (how == CLOSE)
    g_assert_true (tutti_pool_close (pool));
  else if (how == SHUT_DOWN)
    tutti_engine_shutdown (tutti_pool_get_engine (pool));
  else if (how == CLOSE_ASYNC)
    tutti_pool_close_async (pool, NULL, answer_came, ended);
  else
    tutti_engine_shutdown_async (tutti_pool_get_engine (pool), NULL, answer_came, ended);
  for (guint i = 0; i < answers->len; i++)
    {
      Answer *answer = answers->pdata[i];
      g_autoptr (GError) error = NULL;

      answer_await (answer, NULL);
      g_autoptr (TuttiValue) value = i % 2 == 0 ? tutti_pool_call_finish (pool, answer->result, &error)
                                                : tutti_pool_map_finish (pool, answer->result, &error);
      g_assert_true (i % 2 != 0 || value == NULL);
      if (value == NULL)
        g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
    }
  answer_await (waited, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (tutti_task_wait_finish (task, waited->result, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  g_ptr_array_set_size (answers, 0);
  if (how == CLOSE_ASYNC || how == SHUT_DOWN_ASYNC)
    answer_await (ended, NULL);
  pool_end (pool);
}

static void
test_end_while_pending (void)
{
  for (guint how = 0; how < N_ENDS; how++)
    end_while_pending ((End) how);
}

static void
drop_all (GObject *source, GAsyncResult *result, gpointer data)
{
  gboolean *called = data;

  (void) source;
  (void) result;
  *called = TRUE;
}

/* The last reference of a pool, and with it of its engine, may be dropped by whoever delivers an answer. */
static void
test_dropped_in_callback (void)
{
  for (guint i = 0; i < 20; i++)
    {
      TuttiPool *pool = pool_new (1);
      gboolean called = FALSE;

      tutti_pool_call_async (pool, example (), "nothing", NULL, 0, NULL, drop_all, &called);
      g_object_unref (pool);
      ITERATE (NULL, called);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/async/blocking", test_blocking);
  g_test_add_func ("/embedding/async/stops-early", test_stops_early);
  g_test_add_func ("/embedding/async/three-loops", test_three_loops);
  g_test_add_func ("/embedding/async/new-and-end", test_new_and_end);
  g_test_add_func ("/embedding/async/cancelled", test_cancelled);
  g_test_add_func ("/embedding/async/cancelled-with-handler", test_cancelled_with_handler);
  g_test_add_func ("/embedding/async/end-while-pending", test_end_while_pending);
  g_test_add_func ("/embedding/async/dropped-in-callback", test_dropped_in_callback);
  return g_test_run ();
}
