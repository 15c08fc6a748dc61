/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Kernels of model reduction against their definitions, and the same bits for any distribution of the vectors. */
#include "module/decompositions.h"
#include "module/reduction-math.h"
#include "module/vector-math.h"
#include <math.h>
#include <string.h>

enum
{
  N = 5000, /* more than a block of sums, and a panel that is not full */
  VECTORS = 5
};

static void
fill (double *x, gsize n, GRand *random)
{
  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
}

static void
test_subtract (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  g_autofree double *x = g_new (double, N), *y = g_new (double, N), *z = g_new (double, N);

  fill (x, N, random);
  fill (y, N, random);
  for (int norm = TTI_NORM_NONE; norm <= TTI_NORM_SUP; norm++)
    {
      memcpy (z, x, N * sizeof *z);
      double found = tti_reduction_subtract (z, 0.3, y, N, norm);
      for (gsize i = 0; i < N; i++)
        g_assert_cmpfloat (z[i], ==, x[i] - 0.3 * y[i]);
      g_assert_cmpfloat (found, ==, tti_reduction_norm (z, N, norm));
    }
  g_assert_cmpfloat (tti_reduction_norm (z, N, TTI_NORM_EUCLIDEAN), ==, tti_math_norm (z, N));
  z[4321] = -7;
  g_assert_cmpfloat (tti_reduction_norm (z, N, TTI_NORM_SUP), ==, 7);
  z[17] = NAN;
  g_assert_true (isnan (tti_reduction_norm (z, N, TTI_NORM_SUP)));
  g_assert_true (isnan (tti_reduction_subtract (z, 1, y, N, TTI_NORM_EUCLIDEAN)));
}

/* Squares that vanish or overflow do not distort the norm. */
static void
test_extremes (void)
{
  double tiny[2] = { 3e-200, 4e-200 }, huge[2] = { 3e200, 4e200 }, zero[2] = { 0, 0 };

  g_assert_cmpfloat_with_epsilon (tti_reduction_subtract (tiny, 1, zero, 2, TTI_NORM_EUCLIDEAN) / 5e-200, 1, 1e-14);
  g_assert_cmpfloat_with_epsilon (tti_reduction_subtract (huge, 1, zero, 2, TTI_NORM_EUCLIDEAN) / 5e200, 1, 1e-14);
  g_assert_cmpfloat (tti_reduction_subtract (zero, 1, zero, 2, TTI_NORM_EUCLIDEAN), ==, 0);
}

static void
test_largest (void)
{
  const double x[] = { 1, -3, 2, 3, -3 };

  g_assert_cmpuint (tti_reduction_largest (x, G_N_ELEMENTS (x)), ==, 1);
  g_assert_cmpuint (tti_reduction_largest (x, 1), ==, 0);
  g_assert_cmpuint (tti_reduction_largest (x, 0), ==, 0);
}

static void
test_many (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (2);
  g_autofree double *all = g_new (double, N *VECTORS), *sum = g_new (double, N), *part = g_new (double, N);
  const double *x[VECTORS], factors[VECTORS] = { 1, -2, 0.5, 3, 0 };
  double gram[TTI_GRAM_BLOCK * TTI_GRAM_BLOCK], one[TTI_GRAM_BLOCK * TTI_GRAM_BLOCK];

  fill (all, N * VECTORS, random);
  for (int k = 0; k < VECTORS; k++)
    x[k] = all + k * N;
  tti_reduction_combine (sum, factors, x, VECTORS, N);
  for (gsize i = 0; i < N; i++)
    g_assert_cmpfloat_with_epsilon (sum[i], x[0][i] - 2 * x[1][i] + 0.5 * x[2][i] + 3 * x[3][i], 1e-14);
  tti_reduction_combine (part, NULL, NULL, 0, N);
  g_assert_cmpfloat (tti_reduction_norm (part, N, TTI_NORM_SUP), ==, 0);
  tti_reduction_gram (gram, x, VECTORS, x, VECTORS, N);
  for (int i = 0; i < TTI_GRAM_BLOCK; i++)
    for (int j = 0; j < TTI_GRAM_BLOCK; j++)
      {
        double expected = i < VECTORS && j < VECTORS ? tti_math_dot (x[i], x[j], N) : 0;

        g_assert_cmpfloat_with_epsilon (gram[i * TTI_GRAM_BLOCK + j], expected, 1e-11);
      }
  /* A product has the same bits whatever else is in its block. */
  tti_reduction_gram (one, x + 2, 1, x + 3, 1, N);
  g_assert_cmpfloat (one[0], ==, gram[2 * TTI_GRAM_BLOCK + 3]);
}

static void
test_eigen (void)
{
  double a[] = { 2, 1, 0, 1, 2, 0, 0, 0, 5 }, values[3];

  g_assert_true (tti_symmetric_eigen (3, a, values));
  for (int k = 0; k < 3; k++)
    g_assert_cmpfloat_with_epsilon (values[k], ((double[]){ 5, 3, 1 })[k], 1e-14);
  g_assert_cmpfloat_with_epsilon (a[2], 1, 1e-14);
  g_assert_cmpfloat_with_epsilon (a[3], sqrt (0.5), 1e-14);
  g_assert_cmpfloat_with_epsilon (a[4], sqrt (0.5), 1e-14);
  g_assert_cmpfloat_with_epsilon (fabs (a[6] - a[7]), sqrt (2), 1e-14);
  g_assert_true (tti_symmetric_eigen (0, a, values));
}

static void
test_singular_values (void)
{
  /* A = U diag (3, 2) V^T with the first unit vectors as U, the wrong way round. */
  const double a[] = { 0, 2, 0, 3, 0, 0 };
  double values[2], vectors[4];

  g_assert_true (tti_singular_values (2, 3, a, values, vectors));
  for (int k = 0; k < 4; k++)
    g_assert_cmpfloat_with_epsilon (vectors[k], ((double[]){ 0, 1, 1, 0 })[k], 1e-14);
  g_assert_cmpfloat_with_epsilon (values[0], 3, 1e-14);
  g_assert_cmpfloat_with_epsilon (values[1], 2, 1e-14);
  /* More rows than columns: as many values as columns. */
  g_assert_true (tti_singular_values (3, 1, (double[]){ 0, 3, 4 }, values, vectors));
  g_assert_cmpfloat_with_epsilon (values[0], 5, 1e-14);
  g_assert_cmpfloat_with_epsilon (vectors[2], 0.8, 1e-14);
  g_assert_true (tti_singular_values (0, 3, a, values, vectors));
}

static void
test_pivots (void)
{
  const double first[] = { 1, 0, 0, 5, 0 }, second[] = { 0, 4, 0, 5, 1 };
  const double *x[] = { first, second };
  guint32 columns[2];
  double sizes[2];

  g_assert_true (tti_pivoted_columns (x, 2, 5, columns, sizes));
  g_assert_cmpuint (columns[0], ==, 3);
  g_assert_cmpuint (columns[1], ==, 1);
  g_assert_cmpfloat (sizes[0], ==, 1);
  g_assert_cmpfloat_with_epsilon (sizes[1], 4 * sqrt (0.5) / sqrt (50), 1e-14);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/reduction-math/subtract", test_subtract);
  g_test_add_func ("/reduction-math/extremes", test_extremes);
  g_test_add_func ("/reduction-math/largest", test_largest);
  g_test_add_func ("/reduction-math/many", test_many);
  g_test_add_func ("/reduction-math/eigen", test_eigen);
  g_test_add_func ("/reduction-math/singular-values", test_singular_values);
  g_test_add_func ("/reduction-math/pivots", test_pivots);
  return g_test_run ();
}
