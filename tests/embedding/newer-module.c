/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A task module as it may be built for a later version: one of its functions has a flag that this one does not know. */
#include <tutti/task-module.h>

static TuttiValue *
nothing (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) arguments;
  (void) n;
  (void) error;
  return tutti_value_new_null ();
}

static const TuttiTaskFunction functions[] = { { .name = "nothing", .n_arguments = 0, .call = nothing, .flags = 1u << 20 } };

TUTTI_TASK_MODULE (.name = "newer", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
