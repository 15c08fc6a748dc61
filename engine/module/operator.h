/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Leaf operators and their derivatives, which the class of a module makes. Lengths are checked before the class is called.
 *
 * A derivative keeps its operator alive. Any thread may call any of these functions, also those that free: an operator and its
 * derivatives share one lock, because a class expects to be called by one thread at a time. */
#pragma once
#include "module/loader.h"

typedef struct _TtiOperator TtiOperator;
typedef struct _TtiDerivative TtiDerivative;

/* An operator of class CLASS_NAME of MODULE, made from N PARAMETERS, which are only read now. One with a text that is not NULL is text,
 * any other numbers. TUTTI_ERROR_MODULE: no such class; TUTTI_ERROR_ARGUMENT: a parameter that the class does not know or that occurs
 * twice, numbers for a text, a text for numbers, a text that is not UTF-8 or has a NUL, or a refusal of the class. */
TtiOperator *tti_operator_new (TtiModule *module, const char *class_name, const TuttiOperatorParameter *parameters,
                               size_t n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_operator_unref (TtiOperator *self); /* NULL is fine */

/* The lengths of its vectors in numbers, and whether these numbers are complex (pairs of doubles). Every length below is in numbers as
 * well. */
size_t tti_operator_get_domain (TtiOperator *self);
size_t tti_operator_get_codomain (TtiOperator *self);
gboolean tti_operator_has_complex_domain (TtiOperator *self);
gboolean tti_operator_has_complex_codomain (TtiOperator *self);

/* Y = T(X). Lengths that do not fit are TUTTI_ERROR_SHAPE; an error of the class is TUTTI_ERROR_ARGUMENT. */
gboolean tti_operator_evaluate (TtiOperator *self, const double *x, size_t n_x, double *y, size_t n_y, GError **error);

/* Y = T(X), and the derivative at X, which does not refer to X. Errors as above. */
TtiDerivative *tti_operator_linearize (TtiOperator *self, const double *x, size_t n_x, double *y, size_t n_y,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

void tti_derivative_free (TtiDerivative *self); /* NULL is fine */
TtiOperator *tti_derivative_get_operator (TtiDerivative *self); /* borrowed */

/* DY = T' H and DX = T'^T DY. Errors as above. */
gboolean tti_derivative_apply (TtiDerivative *self, const double *h, size_t n_h, double *dy, size_t n_dy, GError **error);
gboolean tti_derivative_adjoint (TtiDerivative *self, const double *dy, size_t n_dy, double *dx, size_t n_dx, GError **error);

/* The matrix of the derivative, which must be real on both sides, into MATRIX: N_MATRIX = codomain x domain numbers, row-major.
 * Errors as above. */
gboolean tti_derivative_get_matrix (TtiDerivative *self, double *matrix, size_t n_matrix, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiOperator, tti_operator_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiDerivative, tti_derivative_free)
