/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Bounded leverage: the diagonal of the weighted hat matrix X (X^H V X)^-1 X^H, which is p over the sum of V on average, tells how
 * strongly a single observation pulls the estimate to itself. Where that is many times the average, the weight is reduced until it is
 * no more (Chave & Thomson 2003, J. Geophys. Res. 108(B5), 2243; 2004, Geophys. J. Int. 157, 988-1006). */
#include "mt/regression.h"
#include <math.h>

#define STEPS 20
#define CONVERGED 1e-3

/* Twice the largest leverage of n observations of Gaussian inputs, in units of the average: these have a tail of about
 * exp (-p h). Natural fields have strong events that are worth more than others, and must not be taken for errors. */
static double
limit_of (size_t n, size_t p)
{
  return 2 * (1 + log ((double)n) / (double)p);
}

/* X_i INVERSE X_i^H, real as the inverse is Hermitian. */
static double
leverage (size_t p, const double complex *const *x, size_t i, const double complex *inverse)
{
  double h = 0;

  for (size_t j = 0; j < p; j++)
    for (size_t k = 0; k < p; k++)
      {
        double xr = creal (x[j][i]), xi = cimag (x[j][i]), yr = creal (x[k][i]), yi = cimag (x[k][i]);

        h += (xr * yr + xi * yi) * creal (inverse[j * p + k]) - (xi * yr - xr * yi) * cimag (inverse[j * p + k]);
      }
  return h;
}

int
bound_leverage (size_t n, size_t columns, const double complex *const *x, double *w, double *spare)
{
  Problem problem = { .n = n, .group = n, .n_groups = 1, .columns = columns, .y = x[0] };
  double limit = limit_of (n, columns), change = INFINITY;

  for (size_t j = 0; j < columns; j++)
    problem.x[j] = problem.r[j] = x[j];
  for (size_t i = 0; i < n; i++)
    spare[i] = 1;
  for (int step = 0; step < STEPS && change > CONVERGED; step++)
    {
      double complex ignored[MAX_COLUMNS], inverse[MAX_COLUMNS * MAX_COLUMNS];
      double sum = 0;

      if (!solve_weighted (&problem, spare, ignored, inverse))
        return 0;
      for (size_t i = 0; i < n; i++)
        sum += spare[i];
      change = 0;
      for (size_t i = 0; i < n; i++)
        {
          double times = leverage (columns, x, i, inverse) * sum / (double)columns;
          double bounded = times > limit ? limit / times : 1;

          change = fmax (change, fabs (bounded - spare[i]));
          spare[i] = bounded;
        }
    }
  for (size_t i = 0; i < n; i++)
    w[i] *= spare[i];
  return 1;
}
