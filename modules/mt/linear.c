/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Weighted least squares with a few columns, by their normal equations: spectra are of single precision, so that normal
 * equations in double precision lose nothing. */
#include "mt/regression.h"
#include <float.h>
#include <math.h>

#define WORST_CONDITION 1e11

#define MAX_RIGHT (MAX_COLUMNS + 1)

static double
square (double complex z)
{
  return creal (z) * creal (z) + cimag (z) * cimag (z);
}

static void
swap_rows (double complex *a, double complex *b, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      double complex kept = a[i];

      a[i] = b[i];
      b[i] = kept;
    }
}

/* Gauss-Jordan elimination with pivoting by columns: the first P columns of A, P equations, become the identity, and the columns
 * beside them, N in all, the solutions. Not by LAPACK, whose threads take longer to wake than this takes. */
static int
eliminate (size_t p, size_t n, double complex a[][MAX_COLUMNS + MAX_RIGHT])
{
  for (size_t k = 0; k < p; k++)
    {
      size_t pivot = k;

      for (size_t i = k + 1; i < p; i++)
        if (square (a[i][k]) > square (a[pivot][k]))
          pivot = i;
      if (!(square (a[pivot][k]) > 0))
        return 0;
      swap_rows (a[k], a[pivot], n);
      double complex inverse = conj (a[k][k]) / square (a[k][k]);
      for (size_t j = k; j < n; j++)
        a[k][j] *= inverse;
      for (size_t i = 0; i < p; i++)
        if (i != k)
          {
            double complex factor = a[i][k];

            for (size_t j = k; j < n; j++)
              a[i][j] -= factor * a[k][j];
          }
    }
  return 1;
}

/* Unknowns and equations are scaled, so that it does not depend on units whether the equations are singular. */
int
solve_equations (size_t p, const double complex *a, const double complex *b, double complex *z, double complex *inverse)
{
  double complex matrix[MAX_COLUMNS][MAX_COLUMNS + MAX_RIGHT]; /* the equations, their right side, the identity */
  double rows[MAX_COLUMNS], columns[MAX_COLUMNS], norm = 0, norm_inverse = 0;

  for (size_t i = 0; i < p; i++)
    {
      rows[i] = columns[i] = 0;
      for (size_t j = 0; j < p; j++)
        rows[i] = fmax (rows[i], cabs (a[i * p + j]));
      if (!(rows[i] > 0 && rows[i] <= DBL_MAX))
        return 0;
    }
  for (size_t j = 0; j < p; j++)
    {
      for (size_t i = 0; i < p; i++)
        columns[j] = fmax (columns[j], cabs (a[i * p + j]) / rows[i]);
      if (!(columns[j] > 0))
        return 0;
    }
  for (size_t i = 0; i < p; i++)
    {
      for (size_t j = 0; j < p; j++)
        {
          matrix[i][j] = a[i * p + j] / (rows[i] * columns[j]);
          norm = fmax (norm, cabs (matrix[i][j]));
          matrix[i][p + 1 + j] = i == j;
        }
      matrix[i][p] = b[i] / rows[i];
    }
  if (!eliminate (p, 2 * p + 1, matrix))
    return 0;
  for (size_t i = 0; i < p; i++)
    {
      z[i] = matrix[i][p] / columns[i];
      for (size_t j = 0; j < p; j++)
        {
          norm_inverse = fmax (norm_inverse, cabs (matrix[i][p + 1 + j]));
          if (inverse != NULL)
            inverse[i * p + j] = matrix[i][p + 1 + j] / (columns[i] * rows[j]);
        }
    }
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

/* SUM += conj(A) B for complex numbers that are given by their parts. */
#define ADD_PRODUCT(sum, ar, ai, br, bi)                                                                                   \
  do                                                                                                                       \
    {                                                                                                                      \
      sum##_re += (ar) * (br) + (ai) * (bi);                                                                               \
      sum##_im += (ar) * (bi) - (ai) * (br);                                                                               \
    }                                                                                                                      \
  while (0)

/* The equations of two columns, in one pass: nearly all regressions have two. */
static void
equations_of_two (const Problem *problem, const double *w, double complex *a, double complex *b)
{
  double xx_re = 0, xx_im = 0, xy_re = 0, xy_im = 0, yx_re = 0, yx_im = 0, yy_re = 0, yy_im = 0;
  double left_re = 0, left_im = 0, right_re = 0, right_im = 0;

  for (size_t i = 0; i < problem->n; i++)
    {
      double weight = w != NULL ? w[i] : 1;
      double rr = weight * creal (problem->r[0][i]), ri = weight * cimag (problem->r[0][i]);
      double sr = weight * creal (problem->r[1][i]), si = weight * cimag (problem->r[1][i]);
      double complex x = problem->x[0][i], y = problem->x[1][i], z = problem->y[i];

      ADD_PRODUCT (xx, rr, ri, creal (x), cimag (x));
      ADD_PRODUCT (xy, rr, ri, creal (y), cimag (y));
      ADD_PRODUCT (yx, sr, si, creal (x), cimag (x));
      ADD_PRODUCT (yy, sr, si, creal (y), cimag (y));
      ADD_PRODUCT (left, rr, ri, creal (z), cimag (z));
      ADD_PRODUCT (right, sr, si, creal (z), cimag (z));
    }
  a[0] = CMPLX (xx_re, xx_im);
  a[1] = CMPLX (xy_re, xy_im);
  a[2] = CMPLX (yx_re, yx_im);
  a[3] = CMPLX (yy_re, yy_im);
  b[0] = CMPLX (left_re, left_im);
  b[1] = CMPLX (right_re, right_im);
}

int
solve_weighted (const Problem *problem, const double *w, double complex *z, double complex *inverse)
{
  size_t p = problem->columns;
  double complex a[MAX_COLUMNS * MAX_COLUMNS], b[MAX_COLUMNS];

  if (p == 2)
    equations_of_two (problem, w, a, b);
  else
    for (size_t i = 0; i < p; i++)
      {
        for (size_t j = 0; j < p; j++)
          a[i * p + j] = weighted_product (problem->n, w, problem->r[i], problem->x[j]);
        b[i] = weighted_product (problem->n, w, problem->r[i], problem->y);
      }
  return solve_equations (p, a, b, z, inverse);
}

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

double complex
residual (const Problem *problem, const double complex *z, size_t i)
{
  double re = creal (problem->y[i]), im = cimag (problem->y[i]);

  for (size_t j = 0; j < problem->columns; j++)
    {
      double xr = creal (problem->x[j][i]), xi = cimag (problem->x[j][i]), zr = creal (z[j]), zi = cimag (z[j]);

      re -= xr * zr - xi * zi;
      im -= xr * zi + xi * zr;
    }
  return CMPLX (re, im);
}

static void
squares_of_two (const Problem *problem, const double complex *z, double *squares)
{
  double ar = creal (z[0]), ai = cimag (z[0]), br = creal (z[1]), bi = cimag (z[1]);

  for (size_t i = 0; i < problem->n; i++)
    {
      double xr = creal (problem->x[0][i]), xi = cimag (problem->x[0][i]);
      double yr = creal (problem->x[1][i]), yi = cimag (problem->x[1][i]);
      double re = creal (problem->y[i]) - (xr * ar - xi * ai) - (yr * br - yi * bi);
      double im = cimag (problem->y[i]) - (xr * ai + xi * ar) - (yr * bi + yi * br);

      squares[i] = re * re + im * im;
    }
}

void
residual_squares (const Problem *problem, const double complex *z, double *squares)
{
  if (problem->columns == 2)
    squares_of_two (problem, z, squares);
  else
    for (size_t i = 0; i < problem->n; i++)
      {
        double complex e = residual (problem, z, i);

        squares[i] = creal (e) * creal (e) + cimag (e) * cimag (e);
      }
}
