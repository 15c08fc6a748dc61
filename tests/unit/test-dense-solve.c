/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Dense systems: the solution by what defines it, and what has none. */
#include "module/dense-solve.h"
#include <math.h>
#include <string.h>

enum
{
  N = 40
};

/* A matrix that is far from singular, and symmetric if SYMMETRIC, and a right-hand side. */
static void
system_make (gboolean symmetric, double *a, double *b)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (7);

  for (int i = 0; i < N; i++)
    {
      b[i] = g_rand_double_range (random, -1, 1);
      for (int j = 0; j < N; j++)
        a[i * N + j] = symmetric && j < i ? a[j * N + i] : g_rand_double_range (random, -1, 1) + (i == j ? 2 * N : 0);
    }
}

static void
is_solution (const double *a, const double *b, const double *x)
{
  for (int i = 0; i < N; i++)
    {
      double sum = 0;

      for (int j = 0; j < N; j++)
        sum += a[i * N + j] * x[j];
      g_assert_cmpfloat (fabs (sum - b[i]), <, 1e-13);
    }
}

static void
test_general (void)
{
  double a[N * N], b[N], work[N * N], x[N];

  system_make (FALSE, a, b);
  memcpy (work, a, sizeof a);
  memcpy (x, b, sizeof b);
  g_assert_true (tti_dense_solve_general (N, work, x));
  is_solution (a, b, x);
  /* Rows are rows. */
  double rows[] = { 0, 2, 4, 0 }, y[] = { 6, 8 };
  g_assert_true (tti_dense_solve_general (2, rows, y));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 2, 3 }), sizeof y);
  double singular[] = { 1, 2, 2, 4 };
  g_assert_false (tti_dense_solve_general (2, singular, y));
  g_assert_true (tti_dense_solve_general (0, NULL, NULL));
}

static void
test_positive (void)
{
  double a[N * N], b[N], work[N * N], x[N];

  system_make (TRUE, a, b);
  memcpy (work, a, sizeof a);
  memcpy (x, b, sizeof b);
  /* The lower triangle is not read. */
  for (int i = 0; i < N; i++)
    for (int j = 0; j < i; j++)
      work[i * N + j] = NAN;
  g_assert_true (tti_dense_solve_positive (N, work, x));
  is_solution (a, b, x);
  double indefinite[] = { 1, 2, 2, 1 };
  g_assert_false (tti_dense_solve_positive (2, indefinite, x));
  g_assert_true (tti_dense_solve_positive (0, NULL, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dense-solve/general", test_general);
  g_test_add_func ("/dense-solve/positive", test_positive);
  return g_test_run ();
}
