/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An operator module with complex sides: "square", z -> z^2 from C^n to C^n, and "power", z -> |z|^2 from C^n to
 * R^n; n is a parameter. The derivative is the point. */
#include "tutti/operator.h"
#include <complex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  size_t n;
} Self;

static void *
create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  Self *self = n == 1 && parameters[0].n == 1 ? malloc (sizeof *self) : NULL;

  if (self == NULL)
    {
      strcpy (error, "'n' is missing");
      return NULL;
    }
  *domain = *codomain = self->n = (size_t)parameters[0].values[0];
  return self;
}

static double complex
get (const double *x, size_t i)
{
  return CMPLX (x[2 * i], x[2 * i + 1]);
}

static void
put (double *x, size_t i, double complex value)
{
  x[2 * i] = creal (value);
  x[2 * i + 1] = cimag (value);
}

static int
square_evaluate (void *data, const double *x, double *y, char *error)
{
  const Self *self = data;

  (void)error;
  for (size_t i = 0; i < self->n; i++)
    put (y, i, get (x, i) * get (x, i));
  return 0;
}

static int
power_evaluate (void *data, const double *x, double *y, char *error)
{
  const Self *self = data;

  (void)error;
  for (size_t i = 0; i < self->n; i++)
    y[i] = creal (get (x, i) * conj (get (x, i)));
  return 0;
}

static int
keep_point (const Self *self, const double *x, void **derivative, char *error)
{
  double *point = malloc ((2 * self->n + 1) * sizeof *point);

  if (point == NULL)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "no memory for %zu numbers", self->n);
      return -1;
    }
  memcpy (point, x, 2 * self->n * sizeof *point);
  *derivative = point;
  return 0;
}

static int
square_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  square_evaluate (data, x, y, error);
  return keep_point (data, x, derivative, error);
}

static int
power_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  power_evaluate (data, x, y, error);
  return keep_point (data, x, derivative, error);
}

static int
square_derivative (void *data, void *point, const double *h, double *dy, char *error)
{
  (void)error;
  for (size_t i = 0; i < ((Self *)data)->n; i++)
    put (dy, i, 2 * get (point, i) * get (h, i));
  return 0;
}

static int
square_adjoint (void *data, void *point, const double *dy, double *dx, char *error)
{
  (void)error;
  for (size_t i = 0; i < ((Self *)data)->n; i++)
    put (dx, i, 2 * conj (get (point, i)) * get (dy, i));
  return 0;
}

static int
power_derivative (void *data, void *point, const double *h, double *dy, char *error)
{
  (void)error;
  for (size_t i = 0; i < ((Self *)data)->n; i++)
    dy[i] = 2 * creal (conj (get (point, i)) * get (h, i));
  return 0;
}

static int
power_adjoint (void *data, void *point, const double *dy, double *dx, char *error)
{
  (void)error;
  for (size_t i = 0; i < ((Self *)data)->n; i++)
    put (dx, i, 2 * get (point, i) * dy[i]);
  return 0;
}

static void
derivative_free (void *self, void *derivative)
{
  (void)self;
  free (derivative);
}

static const char *const parameters[] = { "n", NULL };
static const TuttiOperatorClass classes[] = {
  { .name = "square",
    .description = "z -> z^2",
    .parameters = parameters,
    .complex_domain = 1,
    .complex_codomain = 1,
    .create = create,
    .destroy = free,
    .evaluate = square_evaluate,
    .linearize = square_linearize,
    .derivative = square_derivative,
    .adjoint = square_adjoint,
    .derivative_free = derivative_free },
  { .name = "power",
    .description = "z -> |z|^2",
    .parameters = parameters,
    .complex_domain = 1,
    .create = create,
    .destroy = free,
    .evaluate = power_evaluate,
    .linearize = power_linearize,
    .derivative = power_derivative,
    .adjoint = power_adjoint,
    .derivative_free = derivative_free },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "complex",
  .description = "operators on C^n",
  .n_classes = 2,
  .classes = classes,
};
