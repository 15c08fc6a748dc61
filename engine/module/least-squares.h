/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Dense least squares: reduction to a triangle, and solution within bounds, for problems of up to a few hundred unknowns. */
#pragma once
#include <glib.h>

/* The triangular factor R (COLUMNS x COLUMNS, row-major, zeros below the diagonal) of A = Q R, and C, the first COLUMNS numbers of
 * Q^T B: |A x - B|^2 is |R x - C|^2 plus a constant. A is ROWS x COLUMNS, column-major; if it has fewer rows than
 * columns, the last rows of R are zeros. FALSE: A or B has numbers that are not finite. */
gboolean tti_least_squares_reduce (int rows, int columns, const double *a, const double *b, double *r, double *c);

/* A matrix F (N x N, row-major) with F^T F = the symmetric positive semidefinite N x N matrix A, of which the upper triangle is
 * read: the Cholesky factor with pivoting. FALSE: A is not positive semidefinite, or not finite. */
gboolean tti_semidefinite_factor (int n, const double *a, double *f);

/* The minimiser X of |A X - B|^2 + sum of (DAMPING[j] X[j])^2 within LOWER <= X <= UPPER, which may be infinite; A is ROWS x COLUMNS and
 * row-major, DAMPING may be NULL. The caller guarantees that LOWER[j] <= UPPER[j]. Where the minimiser is not unique, X is one near
 * the point within the bounds that is nearest to zero. Returns the number of factorisations; -1: a number is not finite.
 *
 * The method is the active set of bounded-variable least squares (Stark and Parker 1995). Each set of free unknowns is solved by a
 * complete orthogonal factorisation (LAPACK's xGELSY) of columns of norm 1, so that the condition is not squared. */
int tti_least_squares_bounded (int rows, int columns, const double *a, const double *b, const double *damping, const double *lower,
                               const double *upper, double *x);
