/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Loops over arrays, and sums in a fixed order. */
#include "module/vector-math.h"
#include <complex.h>
#include <math.h>
#include <string.h>

void
tti_math_add (double *z, const double *x, const double *y, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = x[i] + y[i];
}

void
tti_math_subtract (double *z, const double *x, const double *y, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = x[i] - y[i];
}

void
tti_math_multiply (double *z, const double *x, const double *y, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = x[i] * y[i];
}

void
tti_math_multiply_complex (double *z, const double *x, const double *y, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      double real = x[i] * y[i] - x[i + 1] * y[i + 1];
      double imaginary = x[i] * y[i + 1] + x[i + 1] * y[i];

      z[i] = real;
      z[i + 1] = imaginary;
    }
}

void
tti_math_scale (double *z, double a, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = a * x[i];
}

void
tti_math_scale_complex (double *z, const double a[2], const double *x, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      double real = a[0] * x[i] - a[1] * x[i + 1];
      double imaginary = a[0] * x[i + 1] + a[1] * x[i];

      z[i] = real;
      z[i + 1] = imaginary;
    }
}

void
tti_math_axpy (double *y, double a, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    y[i] += a * x[i];
}

void
tti_math_axpy_complex (double *y, const double a[2], const double *x, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      double real = a[0] * x[i] - a[1] * x[i + 1];
      double imaginary = a[0] * x[i + 1] + a[1] * x[i];

      y[i] += real;
      y[i + 1] += imaginary;
    }
}

void
tti_math_conjugate (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      z[i] = x[i];
      z[i + 1] = -x[i + 1];
    }
}

void
tti_math_promote (double *z, const double *x, gsize n)
{
  /* From the end, so that Z may be X. */
  for (gsize i = n; i-- > 0; )
    {
      z[2 * i] = x[i];
      z[2 * i + 1] = 0;
    }
}

void
tti_math_real_parts (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = x[2 * i];
}

void
tti_math_imaginary_parts (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = x[2 * i + 1];
}

void
tti_math_abs (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = fabs (x[i]);
}

void
tti_math_abs_complex (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = hypot (x[2 * i], x[2 * i + 1]);
}

void
tti_math_sqrt (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = sqrt (x[i]);
}

void
tti_math_sqrt_complex (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      double complex value = csqrt (CMPLX (x[i], x[i + 1]));

      z[i] = creal (value);
      z[i + 1] = cimag (value);
    }
}

void
tti_math_exp (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    z[i] = exp (x[i]);
}

void
tti_math_exp_complex (double *z, const double *x, gsize n)
{
  for (gsize i = 0; i < 2 * n; i += 2)
    {
      double complex value = cexp (CMPLX (x[i], x[i + 1]));

      z[i] = creal (value);
      z[i + 1] = cimag (value);
    }
}

/* --- sums --------------------------------------------------------------------------------------------------------- */

/* Two doubles that the compiler adds with one instruction; which sums make a pair is part of the fixed order. */
typedef double Pair __attribute__ ((vector_size (16)));

static inline Pair
pair_load (const double *x)
{
  Pair pair;

  memcpy (&pair, x, sizeof pair); /* X need not be aligned */
  return pair;
}

/* The sum of a block: one number, or two for a complex one. */
typedef void (*BlockSum) (double result[2], const double *x, const double *y, gsize n);

static void
block_dot (double result[2], const double *x, const double *y, gsize n)
{
  Pair a = { 0, 0 }, b = a, c = a, d = a;
  gsize i = 0;

  for (; i + 8 <= n; i += 8)
    {
      a += pair_load (x + i) * pair_load (y + i);
      b += pair_load (x + i + 2) * pair_load (y + i + 2);
      c += pair_load (x + i + 4) * pair_load (y + i + 4);
      d += pair_load (x + i + 6) * pair_load (y + i + 6);
    }
  double sums[8] = { a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1] };

  for (int k = 0; i < n; i++, k++)
    sums[k] += x[i] * y[i];
  result[0] = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  result[1] = 0;
}

/* conj (x) y = (xr yr + xi yi) + i (xr yi - xi yr): one pair holds xr yr and xi yi, the other xr yi and -(xi yr),
 * and the halves are added at the end. */
static void
block_dot_complex (double result[2], const double *x, const double *y, gsize n)
{
  const Pair zero = { 0, 0 };
  Pair real[4] = { zero, zero, zero, zero }, imaginary[4] = { zero, zero, zero, zero };
  gsize i = 0;

  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; k++)
      {
        Pair u = pair_load (x + 2 * (i + k)), v = pair_load (y + 2 * (i + k));
        Pair swapped = { v[1], v[0] };

        real[k] += u * v;
        imaginary[k] += u * swapped;
      }
  for (int k = 0; i < n; i++, k++)
    {
      Pair u = pair_load (x + 2 * i), v = pair_load (y + 2 * i);
      Pair swapped = { v[1], v[0] };

      real[k] += u * v;
      imaginary[k] += u * swapped;
    }
  Pair r = (real[0] + real[2]) + (real[1] + real[3]), m = (imaginary[0] + imaginary[2]) + (imaginary[1] + imaginary[3]);

  result[0] = r[0] + r[1];
  result[1] = m[0] - m[1];
}

/* Sums of 2^k blocks wait at level k until there are two of them, as in binary counting. */
typedef struct
{
  double levels[64][2];
  guint64 filled;
} Tree;

static void
tree_add (Tree *tree, const double block[2])
{
  double sum[2] = { block[0], block[1] };
  int level = 0;

  for (; tree->filled >> level & 1; level++)
    {
      sum[0] = tree->levels[level][0] + sum[0];
      sum[1] = tree->levels[level][1] + sum[1];
    }
  memcpy (tree->levels[level], sum, sizeof sum);
  tree->filled = (tree->filled >> level | 1) << level;
}

static void
tree_total (const Tree *tree, double result[2])
{
  result[0] = result[1] = 0;
  for (int level = 0; level < 64; level++)
    if (tree->filled >> level & 1)
      {
        result[0] = tree->levels[level][0] + result[0];
        result[1] = tree->levels[level][1] + result[1];
      }
}

/* WIDTH: doubles per number. */
static void
tree_sum (double result[2], const double *x, const double *y, gsize n, gsize width, BlockSum block)
{
  Tree tree = { .filled = 0 };

  for (gsize start = 0; start < n; start += TTI_MATH_BLOCK)
    {
      double sum[2];

      block (sum, x + width * start, y + width * start, MIN (n - start, TTI_MATH_BLOCK));
      tree_add (&tree, sum);
    }
  tree_total (&tree, result);
}

double
tti_math_dot (const double *x, const double *y, gsize n)
{
  double result[2];

  tree_sum (result, x, y, n, 1, block_dot);
  return result[0];
}

double
tti_math_axpy_square (double *y, double a, const double *x, gsize n)
{
  Tree tree = { .filled = 0 };
  double result[2];

  for (gsize start = 0; start < n; start += TTI_MATH_BLOCK)
    {
      gsize count = MIN (n - start, TTI_MATH_BLOCK);
      double sum[2];

      tti_math_axpy (y + start, a, x + start, count);
      block_dot (sum, y + start, y + start, count);
      tree_add (&tree, sum);
    }
  tree_total (&tree, result);
  return result[0];
}

void
tti_math_dot_complex (double result[2], const double *x, const double *y, gsize n)
{
  tree_sum (result, x, y, n, 2, block_dot_complex);
}

static double
max_magnitude (const double *x, gsize n)
{
  double max = 0;

  for (gsize i = 0; i < n; i++)
    max = fabs (x[i]) > max ? fabs (x[i]) : max;
  return max;
}

static void
block_scaled_square (double result[2], const double *x, const double *scale, gsize n)
{
  double scaled[TTI_MATH_BLOCK];

  /* A power of two: exact, except for numbers that are too small to matter. */
  for (gsize i = 0; i < n; i++)
    scaled[i] = x[i] * *scale;
  block_dot (result, scaled, scaled, n);
}

double
tti_math_norm (const double *x, gsize n)
{
  double sum = tti_math_dot (x, x, n);

  /* If no square vanishes or overflows, this is the norm; NaN stays NaN. */
  if (isnan (sum) || (sum > 0x1p-900 && sum < INFINITY))
    return sqrt (sum);
  double max = max_magnitude (x, n);

  if (max == 0 || isinf (max))
    return max;
  int exponent;

  frexp (max, &exponent);
  /* 2^-exponent itself may be too large for a double where max is denormal. */
  double scale = ldexp (1, MIN (-exponent, 1000)), squares = 0;

  for (gsize start = 0; start < n; start += TTI_MATH_BLOCK)
    {
      double block[2];

      block_scaled_square (block, x + start, &scale, MIN (n - start, TTI_MATH_BLOCK));
      squares += block[0];
    }
  return sqrt (squares) / scale;
}
