/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Magnetotellurics over a layered Earth: apparent resistivity and phase, with their exact derivative.
 *
 * Plane wave over L layers, time dependence e^{+i omega t}, z downwards, displacement currents neglected. In a layer of resistivity
 * rho, k = sqrt (i omega mu / rho) and the intrinsic impedance is eta = sqrt (i omega mu rho). From the half-space up,
 *
 *     Z_L = eta_L,    Z_j = eta_j (Z_{j+1} + eta_j t) / (eta_j + Z_{j+1} t),    t = tanh (k_j h_j)
 *
 * (Wait 1954, Geophysics 19, 281-289; Ward & Hohmann 1988, in Nabighian (ed.), Electromagnetic Methods in Applied Geophysics 1;
 * used for inversion by Constable, Parker & Constable 1987, Geophysics 52, 289-300). With this time dependence the impedance is in
 * the first quadrant: a half-space has a phase of 45 degrees.
 *
 * Data: first log10 of the apparent resistivity |Z_1|^2 / (omega mu) in ohm m, for each period in the given order, then the phase of
 * Z_1 in degrees, for each period. Unknowns: ln of the layers' resistivities in ohm m, top first. */
#include "tutti/operator.h"
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MU_0 1.25663706212e-6 /* H/m, CODATA 2018 */

/* What one layer does to the impedance Z below it. */
typedef struct
{
  double complex top;        /* Z_j */
  double complex by_below;   /* d Z_j / d Z_{j+1} */
  double complex by_log_rho; /* d Z_j / d ln rho_j */
} Step;

typedef struct
{
  size_t n_layers, n_periods;
  double *thicknesses; /* n_layers - 1, in m, top first */
  double *periods;     /* n_periods, in s */
  double *rho;         /* n_layers, in ohm m: scratch, as steps */
  Step *steps;
} Response;

/* A / B. The impedances of the Earth are far from the ends of the exponents' range, against which C's own division guards at
 * some cost. */
static inline double complex
quotient (double complex a, double complex b)
{
  return a * conj (b) / (creal (b) * creal (b) + cimag (b) * cimag (b));
}

static inline double complex
intrinsic_impedance (double omega, double rho)
{
  double part = sqrt (omega * MU_0 * rho / 2);
  return CMPLX (part, part);
}

/* The half-space has no thickness: its impedance is its own. */
static Step
half_space_step (double omega, double rho)
{
  double complex eta = intrinsic_impedance (omega, rho);
  return (Step){ .top = eta, .by_below = 0, .by_log_rho = eta / 2 };
}

static Step
layer_step (double omega, double rho, double thickness, double complex below)
{
  double complex eta = intrinsic_impedance (omega, rho);
  /* k h = (1 + i) x / 2. With e = exp (-2 k h), t = (1 - e) / (1 + e): nothing can overflow in a thick layer, and 1 - e is put
   * together from expm1() and sin() so that nothing cancels in a thin one. */
  double x = thickness * sqrt (2 * omega * MU_0 / rho);
  double decay = exp (-x), half_sine = sin (x / 2), half_cosine = cos (x / 2);
  double imaginary = 2 * decay * half_sine * half_cosine;
  double complex e = CMPLX (decay * (1 - 2 * half_sine * half_sine), -imaginary);
  double complex one_minus_e = CMPLX (2 * decay * half_sine * half_sine - expm1 (-x), imaginary);
  double complex inverse = quotient (1, 1 + e);
  double complex t = one_minus_e * inverse;
  double complex dt = 4 * e * inverse * inverse; /* 1 - t^2, without the cancellation where t is nearly 1 */

  double complex base = quotient (1, eta + below * t);
  double complex ratio = (below + eta * t) * base, scale = eta * base;
  double complex by_eta = ratio - scale * below * base * dt;
  double complex by_t = scale * (eta * eta - below * below) * base;
  /* d eta / d ln rho = eta / 2 and d t / d ln rho = (1 - t^2) d (k h) / d ln rho = - (1 - t^2) k h / 2. */
  return (Step){ .top = eta * ratio,
                 .by_below = scale * scale * dt,
                 .by_log_rho = by_eta * eta / 2 - by_t * dt * CMPLX (x, x) / 4 };
}

/* The impedance on top, in ohm, from the bottom up. STEPS is given what each of the layers did. */
static double complex
impedance (const Response *self, double omega, const double *rho, Step *steps)
{
  size_t last = self->n_layers - 1;

  steps[last] = half_space_step (omega, rho[last]);
  for (size_t j = last; j-- > 0;)
    steps[j] = layer_step (omega, rho[j], self->thicknesses[j], steps[j + 1].top);
  return steps[0].top;
}

static double
period_omega (const Response *self, size_t i)
{
  return 2 * M_PI / self->periods[i];
}

static void
put_data (const Response *self, size_t i, double complex z, double *y)
{
  y[i] = 2 * log10 (cabs (z)) - log10 (period_omega (self, i) * MU_0);
  y[self->n_periods + i] = carg (z) * 180 / M_PI;
}

/* The resistivities for the unknowns X, in the operator's own memory. */
static const double *
resistivities (Response *self, const double *x)
{
  for (size_t j = 0; j < self->n_layers; j++)
    self->rho[j] = exp (x[j]);
  return self->rho;
}

static int
response_evaluate (void *data, const double *x, double *y, char *error)
{
  Response *self = data;
  const double *rho = resistivities (self, x);

  (void) error;
  for (size_t i = 0; i < self->n_periods; i++)
    put_data (self, i, impedance (self, period_omega (self, i), rho, self->steps), y);
  return 0;
}

/* The rows of period I in the Jacobian, from the top down: d Z_1 / d Z_j is the product of what the layers above did. Both data
 * are parts of ln Z_1: ln |Z_1| and the phase. */
static void
put_rows (const Response *self, size_t i, const Step *steps, double *jacobian)
{
  double *rho_row = jacobian + i * self->n_layers;
  double *phase_row = jacobian + (self->n_periods + i) * self->n_layers;
  double complex gain = 1 / steps[0].top;

  for (size_t j = 0; j < self->n_layers; j++)
    {
      double complex d_log_z = gain * steps[j].by_log_rho;
      rho_row[j] = 2 / M_LN10 * creal (d_log_z);
      phase_row[j] = 180 / M_PI * cimag (d_log_z);
      gain *= steps[j].by_below;
    }
}

/* The derivative is the Jacobian, row-major, data by layers. */
static int
response_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  Response *self = data;
  const double *rho = resistivities (self, x);
  double *jacobian = calloc (2 * self->n_periods * self->n_layers, sizeof *jacobian);

  if (jacobian == NULL)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "no memory for a Jacobian of %zu x %zu", 2 * self->n_periods, self->n_layers);
      return -1;
    }
  for (size_t i = 0; i < self->n_periods; i++)
    {
      put_data (self, i, impedance (self, period_omega (self, i), rho, self->steps), y);
      put_rows (self, i, self->steps, jacobian);
    }
  *derivative = jacobian;
  return 0;
}

static int
response_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  const Response *self = data;
  const double *row = derivative;

  (void) error;
  for (size_t i = 0; i < 2 * self->n_periods; i++, row += self->n_layers)
    {
      double sum = 0;
      for (size_t j = 0; j < self->n_layers; j++)
        sum += row[j] * h[j];
      dy[i] = sum;
    }
  return 0;
}

static int
response_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  const Response *self = data;
  const double *row = derivative;

  (void) error;
  memset (dx, 0, self->n_layers * sizeof *dx);
  /* Who asks for the whole matrix asks with unit vectors. */
  for (size_t i = 0; i < 2 * self->n_periods; i++, row += self->n_layers)
    if (dy[i] != 0)
      for (size_t j = 0; j < self->n_layers; j++)
        dx[j] += row[j] * dy[i];
  return 0;
}

static void
response_derivative_free (void *data, void *derivative)
{
  (void) data;
  free (derivative);
}

static const TuttiOperatorParameter *
find_parameter (const TuttiOperatorParameter *parameters, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (parameters[i].name, name) == 0)
      return &parameters[i];
  return NULL;
}

static int
check_positive (const TuttiOperatorParameter *parameter, const char *unit, char *error)
{
  for (size_t i = 0; i < parameter->n; i++)
    if (!(isfinite (parameter->values[i]) && parameter->values[i] > 0))
      {
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' number %zu is %g %s, expected a positive number", parameter->name, i,
                  parameter->values[i], unit);
        return -1;
      }
  return 0;
}

/* A copy of what PARAMETER holds; never NULL for want of values. */
static double *
copy_values (const TuttiOperatorParameter *parameter)
{
  double *copy = calloc (parameter->n + 1, sizeof *copy);

  if (copy != NULL && parameter->n > 0)
    memcpy (copy, parameter->values, parameter->n * sizeof *copy);
  return copy;
}

static void
response_destroy (void *data)
{
  Response *self = data;

  free (self->thicknesses);
  free (self->periods);
  free (self->rho);
  free (self->steps);
  free (self);
}

static void *
response_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  static const TuttiOperatorParameter no_layers = { .name = "thicknesses", .values = NULL, .n = 0 };
  const TuttiOperatorParameter *thicknesses = find_parameter (parameters, n, "thicknesses");
  const TuttiOperatorParameter *periods = find_parameter (parameters, n, "periods");

  if (thicknesses == NULL)
    thicknesses = &no_layers;
  if (periods == NULL || periods->n == 0)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'periods' (s) is %s, expected at least one", periods == NULL ? "missing" : "empty");
      return NULL;
    }
  if (check_positive (thicknesses, "m", error) != 0 || check_positive (periods, "s", error) != 0)
    return NULL;

  Response *self = calloc (1, sizeof *self);
  if (self != NULL)
    {
      self->n_layers = thicknesses->n + 1;
      self->n_periods = periods->n;
      self->thicknesses = copy_values (thicknesses);
      self->periods = copy_values (periods);
      self->rho = calloc (self->n_layers, sizeof *self->rho);
      self->steps = calloc (self->n_layers, sizeof *self->steps);
    }
  if (self == NULL || self->thicknesses == NULL || self->periods == NULL || self->rho == NULL || self->steps == NULL)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "no memory for %zu layers and %zu periods", thicknesses->n + 1, periods->n);
      if (self != NULL)
        response_destroy (self);
      return NULL;
    }
  *domain = self->n_layers;
  *codomain = 2 * self->n_periods;
  return self;
}

static const char *const response_parameters[] = { "thicknesses", "periods", NULL };

static const TuttiOperatorClass classes[] = {
  {
      .name = "response",
      .description = "ln of layers' resistivities (ohm m, top first) -> log10 of apparent resistivity (ohm m) at each of 'periods' (s), "
                     "then phase (degrees) at each; 'thicknesses' (m, top first) of all layers but the half-space",
      .parameters = response_parameters,
      .linear = 0,
      .create = response_create,
      .destroy = response_destroy,
      .evaluate = response_evaluate,
      .linearize = response_linearize,
      .derivative = response_derivative,
      .adjoint = response_adjoint,
      .derivative_free = response_derivative_free,
  },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "mt1d",
  .description = "magnetotellurics over a layered Earth",
  .n_classes = sizeof classes / sizeof *classes,
  .classes = classes,
};
