/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Task modules: shared objects with functions in C that workers call by name.
 *
 * A module exports one symbol, tutti_task_module, of type TuttiTaskModule, which lists its functions:
 *
 *   static TuttiValue *
 *   add (TuttiValue *const *arguments, gsize n, GError **error)
 *   {
 *     return tutti_value_new_real (tutti_value_get_real (arguments[0]) + tutti_value_get_real (arguments[1]));
 *   }
 *
 *   static const TuttiTaskFunction functions[] = { { .name = "add", .n_arguments = 2, .call = add } };
 *   TUTTI_TASK_MODULE (.name = "example", .functions = functions, .n_functions = G_N_ELEMENTS (functions));
 *
 * It is compiled with the flags of pkg-config tutti, as a shared object (-shared -fPIC). A worker loads it when a task names it first, and
 * keeps it. A worker runs one task at a time, in its only thread. */
#pragma once
#include "tutti/tutti.h"

G_BEGIN_DECLS

#define TUTTI_TASK_MODULE_ABI 1
#define TUTTI_TASK_MODULE_SYMBOL "tutti_task_module"

/**
 * TuttiTaskFunctionFlags:
 * @TUTTI_TASK_FUNCTION_STARTS_NOTHING: it starts no processes. A worker ends what a function leaves behind, and to look for that takes
 *   half a microsecond, which is spared. If such a function starts some all the same, they may go on until a later task has ended.
 *
 * What is known of a function.
 */
typedef enum
{
  TUTTI_TASK_FUNCTION_STARTS_NOTHING = 1 << 0
} TuttiTaskFunctionFlags;

/**
 * TuttiTaskFunction:
 * @name: by which tasks call it
 * @n_arguments: how many arguments it takes; -1: any number
 * @call: compute the value for N @arguments, which the caller owns: a reference for the caller; %NULL with an error (of any domain) set,
 *   with which the task then ends. Vectors among the arguments are read-only, as others see the same memory.
 * @flags: of TuttiTaskFunctionFlags; 0: none
 *
 * One function of a module.
 */
typedef struct
{
  const char *name;
  int n_arguments;
  TuttiValue *(*call) (TuttiValue *const *arguments, gsize n, GError **error);
  guint flags;
} TuttiTaskFunction;

/**
 * TuttiTaskModule:
 * @abi: `TUTTI_TASK_MODULE_ABI`
 * @name: of the module, for messages
 * @functions: (array length=n_functions): its functions
 * @n_functions: how many
 *
 * What a module exports.
 */
typedef struct
{
  int abi;
  const char *name;
  gsize function_size; /* sizeof (TuttiTaskFunction), so that later versions may have more members */
  gsize n_functions;
  const TuttiTaskFunction *functions;
} TuttiTaskModule;

/* Define what a module exports: the members of a TuttiTaskModule but for the first and the size. */
#define TUTTI_TASK_MODULE(...) \
  G_MODULE_EXPORT const TuttiTaskModule tutti_task_module = { .abi = TUTTI_TASK_MODULE_ABI, \
                                                              .function_size = sizeof (TuttiTaskFunction), __VA_ARGS__ }; \
  G_MODULE_EXPORT extern const TuttiTaskModule tutti_task_module

G_END_DECLS
