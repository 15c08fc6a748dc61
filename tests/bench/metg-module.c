/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The task module of metg-engine: a point of a graph of metg.h. */
#include <tutti/task-module.h>
#include "metg.h"

/* Arguments: pattern, width, index, iterations, and the values of its predecessors. */
static TuttiValue *
point (TuttiValue *const *arguments, gsize n, GError **error)
{
  int64_t values[METG_MOST_PREDECESSORS];

  for (gsize k = 4; k < n && k < 4 + METG_MOST_PREDECESSORS; k++)
    values[k - 4] = tutti_value_get_integer (arguments[k]);
  int64_t index = tutti_value_get_integer (arguments[2]);
  int64_t value = metg_point ((int) tutti_value_get_integer (arguments[0]), (int) tutti_value_get_integer (arguments[1]), index,
                              (uint64_t) tutti_value_get_integer (arguments[3]), values, (int) n - 4);

  if (value == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "point %ld got a wrong value", (long) index);
      return NULL;
    }
  return tutti_value_new_integer (value);
}

static const TuttiTaskFunction functions[] = {
  { .name = "point", .n_arguments = -1, .call = point, .flags = TUTTI_TASK_FUNCTION_STARTS_NOTHING }
};
TUTTI_TASK_MODULE (.name = "metg", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
