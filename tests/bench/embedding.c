/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The public API beside the engine that it is made of, in one process and one run; and what a main loop feels of it.
 *
 *   round trip           a function that does nothing, called and waited for; the engine: a task of the echo handler
 *   same call            the same; the engine: a task for the same function
 *   in flight            100 000 tasks at once, 2 workers: from the first submission to the last answer
 *   map                  100 000 numbers, 2 workers, from list to list; the engine: as in flight
 *   asynchronous         calls one after the other, and 1000 at once, in a main loop
 *   lateness             of a clock of 1 ms in a main loop while 64 workers run a map of 100 000 tasks; and beside 64 processes that
 *                        compute as much, without Tutti
 *
 * Which of both is first changes from round to round, so that what the machine does meanwhile concerns both. */
#include "embedding/embedding-private.h"
#include "speed-timing.h"
#include "transport/codec.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_ROUNDS = 9, N_TRIPS = 5000, N_TASKS = 100000, N_WORKERS = 64, TASK_US = 50 };

static const char *module;
static TtiPayload *request;

static TuttiPool *
open_pool (guint n_workers)
{
  g_autoptr (GError) error = NULL;
  TuttiPool *pool = tutti_pool_new (NULL, n_workers, &error);

  if (pool == NULL)
    timing_fail (error->message);
  for (guint i = 0; i < n_workers; i++)
    {
      g_autoptr (TuttiTask) task = tutti_task_new (module, "nothing", NULL, 0);

      tutti_task_set_worker (task, (int) i);
      timing_check (tutti_pool_submit (pool, task, NULL), "a task is refused");
      g_autoptr (TuttiValue) value = tutti_task_wait (task, NULL, NULL);
      timing_check (value != NULL, "a task has no value");
    }
  return pool;
}

static void
close_pool (TuttiPool *pool)
{
  tutti_pool_close (pool);
  g_object_unref (pool);
}

/* --- blocking ---------------------------------------------------------------------------------------------------------------- */

static TtiTask *
submit_echo (TuttiPool *pool)
{
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, request);

  timing_check (tti_pool_submit (tutti_pool_inside (pool), task, NULL), "a task is refused");
  return task;
}

static void
end_echo (TtiTask *task)
{
  timing_check (tti_task_wait (task, -1) && tti_task_get_state (task) == TTI_TASK_DONE, "a task has no result");
  tti_task_unref (task);
}

static double
trips_inside (TuttiPool *pool)
{
  double start = timing_now ();

  for (int i = 0; i < N_TRIPS; i++)
    end_echo (submit_echo (pool));
  return (timing_now () - start) / N_TRIPS;
}

/* The function of the public side, asked by the engine itself. */
static double
trips_same (TuttiPool *pool)
{
  g_autoptr (TuttiCallee) callee = tutti_callee_get (module, "nothing");
  double start = timing_now ();

  for (int i = 0; i < N_TRIPS; i++)
    {
      TtiTask *task = tti_task_new (TTI_HANDLER_MODULE, callee->without);

      timing_check (tti_pool_submit (tutti_pool_inside (pool), task, NULL), "a task is refused");
      end_echo (task);
    }
  return (timing_now () - start) / N_TRIPS;
}

static double
trips_outside (TuttiPool *pool)
{
  double start = timing_now ();

  for (int i = 0; i < N_TRIPS; i++)
    {
      g_autoptr (TuttiValue) value = tutti_pool_call (pool, module, "nothing", NULL, 0, NULL, NULL);

      timing_check (value != NULL, "a call has no value");
    }
  return (timing_now () - start) / N_TRIPS;
}

static double
flight_inside (TuttiPool *pool)
{
  g_autofree TtiTask **tasks = g_new (TtiTask *, N_TASKS);
  double start = timing_now ();

  for (int i = 0; i < N_TASKS; i++)
    tasks[i] = submit_echo (pool);
  for (int i = 0; i < N_TASKS; i++)
    timing_check (tti_task_wait (tasks[i], -1), "a task has not ended");
  double seconds = timing_now () - start;
  for (int i = 0; i < N_TASKS; i++)
    end_echo (tasks[i]);
  return seconds / N_TASKS;
}

static double
flight_outside (TuttiPool *pool)
{
  g_autofree TuttiTask **tasks = g_new (TuttiTask *, N_TASKS);
  g_autofree TuttiValue **values = g_new (TuttiValue *, N_TASKS);
  double start = timing_now ();

  for (int i = 0; i < N_TASKS; i++)
    {
      tasks[i] = tutti_task_new (module, "nothing", NULL, 0);
      timing_check (tutti_pool_submit (pool, tasks[i], NULL), "a task is refused");
    }
  for (int i = 0; i < N_TASKS; i++)
    values[i] = tutti_task_wait (tasks[i], NULL, NULL);
  double seconds = timing_now () - start;
  for (int i = 0; i < N_TASKS; i++)
    {
      timing_check (values[i] != NULL, "a task has no value");
      tutti_value_unref (values[i]);
      g_object_unref (tasks[i]);
    }
  return seconds / N_TASKS;
}

/* From the list of numbers to that of their echoes. */
static double
map_outside (TuttiPool *pool)
{
  g_autofree TuttiValue **items = g_new (TuttiValue *, N_TASKS);

  for (int i = 0; i < N_TASKS; i++)
    items[i] = tutti_value_new_integer (42);
  double start = timing_now ();
  g_autoptr (TuttiValue) values = tutti_pool_map (pool, module, "echo", items, N_TASKS, NULL, NULL);
  double seconds = timing_now () - start;

  timing_check (values != NULL && tutti_value_get_n_items (values) == N_TASKS, "a map has no value");
  for (int i = 0; i < N_TASKS; i++)
    tutti_value_unref (items[i]);
  return seconds / N_TASKS;
}

/* Print the medians of both, and how they compare. */
static void
compare (const char *name, TuttiPool *pool, double (*inside) (TuttiPool *), double (*outside) (TuttiPool *), const char *limit)
{
  double times[2][N_ROUNDS], ratios[N_ROUNDS];

  (void) inside (pool);
  (void) outside (pool);
  for (int i = 0; i < N_ROUNDS; i++)
    {
      for (int k = 0; k < 2; k++)
        times[(i + k) % 2][i] = ((i + k) % 2 == 0 ? inside : outside) (pool);
      ratios[i] = times[1][i] / times[0][i];
    }
  double one = timing_median (times[0], N_ROUNDS), other = timing_median (times[1], N_ROUNDS);
  printf ("%-12s  engine %7.3f us  public API %7.3f us  ratio %.2f (%s)\n", name, 1e6 * one, 1e6 * other,
          timing_median (ratios, N_ROUNDS), limit);
}

/* --- in a main loop ---------------------------------------------------------------------------------------------------------- */

static guint n_pending;

static void
call_ended (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (TuttiValue) value = tutti_pool_call_finish (TUTTI_POOL (source), result, NULL);

  (void) data;
  timing_check (value != NULL, "a call has no value");
  n_pending--;
}

static double
async_calls (TuttiPool *pool, guint at_once)
{
  double start = timing_now ();

  for (int done = 0; done < N_TRIPS; done += (int) at_once)
    {
      for (n_pending = 0; n_pending < at_once; n_pending++)
        tutti_pool_call_async (pool, module, "nothing", NULL, 0, NULL, call_ended, NULL);
      while (n_pending > 0)
        g_main_context_iteration (NULL, TRUE);
    }
  return (timing_now () - start) / N_TRIPS;
}

/* A clock, and how late it was each time. */
typedef struct
{
  GSource source;
  GArray *lateness; /* of double: us */
} Clock;

static gboolean
clock_ticks (GSource *source, GSourceFunc callback, gpointer data)
{
  Clock *clock = (Clock *) source;
  gint64 now = g_get_monotonic_time (), due = g_source_get_ready_time (source);

  (void) callback;
  (void) data;
  /* Also of those that it has missed, or one stop of a second would count as one tick of a thousand. */
  for (; due <= now; due += 1000)
    {
      double late = (double) (now - due);

      g_array_append_val (clock->lateness, late);
    }
  g_source_set_ready_time (source, due);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs clock_funcs = { .dispatch = clock_ticks };

static Clock *
clock_start (void)
{
  Clock *clock = (Clock *) g_source_new (&clock_funcs, sizeof (Clock));

  clock->lateness = g_array_new (FALSE, FALSE, sizeof (double));
  g_source_set_ready_time (&clock->source, g_get_monotonic_time () + 1000);
  g_source_attach (&clock->source, NULL);
  return clock;
}

/* The lateness that one in a thousand exceeds. Stops CLOCK. */
static double
clock_stop (Clock *clock, guint *n)
{
  *n = clock->lateness->len;
  timing_check (*n > 0, "the clock has not ticked");
  g_array_sort (clock->lateness, timing_compare);
  double late = g_array_index (clock->lateness, double, (guint) (0.999 * (*n - 1)));

  g_array_unref (clock->lateness);
  g_source_destroy (&clock->source);
  g_source_unref (&clock->source);
  return late;
}

static void
map_ended (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (TuttiValue) value = tutti_pool_map_finish (TUTTI_POOL (source), result, NULL);

  timing_check (value != NULL && tutti_value_get_n_items (value) == N_TASKS, "a map has no value");
  *(gboolean *) data = TRUE;
}

static double
lateness_beside_map (TuttiPool *pool, double *seconds, guint *n)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_value_unref);
  gboolean ended = FALSE;

  for (int i = 0; i < N_TASKS; i++)
    g_ptr_array_add (items, tutti_value_new_integer (TASK_US));
  double start = timing_now ();
  Clock *clock = clock_start ();
  tutti_pool_map_async (pool, module, "compute", (TuttiValue *const *) items->pdata, items->len, NULL, map_ended, &ended);
  while (!ended)
    g_main_context_iteration (NULL, TRUE);
  *seconds = timing_now () - start;
  return clock_stop (clock, n);
}

/* What the workers' function does, for ever. */
static void
compute_for_ever (void)
{
  volatile double x = 1;

  for (;;)
    x = x * 1.0000001 + 1e-9;
}

static gboolean
be_over (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static double
lateness_beside_processes (double seconds, guint *n)
{
  pid_t pids[N_WORKERS];
  gboolean over = FALSE;

  for (int i = 0; i < N_WORKERS; i++)
    if ((pids[i] = fork ()) == 0)
      compute_for_ever ();
  Clock *clock = clock_start ();
  g_timeout_add ((guint) (1000 * seconds), be_over, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
  double late = clock_stop (clock, n);
  for (int i = 0; i < N_WORKERS; i++)
    {
      kill (pids[i], SIGKILL);
      waitpid (pids[i], NULL, 0);
    }
  return late;
}

static void
measure_lateness (void)
{
  TuttiPool *pool = open_pool (N_WORKERS);
  double late[2][3], ratios[3], seconds;
  guint n[2];

  for (int i = 0; i < 3; i++)
    {
      late[0][i] = lateness_beside_map (pool, &seconds, &n[0]);
      late[1][i] = lateness_beside_processes (seconds, &n[1]);
      ratios[i] = late[0][i] / late[1][i];
      printf ("lateness      p99.9 beside %d workers %.0f us (%u ticks in %.1f s), beside as many processes %.0f us (%u ticks)\n",
              N_WORKERS, late[0][i], n[0], seconds, late[1][i], n[1]);
    }
  printf ("lateness      ratio %.2f (at most 1.5)\n", timing_median (ratios, 3));
  close_pool (pool);
}

int
main (int argc, char **argv)
{
  timing_check (argc == 2, "usage: embedding MODULE");
  module = argv[1];
  setvbuf (stdout, NULL, _IOLBF, 0);
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  tti_writer_integer (writer, 42);
  request = tti_writer_finish (writer);
  TuttiPool *pool = open_pool (1);
  compare ("round trip", pool, trips_inside, trips_outside, "at most 1.3");
  compare ("same call", pool, trips_same, trips_outside, "no limit");
  printf ("asynchronous  one by one %.3f us, 1000 at once %.3f us\n", 1e6 * async_calls (pool, 1), 1e6 * async_calls (pool, 1000));
  close_pool (pool);
  pool = open_pool (2);
  compare ("in flight", pool, flight_inside, flight_outside, "at most 1.11");
  compare ("map", pool, flight_inside, map_outside, "no limit");
  close_pool (pool);
  measure_lateness ();
  tti_payload_unref (request);
  tti_engine_end_default ();
  return 0;
}
