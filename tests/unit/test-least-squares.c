/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Dense least squares: optimality conditions (gradients, signs at the bounds), and products. */
#include "module/least-squares.h"
#include <math.h>
#include <string.h>

static void
fill (double *x, gsize n, GRand *random)
{
  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
}

static void
test_reduce (void)
{
  enum { ROWS = 7, COLUMNS = 4 };
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  double a[ROWS * COLUMNS], b[ROWS], r[COLUMNS * COLUMNS], c[COLUMNS];

  fill (a, G_N_ELEMENTS (a), random);
  fill (b, ROWS, random);
  g_assert_true (tti_least_squares_reduce (ROWS, COLUMNS, a, b, r, c));
  for (int i = 0; i < COLUMNS; i++)
    for (int j = 0; j < COLUMNS; j++)
      {
        double gram = 0, product = 0;

        for (int k = 0; k < ROWS; k++)
          gram += a[i * ROWS + k] * a[j * ROWS + k];
        for (int k = 0; k < COLUMNS; k++)
          product += r[k * COLUMNS + i] * r[k * COLUMNS + j];
        g_assert_cmpfloat_with_epsilon (gram, product, 1e-13);
        if (j < i)
          g_assert_cmpfloat (r[i * COLUMNS + j], ==, 0);
      }
  for (int i = 0; i < COLUMNS; i++)
    {
      double right = 0, product = 0;

      for (int k = 0; k < ROWS; k++)
        right += a[i * ROWS + k] * b[k];
      for (int k = 0; k < COLUMNS; k++)
        product += r[k * COLUMNS + i] * c[k];
      g_assert_cmpfloat_with_epsilon (right, product, 1e-13);
    }
  a[3] = NAN;
  g_assert_false (tti_least_squares_reduce (ROWS, COLUMNS, a, b, r, c));
}

static void
test_reduce_wide (void)
{
  const double a[] = { 3, 4 }, b[] = { 10 };
  double r[4], c[2];

  g_assert_true (tti_least_squares_reduce (1, 2, a, b, r, c));
  g_assert_cmpfloat_with_epsilon (fabs (r[0]), 3, 1e-14);
  g_assert_cmpfloat_with_epsilon (r[1] / r[0], 4. / 3, 1e-14);
  g_assert_cmpfloat (r[3], ==, 0);
  g_assert_cmpfloat_with_epsilon (c[0] / r[0], 10. / 3, 1e-14);
}

static void
test_semidefinite (void)
{
  /* A matrix of rank 1, a chain of springs, and two invalid ones. */
  const double flat[] = { 1, -1, -1, 1 }, chain[] = { 2, -1, 0, -1, 2, -1, 0, -1, 2 }, indefinite[] = { 1, 2, 2, 1 }, negative[] = { -1 };
  double f[9];

  g_assert_true (tti_semidefinite_factor (2, flat, f));
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++)
      g_assert_cmpfloat_with_epsilon (f[i] * f[j] + f[2 + i] * f[2 + j], flat[2 * i + j], 1e-14);
  g_assert_true (tti_semidefinite_factor (3, chain, f));
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      g_assert_cmpfloat_with_epsilon (f[i] * f[j] + f[3 + i] * f[3 + j] + f[6 + i] * f[6 + j], chain[3 * i + j], 1e-14);
  g_assert_false (tti_semidefinite_factor (2, indefinite, f));
  g_assert_false (tti_semidefinite_factor (1, negative, f));
}

/* At a minimum within bounds the gradient vanishes for interior unknowns, and pushes the others against their bounds. */
static void
check_minimum (int rows, int columns, const double *a, const double *b, const double *damping, const double *lower, const double *upper,
               const double *x)
{
  g_autofree double *residual = g_memdup2 (b, rows * sizeof *b);

  for (int i = 0; i < rows; i++)
    for (int j = 0; j < columns; j++)
      residual[i] -= a[i * columns + j] * x[j];
  for (int j = 0; j < columns; j++)
    {
      double gradient = damping != NULL ? damping[j] * damping[j] * x[j] : 0;

      for (int i = 0; i < rows; i++)
        gradient -= a[i * columns + j] * residual[i];
      g_assert_cmpfloat (x[j], >=, lower[j]);
      g_assert_cmpfloat (x[j], <=, upper[j]);
      if (x[j] > lower[j])
        g_assert_cmpfloat (gradient, <=, 1e-11);
      if (x[j] < upper[j])
        g_assert_cmpfloat (gradient, >=, -1e-11);
    }
}

static void
test_bounded (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (2);

  for (int round = 0; round < 300; round++)
    {
      int rows = g_rand_int_range (random, 1, 20), columns = g_rand_int_range (random, 1, 15);
      g_autofree double *a = g_new (double, rows *columns), *b = g_new (double, rows), *lower = g_new (double, columns),
                        *upper = g_new (double, columns), *x = g_new (double, columns), *damping = g_new (double, columns);

      fill (a, (gsize)rows * columns, random);
      fill (b, rows, random);
      fill (damping, columns, random);
      for (int j = 0; j < columns; j++)
        {
          lower[j] = g_rand_int_range (random, 0, 3) == 0 ? -INFINITY : g_rand_double_range (random, -0.5, 0.5);
          upper[j] = g_rand_int_range (random, 0, 3) == 0 ? INFINITY
                     : MAX (lower[j], -0.5) + (g_rand_int_range (random, 0, 5) == 0 ? 0 : g_rand_double_range (random, 0, 0.5));
        }
      const double *some = round % 2 == 0 ? NULL : damping;
      g_assert_cmpint (tti_least_squares_bounded (rows, columns, a, b, some, lower, upper, x), >=, 0);
      check_minimum (rows, columns, a, b, some, lower, upper, x);
    }
}

static void
test_not_finite (void)
{
  const double a[] = { 1, INFINITY }, b[] = { 1 }, lower[] = { 0, 0 }, upper[] = { 1, 1 };
  double x[2];

  g_assert_cmpint (tti_least_squares_bounded (1, 2, a, b, NULL, lower, upper, x), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/least-squares/reduce", test_reduce);
  g_test_add_func ("/least-squares/reduce/wide", test_reduce_wide);
  g_test_add_func ("/least-squares/semidefinite", test_semidefinite);
  g_test_add_func ("/least-squares/bounded", test_bounded);
  g_test_add_func ("/least-squares/not-finite", test_not_finite);
  return g_test_run ();
}
