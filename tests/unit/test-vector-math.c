/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Arithmetic against plain loops, sums against long doubles, and the same bits from any address. */
#include "module/vector-math.h"
#include <math.h>
#include <string.h>

#define N 20011 /* several blocks, and an odd end */

static double *
numbers_new (gsize n, guint32 seed)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  double *x = g_new (double, n);

  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
  return x;
}

static void
test_elementwise (void)
{
  g_autofree double *x = numbers_new (N, 1), *y = numbers_new (N, 2), *z = g_new (double, N);

  tti_math_add (z, x, y, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat (z[i], ==, x[i] + y[i]);
  tti_math_subtract (z, x, y, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat (z[i], ==, x[i] - y[i]);
  tti_math_multiply (z, x, y, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat (z[i], ==, x[i] * y[i]);
  tti_math_scale (z, 0.3, x, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat (z[i], ==, 0.3 * x[i]);
  memcpy (z, y, N * sizeof *z);
  tti_math_axpy (z, 0.3, x, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat_with_epsilon (z[i], y[i] + 0.3 * x[i], 1e-15);
}

static void
test_complex (void)
{
  const double x[] = { 1, 2, -3, 0.5 }, y[] = { 4, -1, 2, 8 }, a[] = { 0, 1 };
  double z[4], conjugated[4], dot[2], wide[4];

  tti_math_multiply_complex (z, x, y, 2);
  g_assert_cmpfloat (z[0], ==, 6);
  g_assert_cmpfloat (z[1], ==, 7);
  g_assert_cmpfloat (z[2], ==, -10);
  g_assert_cmpfloat (z[3], ==, -23);
  tti_math_scale_complex (z, a, x, 2);
  g_assert_cmpfloat (z[0], ==, -2);
  g_assert_cmpfloat (z[1], ==, 1);
  tti_math_axpy_complex (z, a, x, 2);
  g_assert_cmpfloat (z[0], ==, -4);
  g_assert_cmpfloat (z[1], ==, 2);
  tti_math_conjugate (conjugated, x, 2);
  g_assert_cmpfloat (conjugated[0], ==, 1);
  g_assert_cmpfloat (conjugated[1], ==, -2);
  tti_math_dot_complex (dot, x, y, 2); /* (1-2i)(4-i) + (-3-.5i)(2+8i) = 2-9i + -2-25i */
  g_assert_cmpfloat (dot[0], ==, 0);
  g_assert_cmpfloat (dot[1], ==, -34);
  memcpy (wide, x, 2 * sizeof *x);
  tti_math_promote (wide, wide, 2);
  g_assert_cmpfloat (wide[0], ==, 1);
  g_assert_cmpfloat (wide[1], ==, 0);
  g_assert_cmpfloat (wide[2], ==, 2);
  g_assert_cmpfloat (wide[3], ==, 0);
}

static void
test_parts (void)
{
  const double z[8] = { 3, 4, -4, 0, 0, 2, -3e300, 4e300 }, x[3] = { -2.25, 0, 9 };
  double real[4], imaginary[4], magnitudes[4], roots[8], nothing = 7;

  tti_math_real_parts (real, z, 4);
  tti_math_imaginary_parts (imaginary, z, 4);
  tti_math_abs_complex (magnitudes, z, 4);
  tti_math_sqrt_complex (roots, z, 4);
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpfloat (real[i], ==, z[2 * i]);
      g_assert_cmpfloat (imaginary[i], ==, z[2 * i + 1]);
      g_assert_cmpfloat (roots[2 * i], >=, 0);
    }
  g_assert_cmpfloat (magnitudes[0], ==, 5);
  g_assert_cmpfloat (magnitudes[1], ==, 4);
  g_assert_cmpfloat (magnitudes[3], ==, 5e300);
  g_assert_cmpfloat (roots[0], ==, 2);
  g_assert_cmpfloat (roots[1], ==, 1);
  g_assert_cmpfloat (roots[2], ==, 0);
  g_assert_cmpfloat (roots[3], ==, 2);
  g_assert_cmpfloat (roots[4], ==, 1);
  g_assert_cmpfloat (roots[5], ==, 1);
  tti_math_abs (real, x, 3);
  g_assert_cmpfloat (real[0], ==, 2.25);
  tti_math_sqrt (real, x + 1, 2);
  g_assert_cmpfloat (real[1], ==, 3);
  tti_math_abs (&nothing, x, 0);
  g_assert_cmpfloat (nothing, ==, 7);
}

static void
test_exp (void)
{
  const double x[] = { 0, 1, -INFINITY, 710 }, z[] = { 0, M_PI / 2, 1, -M_PI };
  double y[4];

  tti_math_exp (y, x, 4);
  g_assert_cmpfloat (y[0], ==, 1);
  g_assert_cmpfloat (y[1], ==, M_E);
  g_assert_cmpfloat (y[2], ==, 0);
  g_assert_true (isinf (y[3]));
  tti_math_exp_complex (y, z, 2);
  g_assert_cmpfloat_with_epsilon (y[0], 0, 1e-15);
  g_assert_cmpfloat_with_epsilon (y[1], 1, 1e-15);
  g_assert_cmpfloat_with_epsilon (y[2], -M_E, 1e-15);
  g_assert_cmpfloat_with_epsilon (y[3], 0, 1e-15);
  tti_math_real_parts (y, z, 2);
  g_assert_cmpfloat (y[0], ==, 0);
  g_assert_cmpfloat (y[1], ==, 1);
}

static void
test_dot_accuracy (void)
{
  for (gsize n = 0; n <= N; n = n < 40 ? n + 1 : n * 3 + 1)
    {
      g_autofree double *x = numbers_new (2 * n, 3), *y = numbers_new (2 * n, 4);
      long double real = 0, imaginary = 0, sum = 0;
      double dot[2];

      for (gsize i = 0; i < n; i++)
        {
          sum += (long double) x[i] * y[i];
          real += (long double) x[2 * i] * y[2 * i] + (long double) x[2 * i + 1] * y[2 * i + 1];
          imaginary += (long double) x[2 * i] * y[2 * i + 1] - (long double) x[2 * i + 1] * y[2 * i];
        }
      g_assert_cmpfloat_with_epsilon (tti_math_dot (x, y, n), (double) sum, 1e-14 * sqrt (n + 1.));
      tti_math_dot_complex (dot, x, y, n);
      g_assert_cmpfloat_with_epsilon (dot[0], (double) real, 1e-14 * sqrt (n + 1.));
      g_assert_cmpfloat_with_epsilon (dot[1], (double) imaginary, 1e-14 * sqrt (n + 1.));
    }
}

/* The order that the header promises, written out. */
static double
block_reference (const double *x, const double *y, gsize n)
{
  double sums[8] = { 0 };

  for (gsize i = 0; i < n; i++)
    sums[i % 8] += x[i] * y[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

static void
test_dot_order (void)
{
  g_autofree double *x = numbers_new (3 * TTI_MATH_BLOCK + 77, 5), *y = numbers_new (3 * TTI_MATH_BLOCK + 77, 6);
  double b[4];

  for (gsize n = 0; n < 300; n++)
    g_assert_cmpfloat (tti_math_dot (x, y, n), ==, block_reference (x, y, n));
  for (gsize k = 0; k < 4; k++)
    b[k] = block_reference (x + k * TTI_MATH_BLOCK, y + k * TTI_MATH_BLOCK, k < 3 ? TTI_MATH_BLOCK : 77);
  g_assert_cmpfloat (tti_math_dot (x, y, 3 * TTI_MATH_BLOCK + 77), ==, (b[0] + b[1]) + (b[2] + b[3]));
}

static void
test_dot_alignment (void)
{
  g_autofree double *x = numbers_new (N, 7);
  double want = tti_math_dot (x, x, N), norm = tti_math_norm (x, N);

  for (gsize shift = 1; shift < 8; shift++)
    {
      g_autofree double *moved = g_new (double, N + shift);

      memcpy (moved + shift, x, N * sizeof *x);
      g_assert_cmpfloat (tti_math_dot (moved + shift, moved + shift, N), ==, want);
      g_assert_cmpfloat (tti_math_norm (moved + shift, N), ==, norm);
    }
}

static void
test_norm_range (void)
{
  const double large[] = { 3e200, 4e200 }, tiny[] = { 3e-200, 4e-200 }, denormal[] = { 3 * 0x1p-1074, 4 * 0x1p-1074 };
  const double infinite[] = { 1, -INFINITY }, undefined[] = { NAN, INFINITY }, zero[] = { -0.0 };

  g_assert_cmpfloat_with_epsilon (tti_math_norm (large, 2) / 5e200, 1, 1e-15);
  g_assert_cmpfloat_with_epsilon (tti_math_norm (tiny, 2) / 5e-200, 1, 1e-15);
  g_assert_cmpfloat (tti_math_norm (denormal, 2), ==, 5 * 0x1p-1074);
  g_assert_cmpfloat (tti_math_norm (infinite, 2), ==, INFINITY);
  g_assert_true (isnan (tti_math_norm (undefined, 2)));
  g_assert_cmpfloat (tti_math_norm (zero, 1), ==, 0);
  g_assert_cmpfloat (tti_math_norm (NULL, 0), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vector-math/elementwise", test_elementwise);
  g_test_add_func ("/vector-math/complex", test_complex);
  g_test_add_func ("/vector-math/parts", test_parts);
  g_test_add_func ("/vector-math/exp", test_exp);
  g_test_add_func ("/vector-math/dot/accuracy", test_dot_accuracy);
  g_test_add_func ("/vector-math/dot/order", test_dot_order);
  g_test_add_func ("/vector-math/dot/alignment", test_dot_alignment);
  g_test_add_func ("/vector-math/norm/range", test_norm_range);
  return g_test_run ();
}
