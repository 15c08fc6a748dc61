/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators that workers hold: making them, and vectors of them. */
#include "embedding/model-private.h"
#include "embedding/pool-private.h"
#include "module/task-requests.h"
#include "platform/error.h"
#include <string.h>

G_DEFINE_BOXED_TYPE (TuttiOperator, tutti_operator, tutti_operator_ref, tutti_operator_unref)

static TuttiMember *
member_ref (TuttiMember *member)
{
  g_atomic_ref_count_inc (&member->refs);
  return member;
}

static void
member_unref (gpointer data)
{
  TuttiMember *member = data;

  if (!g_atomic_ref_count_dec (&member->refs))
    return;
  tti_held_unref (member->held);
  g_free (member);
}

/* Takes over MEMBERS. */
static TuttiOperator *
operator_new (TuttiPool *pool, GPtrArray *members)
{
  TuttiOperator *self = g_new0 (TuttiOperator, 1);
  const TuttiMember *first = members->pdata[0];

  g_atomic_ref_count_init (&self->refs);
  self->pool = g_object_ref (pool);
  self->members = members;
  self->domain = first->domain;
  self->domain_type = first->complex_domain ? TUTTI_ELEMENT_C64 : TUTTI_ELEMENT_F64;
  self->codomain_type = TUTTI_ELEMENT_F64;
  for (guint i = 0; i < members->len; i++)
    {
      const TuttiMember *member = members->pdata[i];

      self->codomain += member->codomain;
      if (member->complex_codomain)
        self->codomain_type = TUTTI_ELEMENT_C64;
    }
  return self;
}

/* --- making one ------------------------------------------------------------------------------------------------------------- */

/* What is known of an operator before its worker has made it. */
typedef struct
{
  TuttiPool *pool;
  TtiHeld *held;
  int worker;
} Making;

static void
making_free (gpointer data)
{
  Making *making = data;

  g_object_unref (making->pool);
  tti_held_unref (making->held);
  g_free (making);
}

static gboolean
to_count (TuttiValue *value, gsize *count)
{
  *count = value->type == TUTTI_VALUE_INTEGER && value->integer >= 0 ? (gsize) value->integer : 0;
  return value->type == TUTTI_VALUE_INTEGER && value->integer >= 0;
}

static gpointer
finish_making (TtiTask *const *tasks, guint n, gpointer data, GError **error)
{
  Making *making = data;
  g_autoptr (TtiValue) sizes = tutti_request_take_value (tasks[0], error);
  gsize domain, codomain;

  (void) n;
  if (sizes == NULL)
    return NULL;
  if (sizes->type != TUTTI_VALUE_LIST || sizes->run != 0 || sizes->n != 4 || !to_count (sizes->items[0], &domain)
      || !to_count (sizes->items[1], &codomain) || sizes->items[2]->type != TUTTI_VALUE_BOOLEAN
      || sizes->items[3]->type != TUTTI_VALUE_BOOLEAN)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "a worker does not say what operator it has made");
      return NULL;
    }
  TuttiMember *member = g_new0 (TuttiMember, 1);
  GPtrArray *members = g_ptr_array_new_with_free_func (member_unref);

  g_atomic_ref_count_init (&member->refs);
  member->held = tti_held_ref (making->held);
  member->worker = making->worker;
  member->domain = domain;
  member->codomain = codomain;
  member->complex_domain = sizes->items[2]->boolean;
  member->complex_codomain = sizes->items[3]->boolean;
  g_ptr_array_add (members, member);
  return operator_new (making->pool, members);
}

static TuttiOperation *
operation_to_make (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters, GError **error)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  g_autoptr (TtiValue) none = parameters == NULL ? tti_value_new (TUTTI_VALUE_TABLE) : tti_value_ref (parameters);
  guint64 id = tti_held_next_id ();

  if (none->type != TUTTI_VALUE_TABLE)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the parameters of operator '%s' are %s, expected a table", class_name,
                   tutti_value_type_name ((TuttiValueType) none->type));
      return NULL;
    }
  tti_writer_open (writer, TTI_ITEM_LIST, 0, 5);
  tti_writer_integer (writer, TTI_REQUEST_MAKE);
  tti_writer_integer (writer, (gint64) id);
  tti_writer_text (writer, TTI_ITEM_STRING, module, strlen (module));
  tti_writer_text (writer, TTI_ITEM_STRING, class_name, strlen (class_name));
  if (!tti_value_write (none, writer, error))
    {
      g_prefix_error (error, "the parameters of operator '%s': ", class_name);
      return NULL;
    }
  g_autoptr (TtiPayload) request = tti_writer_finish (writer);
  /* Workers that take another's place make it of the same numbers, whatever becomes of the caller's. */
  g_autoptr (TtiPayload) kept = tti_payload_freeze (request, TRUE, TRUE, error);
  if (kept == NULL)
    return NULL;
  TtiTask *task = tti_task_new (TTI_HANDLER_MODULE, kept);
  Making *making = g_new (Making, 1);
  GPtrArray *tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  *making = (Making){ g_object_ref (pool), tti_held_new (id, TTI_HELD_MADE, &kept, 1), tutti_pool_choose_worker (pool) };
  tti_task_set_worker (task, making->worker);
  tti_task_set_makes (task, making->held);
  g_ptr_array_add (tasks, task);
  return tutti_operation_new (pool, tasks, finish_making, making, making_free, (GDestroyNotify) tutti_operator_unref);
}

/**
 * tutti_operator_new:
 * @pool: a pool, one of whose workers will hold it
 * @module: an operator module (tutti/operator.h): a file, or the name of one in the folders of `$TUTTI_MODULEDIR`
 * @class_name: the name of a class in it
 * @parameters: (nullable): a table from the names of parameters to what they are: numbers, vectors of doubles, texts
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @error: where to put an error
 *
 * Makes an operator on a worker, and waits for that. The workers of a pool take turns. In a main loop use [func@Operator.new_async].
 *
 * Returns: (transfer full): the operator; %NULL with %TUTTI_ERROR_MODULE if there is no such module or class, %TUTTI_ERROR_ARGUMENT if
 *   it refuses
 *   its parameters, or an error as for [method@Task.wait]
 */
TuttiOperator *
tutti_operator_new (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters, GCancellable *cancellable,
                    GError **error)
{
  g_return_val_if_fail (tutti_pool_is_initialized (pool) && module != NULL && class_name != NULL, NULL);
  TuttiOperation *operation = operation_to_make (pool, module, class_name, parameters, error);

  return operation != NULL ? tutti_operation_run (operation, cancellable, error) : NULL;
}

void
tutti_model_start (TuttiOperation *operation, GError *error, gpointer tag, GCancellable *cancellable, GAsyncReadyCallback callback,
                   gpointer user_data)
{
  GTask *result = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (result, tag);
  if (operation != NULL)
    {
      tutti_operation_start (operation, result);
      return;
    }
  g_task_return_error (result, error);
  g_object_unref (result);
}

/**
 * tutti_operator_new_async:
 * @pool: a pool, one of whose workers will hold it
 * @module: an operator module
 * @class_name: the name of a class in it
 * @parameters: (nullable): a table of its parameters
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Makes an operator as [ctor@Operator.new] does, without blocking.
 */
void
tutti_operator_new_async (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters, GCancellable *cancellable,
                          GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (tutti_pool_is_initialized (pool) && module != NULL && class_name != NULL);
  GError *error = NULL;
  TuttiOperation *operation = operation_to_make (pool, module, class_name, parameters, &error);

  tutti_model_start (operation, error, tutti_operator_new_async, cancellable, callback, user_data);
}

/**
 * tutti_operator_new_finish:
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [func@Operator.new_async] has begun.
 *
 * Returns: (transfer full): the operator; %NULL as for [ctor@Operator.new]
 */
TuttiOperator *
tutti_operator_new_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tutti_operator_new_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- vectors of operators ----------------------------------------------------------------------------------------------------- */

static gboolean
fits (TuttiOperator *first, TuttiOperator *other, gsize i, GError **error)
{
  if (other->pool != first->pool)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "operator %" G_GSIZE_FORMAT " belongs to another pool than operator 0", i);
  else if (other->domain_type != first->domain_type)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "operator %" G_GSIZE_FORMAT " has a %s domain, operator 0 a %s one", i,
                 other->domain_type == TUTTI_ELEMENT_C64 ? "complex" : "real",
                 first->domain_type == TUTTI_ELEMENT_C64 ? "complex" : "real");
  else if (other->domain != first->domain)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "operator %" G_GSIZE_FORMAT " has a domain of %" G_GSIZE_FORMAT
                 " numbers, operator 0 one of %" G_GSIZE_FORMAT, i, other->domain, first->domain);
  else
    return TRUE;
  return FALSE;
}

/**
 * tutti_operator_new_vector:
 * @operators: (array length=n): operators of one pool, with equal domains
 * @n: how many; at least 1
 * @error: where to put an error
 *
 * Makes the operator T(x)_i = T_i(x), whose members are evaluated by their workers at the same time. Its adjoint is the sum of theirs,
 * added by a binary tree over the members, ((0 + 1) + (2 + 3)) + 4 for five of them. The bits of its results are those of
 * `parallel-vector-of-operators` in Scheme, for any number of workers.
 *
 * Returns: (transfer full): the operator, which keeps its members; %NULL with %TUTTI_ERROR_SHAPE or %TUTTI_ERROR_ARGUMENT if they do not
 *   fit
 */
TuttiOperator *
tutti_operator_new_vector (TuttiOperator *const *operators, gsize n, GError **error)
{
  g_return_val_if_fail (operators != NULL && n > 0, NULL);
  g_autoptr (GPtrArray) members = g_ptr_array_new_with_free_func (member_unref);

  for (gsize i = 0; i < n; i++)
    {
      if (!fits (operators[0], operators[i], i, error))
        return NULL;
      for (guint k = 0; k < operators[i]->members->len; k++)
        g_ptr_array_add (members, member_ref (operators[i]->members->pdata[k]));
    }
  return operator_new (operators[0]->pool, g_steal_pointer (&members));
}

/* --- what is known of it ------------------------------------------------------------------------------------------------------ */

/**
 * tutti_operator_ref:
 * @self: an operator
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 */
TuttiOperator *
tutti_operator_ref (TuttiOperator *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

/**
 * tutti_operator_unref:
 * @self: (nullable) (transfer full): an operator
 *
 * Drops a reference. When the last one is gone, and no vector of operators nor derivative needs it, its workers forget it.
 */
void
tutti_operator_unref (TuttiOperator *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_ptr_array_unref (self->members);
  g_object_unref (self->pool);
  g_free (self);
}

/**
 * tutti_operator_get_domain:
 * @self: an operator
 *
 * Gets the length of vectors that the operator takes.
 *
 * Returns: how many numbers its arguments have; a complex number is one
 */
gsize
tutti_operator_get_domain (TuttiOperator *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->domain;
}

/**
 * tutti_operator_get_codomain:
 * @self: an operator
 *
 * Gets the length of vectors that the operator returns.
 *
 * Returns: how many numbers its values have; a complex number is one
 */
gsize
tutti_operator_get_codomain (TuttiOperator *self)
{
  g_return_val_if_fail (self != NULL, 0);
  return self->codomain;
}

/**
 * tutti_operator_get_domain_type:
 * @self: an operator
 *
 * Gets what the vectors are made of that the operator takes.
 *
 * Returns: %TUTTI_ELEMENT_F64, or %TUTTI_ELEMENT_C64 if its arguments are complex; real vectors are taken as well then
 */
TuttiElementType
tutti_operator_get_domain_type (TuttiOperator *self)
{
  g_return_val_if_fail (self != NULL, TUTTI_ELEMENT_F64);
  return self->domain_type;
}

/**
 * tutti_operator_get_codomain_type:
 * @self: an operator
 *
 * Gets what the vectors are made of that the operator returns.
 *
 * Returns: %TUTTI_ELEMENT_F64, or %TUTTI_ELEMENT_C64 if its values are complex
 */
TuttiElementType
tutti_operator_get_codomain_type (TuttiOperator *self)
{
  g_return_val_if_fail (self != NULL, TUTTI_ELEMENT_F64);
  return self->codomain_type;
}
