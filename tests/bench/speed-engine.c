/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* speed-engine CASE: the engine from C, without Guile on either side. The tasks are answered by the echo handler, and every answer is
 * looked at.
 *
 *   round-trip           one task after the other, 1 worker: the median
 *   tasks                100 000 tasks at once, 2 workers: how many a second
 *   cost NAME W N        N tasks at once, W workers that have started and have had work: seconds for one of them, as NAME */
#include "pool/pool.h"
#include "speed-timing.h"
#include "transport/codec.h"

#define N_ROUND_TRIPS 20000

typedef struct
{
  TtiPool *pool;
  TtiPayload *request;
} Bench;

static void
bench_open (Bench *bench, guint n_workers)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *program = tti_engine_find_program ("tutti-worker");
  g_auto (GStrv) environment = g_get_environ ();
  TtiPoolOptions options = { .program = program, .environment = (const char *const *) environment };
  g_autoptr (TtiWriter) writer = tti_writer_new ();

  tti_writer_integer (writer, 42);
  bench->request = tti_writer_finish (writer);
  g_autoptr (TtiEngine) engine = tti_engine_get_default (&error);

  bench->pool = engine != NULL ? tti_pool_new (engine, n_workers, &options, &error) : NULL;
  if (bench->pool == NULL)
    timing_fail (error->message);
}

static void
bench_close (Bench *bench)
{
  timing_check (tti_pool_close_and_wait (bench->pool, 1000), "the pool does not close");
  g_clear_pointer (&bench->pool, tti_pool_unref);
  g_clear_pointer (&bench->request, tti_payload_unref);
}

static TtiTask *
bench_submit (Bench *bench)
{
  g_autoptr (GError) error = NULL;
  TtiTask *task = tti_task_new (TTI_HANDLER_ECHO, bench->request);

  if (!tti_pool_submit (bench->pool, task, &error))
    timing_fail (error->message);
  return task;
}

/* Takes TASK. */
static void
bench_check (Bench *bench, TtiTask *task)
{
  timing_check (tti_task_get_state (task) == TTI_TASK_DONE, "a task has no result");
  timing_check (tti_payload_is_equal (tti_task_get_result (task), bench->request), "a task has a wrong result");
  tti_task_unref (task);
}

static double
time_round_trip (Bench *bench)
{
  double start = timing_now ();
  TtiTask *task = bench_submit (bench);

  tti_task_wait (task, -1);
  double seconds = timing_now () - start;

  bench_check (bench, task);
  return seconds;
}

/* Seconds from the first submission to the last answer. */
static double
time_tasks (Bench *bench, int n)
{
  g_autofree TtiTask **tasks = g_new (TtiTask *, (gsize) n);
  double start = timing_now ();

  for (int i = 0; i < n; i++)
    tasks[i] = bench_submit (bench);
  for (int i = 0; i < n; i++)
    tti_task_wait (tasks[i], -1);
  double seconds = timing_now () - start;

  for (int i = 0; i < n; i++)
    bench_check (bench, tasks[i]);
  return seconds;
}

/* Every worker has started and has answered before anything is measured. */
static void
warm_up (Bench *bench)
{
  guint n_workers = tti_pool_get_size (bench->pool);
  g_autofree TtiTask **tasks = g_new (TtiTask *, n_workers);

  for (guint i = 0; i < n_workers; i++)
    {
      g_autoptr (GError) error = NULL;

      tasks[i] = tti_task_new (TTI_HANDLER_ECHO, bench->request);
      tti_task_set_worker (tasks[i], (int) i);
      if (!tti_pool_submit (bench->pool, tasks[i], &error))
        timing_fail (error->message);
    }
  for (guint i = 0; i < n_workers; i++)
    {
      tti_task_wait (tasks[i], -1);
      bench_check (bench, tasks[i]);
    }
  time_tasks (bench, 1000);
}

static void
measure_round_trip (void)
{
  static double times[N_ROUND_TRIPS];
  Bench bench;

  bench_open (&bench, 1);
  warm_up (&bench);
  for (int i = 0; i < N_ROUND_TRIPS; i++)
    times[i] = time_round_trip (&bench);
  timing_print ("round-trip", timing_median (times, N_ROUND_TRIPS));
  bench_close (&bench);
}

/* The median of REPETITIONS times N tasks for one task. */
static double
cost_of_task (guint n_workers, int n, int repetitions)
{
  g_autofree double *times = g_new (double, (gsize) repetitions);
  Bench bench;

  bench_open (&bench, n_workers);
  warm_up (&bench);
  for (int i = 0; i < repetitions; i++)
    times[i] = time_tasks (&bench, n) / n;
  bench_close (&bench);
  return timing_median (times, repetitions);
}

int
main (int argc, char **argv)
{
  const char *name = argc > 1 ? argv[1] : "";

  if (strcmp (name, "round-trip") == 0)
    measure_round_trip ();
  else if (strcmp (name, "tasks") == 0)
    timing_print ("tasks", 1 / cost_of_task (2, 100000, 3));
  else if (strcmp (name, "cost") == 0 && argc == 5)
    {
      int n = atoi (argv[4]);

      timing_print (argv[2], cost_of_task ((guint) atoi (argv[3]), n, n < 100000 ? 9 : 1));
    }
  else
    timing_fail ("usage: speed-engine round-trip | tasks | cost NAME WORKERS TASKS");
  return EXIT_SUCCESS;
}
