/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The magnetotelluric response against analytic results, and its derivative against finite differences. */
#include "module/operator.h"
#include "platform/error.h"
#include <complex.h>
#include <math.h>
#include <string.h>

#define MU_0 1.25663706212e-6
#define N_PERIODS 9
#define N_LAYERS 7

static const double periods[N_PERIODS] = { 1e-3, 1e-2, 0.1, 0.7, 1, 10, 100, 1e3, 1e4 };
static const double thicknesses[N_LAYERS - 1] = { 0.5, 30, 100, 700, 4e3, 60e3 };
static const double point[N_LAYERS] = { 3.2, 0.1, 6.9, 4.4, -1.2, 5.5, 2.3 };

static TtiOperator *
response_new (const double *layers, size_t n, GError **error)
{
  const TuttiOperatorParameter parameters[] = { { .name = "thicknesses", .values = layers, .n = n },
                                                { .name = "periods", .values = periods, .n = N_PERIODS } };
  TtiModule *module = tti_module_open ("mt1d", error);

  g_assert_nonnull (module);
  return tti_operator_new (module, "response", parameters, 2, error);
}

static TtiOperator *
whole_response_new (void)
{
  g_autoptr (GError) error = NULL;
  TtiOperator *operator = response_new (thicknesses, N_LAYERS - 1, &error);

  g_assert_no_error (error);
  return operator;
}

static void
evaluate (TtiOperator *operator, const double *x, double *y)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tti_operator_evaluate (operator, x, tti_operator_get_domain (operator), y, 2 * N_PERIODS, &error));
  g_assert_no_error (error);
}

/* Any number of equal layers is a half-space: 45 degrees, and its resistivity. */
static void
test_half_space (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) one = response_new (NULL, 0, &error);
  g_autoptr (TtiOperator) many = whole_response_new ();

  for (double log_rho = -4; log_rho < 12; log_rho += 1.7)
    {
      double x[N_LAYERS], y[2 * N_PERIODS], z[2 * N_PERIODS];
      for (int j = 0; j < N_LAYERS; j++)
        x[j] = log_rho;
      evaluate (one, x, y);
      evaluate (many, x, z);
      for (int i = 0; i < N_PERIODS; i++)
        {
          g_assert_cmpfloat_with_epsilon (y[i], log_rho / M_LN10, 1e-12);
          g_assert_cmpfloat (y[N_PERIODS + i], ==, 45);
          g_assert_cmpfloat_with_epsilon (z[i], log_rho / M_LN10, 1e-12);
          g_assert_cmpfloat_with_epsilon (z[N_PERIODS + i], 45, 1e-12);
        }
    }
}

/* With the reflection coefficient R of the interface, Z = eta_1 (1 + R e) / (1 - R e), e = exp (-2 k h): another form than the
 * module's. */
static void
test_two_layers (void)
{
  const double h = 800, rho[] = { 100, 3 }, x[] = { log (rho[0]), log (rho[1]) };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = response_new (&h, 1, &error);
  double y[2 * N_PERIODS];

  evaluate (operator, x, y);
  for (int i = 0; i < N_PERIODS; i++)
    {
      double omega = 2 * M_PI / periods[i];
      double complex eta_1 = csqrt (I * omega * MU_0 * rho[0]), eta_2 = csqrt (I * omega * MU_0 * rho[1]);
      double complex r = (eta_2 - eta_1) / (eta_2 + eta_1) * cexp (-2 * h * csqrt (I * omega * MU_0 / rho[0]));
      double complex z = eta_1 * (1 + r) / (1 - r);
      g_assert_cmpfloat_with_epsilon (y[i], log10 (pow (cabs (z), 2) / (omega * MU_0)), 1e-12);
      g_assert_cmpfloat_with_epsilon (y[N_PERIODS + i], carg (z) * 180 / M_PI, 1e-10);
      if (periods[i] >= 1)
        g_assert_cmpfloat (y[N_PERIODS + i], >, 45); /* what conducts better below raises the phase */
    }
}

/* Many skin depths of rock above: nothing overflows, nothing below is seen, and the derivative there is 0. */
static void
test_thick_layer (void)
{
  const double h = 1e9, x[] = { 0, 10 };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = response_new (&h, 1, &error);
  double y[2 * N_PERIODS], matrix[4 * N_PERIODS];
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, 2, y, 2 * N_PERIODS, &error);

  g_assert_true (tti_derivative_get_matrix (derivative, matrix, 4 * N_PERIODS, &error));
  for (int i = 0; i < N_PERIODS; i++)
    {
      g_assert_cmpfloat_with_epsilon (y[i], 0, 1e-12);
      g_assert_cmpfloat_with_epsilon (y[N_PERIODS + i], 45, 1e-12);
      g_assert_cmpfloat_with_epsilon (matrix[2 * i], 1 / M_LN10, 1e-12);
      g_assert_cmpfloat (matrix[2 * i + 1], ==, 0);
    }
}

/* A layer without effect leaves the response unchanged. */
static void
test_thin_layer (void)
{
  const double h = 1e-9, x[] = { 8, 2 };
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = response_new (&h, 1, &error);
  double y[2 * N_PERIODS];

  evaluate (operator, x, y);
  for (int i = 0; i < N_PERIODS; i++)
    g_assert_cmpfloat_with_epsilon (y[i], 2 / M_LN10, 1e-9);
}

static void
test_derivative (void)
{
  const double step = 1e-4;
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = whole_response_new ();
  double y[2 * N_PERIODS], value[2 * N_PERIODS];
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, point, N_LAYERS, y, 2 * N_PERIODS, &error);

  evaluate (operator, point, value);
  g_assert_cmpmem (y, sizeof y, value, sizeof value);
  for (int j = 0; j < N_LAYERS; j++)
    {
      double x[N_LAYERS], h[N_LAYERS] = { 0 }, above[2 * N_PERIODS], below[2 * N_PERIODS], column[2 * N_PERIODS];
      double gap = 0, size = 0;
      memcpy (x, point, sizeof x);
      x[j] = point[j] + step;
      evaluate (operator, x, above);
      x[j] = point[j] - step;
      evaluate (operator, x, below);
      h[j] = 1;
      g_assert_true (tti_derivative_apply (derivative, h, N_LAYERS, column, 2 * N_PERIODS, &error));
      for (int i = 0; i < 2 * N_PERIODS; i++)
        {
          gap = fmax (gap, fabs (column[i] - (above[i] - below[i]) / (2 * step)));
          size = fmax (size, fabs (column[i]));
        }
      g_assert_cmpfloat (size, >, 0);
      g_assert_cmpfloat (gap, <=, 1e-6 * size);
    }
}

static void
test_dot (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  g_autoptr (TtiOperator) operator = whole_response_new ();
  double y[2 * N_PERIODS], h[N_LAYERS], u[2 * N_PERIODS], dy[2 * N_PERIODS], dx[N_LAYERS], left = 0, right = 0;
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, point, N_LAYERS, y, 2 * N_PERIODS, &error);

  for (int j = 0; j < N_LAYERS; j++)
    h[j] = g_rand_double_range (random, -1, 1);
  for (int i = 0; i < 2 * N_PERIODS; i++)
    u[i] = g_rand_double_range (random, -1, 1);
  g_assert_true (tti_derivative_apply (derivative, h, N_LAYERS, dy, 2 * N_PERIODS, &error));
  g_assert_true (tti_derivative_adjoint (derivative, u, 2 * N_PERIODS, dx, N_LAYERS, &error));
  for (int i = 0; i < 2 * N_PERIODS; i++)
    left += dy[i] * u[i];
  for (int j = 0; j < N_LAYERS; j++)
    right += h[j] * dx[j];
  g_assert_cmpfloat (fabs (left - right), <=, 1e-12 * fabs (left));
}

/* The same Earth in the conventions of soundings; with IMPEDANCE 1 the data are real and imaginary parts. */
static TtiOperator *
sounding_new (double impedance, GError **error)
{
  double upwards[N_LAYERS - 1], frequencies[N_PERIODS];
  const TuttiOperatorParameter parameters[] = { { .name = "thicknesses", .values = upwards, .n = N_LAYERS - 1 },
                                                { .name = "frequencies", .values = frequencies, .n = N_PERIODS },
                                                { .name = "impedance", .values = &impedance, .n = 1 } };

  for (int j = 0; j < N_LAYERS - 1; j++)
    upwards[j] = thicknesses[N_LAYERS - 2 - j];
  for (int i = 0; i < N_PERIODS; i++)
    frequencies[i] = 1 / periods[i];
  return tti_operator_new (tti_module_open ("mt1d", NULL), "sounding", parameters, 3, error);
}

static void
linearize_at (TtiOperator *operator, const double *x, double *y, double *matrix)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, N_LAYERS, y, 2 * N_PERIODS, &error);

  g_assert_no_error (error);
  g_assert_true (tti_derivative_get_matrix (derivative, matrix, 2 * N_PERIODS * N_LAYERS, &error));
}

/* Soundings and responses are equivalent: number by number, and derivative by derivative. */
static void
test_soundings (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) response = whole_response_new ();
  g_autoptr (TtiOperator) sounding = sounding_new (0, &error);
  g_autoptr (TtiOperator) impedance = sounding_new (1, &error);
  double x[N_LAYERS], y[2 * N_PERIODS], s[2 * N_PERIODS], z[2 * N_PERIODS];
  double dy[2 * N_PERIODS * N_LAYERS], ds[2 * N_PERIODS * N_LAYERS], dz[2 * N_PERIODS * N_LAYERS];

  for (int j = 0; j < N_LAYERS; j++)
    x[j] = -point[N_LAYERS - 1 - j];
  linearize_at (response, point, y, dy);
  linearize_at (sounding, x, s, ds);
  linearize_at (impedance, x, z, dz);
  for (int i = 0; i < N_PERIODS; i++)
    {
      double rho = pow (10, y[i]), phase = y[N_PERIODS + i] - 180;
      double complex surface = sqrt (rho * 2 * M_PI / periods[i] * MU_0) * cexp (I * phase * M_PI / 180);
      g_assert_cmpfloat_with_epsilon (s[2 * i] / rho, 1, 1e-13);
      g_assert_cmpfloat_with_epsilon (s[2 * i + 1], phase, 1e-11);
      g_assert_cmpfloat_with_epsilon (z[2 * i] / creal (surface), 1, 1e-12);
      g_assert_cmpfloat_with_epsilon (z[2 * i + 1] / cimag (surface), 1, 1e-12);
      for (int j = 0; j < N_LAYERS; j++)
        {
          int k = N_LAYERS - 1 - j;
          double by_log10 = dy[i * N_LAYERS + j], by_degrees = dy[(N_PERIODS + i) * N_LAYERS + j];
          double complex change = -surface * (by_log10 * M_LN10 / 2 + I * by_degrees * M_PI / 180);
          g_assert_cmpfloat_with_epsilon (ds[2 * i * N_LAYERS + k], -rho * M_LN10 * by_log10, 1e-11 * rho);
          g_assert_cmpfloat_with_epsilon (ds[(2 * i + 1) * N_LAYERS + k], -by_degrees, 1e-10);
          g_assert_cmpfloat_with_epsilon (dz[2 * i * N_LAYERS + k], creal (change), 1e-12 * cabs (surface));
          g_assert_cmpfloat_with_epsilon (dz[(2 * i + 1) * N_LAYERS + k], cimag (change), 1e-12 * cabs (surface));
        }
    }
  g_assert_null (sounding_new (2, &error));
  g_assert_nonnull (strstr (error->message, "'impedance'"));
}

static void
test_parameters (void)
{
  g_autoptr (GError) error = NULL;
  const double bad[] = { 10, -5 };
  const TuttiOperatorParameter no_periods = { .name = "thicknesses", .values = bad, .n = 1 };

  g_assert_null (response_new (bad, 2, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "'thicknesses' number 1 is -5 m"));
  g_clear_error (&error);
  g_assert_null (tti_operator_new (tti_module_open ("mt1d", NULL), "response", &no_periods, 1, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "'periods' (s) is missing"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mt1d/response/half-space", test_half_space);
  g_test_add_func ("/mt1d/response/two-layers", test_two_layers);
  g_test_add_func ("/mt1d/response/thick-layer", test_thick_layer);
  g_test_add_func ("/mt1d/response/thin-layer", test_thin_layer);
  g_test_add_func ("/mt1d/response/derivative", test_derivative);
  g_test_add_func ("/mt1d/response/dot", test_dot);
  g_test_add_func ("/mt1d/sounding", test_soundings);
  g_test_add_func ("/mt1d/response/parameters", test_parameters);
  return g_test_run ();
}
