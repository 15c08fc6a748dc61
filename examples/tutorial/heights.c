/* How high a ball is that was thrown up, at given times: y_i = v t_i - g t_i^2 / 2, with unknowns (v, g).
 * cc -shared -fPIC -O2 -o heights.so heights.c $(pkg-config --cflags tutti) */
#include "tutti/operator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { size_t n; double times[]; } Heights;

static void *
create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain,
        char *error)
{
  Heights *self = n == 1 ? malloc (sizeof *self + parameters->n * sizeof *self->times) : NULL;
  if (self == NULL)
    return snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'times' are missing, or no memory"), NULL;
  self->n = parameters->n;
  memcpy (self->times, parameters->values, self->n * sizeof *self->times);
  *domain = 2, *codomain = self->n;
  return self;
}

static int
evaluate (void *data, const double *x, double *y, char *error)
{
  const Heights *self = data;
  for (size_t i = 0; i < self->n; i++)
    y[i] = x[0] * self->times[i] - x[1] * self->times[i] * self->times[i] / 2;
  return 0;
}

/* A linear operator is its own derivative, which needs nothing of its point. */
static int
linearize (void *data, const double *x, double *y, void **at, char *error)
{ *at = NULL; return evaluate (data, x, y, error); }

static int
derivative (void *data, void *at, const double *h, double *dy, char *error)
{ return evaluate (data, h, dy, error); }

static int
adjoint (void *data, void *at, const double *dy, double *dx, char *error)
{
  const Heights *self = data;
  dx[0] = dx[1] = 0;
  for (size_t i = 0; i < self->n; i++)
    dx[0] += self->times[i] * dy[i], dx[1] -= self->times[i] * self->times[i] / 2 * dy[i];
  return 0;
}

static void derivative_free (void *data, void *at) {}

static const char *const names[] = { "times", NULL };
static const TuttiOperatorClass classes[] = { {
  .name = "heights", .description = "(v, g) -> v t - g t^2 / 2 at each of 'times'",
  .parameters = names, .linear = 1,
  .create = create, .destroy = free, .evaluate = evaluate, .linearize = linearize,
  .derivative = derivative, .adjoint = adjoint, .derivative_free = derivative_free } };
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI, .name = "heights", .description = "a ball thrown up",
  .n_classes = 1, .classes = classes };
