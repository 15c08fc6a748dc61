#!/bin/sh
# A program of somebody else, and a task module, compiled with what pkg-config says and run: prints 9. usage: stranger.sh FOLDER
# SPDX-License-Identifier: LGPL-3.0-or-later
set -e
cd "$1"
cat > program.c <<'END2'
#include <tutti/tutti.h>

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiPool) pool = tutti_pool_new (NULL, 2, &error);
  g_autoptr (TuttiValue) x = tutti_value_new_real (3);
  g_autoptr (TuttiValue) y = pool == NULL ? NULL : tutti_pool_call (pool, "./model.so", "square", &x, 1, NULL, &error);

  g_print ("%s", y != NULL ? tutti_value_print (y) : error->message);
  return y == NULL;
}
END2
cat > model.c <<'END2'
#include <tutti/task-module.h>

static TuttiValue *
square (TuttiValue *const *arguments, gsize n, GError **error)
{
  (void) n, (void) error;
  return tutti_value_new_real (tutti_value_get_real (arguments[0]) * tutti_value_get_real (arguments[0]));
}

static const TuttiTaskFunction functions[] = { { .name = "square", .n_arguments = 1, .call = square } };
TUTTI_TASK_MODULE (.name = "model", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
END2
# It quotes what is special to a shell.
eval "cc -Wall -Werror program.c -o program $(pkg-config --cflags --libs tutti)"
eval "cc -Wall -Werror -shared -fPIC model.c -o model.so $(pkg-config --cflags --libs tutti)"
timeout 60 ./program
