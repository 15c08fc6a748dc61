/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators that workers hold: models in C (tutti/operator.h) that are evaluated and linearised where they are. */
#pragma once
#include "tutti/pool.h"

G_BEGIN_DECLS

#define TUTTI_TYPE_OPERATOR (tutti_operator_get_type ())
#define TUTTI_TYPE_DERIVATIVE (tutti_derivative_get_type ())

/**
 * TuttiOperator: (ref-func tutti_operator_ref) (unref-func tutti_operator_unref)
 *
 * An operator T from R^n (or C^n) to R^m (or C^m) that a worker holds, or a vector of such operators, T(x)_i = T_i(x). A worker that
 * takes the place of one that died makes it again. Any thread may use it.
 */
typedef struct _TuttiOperator TuttiOperator;

/**
 * TuttiDerivative: (ref-func tutti_derivative_ref) (unref-func tutti_derivative_unref)
 *
 * The derivative T'(x) of a [struct@Operator] at a point, which its workers hold: a linear operator with its adjoint.
 */
typedef struct _TuttiDerivative TuttiDerivative;

TUTTI_API GType tutti_operator_get_type (void);
TUTTI_API TuttiOperator *tutti_operator_new (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters,
                                             GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_operator_new_async (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters,
                                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiOperator *tutti_operator_new_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiOperator *tutti_operator_new_vector (TuttiOperator *const *operators, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiOperator *tutti_operator_ref (TuttiOperator *self);
TUTTI_API void tutti_operator_unref (TuttiOperator *self);

TUTTI_API gsize tutti_operator_get_domain (TuttiOperator *self);
TUTTI_API gsize tutti_operator_get_codomain (TuttiOperator *self);
TUTTI_API TuttiElementType tutti_operator_get_domain_type (TuttiOperator *self);
TUTTI_API TuttiElementType tutti_operator_get_codomain_type (TuttiOperator *self);

TUTTI_API TuttiVector *tutti_operator_evaluate (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_operator_evaluate_async (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable,
                                              GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiVector *tutti_operator_evaluate_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiDerivative *tutti_operator_linearize (TuttiOperator *self, TuttiVector *x, TuttiVector **y, GCancellable *cancellable,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_operator_linearize_async (TuttiOperator *self, TuttiVector *x, GCancellable *cancellable,
                                               GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiDerivative *tutti_operator_linearize_finish (GAsyncResult *result, TuttiVector **y,
                                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

TUTTI_API GType tutti_derivative_get_type (void);
TUTTI_API TuttiDerivative *tutti_derivative_ref (TuttiDerivative *self);
TUTTI_API void tutti_derivative_unref (TuttiDerivative *self);
TUTTI_API TuttiVector *tutti_derivative_apply (TuttiDerivative *self, TuttiVector *h, GCancellable *cancellable,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_derivative_apply_async (TuttiDerivative *self, TuttiVector *h, GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiVector *tutti_derivative_apply_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_derivative_adjoint (TuttiDerivative *self, TuttiVector *y, GCancellable *cancellable,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_derivative_adjoint_async (TuttiDerivative *self, TuttiVector *y, GCancellable *cancellable,
                                               GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiVector *tutti_derivative_adjoint_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiOperator, tutti_operator_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiDerivative, tutti_derivative_unref)

G_END_DECLS
