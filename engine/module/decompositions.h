/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decompositions of small matrices, through LAPACK. Signs are fixed, so that the same matrix has the same decomposition each time. */
#pragma once
#include <glib.h>

/* The eigenvalues, largest first, of the symmetric N x N matrix A, row-major, of which the upper triangle is read. The rows of A become
 * their eigenvectors of norm 1; the first of the largest numbers of each is positive. FALSE: the iteration has not converged. */
gboolean tti_symmetric_eigen (int n, double *a, double *values);

/* The singular values, largest first, of the ROWS x COLUMNS matrix A, row-major. The rows of VECTORS become the left singular
 * vectors: min (ROWS, COLUMNS) of ROWS numbers; the first of the largest numbers of each is positive. FALSE: the iteration has not
 * converged. */
gboolean tti_singular_values (int rows, int columns, const double *a, double *values, double *vectors);

/* The first min (N_VECTORS, N) columns that a QR factorisation with pivoting takes from the matrix whose rows are the vectors X of N
 * numbers, and the size of the remainder of each at that time, relative to the first. FALSE: there is no memory for the matrix. */
gboolean tti_pivoted_columns (const double *const *x, int n_vectors, int n, guint32 *columns, double *sizes);
