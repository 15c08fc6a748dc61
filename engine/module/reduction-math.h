/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The computations of model reduction with many long vectors.
 *
 * The bits of a result depend on the numbers alone: not on how vectors are shared out, nor on where they are in memory. BLAS multiplies
 * blocks of one shape, padded with zeros, because its order of summation depends on shapes. */
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

/* Inner products of vectors of N numbers: GRAM[i * TUTTI_GRAM_BLOCK + j] = X[i] Y[j]. There are at most TUTTI_GRAM_BLOCK of each;
 * products without a vector are 0. */
enum
{
  TUTTI_GRAM_BLOCK = 32
};
void tutti_reduction_gram (double *gram, const double *const *x, gsize n_x, const double *const *y, gsize n_y, gsize n);
