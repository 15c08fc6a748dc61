/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/task-handler.h"
#include "module/task-module.h"
#include "module/task-operators.h"
#include "module/task-requests.h"
#include "platform/error.h"
#include "process/base-state.h"
#include "value/value.h"
#include <stdio.h>
#include <string.h>

/* A request of which the verb was read. */
typedef struct
{
  TtiReader *reader;
  TtiPayload *payload;
} Request;

/* The next item, which must be of TAG; a value of several items has its first there. */
static gboolean
request_next (Request *self, TtiItemTag tag, TtiItem *item, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (tti_reader_next (self->reader, item, &problem) && item->tag == tag)
    return TRUE;
  if (problem != NULL)
    g_propagate_error (error, g_steal_pointer (&problem));
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a request has item %u where %u was expected", (guint) item->tag, (guint) tag);
  return FALSE;
}

static TuttiValue *
request_next_value (Request *self, GError **error)
{
  TtiItem item;
  g_autoptr (GError) problem = NULL;

  if (tti_reader_next (self->reader, &item, &problem))
    return tti_value_read (self->reader, self->payload, &item, error);
  if (problem == NULL)
    g_set_error (&problem, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a request ends early");
  g_propagate_error (error, g_steal_pointer (&problem));
  return NULL;
}

static char *
request_next_text (Request *self, GError **error)
{
  TtiItem item;

  return request_next (self, TTI_ITEM_STRING, &item, error) ? g_strndup ((const char *) item.bytes, item.n_bytes) : NULL;
}

/* --- functions ------------------------------------------------------------------------------------------------------------- */

/* The function that was called last, by the bytes of its names: the same one is likely to follow. */
static struct
{
  char *module, *name;
  gsize module_length, name_length;
  const TuttiTaskFunction *function;
} last;

static const TuttiTaskFunction *
find_function (const TtiItem *module, const TtiItem *name, GError **error)
{
  if (last.function != NULL && last.module_length == module->n_bytes && last.name_length == name->n_bytes
      && memcmp (last.module, module->bytes, module->n_bytes) == 0 && memcmp (last.name, name->bytes, name->n_bytes) == 0)
    return last.function;
  g_autofree char *module_name = g_strndup ((const char *) module->bytes, module->n_bytes);
  g_autofree char *function_name = g_strndup ((const char *) name->bytes, name->n_bytes);
  const TuttiTaskFunction *function = tti_task_module_find (module_name, function_name, error);

  if (function == NULL)
    return NULL;
  g_free (last.module);
  g_free (last.name);
  last.module = g_steal_pointer (&module_name);
  last.name = g_steal_pointer (&function_name);
  last.module_length = module->n_bytes;
  last.name_length = name->n_bytes;
  last.function = function;
  return function;
}

/* Of the task that was run last. */
static gboolean started_nothing;

static TuttiValue *
call_function (const TuttiTaskFunction *function, TuttiValue *const *arguments, gsize n, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (function->n_arguments >= 0 && n != (gsize) function->n_arguments)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "function '%s' takes %d argument%s, and got %" G_GSIZE_FORMAT, function->name,
                   function->n_arguments, function->n_arguments == 1 ? "" : "s", n);
      return NULL;
    }
  started_nothing = (function->flags & TUTTI_TASK_FUNCTION_STARTS_NOTHING) != 0;
  TuttiValue *value = function->call (arguments, n, &problem);
  if (value != NULL && problem == NULL)
    return value;
  tti_value_unref (value);
  if (problem == NULL)
    g_set_error (&problem, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "function '%s' has returned neither a value nor an error; for no value it "
                 "returns tutti_value_new_null ()", function->name);
  g_propagate_error (error, g_steal_pointer (&problem));
  return NULL;
}

static TuttiValue *
run_call (Request *request, GError **error)
{
  TtiItem module, name;

  if (!request_next (request, TTI_ITEM_STRING, &module, error) || !request_next (request, TTI_ITEM_STRING, &name, error))
    return NULL;
  const TuttiTaskFunction *function = find_function (&module, &name, error);
  g_autoptr (TtiValue) list = function != NULL ? request_next_value (request, error) : NULL;
  if (list == NULL)
    return NULL;
  if (list->type != TUTTI_VALUE_LIST || list->run != 0)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "the arguments of '%s' are no list", function->name);
      return NULL;
    }
  return call_function (function, list->items, list->n, error);
}

/* --- operators ------------------------------------------------------------------------------------------------------------- */

static TuttiValue *
run_make (Request *request, GError **error)
{
  TtiItem id;

  if (!request_next (request, TTI_ITEM_INTEGER, &id, error))
    return NULL;
  g_autofree char *module = request_next_text (request, error), *class = module != NULL ? request_next_text (request, error) : NULL;
  g_autoptr (TtiValue) parameters = class != NULL ? request_next_value (request, error) : NULL;

  return parameters != NULL ? tti_task_operators_make ((guint64) id.integer, module, class, parameters, error) : NULL;
}

static TuttiValue *
run_operator (Request *request, TtiRequestVerb verb, GError **error)
{
  TtiItem id = { .integer = 0 }, held;

  if (verb == TTI_REQUEST_LINEARIZE && !request_next (request, TTI_ITEM_INTEGER, &id, error))
    return NULL;
  if (!request_next (request, TTI_ITEM_HELD, &held, error))
    return NULL;
  g_autoptr (TtiValue) argument = request_next_value (request, error);
  g_autoptr (TtiValue) destination = argument != NULL ? request_next_value (request, error) : NULL;

  if (destination == NULL)
    return NULL;
  return tti_task_operators_run (verb, (guint64) id.integer, (guint64) held.integer, argument, destination, error);
}

/* --- the handler ------------------------------------------------------------------------------------------------------------ */

static TuttiValue *
run_request (Request *request, GError **error)
{
  TtiItem item;

  if (!request_next (request, TTI_ITEM_LIST, &item, error) || !request_next (request, TTI_ITEM_INTEGER, &item, error))
    return NULL;
  switch (item.integer)
    {
    case TTI_REQUEST_CALL: return run_call (request, error);
    case TTI_REQUEST_MAKE: return run_make (request, error);
    case TTI_REQUEST_EVALUATE:
    case TTI_REQUEST_LINEARIZE:
    case TTI_REQUEST_APPLY:
    case TTI_REQUEST_ADJOINT: return run_operator (request, (TtiRequestVerb) item.integer, error);
    default:
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a request has the unknown verb %" G_GINT64_FORMAT, item.integer);
      return NULL;
    }
}

static TtiPayload *
module_run (gpointer data, const TtiMessage *task, gboolean *raised, GError **error)
{
  g_autoptr (GError) problem = NULL;
  TtiPayload *answer = NULL;

  (void) data;
  (void) error;
  started_nothing = FALSE;
  if (task->payload != NULL)
    {
      g_autoptr (TtiReader) reader = tti_reader_new (task->payload);
      g_autoptr (TtiValue) value = run_request (&(Request){ reader, task->payload }, &problem);

      answer = value != NULL ? tti_value_encode (value, &problem) : NULL;
    }
  else
    g_set_error (&problem, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a task without a request");
  /* What it has written belongs to this task, and what it has changed in the process does not concern the next. */
  fflush (stdout);
  if (G_UNLIKELY (tti_base_is_touched ()))
    (void) tti_base_restore ();
  *raised = answer == NULL;
  return answer != NULL ? answer : tti_value_encode_error (problem);
}

static TtiPayload *
module_refuse (gpointer data, const char *reason)
{
  g_autoptr (GError) error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_LIMIT, "the answer cannot be sent: %s", reason);

  (void) data;
  return tti_value_encode_error (error);
}

static gboolean
module_started_nothing (gpointer data)
{
  (void) data;
  return started_nothing;
}

static void
module_drop (gpointer data, guint64 id)
{
  (void) data;
  tti_task_operators_drop (id);
}

const TtiHandler tti_module_handler = { .run = module_run, .drop = module_drop, .refuse = module_refuse,
                                        .started_nothing = module_started_nothing };
