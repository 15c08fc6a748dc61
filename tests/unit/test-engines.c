/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several engines in one process, beside each other and one after the other. */
#include "../support/descriptors.h"
#include "pool/held.h"
#include "pool-fixture.h"
#include "platform/process-tree.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int
worker_pid (TtiPool *pool)
{
  TtiWorkerInfo info;

  tti_pool_get_worker (pool, 0, &info);
  return info.pid;
}

/* Each counts its own tasks; a death in one is none in the other. */
static void
test_beside (void)
{
  TtiEngine *one = engine_new (), *other = engine_new ();
  TtiPool *first = pool_in (one, 2), *second = pool_in (other, 3);

  for (guint i = 0; i < 100; i++)
    {
      assert_echo (first, "first");
      assert_echo (second, "second");
    }
  guint64 n = tti_engine_get_n_ended (other);
  g_autoptr (TtiTask) dead = task_new ("signal 9");

  tti_task_set_retries (dead, 0);
  g_assert_true (tti_task_wait (submit (first, dead), LIMIT));

  g_assert_error (tti_task_get_error (dead), TUTTI_ERROR, TUTTI_ERROR_DIED);
  assert_echo (first, "alive");
  g_assert_cmpuint (tti_engine_get_n_ended (other), ==, n);
  g_assert_null (tti_pool_get_last_death (second));
  pool_end (first);
  pool_end (second);
  tti_engine_unref (one);
  tti_engine_unref (other);
}

typedef struct
{
  TtiPool *pool;
  gint stop;
  guint n;
} Work;

static gpointer
work (gpointer data)
{
  Work *self = data;

  while (!g_atomic_int_get (&self->stop) || self->n == 0)
    {
      assert_echo (self->pool, "on and on");
      self->n++;
    }
  return NULL;
}

/* Again and again one is shut down and another made, while a third works. */
static void
test_one_after_the_other (void)
{
  TtiEngine *lasting = engine_new ();
  Work busy = { .pool = pool_in (lasting, 2) };
  GThread *thread = g_thread_new ("works", work, &busy);
  int pid = worker_pid (busy.pool);

  for (guint i = 0; i < 5; i++)
    {
      TtiEngine *engine = engine_new ();
      TtiPool *pool = pool_in (engine, 2);
      g_autoptr (GError) error = NULL;
      g_autoptr (TtiTask) running = submit (pool, task_new ("hang")), late = task_new ("late");

      assert_echo (pool, "works");
      tti_engine_shutdown (engine);
      tti_engine_shutdown (engine);
      g_assert_true (tti_pool_is_quiet (pool));
      g_assert_true (tti_task_wait (running, LIMIT));
      g_assert_error (tti_task_get_error (running), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      g_assert_false (tti_pool_submit (pool, late, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      g_clear_error (&error);
      g_assert_null (pool_with (engine, 1, NULL, &error));
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED);
      g_assert_nonnull (strstr (error->message, "shut down"));
      tti_pool_unref (pool);
      tti_engine_unref (engine);
    }
  g_atomic_int_set (&busy.stop, TRUE);
  g_thread_join (thread);
  g_assert_cmpint (worker_pid (busy.pool), ==, pid);
  pool_end (busy.pool);
  tti_engine_unref (lasting);
}

/* A thread that gives its pool as much to do as it takes, with vectors, until it is closed. */
static gpointer
load (gpointer data)
{
  enum { AT_ONCE = 50, NUMBERS = 20000 };
  Work *self = data;
  g_autoptr (TtiVector) vector = tti_vector_new (NUMBERS * sizeof (double), NULL);
  g_autoptr (TtiPayload) payload = text_payload ("mirror", vector);
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);
  gboolean open = TRUE;

  for (; open && !g_atomic_int_get (&self->stop); g_ptr_array_set_size (tasks, 0))
    {
      while (open && tasks->len < AT_ONCE)
        {
          g_ptr_array_add (tasks, tti_task_new (TTI_HANDLER_ECHO, payload));
          open = tti_pool_submit (self->pool, g_ptr_array_index (tasks, tasks->len - 1), NULL);
        }
      /* The last may have been refused. */
      for (guint i = 0; i < tasks->len - (open ? 0 : 1); i++)
        {
          TtiTask *task = g_ptr_array_index (tasks, i);

          g_assert_true (tti_task_wait (task, LIMIT));
          if (tti_task_get_state (task) == TTI_TASK_DONE)
            g_atomic_int_inc ((gint *) &self->n);
          else
            g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
        }
    }
  g_assert_false (tti_vector_is_borrowed (vector));
  return NULL;
}

static guint
wait_for_more (Work *work, guint than)
{
  gint64 limit = LIMIT;
  guint n;

  while ((n = (guint) g_atomic_int_get ((gint *) &work->n)) <= than)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  return n;
}

/* Each is shut down under load, with who waits for it, and another made, while a third goes on under load. */
static void
test_under_load (void)
{
  TtiEngine *lasting = engine_new ();
  Work lasts = { .pool = pool_in (lasting, 2) };
  GThread *goes_on = g_thread_new ("goes on", load, &lasts);
  guint n = 0;

  for (guint i = 0; i < 4; i++)
    {
      TtiEngine *engine = engine_new ();
      Work works = { .pool = pool_in (engine, 2) };
      GThread *threads[] = { g_thread_new ("works", load, &works), g_thread_new ("works too", load, &works) };

      (void) wait_for_more (&works, 0);
      n = wait_for_more (&lasts, n);
      tti_engine_shutdown (engine);
      g_thread_join (threads[0]);
      g_thread_join (threads[1]);
      g_assert_true (tti_pool_is_quiet (works.pool));
      n = wait_for_more (&lasts, n);
      tti_pool_unref (works.pool);
      tti_engine_unref (engine);
    }
  g_atomic_int_set (&lasts.stop, TRUE);
  g_thread_join (goes_on);
  pool_end (lasts.pool);
  tti_engine_unref (lasting);
}

/* The last reference shuts it down, and with it what was left open. */
static void
test_last_reference (void)
{
  TtiEngine *engine = engine_new ();
  TtiPool *pool = pool_in (engine, 1);
  g_autoptr (TtiTask) task = submit (pool, task_new ("hang"));
  g_autoptr (GError) error = NULL;
  tti_autofd int pidfd = tti_process_open (worker_pid (pool), &error);

  g_assert_no_error (error);
  tti_engine_unref (tti_engine_ref (engine));
  g_assert_false (tti_pool_is_closed (pool));
  tti_engine_unref (engine);
  g_assert_true (tti_fd_wait (pidfd, G_IO_IN, LIMIT));
  g_assert_true (tti_pool_is_quiet (pool));
  g_assert_error (tti_task_get_error (task), TUTTI_ERROR, TUTTI_ERROR_CLOSED);
  tti_pool_unref (pool);
}

/* After the default one was shut down there is another. */
static void
test_default (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiEngine) first = tti_engine_get_default (&error);

  g_assert_no_error (error);
  g_autoptr (TtiEngine) again = tti_engine_get_default (NULL);

  g_assert_true (again == first);
  TtiPool *pool = pool_new (1);

  g_assert_true (tti_pool_get_engine (pool) == first);
  tti_engine_shutdown (first);
  tti_pool_unref (pool);
  pool = pool_new (1);
  g_autoptr (TtiEngine) second = tti_engine_get_default (NULL);

  g_assert_true (second != first);
  g_assert_true (tti_pool_get_engine (pool) == second);
  assert_echo (pool, "again");
  pool_end (pool);
}

/* Of default ones that were shut down nothing is left once they have been replaced: no descriptor, and no memory (which the sanitizer
 * sees). */
static void
test_renewed (void)
{
  guint before = 0;

  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (TtiEngine) engine = tti_engine_get_default (NULL);
      TtiPool *pool = pool_new (1);

      assert_echo (pool, "works");
      tti_engine_shutdown (engine);
      tti_pool_unref (pool);
      before = i == 0 ? count_descriptors () : before;
    }
  /* The thread that has waited for a guard has one for a moment longer. */
  for (gint64 limit = LIMIT; count_descriptors () > before && g_get_monotonic_time () < limit;)
    g_usleep (1000);
  g_assert_cmpuint (count_descriptors (), <=, before);
}

static void
assert_refused (TtiPool *pool, TtiTask *task, const char *what)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (tti_pool_submit (pool, task, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, what));
}

/* What two locks would guard is refused: dependencies on tasks that run elsewhere, and held objects. What has ended is a value. */
static void
test_mixed (void)
{
  TtiEngine *one = engine_new (), *other = engine_new ();
  TtiPool *first = pool_in (one, 1), *second = pool_in (other, 1);
  g_autoptr (TtiTask) slow = submit (first, task_new ("hang")), waits = task_new ("waits"), again = task_new ("again");
  g_autoptr (TtiTask) done = run_text (second, "done"), user = task_new ("user"), stranger = task_new ("stranger");
  g_autoptr (TtiPayload) value = text_payload ("value", NULL);
  g_autoptr (TtiHeld) held = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &value, 1);
  g_autoptr (TtiHeld) needs = tti_held_new (tti_held_next_id (), TTI_HELD_GIVEN, &value, 1);

  tti_task_add_dependency (waits, slow);
  assert_refused (second, waits, "to another");
  tti_held_add_need (needs, held);
  tti_task_add_held (user, held);
  g_assert_true (tti_task_wait (submit (second, user), LIMIT));
  tti_task_add_held (stranger, needs);
  assert_refused (first, stranger, "belongs to the engine");
  tti_task_cancel (slow);
  tti_task_add_dependency (again, done);
  g_assert_true (tti_task_wait (submit (first, again), LIMIT));
  pool_end (first);
  pool_end (second);
  tti_engine_unref (one);
  tti_engine_unref (other);
  /* What is left of them is of no harm to those that have it. */
  g_assert_true (tti_task_wait (again, -1));
  tti_task_cancel (again);
}

/* Guards are children of this process, watchers are theirs, and workers are watchers'. */
static pid_t
watcher_of (pid_t worker)
{
  g_autoptr (GArray) guards = tti_process_children (getpid ());

  for (guint i = 0; i < guards->len; i++)
    {
      g_autoptr (GArray) watchers = tti_process_children (g_array_index (guards, pid_t, i));

      for (guint w = 0; w < watchers->len; w++)
        {
          g_autoptr (GArray) workers = tti_process_children (g_array_index (watchers, pid_t, w));

          for (guint k = 0; k < workers->len; k++)
            if (g_array_index (workers, pid_t, k) == worker)
              return g_array_index (watchers, pid_t, w);
        }
    }
  g_error ("no watcher has process %d", (int) worker);
}

/* The watcher of one is killed: the other does not notice. */
static void
test_lost (void)
{
  TtiEngine *one = engine_new (), *other = engine_new ();
  TtiPool *first = pool_in (one, 2), *second = pool_in (other, 2);
  int pid = worker_pid (second);
  int before = worker_pid (first);

  kill (watcher_of (before), SIGKILL);
  gint64 limit = LIMIT;

  while (worker_pid (first) == before || worker_pid (first) == 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
      g_usleep (1000);
    }
  assert_echo (first, "again");
  assert_echo (second, "still");
  g_assert_cmpint (worker_pid (second), ==, pid);
  pool_end (first);
  pool_end (second);
  tti_engine_unref (one);
  tti_engine_unref (other);
}

static gpointer
shut_down (gpointer engine)
{
  tti_engine_shutdown (engine);
  return NULL;
}

/* Whoever comes second finds nothing running either when it returns. */
static void
test_shutdown_by_two (void)
{
  for (guint i = 0; i < 10; i++)
    {
      g_autoptr (TtiEngine) engine = engine_new ();
      TtiPool *pool = pool_in (engine, 3);
      int pid;

      assert_echo (pool, "alive");
      pid = worker_pid (pool);
      GThread *thread = g_thread_new ("shutdown", shut_down, engine);

      while (!tti_pool_is_closed (pool))
        g_thread_yield ();
      tti_engine_shutdown (engine);
      g_assert_cmpint (kill (pid, 0), <, 0);
      g_thread_join (thread);
      tti_pool_unref (pool);
    }
}

/* A watcher that does nothing is no reason for a shutdown to leave anything behind. */
static void
test_shutdown_without_watcher (void)
{
  TtiEngine *engine = engine_new ();
  TtiPool *pool = pool_in (engine, 2);
  g_autoptr (TtiTask) running = submit (pool, task_new ("deaf"));
  g_autoptr (GError) error = NULL;
  tti_autofd int pidfd = tti_process_open (worker_pid (pool), &error);

  g_assert_no_error (error);
  kill (watcher_of (worker_pid (pool)), SIGSTOP);
  tti_engine_shutdown (engine);
  g_assert_true (tti_pool_is_quiet (pool));
  g_assert_true (tti_task_wait (running, LIMIT));
  g_assert_true (tti_fd_wait (pidfd, G_IO_IN, LIMIT));
  tti_pool_unref (pool);
  tti_engine_unref (engine);
}

/* In a copy of the process neither can be used, and the end of the copy harms none. */
static void
test_fork (void)
{
  TtiEngine *one = engine_new (), *other = engine_new ();
  TtiPool *first = pool_in (one, 1), *second = pool_in (other, 1);
  int status;
  pid_t pid = fork ();

  if (pid == 0)
    {
      g_autoptr (GError) error = NULL;
      gboolean refused = tti_engine_new (&error) == NULL && g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_FORKED);

      tti_pool_unref (first);
      tti_engine_unref (one);
      tti_engine_unref (other);
      _exit (refused ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  assert_echo (first, "first");
  assert_echo (second, "second");
  pool_end (first);
  pool_end (second);
  tti_engine_unref (one);
  tti_engine_unref (other);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engines/beside", test_beside);
  g_test_add_func ("/engines/one-after-the-other", test_one_after_the_other);
  g_test_add_func ("/engines/under-load", test_under_load);
  g_test_add_func ("/engines/last-reference", test_last_reference);
  g_test_add_func ("/engines/default", test_default);
  g_test_add_func ("/engines/renewed", test_renewed);
  g_test_add_func ("/engines/mixed", test_mixed);
  g_test_add_func ("/engines/lost", test_lost);
  g_test_add_func ("/engines/shutdown-without-watcher", test_shutdown_without_watcher);
  g_test_add_func ("/engines/shutdown-by-two", test_shutdown_by_two);
  g_test_add_func ("/engines/fork", test_fork);
  int failed = g_test_run ();

  tti_engine_end_default ();
  return failed;
}
