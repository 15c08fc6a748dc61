/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Arithmetic on arrays of doubles; the same numbers always give the same bits.
 *
 * Complex numbers are pairs of doubles (real, imaginary); N counts numbers. Output may be the same array as an input;
 * other overlaps are the caller's bug. Sums are over blocks of 4096 numbers from the first: within a block, 8 running
 * sums (4 for complex numbers), number i going into sum i mod 8 (4), then combined in a fixed order; block sums are
 * added as a binary tree that depends on the number of blocks alone. So the result depends neither on alignment nor on the process that
 * computes it, and rounding errors grow with the logarithm of N. */
#pragma once
#include <glib.h>

#define TTI_MATH_BLOCK 4096

/* Z = X + Y, X - Y: for complex arrays of n numbers, these are 2 n doubles. */
void tti_math_add (double *z, const double *x, const double *y, gsize n);
void tti_math_subtract (double *z, const double *x, const double *y, gsize n);
/* Z = X Y, number by number. */
void tti_math_multiply (double *z, const double *x, const double *y, gsize n);
void tti_math_multiply_complex (double *z, const double *x, const double *y, gsize n);
/* Z = A X; A: one number. */
void tti_math_scale (double *z, double a, const double *x, gsize n);
void tti_math_scale_complex (double *z, const double a[2], const double *x, gsize n);
/* Y = A X + Y */
void tti_math_axpy (double *y, double a, const double *x, gsize n);
void tti_math_axpy_complex (double *y, const double a[2], const double *x, gsize n);
/* Z = conjugate of X */
void tti_math_conjugate (double *z, const double *x, gsize n);
/* Z = X as complex numbers */
void tti_math_promote (double *z, const double *x, gsize n);
/* Z = the real, imaginary parts of X */
void tti_math_real_parts (double *z, const double *x, gsize n);
void tti_math_imaginary_parts (double *z, const double *x, gsize n);
/* Z = |X|, N real numbers; of complex numbers without overflow where it is a double itself. */
void tti_math_abs (double *z, const double *x, gsize n);
void tti_math_abs_complex (double *z, const double *x, gsize n);
/* Z = the square root of X, number by number; of complex numbers the one with a real part that is not negative. */
void tti_math_sqrt (double *z, const double *x, gsize n);
void tti_math_sqrt_complex (double *z, const double *x, gsize n);
/* Z = e^X, number by number. */
void tti_math_exp (double *z, const double *x, gsize n);
void tti_math_exp_complex (double *z, const double *x, gsize n);

/* The sum of X Y. */
double tti_math_dot (const double *x, const double *y, gsize n);
/* Y = A X + Y; returns the sum of the squares of the new Y, as tti_math_dot () does, in one pass over memory. */
double tti_math_axpy_square (double *y, double a, const double *x, gsize n);
/* RESULT = the sum of conj (X) Y. */
void tti_math_dot_complex (double result[2], const double *x, const double *y, gsize n);
/* The Euclidean norm of N doubles; neither overflows nor loses small numbers where the norm itself is a double. */
double tti_math_norm (const double *x, gsize n);
