/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Dense matrices, row-major, times vectors: always whole calls of BLAS, because a product in parts has other bits.
 *
 * Complex numbers are pairs of doubles (real, imaginary). What is real and what is complex may be mixed; a product
 * is complex if one of its factors is. The result depends on the numbers alone, not on where they are in memory. */
#pragma once
#include <glib.h>

typedef struct
{
  int rows, columns;
  gboolean is_complex;
  const double *entries; /* borrowed */
} TuttiMatrix;

/* Y = A X. X has A's columns, Y its rows; they must not overlap. */
void tutti_matrix_apply (const TuttiMatrix *a, const double *x, gboolean is_complex, double *y);
/* X = A^H Y, which is A^T Y for a real A. */
void tutti_matrix_adjoint (const TuttiMatrix *a, const double *y, gboolean is_complex, double *x);
