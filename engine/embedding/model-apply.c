/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Evaluating and linearising operators that workers hold. */
#include "embedding/model-private.h"
#include "embedding/pool-private.h"
#include "module/task-requests.h"
#include "module/vector-math.h"
#include "platform/error.h"
#include "platform/memory.h"

G_DEFINE_BOXED_TYPE (TuttiDerivative, tutti_derivative, tutti_derivative_ref, tutti_derivative_unref)

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

/* VERB for the object HELD with argument X; DESTINATION may be NULL. ID is for what TTI_REQUEST_LINEARIZE makes. */
static TtiPayload *
new_request (TtiRequestVerb verb, guint64 id, TtiHeld *held, TuttiVector *x, TuttiVector *destination)
{
  g_autoptr (TtiWriter) writer = tti_writer_new ();
  TuttiValue argument = { .type = TUTTI_VALUE_VECTOR, .vector = x };
  TuttiValue result = { .type = destination != NULL ? TUTTI_VALUE_VECTOR : TUTTI_VALUE_NULL, .vector = destination };

  tti_writer_open (writer, TTI_ITEM_LIST, 0, verb == TTI_REQUEST_LINEARIZE ? 5 : 4);
  tti_writer_integer (writer, verb);
  if (verb == TTI_REQUEST_LINEARIZE)
    tti_writer_integer (writer, (gint64) id);
  tti_writer_held (writer, tti_held_get_id (held));
  (void) tti_value_write (&argument, writer, NULL);
  (void) tti_value_write (&result, writer, NULL);
  return tti_writer_finish (writer);
}

static TtiTask *
new_task (TtiPayload *request, TuttiMember *member, TtiHeld *held)
{
  TtiTask *task = tti_task_new (TTI_HANDLER_MODULE, request);

  tti_task_set_worker (task, member->worker);
  tti_task_add_held (task, held);
  return task;
}

/* The offset of member I's part in what VERB returns. */
static gsize
part_offset (TuttiOperator *operator, guint i)
{
  gsize offset = 0;

  for (guint k = 0; k < i; k++)
    offset += ((TuttiMember *) operator->members->pdata[k])->codomain;
  return offset;
}

/* X as it is now, for all members to be linearised at, whatever becomes of the caller's vector. */
static TuttiVector *
new_point (TuttiVector *x, GError **error)
{
  TuttiVector *point = tti_typed_vector_allocate (x->type, x->n, TRUE, error);

  if (point != NULL && x->n > 0)
    tti_memory_copy (tti_vector_get_data (point->memory), tti_vector_get_data (x->memory), tutti_vector_get_size (x));
  return point;
}

/* What MEMBER makes when it is linearised at POINT, which nobody writes to. */
static TtiHeld *
new_derivative (TuttiMember *member, TuttiVector *point)
{
  guint64 id = tti_held_next_id ();
  TtiPayload *kept = new_request (TTI_REQUEST_LINEARIZE, id, member->held, point, NULL);
  TtiHeld *held = tti_held_new (id, TTI_HELD_MADE, &kept, 1);
  tti_payload_unref (kept);
  tti_held_add_need (held, member->held);
  return held;
}

/* What member I of OPERATOR gets of Y, a vector for the codomain: its part, of which it sees the real parts if it is real itself. */
static TuttiVector *
new_slice (TuttiOperator *operator, guint i, TuttiVector *y, GError **error)
{
  const TuttiMember *member = operator->members->pdata[i];
  g_autoptr (TtiTypedVector) slice = tutti_vector_slice (y, part_offset (operator, i), member->codomain, error);

  if (slice == NULL || member->complex_codomain || slice->type == TUTTI_ELEMENT_F64)
    return g_steal_pointer (&slice);
  TuttiVector *real = tti_typed_vector_allocate (TUTTI_ELEMENT_F64, slice->n, TRUE, error);

  if (real != NULL && slice->n > 0)
    tti_math_real_parts (tti_vector_get_data (real->memory), tti_vector_get_data (slice->memory), slice->n);
  return real;
}

/* Fill TASKS for VERB at X: DERIVATIVES are applied, or, for TTI_REQUEST_LINEARIZE, made. */
static gboolean
make_tasks (TuttiApplication *self, TtiRequestVerb verb, GPtrArray *derivatives, TuttiVector *x, GPtrArray *tasks, GError **error)
{
  GPtrArray *members = self->operator->members;
  g_autoptr (TtiTypedVector) argument = verb == TTI_REQUEST_LINEARIZE ? new_point (x, error) : tti_typed_vector_ref (x);

  if (argument == NULL)
    return FALSE;
  for (guint i = 0; i < members->len; i++)
    {
      TuttiMember *member = members->pdata[i];
      gboolean applied = verb == TTI_REQUEST_APPLY || verb == TTI_REQUEST_ADJOINT;
      g_autoptr (TtiTypedVector) part = tutti_application_get_part (self, i, part_offset (self->operator, i));
      g_autoptr (TtiTypedVector) slice = verb == TTI_REQUEST_ADJOINT && members->len > 1
        ? new_slice (self->operator, i, argument, error) : tti_typed_vector_ref (argument);
      g_autoptr (TtiHeld) made = verb == TTI_REQUEST_LINEARIZE ? new_derivative (member, argument) : NULL;
      TtiHeld *held = applied ? derivatives->pdata[i] : member->held;

      if (slice == NULL)
        return FALSE;
      g_autoptr (TtiPayload) request = new_request (verb, made != NULL ? tti_held_get_id (made) : 0, held, slice, part);
      TtiTask *task = new_task (request, member, held);
      if (made != NULL)
        {
          tti_task_set_makes (task, made);
          g_ptr_array_add (derivatives, g_steal_pointer (&made));
        }
      g_ptr_array_add (tasks, task);
    }
  return TRUE;
}

static gpointer
finish_vector (TtiTask *const *tasks, guint n, gpointer data, GError **error)
{
  return tutti_application_finish (data, tasks, n, error);
}

/* The operation of VERB at X for the members of OPERATOR or their DERIVATIVES; its result is made by FINISH of the application, which DATA
 * is. WHAT is X in messages. */
static TuttiOperation *
new_operation (TuttiOperator *operator, GPtrArray *derivatives, TtiRequestVerb verb, TuttiVector *x, const char *what,
               TuttiOperationFinish finish, GDestroyNotify value_free, GError **error)
{
  gboolean adjoint = verb == TTI_REQUEST_ADJOINT;
  g_autoptr (GPtrArray) tasks = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_task_unref);

  if (!tutti_model_check_argument (x, adjoint ? operator->codomain : operator->domain,
                                   adjoint ? operator->codomain_type : operator->domain_type, what, error))
    return NULL;
  TuttiApplication *application = tutti_application_new (operator, adjoint, error);
  if (application == NULL)
    return NULL;
  application->derivatives = derivatives != NULL ? g_ptr_array_ref (derivatives)
                                                 : g_ptr_array_new_with_free_func ((GDestroyNotify) tti_held_unref);
  if (!make_tasks (application, verb, application->derivatives, x, tasks, error))
    {
      tutti_application_free (application);
      return NULL;
    }
  TuttiOperation *operation = tutti_operation_new (operator->pool, g_steal_pointer (&tasks), finish, application,
                                                   tutti_application_free, value_free);
  tutti_operation_set_stop_early (operation);
  return operation;
}

/* Run OPERATION and wait. */
static gpointer
run (TuttiOperation *operation, GCancellable *cancellable, GError **error)
{
  return operation != NULL ? tutti_operation_run (operation, cancellable, error) : NULL;
}

static TuttiOperation *
new_evaluation (TuttiOperator *self, TuttiVector *x, GError **error)
{
  return new_operation (self, NULL, TTI_REQUEST_EVALUATE, x, "the argument of an operator", finish_vector,
                        (GDestroyNotify) tti_typed_vector_unref, error);
}

/**
 * tutti_operator_evaluate:
 * @self: an operator
 * @x: a vector for its domain
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @error: where to put an error
 *
 * Computes T(x) on its workers, and waits for that. In a main loop use [method@Operator.evaluate_async].
 *
 * Returns: (transfer full): T(x); %NULL with %TUTTI_ERROR_SHAPE if @x has the wrong length, %TUTTI_ERROR_ARGUMENT if the operator
 *   refuses it, or an
 *   error as for [method@Task.wait]
 */
TuttiVector *
tutti_operator_evaluate (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && x != NULL, NULL);
  return run (new_evaluation (self, x, error), cancellable, error);
}

/**
 * tutti_operator_evaluate_async:
 * @self: an operator
 * @x: a vector for its domain
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Computes T(x) without blocking. @callback gets no source object.
 */
void
tutti_operator_evaluate_async (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
  g_return_if_fail (self != NULL && x != NULL);
  GError *error = NULL;
  TuttiOperation *operation = new_evaluation (self, x, &error);

  tutti_model_start (operation, error, tutti_operator_evaluate_async, cancellable, callback, user_data);
}

/**
 * tutti_operator_evaluate_finish:
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Operator.evaluate_async] has begun.
 *
 * Returns: (transfer full): T(x); %NULL as for [method@Operator.evaluate]
 */
TuttiVector *
tutti_operator_evaluate_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tutti_operator_evaluate_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- linearising ------------------------------------------------------------------------------------------------------------- */

/* A derivative, and the value at its point. */
typedef struct
{
  TuttiDerivative *derivative;
  TuttiVector *value;
} Linearisation;

static void
linearisation_free (gpointer data)
{
  Linearisation *self = data;

  tutti_derivative_unref (self->derivative);
  tti_typed_vector_unref (self->value);
  g_free (self);
}

static gpointer
finish_linearisation (TtiTask *const *tasks, guint n, gpointer data, GError **error)
{
  TuttiApplication *application = data;
  TuttiVector *value = tutti_application_finish (application, tasks, n, error);

  if (value == NULL)
    return NULL;
  TuttiDerivative *derivative = g_new (TuttiDerivative, 1);
  g_atomic_ref_count_init (&derivative->refs);
  derivative->operator = tutti_operator_ref (application->operator);
  derivative->held = g_ptr_array_ref (application->derivatives);
  Linearisation *both = g_new (Linearisation, 1);
  *both = (Linearisation){ derivative, value };
  return both;
}

static TuttiOperation *
new_linearisation (TuttiOperator *self, TuttiVector *x, GError **error)
{
  return new_operation (self, NULL, TTI_REQUEST_LINEARIZE, x, "the argument of an operator", finish_linearisation, linearisation_free,
                        error);
}

/* Take BOTH apart. */
static TuttiDerivative *
linearisation_take (Linearisation *both, TuttiVector **y)
{
  if (both == NULL)
    return NULL;
  TuttiDerivative *derivative = g_steal_pointer (&both->derivative);

  if (y != NULL)
    *y = g_steal_pointer (&both->value);
  linearisation_free (both);
  return derivative;
}

/**
 * tutti_operator_linearize:
 * @self: an operator
 * @x: a vector for its domain
 * @y: (out) (optional) (transfer full): T(x)
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @error: where to put an error
 *
 * Computes T(x) and the derivative T'(x), which its workers hold, and waits for that. A worker that takes the place of one that died
 * makes the
 * derivative again, at @x as it is now. In a main loop use [method@Operator.linearize_async].
 *
 * Returns: (transfer full): the derivative; %NULL as for [method@Operator.evaluate]
 */
TuttiDerivative *
tutti_operator_linearize (TuttiOperator *self, TuttiVector *x, TuttiVector **y, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && x != NULL, NULL);
  if (y != NULL)
    *y = NULL;
  return linearisation_take (run (new_linearisation (self, x, error), cancellable, error), y);
}

/**
 * tutti_operator_linearize_async:
 * @self: an operator
 * @x: a vector for its domain
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Computes T(x) and T'(x) as [method@Operator.linearize] does, without blocking. @callback gets no source object.
 */
void
tutti_operator_linearize_async (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (self != NULL && x != NULL);
  GError *error = NULL;
  TuttiOperation *operation = new_linearisation (self, x, &error);

  tutti_model_start (operation, error, tutti_operator_linearize_async, cancellable, callback, user_data);
}

/**
 * tutti_operator_linearize_finish:
 * @result: what the callback has got
 * @y: (out) (optional) (transfer full): T(x)
 * @error: where to put an error
 *
 * Ends what [method@Operator.linearize_async] has begun.
 *
 * Returns: (transfer full): the derivative; %NULL as for [method@Operator.evaluate]
 */
TuttiDerivative *
tutti_operator_linearize_finish (GAsyncResult *result, TuttiVector **y, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tutti_operator_linearize_async), NULL);
  if (y != NULL)
    *y = NULL;
  return linearisation_take (g_task_propagate_pointer (G_TASK (result), error), y);
}

/* --- derivatives -------------------------------------------------------------------------------------------------------------- */

/**
 * tutti_derivative_ref:
 * @self: a derivative
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 */
TuttiDerivative *
tutti_derivative_ref (TuttiDerivative *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

/**
 * tutti_derivative_unref:
 * @self: (nullable) (transfer full): a derivative
 *
 * Drops a reference. When the last one is gone, its workers forget it.
 */
void
tutti_derivative_unref (TuttiDerivative *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_ptr_array_unref (self->held);
  tutti_operator_unref (self->operator);
  g_free (self);
}

static TuttiOperation *
new_product (TuttiDerivative *self, gboolean adjoint, TuttiVector *x, GError **error)
{
  return new_operation (self->operator, self->held, adjoint ? TTI_REQUEST_ADJOINT : TTI_REQUEST_APPLY, x,
                        adjoint ? "the argument of an adjoint" : "the argument of a derivative", finish_vector,
                        (GDestroyNotify) tti_typed_vector_unref, error);
}

/**
 * tutti_derivative_apply:
 * @self: a derivative
 * @h: a vector for the domain of its operator
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @error: where to put an error
 *
 * Computes T'(x) h, a Jacobian-vector product, on its workers, and waits for that. In a main loop use [method@Derivative.apply_async].
 *
 * Returns: (transfer full): the product; %NULL as for [method@Operator.evaluate]
 */
TuttiVector *
tutti_derivative_apply (TuttiDerivative *self, TuttiVector *h, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && h != NULL, NULL);
  return run (new_product (self, FALSE, h, error), cancellable, error);
}

/**
 * tutti_derivative_apply_async:
 * @self: a derivative
 * @h: a vector for the domain of its operator
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Computes T'(x) h without blocking. @callback gets no source object.
 */
void
tutti_derivative_apply_async (TuttiDerivative *self, TuttiVector *h, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (self != NULL && h != NULL);
  GError *error = NULL;
  TuttiOperation *operation = new_product (self, FALSE, h, &error);

  tutti_model_start (operation, error, tutti_derivative_apply_async, cancellable, callback, user_data);
}

/**
 * tutti_derivative_apply_finish:
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Derivative.apply_async] has begun.
 *
 * Returns: (transfer full): T'(x) h; %NULL as for [method@Operator.evaluate]
 */
TuttiVector *
tutti_derivative_apply_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tutti_derivative_apply_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * tutti_derivative_adjoint:
 * @self: a derivative
 * @y: a vector for the codomain of its operator
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @error: where to put an error
 *
 * Computes T'(x)* y on its workers, and waits for that: the product with the transpose of the Jacobian, for complex sides that of the real
 * matrix on real and imaginary parts. In a main loop use [method@Derivative.adjoint_async].
 *
 * Returns: (transfer full): the product; %NULL as for [method@Operator.evaluate]
 */
TuttiVector *
tutti_derivative_adjoint (TuttiDerivative *self, TuttiVector *y, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && y != NULL, NULL);
  return run (new_product (self, TRUE, y, error), cancellable, error);
}

/**
 * tutti_derivative_adjoint_async:
 * @self: a derivative
 * @y: a vector for the codomain of its operator
 * @cancellable: (nullable): cancelling it cancels the work: there is no result but %G_IO_ERROR_CANCELLED
 * @callback: (nullable) (scope async): what to call then
 * @user_data: for @callback
 *
 * Computes T'(x)* y without blocking. @callback gets no source object.
 */
void
tutti_derivative_adjoint_async (TuttiDerivative *self, TuttiVector *y, GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data)
{
  g_return_if_fail (self != NULL && y != NULL);
  GError *error = NULL;
  TuttiOperation *operation = new_product (self, TRUE, y, &error);

  tutti_model_start (operation, error, tutti_derivative_adjoint_async, cancellable, callback, user_data);
}

/**
 * tutti_derivative_adjoint_finish:
 * @result: what the callback has got
 * @error: where to put an error
 *
 * Ends what [method@Derivative.adjoint_async] has begun.
 *
 * Returns: (transfer full): T'(x)* y; %NULL as for [method@Operator.evaluate]
 */
TuttiVector *
tutti_derivative_adjoint_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_async_result_is_tagged (result, tutti_derivative_adjoint_async), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
