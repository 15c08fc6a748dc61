/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An operator module as it was written for version 1 of the ABI. It is compiled with the header of that version, and with the present
 * one: whoever has the source or the file has the same operators. It has what would notice another size of the structures, three
 * parameters and two classes.
 *
 * "cubic": y_i = scale c_i x_i^3 + shift, as many as there are 'c'.
 * "pair": (x_0, x_1) -> scale (x_0 + i x_1, x_0 - i x_1), from R^2 to C^2, linear; its derivative is NULL. */
#include "tutti/operator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  double scale, shift;
  size_t n;
  double c[16];
} Self;

static int
take (Self *self, const TuttiOperatorParameter *parameter, char *error)
{
  if (strcmp (parameter->name, "c") == 0 && parameter->n <= 16)
    {
      self->n = parameter->n;
      if (self->n > 0)
        memcpy (self->c, parameter->values, self->n * sizeof *self->c);
      return 0;
    }
  if (parameter->n != 1)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'%s' is %zu numbers", parameter->name, parameter->n);
      return -1;
    }
  *(strcmp (parameter->name, "scale") == 0 ? &self->scale : &self->shift) = parameter->values[0];
  return 0;
}

static void *
create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  Self *self = calloc (1, sizeof *self);

  if (self == NULL)
    return NULL;
  self->scale = 1;
  for (size_t i = 0; i < n; i++)
    if (take (self, &parameters[i], error) != 0)
      {
        free (self);
        return NULL;
      }
  *domain = *codomain = self->n;
  return self;
}

static void *
pair_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  void *self = create (parameters, n, domain, codomain, error);

  *domain = *codomain = 2;
  return self;
}

static int
cubic_evaluate (void *data, const double *x, double *y, char *error)
{
  const Self *self = data;

  for (size_t i = 0; i < self->n; i++)
    {
      if (x[i] < -1000)
        {
          snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "number %zu is %g", i, x[i]);
          return -1;
        }
      y[i] = self->scale * self->c[i] * x[i] * x[i] * x[i] + self->shift;
    }
  return 0;
}

static int
cubic_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  const Self *self = data;
  double *slopes = calloc (self->n + 1, sizeof *slopes);

  if (slopes == NULL || cubic_evaluate (data, x, y, error) != 0)
    {
      free (slopes);
      return -1;
    }
  for (size_t i = 0; i < self->n; i++)
    slopes[i] = 3 * self->scale * self->c[i] * x[i] * x[i];
  *derivative = slopes;
  return 0;
}

static int
cubic_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  const double *slopes = derivative;

  (void) error;
  for (size_t i = 0; i < ((Self *) data)->n; i++)
    dy[i] = slopes[i] * h[i];
  return 0;
}

static void
derivative_free (void *data, void *derivative)
{
  (void) data;
  free (derivative);
}

static int
pair_evaluate (void *data, const double *x, double *y, char *error)
{
  const double scale = ((Self *) data)->scale;
  const double values[] = { scale * x[0], scale * x[1], scale * x[0], -scale * x[1] };

  (void) error;
  memcpy (y, values, sizeof values);
  return 0;
}

static int
pair_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  *derivative = NULL;
  return pair_evaluate (data, x, y, error);
}

static int
pair_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  (void) derivative;
  return pair_evaluate (data, h, dy, error);
}

static int
pair_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  const double scale = ((Self *) data)->scale;

  (void) derivative, (void) error;
  dx[0] = scale * (dy[0] + dy[2]);
  dx[1] = scale * (dy[1] - dy[3]);
  return 0;
}

static const char *const cubic_parameters[] = { "scale", "shift", "c", NULL };
static const char *const pair_parameters[] = { "scale", NULL };

static const TuttiOperatorClass classes[] = {
  { .name = "cubic", .description = "x -> scale c x^3 + shift", .parameters = cubic_parameters, .create = create, .destroy = free,
    .evaluate = cubic_evaluate, .linearize = cubic_linearize, .derivative = cubic_derivative, .adjoint = cubic_derivative,
    .derivative_free = derivative_free },
  { .name = "pair", .description = "a number and its conjugate", .parameters = pair_parameters, .linear = 1, .complex_codomain = 1,
    .create = pair_create, .destroy = free, .evaluate = pair_evaluate, .linearize = pair_linearize, .derivative = pair_derivative,
    .adjoint = pair_adjoint, .derivative_free = derivative_free },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "numbers",
  .description = "operators with parameters that are numbers",
  .n_classes = sizeof classes / sizeof *classes,
  .classes = classes,
};
