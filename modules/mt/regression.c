/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Robust regression by iteratively reweighted least squares.
 *
 * An observation's weight is the product of three: of its own residual, of the root mean square of its window's residuals, as most
 * noise disturbs whole windows, and (method cm) of its leverage. Those of residuals are by Huber's function until nothing changes,
 * then by Tukey's bisquare (Egbert & Booker 1986, Geophys. J. R. astr. Soc. 87, 173-194; Chave & Thomson 2004, Geophys. J. Int.
 * 157, 988-1006). The scale of the residuals is estimated from the best third, so that up to two thirds may be bad.
 *
 * Variances are those of the equations that the estimate solves (Huber 1981, Robust Statistics, 7.6), with the correlation of
 * neighbouring bins that tapers make (Newey & West 1987, Econometrica 55, 703-708). */
#include "mt/regression.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HUBER 1.5
#define BISQUARE 4.685         /* 95 % efficient for Gaussian noise (Holland & Welsch 1977, Commun. Stat. A6, 813-827) */
#define WINDOW_BISQUARE 4.0    /* in thirds of windows' residuals: outside is what no window of good data comes to */
#define MAX_HUBER 50
#define MAX_BISQUARE 30
#define CONVERGED 1e-6
#define SCALE_FLOOR 1e-9 /* of y: less is rounding of single precision, and not noise */
#define LAGS 2           /* bins to which usual tapers correlate a bin */

typedef struct
{
  Problem problem;
  double *fixed;      /* weights that stay: leverage */
  double *w;          /* weights of all kinds */
  double *slopes;     /* what the influence of a residual grows by with it, over its weight: for variances */
  double *spare;      /* 2 n */
  double *windows;    /* 2 n_groups */
  double complex *e;  /* residuals */
  double floor;       /* of scales */
  double scale;       /* of residuals: the root mean square, were they Gaussian */
  int iterations;
} Fit;

static double
square (double complex z)
{
  return creal (z) * creal (z) + cimag (z) * cimag (z);
}

/* A third of the moduli of complex Gaussian numbers of variance 1 is below sqrt (-ln (2/3)). */
static void
find_scales (Fit *fit, double *window_scale)
{
  const Problem *problem = &fit->problem;

  for (size_t i = 0; i < problem->n; i++)
    fit->spare[i] = square (fit->e[i]);
  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double sum = 0;

      for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
        sum += fit->spare[i];
      fit->windows[g] = sqrt (sum / (double)problem->group);
    }
  memcpy (fit->windows + problem->n_groups, fit->windows, problem->n_groups * sizeof *fit->windows);
  *window_scale = fmax (third (fit->windows + problem->n_groups, problem->n_groups), fit->floor);
  fit->scale = fmax (sqrt (third (fit->spare, problem->n) / -log (2.0 / 3)), fit->floor);
}

static double
bisquare (double r)
{
  return r < 1 ? (1 - r * r) * (1 - r * r) : 0;
}

static void
weigh (Fit *fit, int redescend)
{
  const Problem *problem = &fit->problem;
  double window_scale;

  find_scales (fit, &window_scale);
  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double r = fit->windows[g] / window_scale;
      double window = redescend ? bisquare (r / WINDOW_BISQUARE) : r > HUBER ? (HUBER / r) * (HUBER / r) : 1;

      for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
        {
          double own = sqrt (square (fit->e[i])) / fit->scale, u = own / BISQUARE;

          fit->w[i] = fit->fixed[i] * window * (redescend ? bisquare (u) : own > HUBER ? HUBER / own : 1);
          fit->slopes[i] = fit->fixed[i] * window * (u < 1 ? (1 - u * u) * (1 - 3 * u * u) : 0);
        }
    }
}

/* Repeats weighing and solving. A step that leaves too little to solve is not taken. */
static void
iterate (Fit *fit, double complex *z, int redescend, int steps)
{
  size_t p = fit->problem.columns;

  for (int step = 0; step < steps; step++)
    {
      double complex next[MAX_COLUMNS];
      double change = 0, size = 0;

      weigh (fit, redescend);
      if (!solve_weighted (&fit->problem, fit->w, next, NULL))
        return;
      for (size_t i = 0; i < p; i++)
        {
          change = fmax (change, cabs (next[i] - z[i]));
          size = fmax (size, cabs (next[i]));
        }
      memcpy (z, next, p * sizeof *z);
      residuals (&fit->problem, z, fit->e);
      fit->iterations++;
      if (change <= CONVERGED * size)
        return;
    }
}

/* Real scalar sums of the scores s_i = w_i conj(r_i) e_i: their products, with those of their neighbours in the window up to lag
 * LAGS if NEIGHBOURS. */
static void
score_products (const Fit *fit, size_t lags, double complex *products)
{
  const Problem *problem = &fit->problem;
  size_t p = problem->columns;

  memset (products, 0, p * p * sizeof *products);
  for (size_t i = 0; i < problem->n; i++)
    for (size_t lag = 0; lag <= lags && i % problem->group + lag < problem->group; lag++)
      {
        double complex a = fit->w[i] * fit->e[i], b = fit->w[i + lag] * fit->e[i + lag];

        for (size_t j = 0; j < p; j++)
          for (size_t k = 0; k < p; k++)
            {
              double complex left = conj (problem->r[j][i]) * a, right = conj (problem->r[k][i + lag]) * b;

              products[j * p + k] += left * conj (right);
              if (lag > 0)
                products[k * p + j] += right * conj (left);
            }
      }
}

/* The diagonal of INVERSE PRODUCTS INVERSE^H. */
static double
sandwich (size_t p, const double complex *inverse, const double complex *products, size_t i)
{
  double complex sum = 0;

  for (size_t j = 0; j < p; j++)
    for (size_t k = 0; k < p; k++)
      sum += inverse[i * p + j] * products[j * p + k] * conj (inverse[i * p + k]);
  return creal (sum);
}

/* SLOPES are used instead of weights where these depend on residuals. */
static int
find_variances (Fit *fit, int robust, double *variances)
{
  size_t p = fit->problem.columns, n = fit->problem.n, used = 0;
  double complex inverse[MAX_COLUMNS * MAX_COLUMNS], alone[MAX_COLUMNS * MAX_COLUMNS], together[MAX_COLUMNS * MAX_COLUMNS];
  double complex ignored[MAX_COLUMNS];

  if (!solve_weighted (&fit->problem, fit->w, ignored, inverse))
    return 0;
  double weights = 0, slopes = 0;
  for (size_t i = 0; i < n; i++)
    {
      weights += fit->w[i];
      slopes += fit->slopes[i];
      used += fit->w[i] > 0;
    }
  if (used <= p)
    return 0;
  double correction = robust && slopes > 0 ? (weights / slopes) * (weights / slopes) : 1;
  correction *= (double)used / (double)(used - p);
  score_products (fit, 0, alone);
  score_products (fit, LAGS, together);
  for (size_t i = 0; i < p; i++)
    {
      double least = sandwich (p, inverse, alone, i), likely = sandwich (p, inverse, together, i);

      /* With few windows the products with neighbours scatter so much that they can come to nothing. */
      variances[i] = correction * (likely > least / 2 ? likely : least);
    }
  return 1;
}

static int
fit_one (Fit *fit, int kind, double complex *z, double *variances)
{
  const Problem *problem = &fit->problem;

  for (size_t i = 0; i < problem->n; i++)
    fit->w[i] = fit->slopes[i] = fit->fixed[i];
  int solved = kind > 0 ? best_third (problem, z) || solve_weighted (problem, fit->w, z, NULL)
                        : solve_weighted (problem, NULL, z, NULL);
  if (!solved)
    return 0;
  for (size_t i = 0; i < problem->n; i++)
    fit->spare[i] = square (problem->y[i]);
  fit->floor = SCALE_FLOOR * sqrt (third (fit->spare, problem->n)) + 1e-300;
  residuals (problem, z, fit->e);
  fit->iterations = 0;
  if (kind > 0)
    {
      iterate (fit, z, 0, MAX_HUBER);
      iterate (fit, z, 1, MAX_BISQUARE);
    }
  double window_scale;
  find_scales (fit, &window_scale);
  return find_variances (fit, kind > 0, variances);
}

static int
fit_init (Fit *fit, size_t n, size_t n_groups)
{
  fit->fixed = malloc ((5 * n + 2 * n_groups) * sizeof *fit->fixed);
  fit->e = malloc (n * sizeof *fit->e);
  if (fit->fixed == NULL || fit->e == NULL)
    return 0;
  fit->w = fit->fixed + n;
  fit->slopes = fit->w + n;
  fit->spare = fit->slopes + n;
  fit->windows = fit->spare + 2 * n;
  for (size_t i = 0; i < n; i++)
    fit->fixed[i] = 1;
  return 1;
}

/* The columns of the inputs and of the references, and that of the intercept. */
static void
set_columns (Problem *problem, size_t n_inputs, const double complex *inputs, const double complex *references,
             const double complex *ones)
{
  for (size_t j = 0; j < n_inputs; j++)
    {
      problem->x[j] = inputs + j * problem->n;
      problem->r[j] = (references != NULL ? references : inputs) + j * problem->n;
    }
  problem->columns = n_inputs + (ones != NULL);
  if (ones != NULL)
    problem->x[n_inputs] = problem->r[n_inputs] = ones;
}

static int
fit_outputs (Fit *fit, int kind, size_t n_outputs, size_t n_inputs, const double complex *outputs, int remote,
             double complex *transfer, double *variances, double *scale, int32_t *iterations)
{
  Problem *problem = &fit->problem;

  if (kind == 2
      && !(bound_leverage (problem->n, n_inputs, problem->x, fit->fixed, fit->spare)
           && (!remote || bound_leverage (problem->n, n_inputs, problem->r, fit->fixed, fit->spare))))
    return TUTTI_MT_UNDETERMINED;
  for (size_t i = 0; i < n_outputs; i++)
    {
      double complex z[MAX_COLUMNS];
      double variance[MAX_COLUMNS];

      problem->y = outputs + i * problem->n;
      if (!fit_one (fit, kind, z, variance))
        return TUTTI_MT_UNDETERMINED;
      memcpy (transfer + i * n_inputs, z, n_inputs * sizeof *z);
      memcpy (variances + i * n_inputs, variance, n_inputs * sizeof *variance);
      scale[i] = fit->scale;
      iterations[i] = fit->iterations;
    }
  return 0;
}

int
tutti_mt_regress (int kind, size_t n, size_t group, size_t n_outputs, size_t n_inputs, const double complex *outputs,
                  const double complex *inputs, const double complex *references, int intercept, double complex *transfer,
                  double *variances, double *scale, int32_t *iterations)
{
  size_t columns = n_inputs + (intercept != 0);
  int status = TUTTI_MT_NO_MEMORY;
  Fit fit = { .problem = { .n = n, .group = group, .n_groups = n / group } };
  double complex *ones = NULL;

  if (columns > MAX_COLUMNS || n < 2 * columns)
    return TUTTI_MT_UNDETERMINED;
  if (intercept)
    ones = malloc (n * sizeof *ones);
  if (fit_init (&fit, n, n / group) && (!intercept || ones != NULL))
    {
      for (size_t i = 0; intercept && i < n; i++)
        ones[i] = 1;
      set_columns (&fit.problem, n_inputs, inputs, references, ones);
      status = fit_outputs (&fit, kind, n_outputs, n_inputs, outputs, references != NULL, transfer, variances, scale, iterations);
    }
  free (fit.fixed);
  free (fit.e);
  free (ones);
  return status;
}
