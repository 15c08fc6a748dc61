/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Systems of linear equations with dense matrices, through LAPACK. */
#pragma once
#include <glib.h>

/* Solve A X = B, where A is N x N and row-major. X has B before and the solution afterwards; A is overwritten. */

/* For a symmetric A, of which the upper triangle is read. FALSE: A is not positive definite. */
gboolean tti_dense_solve_positive (int n, double *a, double *x);
/* For any A. FALSE: A is singular. */
gboolean tti_dense_solve_general (int n, double *a, double *x);
