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
 * The class "response". Data: first log10 of the apparent resistivity |Z_1|^2 / (omega mu) in ohm m, for each period in
 * the given order, then the phase of Z_1 in degrees, for each period. Unknowns: ln of the layers' resistivities in ohm m,
 * top first.
 *
 * The class "sounding" is the same in the other usual conventions: z upwards, so that the impedance is -Z_1 and a
 * half-space has a phase of -135 degrees. Data: for each frequency the apparent resistivity in ohm m and the phase in
 * degrees, or the real and the imaginary part of the impedance in ohm. Unknowns: ln of the layers' conductivities in S/m,
 * half-space first. */
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

/* In which conventions an operator works. Both kinds of soundings have the two data of a frequency side by side, and the
 * layers the other way round. */
typedef enum
{
  RESPONSE,
  SOUNDING,          /* apparent resistivity and phase */
  SOUNDING_IMPEDANCE /* real and imaginary part */
} Kind;

typedef struct
{
  Kind kind;
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

/* The impedance on top, in ohm, from the bottom up. STEPS gets the contribution of each layer. */
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

/* The place of the first and of the second datum of period I. */
static inline size_t
first_row (const Response *self, size_t i)
{
  return self->kind == RESPONSE ? i : 2 * i;
}

static inline size_t
second_row (const Response *self, size_t i)
{
  return self->kind == RESPONSE ? self->n_periods + i : 2 * i + 1;
}

static inline double
apparent_resistivity (double omega, double complex z)
{
  return (creal (z) * creal (z) + cimag (z) * cimag (z)) / (omega * MU_0);
}

static void
put_data (const Response *self, size_t i, double complex z, double *y)
{
  double *first = y + first_row (self, i), *second = y + second_row (self, i);
  double omega = period_omega (self, i);

  switch (self->kind)
    {
    case RESPONSE:
      *first = 2 * log10 (cabs (z)) - log10 (omega * MU_0);
      *second = carg (z) * 180 / M_PI;
      break;
    case SOUNDING:
      *first = apparent_resistivity (omega, z);
      *second = carg (-z) * 180 / M_PI;
      break;
    case SOUNDING_IMPEDANCE:
      *first = -creal (z);
      *second = -cimag (z);
      break;
    }
}

/* The resistivities, top first, for the unknowns X, in the operator's own memory. */
static const double *
resistivities (Response *self, const double *x)
{
  for (size_t j = 0; j < self->n_layers; j++)
    self->rho[j] = self->kind == RESPONSE ? exp (x[j]) : exp (-x[self->n_layers - 1 - j]);
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

/* The change of the data of a period for a change of ln Z_1 by D_LOG_Z. */
static void
put_change (const Response *self, size_t i, double complex z, double complex d_log_z, double *first, double *second)
{
  switch (self->kind)
    {
    case RESPONSE:
      *first = 2 / M_LN10 * creal (d_log_z);
      *second = 180 / M_PI * cimag (d_log_z);
      break;
    case SOUNDING:
      *first = 2 * apparent_resistivity (period_omega (self, i), z) * creal (d_log_z);
      *second = 180 / M_PI * cimag (d_log_z);
      break;
    case SOUNDING_IMPEDANCE:
      *first = -creal (z * d_log_z);
      *second = -cimag (z * d_log_z);
      break;
    }
}

/* The rows of period I in the Jacobian, from the top down: d Z_1 / d Z_j is the product of what the layers above did. All data
 * are parts of Z_1 or ln Z_1. */
static void
put_rows (const Response *self, size_t i, const Step *steps, double *jacobian)
{
  double *first = jacobian + first_row (self, i) * self->n_layers;
  double *second = jacobian + second_row (self, i) * self->n_layers;
  double complex gain = 1 / steps[0].top;

  for (size_t j = 0; j < self->n_layers; j++)
    {
      double complex by_log_rho = gain * steps[j].by_log_rho;
      size_t column = self->kind == RESPONSE ? j : self->n_layers - 1 - j;
      put_change (self, i, steps[0].top, self->kind == RESPONSE ? by_log_rho : -by_log_rho, first + column, second + column);
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

/* An operator for THICKNESSES and PERIODS, which are copied as they are. */
static Response *
response_new (const TuttiOperatorParameter *thicknesses, const TuttiOperatorParameter *periods, size_t *domain,
              size_t *codomain, char *error)
{
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

static const TuttiOperatorParameter no_layers = { .name = "thicknesses", .values = NULL, .n = 0 };

/* The parameter NAME, in UNIT, of which there must be some. NULL after writing ERROR. */
static const TuttiOperatorParameter *
need_parameter (const TuttiOperatorParameter *parameters, size_t n, const char *name, const char *unit, char *error)
{
  const TuttiOperatorParameter *parameter = find_parameter (parameters, n, name);

  if (parameter == NULL || parameter->n == 0)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' (%s) is %s, expected at least one", name, unit,
                parameter == NULL ? "missing" : "empty");
      return NULL;
    }
  return check_positive (parameter, unit, error) == 0 ? parameter : NULL;
}

static void *
response_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  const TuttiOperatorParameter *thicknesses = find_parameter (parameters, n, "thicknesses");
  const TuttiOperatorParameter *periods = need_parameter (parameters, n, "periods", "s", error);

  if (thicknesses == NULL)
    thicknesses = &no_layers;
  if (periods == NULL || check_positive (thicknesses, "m", error) != 0)
    return NULL;
  return response_new (thicknesses, periods, domain, codomain, error);
}

static void *
sounding_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  const TuttiOperatorParameter *thicknesses = find_parameter (parameters, n, "thicknesses");
  const TuttiOperatorParameter *frequencies = need_parameter (parameters, n, "frequencies", "Hz", error);
  const TuttiOperatorParameter *impedance = find_parameter (parameters, n, "impedance");

  if (thicknesses == NULL)
    thicknesses = &no_layers;
  if (frequencies == NULL || check_positive (thicknesses, "m", error) != 0)
    return NULL;
  if (impedance != NULL && !(impedance->n == 1 && (impedance->values[0] == 0 || impedance->values[0] == 1)))
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE,
                "'impedance' must be one number, 1 for the impedance or 0 for apparent resistivity and phase");
      return NULL;
    }

  Response *self = response_new (thicknesses, frequencies, domain, codomain, error);
  if (self == NULL)
    return NULL;
  self->kind = impedance != NULL && impedance->values[0] == 1 ? SOUNDING_IMPEDANCE : SOUNDING;
  for (size_t j = 0; j < thicknesses->n; j++)
    self->thicknesses[j] = thicknesses->values[thicknesses->n - 1 - j];
  for (size_t i = 0; i < frequencies->n; i++)
    self->periods[i] = 1 / frequencies->values[i];
  return self;
}

static const char *const response_parameters[] = { "thicknesses", "periods", NULL };
static const char *const sounding_parameters[] = { "thicknesses", "frequencies", "impedance", NULL };

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
  {
      .name = "sounding",
      .description = "ln of layers' conductivities (S/m, half-space first) -> for each of 'frequencies' (Hz) apparent "
                     "resistivity (ohm m) and phase (degrees, -135 over a half-space), or with 'impedance' 1 real and "
                     "imaginary part of the impedance (ohm); 'thicknesses' (m, lowest first) of all layers but the half-space",
      .parameters = sounding_parameters,
      .linear = 0,
      .create = sounding_create,
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
