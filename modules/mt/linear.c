/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Weighted least squares with a few columns, by their normal equations: spectra are of single precision, so that these lose
 * nothing in double precision. */
#include "mt/regression.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define WORST_CONDITION 1e11

/* LAPACK: A X = B by elimination with pivoting, column-major; B becomes X. */
void zgesv_ (const int *n, const int *n_right, double complex *a, const int *lda, int *pivots, double complex *b, const int *ldb,
             int *info);

/* Z and, unless that is NULL, INVERSE from the P equations A z = b, row-major. Unknowns and equations are scaled, so that units do
 * not decide whether the equations are singular. */
static int
solve_equations (size_t p, const double complex *a, const double complex *b, double complex *z, double complex *inverse)
{
  int n = (int)p, n_right = n + 1, pivots[MAX_COLUMNS], info;
  double complex matrix[MAX_COLUMNS * MAX_COLUMNS], right[MAX_COLUMNS * (MAX_COLUMNS + 1)];
  double rows[MAX_COLUMNS], columns[MAX_COLUMNS], norm = 0, norm_inverse = 0;

  for (size_t i = 0; i < p; i++)
    {
      rows[i] = columns[i] = 0;
      for (size_t j = 0; j < p; j++)
        rows[i] = fmax (rows[i], cabs (a[i * p + j]));
    }
  for (size_t j = 0; j < p; j++)
    for (size_t i = 0; i < p; i++)
      columns[j] = fmax (columns[j], rows[i] > 0 ? cabs (a[i * p + j]) / rows[i] : 0);
  for (size_t i = 0; i < p; i++)
    if (!(rows[i] > 0 && columns[i] > 0 && rows[i] <= DBL_MAX))
      return 0;
  for (size_t j = 0; j < p; j++)
    for (size_t i = 0; i < p; i++)
      {
        matrix[j * p + i] = a[i * p + j] / (rows[i] * columns[j]);
        norm = fmax (norm, cabs (matrix[j * p + i]));
        right[(j + 1) * p + i] = i == j;
      }
  for (size_t i = 0; i < p; i++)
    right[i] = b[i] / rows[i];
  zgesv_ (&n, &n_right, matrix, &n, pivots, right, &n, &info);
  if (info != 0)
    return 0;
  for (size_t j = 0; j < p; j++)
    for (size_t i = 0; i < p; i++)
      {
        norm_inverse = fmax (norm_inverse, cabs (right[(j + 1) * p + i]));
        if (inverse != NULL)
          inverse[i * p + j] = right[(j + 1) * p + i] / (columns[i] * rows[j]);
      }
  for (size_t i = 0; i < p; i++)
    z[i] = right[i] / columns[i];
  return norm * norm_inverse < WORST_CONDITION;
}

/* The sum of W conj(A) B. */
static double complex
weighted_product (size_t n, const double *w, const double complex *a, const double complex *b)
{
  double re[2] = { 0, 0 }, im[2] = { 0, 0 };

  for (size_t i = 0; i < n; i++)
    {
      double ar = creal (a[i]), ai = cimag (a[i]), br = creal (b[i]), bi = cimag (b[i]), weight = w != NULL ? w[i] : 1;

      re[i % 2] += weight * (ar * br + ai * bi);
      im[i % 2] += weight * (ar * bi - ai * br);
    }
  return CMPLX (re[0] + re[1], im[0] + im[1]);
}

int
solve_weighted (const Problem *problem, const double *w, double complex *z, double complex *inverse)
{
  size_t p = problem->columns;
  double complex a[MAX_COLUMNS * MAX_COLUMNS], b[MAX_COLUMNS];

  for (size_t i = 0; i < p; i++)
    {
      for (size_t j = 0; j < p; j++)
        a[i * p + j] = weighted_product (problem->n, w, problem->r[i], problem->x[j]);
      b[i] = weighted_product (problem->n, w, problem->r[i], problem->y);
    }
  return solve_equations (p, a, b, z, inverse);
}

/* For each group: p x p of its normal equations, their p right sides, and the power of its y. */
size_t
group_size (const Problem *problem)
{
  return problem->columns * (problem->columns + 1) + 1;
}

void
group_equations (const Problem *problem, double complex *equations)
{
  size_t p = problem->columns;

  for (size_t g = 0; g < problem->n_groups; g++, equations += group_size (problem))
    {
      size_t first = g * problem->group;
      const double complex *y = problem->y + first;

      for (size_t i = 0; i < p; i++)
        {
          const double complex *x = problem->x[i] + first;

          for (size_t j = 0; j < p; j++)
            equations[i * p + j] = weighted_product (problem->group, NULL, x, problem->x[j] + first);
          equations[p * p + i] = weighted_product (problem->group, NULL, x, y);
        }
      equations[p * p + p] = weighted_product (problem->group, NULL, y, y);
    }
}

int
solve_groups (const Problem *problem, const double complex *equations, const unsigned char *keep, double complex *z)
{
  size_t p = problem->columns, size = group_size (problem);
  double complex sum[MAX_COLUMNS * (MAX_COLUMNS + 1)];

  memset (sum, 0, sizeof sum);
  for (size_t g = 0; g < problem->n_groups; g++)
    if (keep[g])
      for (size_t i = 0; i < p * (p + 1); i++)
        sum[i] += equations[g * size + i];
  return solve_equations (p, sum, sum + p * p, z, NULL);
}

double
group_square (const Problem *problem, const double complex *equations, const double complex *z)
{
  size_t p = problem->columns;
  double square = creal (equations[p * p + p]);

  for (size_t i = 0; i < p; i++)
    {
      double complex az = -2 * equations[p * p + i];

      for (size_t j = 0; j < p; j++)
        az += equations[i * p + j] * z[j];
      square += creal (conj (z[i]) * az);
    }
  return fmax (square, 0);
}

void
residuals (const Problem *problem, const double complex *z, double complex *e)
{
  for (size_t i = 0; i < problem->n; i++)
    {
      double re = creal (problem->y[i]), im = cimag (problem->y[i]);

      for (size_t j = 0; j < problem->columns; j++)
        {
          double xr = creal (problem->x[j][i]), xi = cimag (problem->x[j][i]), zr = creal (z[j]), zi = cimag (z[j]);

          re -= xr * zr - xi * zi;
          im -= xr * zi + xi * zr;
        }
      e[i] = CMPLX (re, im);
    }
}
