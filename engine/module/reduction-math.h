/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What model reduction does with many long vectors, and the decompositions of small matrices that it needs.
 *
 * The bits of a result depend on the numbers alone: not on how vectors are shared out, nor on where they are in memory. What BLAS
 * multiplies comes in blocks of one shape, filled up with zeros, because its order of summation depends on shapes. */
#pragma once
#include <glib.h>

typedef enum
{
  TUTTI_NORM_NONE,
  TUTTI_NORM_EUCLIDEAN,
  TUTTI_NORM_SUP
} TuttiNorm;

/* X = X - FACTOR Y of N numbers; returns a norm of the new X, 0 for TUTTI_NORM_NONE, NaN if one of its numbers is. */
double tutti_reduction_subtract (double *x, double factor, const double *y, gsize n, TuttiNorm norm);
/* A norm of X, as above. */
double tutti_reduction_norm (const double *x, gsize n, TuttiNorm norm);

/* The index of the first of the numbers of X with the largest magnitude; 0 if there are none. */
gsize tutti_reduction_largest (const double *x, gsize n);

/* Z = FACTORS[0] X[0] + FACTORS[1] X[1] + ... of N_VECTORS vectors of N numbers, added in this order. Z is none of them. */
void tutti_reduction_combine (double *z, const double *factors, const double *const *x, gsize n_vectors, gsize n);

/* Inner products of vectors of N numbers: GRAM[i * TUTTI_GRAM_BLOCK + j] = X[i] Y[j]. There are at most TUTTI_GRAM_BLOCK of each; what
 * belongs to none is 0. */
enum
{
  TUTTI_GRAM_BLOCK = 32
};
void tutti_reduction_gram (double *gram, const double *const *x, gsize n_x, const double *const *y, gsize n_y, gsize n);

/* The eigenvalues of the symmetric N x N matrix A, row-major, of which the upper triangle is read, largest first, and in the rows of
 * A their eigenvectors of norm 1, the first of whose largest numbers is positive. FALSE: the iteration has not converged. */
gboolean tutti_symmetric_eigen (int n, double *a, double *values);

/* The singular values of the ROWS x COLUMNS matrix A, row-major, largest first, and in the rows of VECTORS the left singular vectors, the
 * first of whose largest numbers is positive: min (ROWS, COLUMNS) of ROWS numbers. FALSE: the iteration has not converged. */
gboolean tutti_singular_values (int rows, int columns, const double *a, double *values, double *vectors);

/* The first min (N_VECTORS, N) columns that a QR factorisation with pivoting takes from the matrix whose rows are the vectors X of N
 * numbers, and how large what is left of each is then, relative to the first. FALSE: there is no memory for the matrix. */
gboolean tutti_pivoted_columns (const double *const *x, int n_vectors, int n, guint32 *columns, double *sizes);
