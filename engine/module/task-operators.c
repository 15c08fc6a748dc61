/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/task-operators.h"
#include "module/operator.h"
#include "module/vector-math.h"
#include "platform/error.h"

/* An operator, or a derivative. */
typedef struct
{
  TtiOperator *operator;
  TtiDerivative *derivative;
} Held;

static GHashTable *objects; /* id -> Held */

static void
held_free (gpointer data)
{
  Held *held = data;

  tti_derivative_free (held->derivative);
  tti_operator_unref (held->operator);
  g_free (held);
}

static void
hold (guint64 id, TtiOperator *operator, TtiDerivative *derivative)
{
  Held *held = g_new (Held, 1);

  *held = (Held){ operator, derivative };
  if (objects == NULL)
    objects = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, held_free);
  g_hash_table_replace (objects, g_memdup2 (&id, sizeof id), held);
}

void
tti_task_operators_drop (guint64 id)
{
  if (objects != NULL)
    g_hash_table_remove (objects, &id);
}

/* --- making them ----------------------------------------------------------------------------------------------------------- */

/* NUMBER is for a parameter that is one number. */
static gboolean
to_parameter (TuttiValue *key, TuttiValue *value, double *number, TuttiOperatorParameter *parameter, GError **error)
{
  parameter->name = key->text;
  switch ((TuttiValueType) value->type)
    {
    case TUTTI_VALUE_INTEGER:
    case TUTTI_VALUE_REAL:
      *number = value->type == TUTTI_VALUE_REAL ? value->real : (double) value->integer;
      parameter->values = number;
      parameter->n = 1;
      return TRUE;
    case TUTTI_VALUE_TEXT:
      parameter->text = value->text;
      parameter->length = value->n;
      return TRUE;
    case TUTTI_VALUE_VECTOR:
      parameter->values = tti_vector_get_data (value->vector->memory);
      parameter->n = value->vector->n;
      if (value->vector->type == TUTTI_ELEMENT_F64)
        return TRUE;
      break;
    case TUTTI_VALUE_LIST:
    case TUTTI_VALUE_NULL:
    case TUTTI_VALUE_BOOLEAN:
    case TUTTI_VALUE_COMPLEX:
    case TUTTI_VALUE_SYMBOL:
    case TUTTI_VALUE_TABLE:
    case TUTTI_VALUE_OTHER:
      break;
    }
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "parameter '%s' of an operator is neither a number, nor a vector of doubles, "
               "nor a text", parameter->name);
  return FALSE;
}

static void
terminate_text (TuttiValue *value)
{
  if ((value->type == TUTTI_VALUE_TEXT || value->type == TUTTI_VALUE_SYMBOL) && value->text == NULL)
    value->text = g_strndup (value->bytes, value->n);
}

static TtiOperator *
operator_new (const char *module_name, const char *class_name, TuttiValue *table, GError **error)
{
  TtiModule *module = tti_module_open (module_name, error);
  g_autofree TuttiOperatorParameter *parameters = g_new0 (TuttiOperatorParameter, table->n);
  g_autofree double *numbers = g_new0 (double, table->n);

  if (module == NULL)
    return NULL;
  for (gsize i = 0; i < table->n; i++)
    {
      TuttiValue *key = table->items[2 * i], *value = table->items[2 * i + 1];

      terminate_text (key);
      terminate_text (value);
      if (key->type != TUTTI_VALUE_TEXT && key->type != TUTTI_VALUE_SYMBOL)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a parameter of an operator has a name that is no text");
          return NULL;
        }
      if (!to_parameter (key, value, &numbers[i], &parameters[i], error))
        return NULL;
    }
  return tti_operator_new (module, class_name, parameters, table->n, error);
}

static TuttiValue *
new_sizes (TtiOperator *operator)
{
  TuttiValue *list = tti_value_new (TUTTI_VALUE_LIST);

  list->n = 4;
  list->items = g_new (TuttiValue *, 4);
  for (guint i = 0; i < 4; i++)
    list->items[i] = tti_value_new (i < 2 ? TUTTI_VALUE_INTEGER : TUTTI_VALUE_BOOLEAN);
  list->items[0]->integer = (gint64) tti_operator_get_domain (operator);
  list->items[1]->integer = (gint64) tti_operator_get_codomain (operator);
  list->items[2]->boolean = tti_operator_has_complex_domain (operator);
  list->items[3]->boolean = tti_operator_has_complex_codomain (operator);
  return list;
}

TuttiValue *
tti_task_operators_make (guint64 id, const char *module, const char *class_name, TuttiValue *parameters, GError **error)
{
  if (parameters->type != TUTTI_VALUE_TABLE)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "the parameters of an operator are no table");
      return NULL;
    }
  TtiOperator *operator = operator_new (module, class_name, parameters, error);
  if (operator == NULL)
    return NULL;
  hold (id, operator, NULL);
  return new_sizes (operator);
}

/* --- running them ---------------------------------------------------------------------------------------------------------- */

/* The numbers of ARGUMENT for a side that is complex or not; those of a real vector for a complex side are promoted into *PROMOTED. */
static const double *
to_side (TuttiValue *argument, gboolean is_complex, gsize *n, TuttiVector **promoted, GError **error)
{
  TuttiVector *vector = argument->type == TUTTI_VALUE_VECTOR ? argument->vector : NULL;

  *n = vector != NULL ? vector->n : 0;
  if (vector != NULL && vector->type == (is_complex ? TUTTI_ELEMENT_C64 : TUTTI_ELEMENT_F64))
    return tti_vector_get_data (vector->memory);
  if (vector == NULL || vector->type != TUTTI_ELEMENT_F64)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "expected a vector of %s", is_complex ? "doubles, real or complex" : "doubles, "
                   "because the operator is real there");
      return NULL;
    }
  *promoted = tti_typed_vector_allocate (TUTTI_ELEMENT_C64, vector->n, TRUE, error);
  if (*promoted == NULL)
    return NULL;
  tti_math_promote (tti_vector_get_data ((*promoted)->memory), tti_vector_get_data (vector->memory), vector->n);
  return tti_vector_get_data ((*promoted)->memory);
}

/* The vector for a result of N numbers: DESTINATION, if that is one. */
static TuttiVector *
to_result (TuttiValue *destination, gboolean is_complex, gsize n, GError **error)
{
  TuttiElementType type = is_complex ? TUTTI_ELEMENT_C64 : TUTTI_ELEMENT_F64;

  if (destination->type != TUTTI_VALUE_VECTOR)
    return tti_typed_vector_allocate (type, n, TRUE, error);
  if (destination->vector->type == type && destination->vector->n == n)
    return tti_typed_vector_ref (destination->vector);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a destination of %" G_GSIZE_FORMAT " numbers for a result of %" G_GSIZE_FORMAT,
               destination->vector->n, n);
  return NULL;
}

static Held *
find_held (guint64 id, gboolean derivative, GError **error)
{
  Held *held = objects != NULL ? g_hash_table_lookup (objects, &id) : NULL;

  if (held != NULL && (held->derivative != NULL) == derivative)
    return held;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "the worker holds no %s %" G_GUINT64_FORMAT,
               derivative ? "derivative" : "operator", id);
  return NULL;
}

TuttiValue *
tti_task_operators_run (TtiRequestVerb verb, guint64 id, guint64 held_id, TuttiValue *argument, TuttiValue *destination, GError **error)
{
  Held *held = find_held (held_id, verb == TTI_REQUEST_APPLY || verb == TTI_REQUEST_ADJOINT, error);
  g_autoptr (TtiTypedVector) promoted = NULL;
  gboolean adjoint = verb == TTI_REQUEST_ADJOINT, done = FALSE;
  gsize n;

  if (held == NULL)
    return NULL;
  TtiOperator *operator = held->operator != NULL ? held->operator : tti_derivative_get_operator (held->derivative);
  gboolean complex_domain = tti_operator_has_complex_domain (operator), complex_codomain = tti_operator_has_complex_codomain (operator);
  const double *x = to_side (argument, adjoint ? complex_codomain : complex_domain, &n, &promoted, error);
  g_autoptr (TtiTypedVector) result = x == NULL ? NULL
    : to_result (destination, adjoint ? complex_domain : complex_codomain,
                 adjoint ? tti_operator_get_domain (operator) : tti_operator_get_codomain (operator), error);
  if (result == NULL)
    return NULL;
  double *y = tti_vector_get_data (result->memory);
  if (verb == TTI_REQUEST_EVALUATE)
    done = tti_operator_evaluate (operator, x, n, y, result->n, error);
  else if (verb == TTI_REQUEST_APPLY)
    done = tti_derivative_apply (held->derivative, x, n, y, result->n, error);
  else if (adjoint)
    done = tti_derivative_adjoint (held->derivative, x, n, y, result->n, error);
  else
    {
      TtiDerivative *derivative = tti_operator_linearize (operator, x, n, y, result->n, error);

      done = derivative != NULL;
      if (done)
        hold (id, NULL, derivative);
    }
  if (!done)
    return NULL;
  TuttiValue *value = tti_value_new (destination->type == TUTTI_VALUE_VECTOR ? TUTTI_VALUE_NULL : TUTTI_VALUE_VECTOR);
  if (value->type == TUTTI_VALUE_VECTOR)
    value->vector = g_steal_pointer (&result);
  return value;
}
