/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* metg-engine MODULE WORKERS: graphs of metg.h by the public API. Each point is a task, which depends on those of its predecessors, and
 * all are submitted at once. For each line "PATTERN WIDTH STEPS ITERATIONS" it answers how many seconds that took. */
#include "metg.h"
#include "speed-timing.h"
#include <tutti/tutti.h>

/* A task may lose its worker as often as there is somebody who kills workers. */
enum { RETRIES = 1000 };

static const char *module;

static TuttiTask *
submit_point (TuttiPool *pool, int pattern, int width, int index, gint64 iterations, TuttiTask **before)
{
  g_autoptr (GError) error = NULL;
  TuttiTask *task = tutti_task_new (module, "point", NULL, 0);
  gint64 arguments[4] = { pattern, width, index, iterations };
  int columns[METG_MOST_PREDECESSORS];
  int n = metg_predecessors (pattern, width, index / width, index % width, columns);

  tutti_task_set_retries (task, RETRIES);
  for (int k = 0; k < 4; k++)
    {
      g_autoptr (TuttiValue) argument = tutti_value_new_integer (arguments[k]);

      tutti_task_add_argument (task, argument);
    }
  for (int k = 0; k < n; k++)
    tutti_task_add_dependency (task, before[columns[k]]);
  if (!tutti_pool_submit (pool, task, &error))
    timing_fail (error->message);
  return task;
}

/* Wait for TASK, which is taken. */
static void
end_point (TuttiTask *task, int index)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) value = tutti_task_wait (task, NULL, &error);

  if (value == NULL)
    timing_fail (error->message);
  timing_check (tutti_value_get_integer (value) == index + 1, "a point has a wrong value");
  g_object_unref (task);
}

static double
run (TuttiPool *pool, int pattern, int width, int steps, gint64 iterations)
{
  int n = width * steps;
  g_autofree TuttiTask **tasks = g_new (TuttiTask *, (gsize) n);
  double start = timing_now ();

  for (int i = 0; i < n; i++)
    tasks[i] = submit_point (pool, pattern, width, i, iterations, tasks + (i / width - 1) * width);
  for (int i = 0; i < n; i++)
    end_point (tasks[i], i);
  return timing_now () - start;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int pattern, width, steps;
  long iterations;

  timing_check (argc == 3, "usage: metg-engine MODULE WORKERS");
  module = argv[1];
  TuttiPool *pool = tutti_pool_new (NULL, (guint) atoi (argv[2]), &error);
  if (pool == NULL)
    timing_fail (error->message);
  run (pool, METG_TRIVIAL, 8, 100, 1);
  while (scanf ("%d %d %d %ld", &pattern, &width, &steps, &iterations) == 4)
    {
      printf ("%.9g\n", run (pool, pattern, width, steps, iterations));
      fflush (stdout);
    }
  tutti_pool_close (pool);
  g_object_unref (pool);
  return EXIT_SUCCESS;
}
