/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Products with dense matrices, row-major: by the same calls of BLAS for the same shape, because other parts give other bits. Those
 * of large matrices are shared by as many threads as BLAS may use (module/blas-threads.h), with the same bits for any number.
 *
 * Complex numbers are pairs of doubles (real, imaginary). Real and complex factors may be mixed; a product
 * is complex if one of its factors is. The result depends on the numbers alone, not on where they are in memory. */
#pragma once
#include <glib.h>

typedef struct
{
  int rows, columns;
  gboolean is_complex;
  const double *entries; /* borrowed */
} TtiMatrix;

/* Y = A X. X has A's columns, Y its rows; they must not overlap. */
void tti_matrix_apply (const TtiMatrix *a, const double *x, gboolean is_complex, double *y);
/* X = A^H Y, which is A^T Y for a real A. */
void tti_matrix_adjoint (const TtiMatrix *a, const double *y, gboolean is_complex, double *x);

/* The same for N vectors, one after the other in X and in Y, complex if A is. The matrix is read once for eight of them, so this is quicker
 * than N products. The bits are others; those of a vector depend on its place, but not on what the others are, nor on how many follow. */
void tti_matrix_apply_block (const TtiMatrix *a, gsize n, const double *x, double *y);
void tti_matrix_adjoint_block (const TtiMatrix *a, gsize n, const double *y, double *x);

/* B = diag (FACTORS) A of a real A, with a factor for each row. B is row-major, too, and may be A. */
void tti_matrix_scale_rows (const TtiMatrix *a, const double *factors, double *b);
/* GRAM = A^T A of a real A: both triangles of a symmetric matrix with A's columns. */
void tti_matrix_gram (const TtiMatrix *a, double *gram);
