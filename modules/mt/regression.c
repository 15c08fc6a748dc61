/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Robust regression by iteratively reweighted least squares.
 *
 * An observation's weight is the product of three: of its own residual, of the root mean square of its window's residuals, as most
 * noise disturbs whole windows, and (method cm) of its leverage. Those of residuals are by Huber's function until nothing changes,
 * then by Tukey's bisquare (Egbert & Booker 1986, Geophys. J. R. astr. Soc. 87, 173-194; Chave & Thomson 2004, Geophys. J. Int.
 * 157, 988-1006). The scale of the residuals is estimated from the best third, so that up to two thirds may be bad.
 *
 * With references, windows in which inputs and references are not related as in the others are left out (method cm).
 *
 * Variances are those of the equations that the estimate solves (Huber 1981, Robust Statistics, 7.6), with the correlation of
 * neighbouring bins that tapers make (Newey & West 1987, Econometrica 55, 703-708); residuals are those without the observation itself
 * (the jackknife: MacKinnon & White 1985, J. Econometrics 29, 305-325), and few of them make it the variance of Student's t. */
#include "mt/regression.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HUBER 1.5
#define BISQUARE 4.685         /* 95 % efficient for Gaussian noise (Holland & Welsch 1977, Commun. Stat. A6, 813-827) */
#define WINDOW_BISQUARE 4.0    /* in thirds of windows' residuals: no window of good data comes to more */
#define LEFT_OUT 0.3           /* weight up to which a window does not fit the references */
#define MAX_HUBER 50
#define MAX_BISQUARE 30
#define CONVERGED 1e-5 /* of the estimate: far less than its error ever is */
#define SCALE_FLOOR 1e-6 /* of y: smaller residuals are due to rounding of spectra to single precision */
#define SMALLEST 1e-100  /* its square is still a number */
#define LAGS 3           /* bins to which usual tapers correlate a bin */

#define STUDENT 25       /* observations that are few */

#define SAMPLE 4096      /* residuals that are enough to estimate a scale from */

typedef struct
{
  Problem problem;
  double *fixed;            /* weights that do not change: by leverage, and of the selected windows */
  double *selected;         /* weights of the windows by the references */
  double *w;                /* weights of all kinds */
  double *squares;          /* of residuals */
  double *spare;            /* n */
  double *windows;          /* 2 n_groups: mean squares of residuals */
  double complex *equations; /* of each group */
  double floor;             /* of scales */
  double scale;             /* of residuals: the root mean square, were they Gaussian */
  double window_scale;
  int iterations;
  const double *places;     /* of the observations of a group, or NULL */
} Fit;

static double
square (double complex z)
{
  return creal (z) * creal (z) + cimag (z) * cimag (z);
}

/* The number that a third of the N numbers do not exceed; of many, that of a part, in which all bins of windows are equally frequent. */
static double
third_of_sample (const Problem *problem, const double *numbers, double *spare)
{
  size_t stride = problem->n > SAMPLE ? problem->n / SAMPLE : 1, count = 0;

  for (size_t a = stride, b = problem->group; stride > 1;)
    {
      while (b != 0)
        {
          size_t rest = a % b;
          a = b;
          b = rest;
        }
      if (a == 1)
        break;
      a = ++stride;
      b = problem->group;
    }
  for (size_t i = 0; i < problem->n; i += stride)
    spare[count++] = numbers[i];
  return third (spare, count);
}

/* A third of the moduli of complex Gaussian numbers of variance 1 is below sqrt (-ln (2/3)). */
static void
find_scales (Fit *fit, const double complex *z)
{
  const Problem *problem = &fit->problem;

  residual_squares (problem, z, fit->squares);
  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double sum = 0;

      for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
        sum += fit->squares[i];
      fit->windows[g] = sum / (double)problem->group;
    }
  memcpy (fit->windows + problem->n_groups, fit->windows, problem->n_groups * sizeof *fit->windows);
  fit->window_scale = fmax (sqrt (third (fit->windows + problem->n_groups, problem->n_groups)), fit->floor);
  fit->scale = fmax (sqrt (third_of_sample (problem, fit->squares, fit->spare) / -log (2.0 / 3)), fit->floor);
}

/* Functions of the square of a residual. */
static double
huber (double r2)
{
  return r2 > HUBER * HUBER ? HUBER / sqrt (r2) : 1;
}

static double
bisquare (double r2)
{
  return r2 < 1 ? (1 - r2) * (1 - r2) : 0;
}

static double
window_weight (const Fit *fit, size_t g, int redescend)
{
  double r2 = fit->windows[g] / (fit->window_scale * fit->window_scale);

  return redescend ? bisquare (r2 / (WINDOW_BISQUARE * WINDOW_BISQUARE)) : huber (r2) * huber (r2);
}

static void
weigh (Fit *fit, const double complex *z, int redescend)
{
  const Problem *problem = &fit->problem;

  find_scales (fit, z);
  double per_square = 1 / (fit->scale * fit->scale);
  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double window = window_weight (fit, g, redescend);
      size_t end = (g + 1) * problem->group;

      if (redescend)
        for (size_t i = g * problem->group; i < end; i++)
          fit->w[i] = fit->fixed[i] * window * bisquare (fit->squares[i] * (per_square / (BISQUARE * BISQUARE)));
      else
        for (size_t i = g * problem->group; i < end; i++)
          fit->w[i] = fit->fixed[i] * window * huber (fit->squares[i] * per_square);
    }
}

/* Repeats weighting and solving. A step that leaves too few observations is not taken. */
static void
iterate (Fit *fit, double complex *z, int redescend, int steps)
{
  size_t p = fit->problem.columns;

  for (int step = 0; step < steps; step++)
    {
      double complex next[MAX_COLUMNS];
      double change = 0, size = 0;

      weigh (fit, z, redescend);
      if (!solve_weighted (&fit->problem, fit->w, next, NULL))
        return;
      for (size_t i = 0; i < p; i++)
        {
          change = fmax (change, cabs (next[i] - z[i]));
          size = fmax (size, cabs (next[i]));
        }
      memcpy (z, next, p * sizeof *z);
      fit->iterations++;
      if (change <= CONVERGED * size)
        return;
    }
}

/* The contribution of observation I to the estimate: row number ROW of INVERSE times w conj(r) E. */
static double complex
influence (const Fit *fit, const double complex *row, size_t i, double complex e)
{
  const Problem *problem = &fit->problem;
  double re = 0, im = 0;

  for (size_t j = 0; j < problem->columns; j++)
    {
      double rr = creal (problem->r[j][i]), ri = cimag (problem->r[j][i]), ar = creal (row[j]), ai = cimag (row[j]);
      double sr = rr * creal (e) + ri * cimag (e), si = rr * cimag (e) - ri * creal (e);

      re += ar * sr - ai * si;
      im += ar * si + ai * sr;
    }
  return CMPLX (fit->w[i] * re, fit->w[i] * im);
}

/* The variance of the sum of the contributions of all observations, each of which is correlated with those of up to LAGS bins further
 * on in the same window; ALONE: as if there were no correlation. */
static double
variance_of_sum (const Fit *fit, const double complex *z, const double complex *row, double *alone)
{
  const Problem *problem = &fit->problem;
  double powers[LAGS + 1] = { 0 };
  double re[LAGS + 1] = { 0 }, im[LAGS + 1] = { 0 }; /* of this and the bins before */

  for (size_t i = 0, k = 0; i < problem->n; i++, k = k + 1 < problem->group ? k + 1 : 0)
    {
      double complex added = influence (fit, row, i, residual (problem, z, i)) / fit->spare[i];

      for (size_t lag = LAGS; lag > 0; lag--)
        {
          re[lag] = re[lag - 1];
          im[lag] = im[lag - 1];
        }
      re[0] = creal (added);
      im[0] = cimag (added);
      for (size_t lag = 0; lag <= LAGS && lag <= k; lag++)
        powers[lag] += re[0] * re[lag] + im[0] * im[lag];
    }
  *alone = powers[0];
  double sum = powers[0];
  for (size_t lag = 1; lag <= LAGS; lag++)
    sum += 2 * powers[lag];
  return sum;
}

/* As the weight of a residual falls while the residual grows, it moves the estimate less than the weight tells (Huber 1981, 7.6). By how
 * much: the mean weight divided by the mean slope of weight times residual. ROBUST weights are the bisquare's. */
static double
slope_correction (const Fit *fit)
{
  const Problem *problem = &fit->problem;
  double weights = 0, slopes = 0;

  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double window = window_weight (fit, g, 1);

      for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
        {
          double r2 = fit->squares[i] / (fit->scale * fit->scale * (BISQUARE * BISQUARE));

          weights += fit->w[i];
          slopes += r2 < 1 ? fit->fixed[i] * window * (1 - r2) * (1 - 3 * r2) : 0;
        }
    }
  return slopes > 0 ? weights / slopes : 1;
}

/* How much of an observation's output is left in its residual: 1 less its own weight in the fit. */
static void
find_own_parts (Fit *fit, const double complex *inverse)
{
  enum { MOST_PERCENT = 90 };
  const Problem *problem = &fit->problem;
  size_t p = problem->columns;

  for (size_t i = 0; i < problem->n; i++)
    {
      double own = 0;

      for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k < p; k++)
          own += creal (problem->x[j][i] * inverse[j * p + k] * conj (problem->r[k][i]));
      fit->spare[i] = fmax (1 - fit->w[i] * own, 1 - MOST_PERCENT / 100.0);
    }
}

/* The variance of Student's t for the effective number of observations: RATIO of them count as one. */
static double
student (const Fit *fit, double ratio)
{
  const Problem *problem = &fit->problem;
  double sum = 0, squares = 0;

  for (size_t i = 0; i < problem->n; i++)
    {
      sum += fit->w[i];
      squares += fit->w[i] * fit->w[i];
    }
  /* Real and imaginary part count as two. */
  double freedom = 2 * (sum * sum / squares / ratio - (double)problem->columns);
  return problem->n > STUDENT ? 1 : freedom > 3 ? freedom / (freedom - 2) : 3;
}

static int
find_variances (Fit *fit, int robust, const double complex *z, double *variances)
{
  const Problem *problem = &fit->problem;
  size_t p = problem->columns, used = 0;
  double complex inverse[MAX_COLUMNS * MAX_COLUMNS], ignored[MAX_COLUMNS];

  for (size_t i = 0; i < problem->n; i++)
    used += fit->w[i] > 0;
  if (used <= p || !solve_weighted (problem, fit->w, ignored, inverse))
    return TUTTI_MT_UNDETERMINED;
  double correction = robust ? slope_correction (fit) : 1;
  correction *= correction;
  find_own_parts (fit, inverse);
  for (size_t i = 0; i < p; i++)
    {
      double alone;
      double likely = variance_of_sum (fit, z, inverse + i * p, &alone);

      /* With few windows the products with neighbours scatter so much that they can come to nothing. */
      likely = likely > alone / 2 ? likely : alone;
      variances[i] = correction * likely * student (fit, fmax (likely / alone, 1));
    }
  return 0;
}

static int
fit_one (Fit *fit, int kind, double complex *z, double *variances)
{
  const Problem *problem = &fit->problem;
  int solved = 0;

  memcpy (fit->w, fit->fixed, problem->n * sizeof *fit->w);
  if (kind > 0)
    {
      group_equations (problem, fit->equations);
      solved = best_third (problem, fit->equations, z);
    }
  if (!solved && !solve_weighted (problem, fit->w, z, NULL))
    return TUTTI_MT_UNDETERMINED;
  for (size_t i = 0; i < problem->n; i++)
    fit->squares[i] = square (problem->y[i]);
  fit->floor = SCALE_FLOOR * sqrt (third_of_sample (problem, fit->squares, fit->spare)) + SMALLEST;
  fit->iterations = 0;
  if (kind > 0)
    {
      iterate (fit, z, 0, MAX_HUBER);
      iterate (fit, z, 1, MAX_BISQUARE);
    }
  find_scales (fit, z);
  return find_variances (fit, kind > 0, z, variances);
}

static int
fit_init (Fit *fit)
{
  size_t n = fit->problem.n, n_groups = fit->problem.n_groups;

  fit->fixed = malloc ((5 * n + 2 * n_groups) * sizeof *fit->fixed);
  fit->equations = malloc (n_groups * (MAX_COLUMNS * (MAX_COLUMNS + 1) + 1) * sizeof *fit->equations);
  if (fit->fixed == NULL || fit->equations == NULL)
    return 0;
  fit->w = fit->fixed + n;
  fit->squares = fit->w + n;
  fit->spare = fit->squares + n;
  fit->selected = fit->spare + n;
  fit->windows = fit->selected + n;
  for (size_t i = 0; i < n; i++)
    fit->fixed[i] = fit->selected[i] = 1;
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

/* What the estimate rests on: the effective number of windows, by the squares of their weights; the mean weight; and the fraction of the
 * output's power that the inputs explain. */
static void
find_support (const Fit *fit, const double complex *z, double *support)
{
  const Problem *problem = &fit->problem;
  double sum = 0, squares = 0, power = 0, rest = 0;

  for (size_t g = 0; g < problem->n_groups; g++)
    {
      double window = 0;

      for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
        {
          window += fit->w[i];
          power += fit->w[i] * square (problem->y[i]);
          rest += fit->w[i] * square (residual (problem, z, i));
        }
      sum += window;
      squares += window * window;
    }
  support[0] = squares > 0 ? sum * sum / squares : 0;
  support[1] = sum / (double)problem->n;
  support[2] = power > 0 ? fmax (1 - rest / power, 0) : 1;
}

/* The mean and the mean square of the places of observations, weighted as these are in the equations. */
static void
mean_place (const Fit *fit, double *means)
{
  const Problem *problem = &fit->problem;
  double sum = 0, squares = 0, weights = 0;

  for (size_t i = 0, k = 0; fit->places != NULL && i < problem->n; i++, k = k + 1 < problem->group ? k + 1 : 0)
    {
      double weight = 0;

      for (size_t j = 0; j < problem->columns; j++)
        weight += square (problem->x[j][i]);
      sum += fit->w[i] * weight * fit->places[k];
      squares += fit->w[i] * weight * fit->places[k] * fit->places[k];
      weights += fit->w[i] * weight;
    }
  means[0] = weights > 0 ? sum / weights : 0;
  means[1] = weights > 0 ? squares / weights : 0;
}

/* Leaves out windows in which one of the N_INPUTS does not fit the references. */
static void
select_windows (Fit *fit, size_t n_inputs)
{
  Problem *problem = &fit->problem;
  const Problem own = *problem;
  double *fixed = fit->fixed;
  int selected = 1;

  for (size_t j = 0; j < problem->columns; j++)
    problem->x[j] = own.r[j];
  for (size_t j = 0; j < n_inputs && selected; j++)
    {
      double complex z[MAX_COLUMNS];
      double ignored[MAX_COLUMNS];

      problem->y = own.x[j];
      selected = fit_one (fit, 1, z, ignored) == 0;
      for (size_t g = 0; g < problem->n_groups && selected; g++)
        if (window_weight (fit, g, 1) < LEFT_OUT)
          for (size_t i = g * problem->group; i < (g + 1) * problem->group; i++)
            fit->selected[i] = 0;
    }
  *problem = own;
  size_t left = 0;
  for (size_t i = 0; i < problem->n; i++)
    left += fit->selected[i] > 0;
  if (selected && 3 * left >= problem->n)
    for (size_t i = 0; i < problem->n; i++)
      fixed[i] *= fit->selected[i];
}

static int
fit_outputs (Fit *fit, int kind, size_t n_outputs, size_t n_inputs, const double complex *outputs, int remote,
             double complex *transfer, double *variances, double *scale, int32_t *iterations, double *offsets,
             double *support)
{
  Problem *problem = &fit->problem;

  if (kind == 2
      && !(bound_leverage (problem->n, n_inputs, problem->x, fit->fixed, fit->spare)
           && (!remote || bound_leverage (problem->n, n_inputs, problem->r, fit->fixed, fit->spare))))
    return TUTTI_MT_UNDETERMINED;
  if (kind == 2 && remote)
    select_windows (fit, n_inputs);
  for (size_t i = 0; i < n_outputs; i++)
    {
      double complex z[MAX_COLUMNS];
      double variance[MAX_COLUMNS];

      problem->y = outputs + i * problem->n;
      int status = fit_one (fit, kind, z, variance);
      if (status != 0)
        return status;
      memcpy (transfer + i * n_inputs, z, n_inputs * sizeof *z);
      memcpy (variances + i * n_inputs, variance, n_inputs * sizeof *variance);
      scale[i] = fit->scale;
      iterations[i] = fit->iterations;
      find_support (fit, z, support + 3 * i);
      mean_place (fit, offsets + 2 * i);
    }
  return 0;
}

int
tutti_mt_regress (int kind, size_t n, size_t group, size_t n_outputs, size_t n_inputs, const double complex *outputs,
                  const double complex *inputs, const double complex *references, int intercept, const double *places,
                  double complex *transfer, double *variances, double *scale, int32_t *iterations, double *offsets,
                  double *support)
{
  size_t columns = n_inputs + (intercept != 0);
  int status = TUTTI_MT_NO_MEMORY;
  Fit fit = { .problem = { .n = n, .group = group, .n_groups = n / group }, .places = places };
  double complex *ones = NULL;

  if (columns > MAX_COLUMNS || n < 2 * columns)
    return TUTTI_MT_UNDETERMINED;
  if (intercept)
    ones = malloc (n * sizeof *ones);
  if (fit_init (&fit) && (!intercept || ones != NULL))
    {
      for (size_t i = 0; intercept && i < n; i++)
        ones[i] = 1;
      set_columns (&fit.problem, n_inputs, inputs, references, ones);
      status = fit_outputs (&fit, kind, n_outputs, n_inputs, outputs, references != NULL, transfer, variances, scale, iterations,
                            offsets, support);
    }
  free (fit.fixed);
  free (fit.equations);
  free (ones);
  return status;
}
