/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The computations of model reduction with many long vectors.
 *
 * The bits of a result depend on the numbers alone: not on how vectors are shared out, nor on where they are in memory. BLAS multiplies
 * blocks of one shape, padded with zeros, because its order of summation depends on shapes. */
#pragma once
#include <glib.h>

typedef enum
{
  TTI_NORM_NONE,
  TTI_NORM_EUCLIDEAN,
  TTI_NORM_SUP
} TtiNorm;

/* X = X - FACTOR Y of N numbers; returns a norm of the new X, 0 for TTI_NORM_NONE, NaN if one of its numbers is. */
double tti_reduction_subtract (double *x, double factor, const double *y, gsize n, TtiNorm norm);
/* A norm of X, as above. */
double tti_reduction_norm (const double *x, gsize n, TtiNorm norm);

/* The index of the first of the numbers of X with the largest magnitude; 0 if there are none. */
gsize tti_reduction_largest (const double *x, gsize n);

/* Z = FACTORS[0] X[0] + FACTORS[1] X[1] + ... of N_VECTORS vectors of N numbers, added in this order. Z is none of them. */
void tti_reduction_combine (double *z, const double *factors, const double *const *x, gsize n_vectors, gsize n);

/* Inner products of vectors of N numbers: GRAM[i * TTI_GRAM_BLOCK + j] = X[i] Y[j]. There are at most TTI_GRAM_BLOCK of each;
 * products without a vector are 0. */
enum
{
  TTI_GRAM_BLOCK = 32
};
void tti_reduction_gram (double *gram, const double *const *x, gsize n_x, const double *const *y, gsize n_y, gsize n);
