/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The smallest operator module that has everything: what decays exponentially, at given times.
 *
 *     y_i = a exp (-b t_i)          unknowns x = (a, b), data y, one for each time
 *
 * Copy this file to begin a module of your own. Build and use it with
 *
 *     cc -shared -fPIC -O2 -o decay.so decay.c $(pkg-config --cflags tutti) -lm
 *     (native-operator "./decay.so" "decay" #:times '(0 1 2))
 *
 * A module links with nothing of Tutti. Its header, tutti/operator.h, says what may be relied upon. */
#include "tutti/operator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one operator knows. It is made once, and never changed afterwards. */
typedef struct
{
  size_t n;
  double *times;
} Decay;

/* What the derivative at one point knows: all that it needs of that point, because the operator is evaluated
 * elsewhere meanwhile. */
typedef struct
{
  double a;
  double decayed[]; /* exp (-b t_i) */
} Derivative;

/* Messages say what was wrong, with numbers, and what was expected: they are all that the user of a script will see. */
static void *
decay_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  /* There is one parameter. Names that are not in the list below, and a name given twice, have been refused already. */
  if (n == 0 || parameters[0].n == 0)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'times' are missing, expected at least one");
      return NULL;
    }
  for (size_t i = 0; i < parameters[0].n; i++)
    if (!isfinite (parameters[0].values[i]))
      {
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'times' number %zu is %g, expected a finite number", i,
                  parameters[0].values[i]);
        return NULL;
      }

  Decay *self = malloc (sizeof *self);
  double *times = malloc (parameters[0].n * sizeof *times);
  if (self == NULL || times == NULL)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "no memory for %zu times", parameters[0].n);
      free (self);
      free (times);
      return NULL;
    }
  /* The parameters belong to the caller: keep a copy. */
  memcpy (times, parameters[0].values, parameters[0].n * sizeof *times);
  *self = (Decay){ .n = parameters[0].n, .times = times };
  *domain = 2;
  *codomain = self->n;
  return self;
}

static void
decay_destroy (void *data)
{
  Decay *self = data;

  free (self->times);
  free (self);
}

static int
decay_evaluate (void *data, const double *x, double *y, char *error)
{
  const Decay *self = data;

  for (size_t i = 0; i < self->n; i++)
    {
      y[i] = x[0] * exp (-x[1] * self->times[i]);
      if (!isfinite (y[i]))
        {
          snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "with a = %g and b = %g, the value at time %g is %g", x[0], x[1],
                    self->times[i], y[i]);
          return -1;
        }
    }
  return 0;
}

/* The value again, and the derivative, which may be used as long as its user likes. */
static int
decay_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  const Decay *self = data;

  if (decay_evaluate (data, x, y, error) != 0)
    return -1;
  Derivative *at = malloc (sizeof *at + self->n * sizeof *at->decayed);
  if (at == NULL)
    {
      snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "no memory for a derivative at %zu times", self->n);
      return -1;
    }
  at->a = x[0];
  for (size_t i = 0; i < self->n; i++)
    at->decayed[i] = exp (-x[1] * self->times[i]);
  *derivative = at;
  return 0;
}

/* dy_i = exp (-b t_i) da - a t_i exp (-b t_i) db */
static int
decay_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  const Decay *self = data;
  const Derivative *at = derivative;

  (void)error;
  for (size_t i = 0; i < self->n; i++)
    dy[i] = at->decayed[i] * (h[0] - at->a * self->times[i] * h[1]);
  return 0;
}

/* The same matrix, transposed: what multiplied da to give dy_i multiplies dy_i to give da. */
static int
decay_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  const Decay *self = data;
  const Derivative *at = derivative;

  (void)error;
  dx[0] = dx[1] = 0;
  for (size_t i = 0; i < self->n; i++)
    {
      dx[0] += at->decayed[i] * dy[i];
      dx[1] -= at->a * self->times[i] * at->decayed[i] * dy[i];
    }
  return 0;
}

static void
decay_derivative_free (void *data, void *derivative)
{
  (void)data;
  free (derivative);
}

static const char *const decay_parameters[] = { "times", NULL };

static const TuttiOperatorClass classes[] = {
  {
    .name = "decay",
    .description = "(a, b) -> a exp (-b t) at each of 'times'",
    .parameters = decay_parameters,
    .create = decay_create,
    .destroy = decay_destroy,
    .evaluate = decay_evaluate,
    .linearize = decay_linearize,
    .derivative = decay_derivative,
    .adjoint = decay_adjoint,
    .derivative_free = decay_derivative_free,
  },
};

/* The one symbol that Tutti looks for. */
extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "decay",
  .description = "exponential decay",
  .n_classes = sizeof classes / sizeof *classes,
  .classes = classes,
};
