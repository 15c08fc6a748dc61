/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An operator for tests: "gate", x -> x^2 number by number, from R^n to R^n. Where its parameter 'folder' has a file wait-VERB, it makes of
 * that a file here-VERB with its process id, and waits for ever: once, so that what is tried again goes through. It fails if the first
 * number is NaN. */
#include "tutti/operator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct
{
  size_t n;
  char folder[];
} Gate;

static void
pass (const Gate *gate, const char *verb)
{
  char wait[1024], own[1024], here[1024];

  snprintf (wait, sizeof wait, "%s/wait-%s", gate->folder, verb);
  snprintf (own, sizeof own, "%s/own-%ld", gate->folder, (long) getpid ());
  snprintf (here, sizeof here, "%s/here-%s", gate->folder, verb);
  /* Others may try as well: whoever has the file says who it is, and then that it is there. */
  if (rename (wait, own) != 0)
    return;
  FILE *file = fopen (own, "w");
  if (file == NULL || fprintf (file, "%ld", (long) getpid ()) < 0 || fclose (file) != 0 || rename (own, here) != 0)
    abort ();
  while (getpid () != 0)
    pause ();
}

static void *
create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  const TuttiOperatorParameter *folder = NULL, *size = NULL;

  for (size_t i = 0; i < n; i++)
    if (parameters[i].text != NULL)
      folder = &parameters[i];
    else if (parameters[i].n == 1)
      size = &parameters[i];
  Gate *gate = folder != NULL && size != NULL ? malloc (sizeof *gate + folder->length + 1) : NULL;
  if (gate == NULL)
    {
      strcpy (error, "'n' or 'folder' is missing");
      return NULL;
    }
  memcpy (gate->folder, folder->text, folder->length + 1);
  *domain = *codomain = gate->n = (size_t) size->values[0];
  pass (gate, "create");
  return gate;
}

static int
evaluate (void *self, const double *x, double *y, char *error)
{
  const Gate *gate = self;

  if (gate->n > 0 && x[0] != x[0])
    {
      strcpy (error, "the first number is none");
      return -1;
    }
  pass (gate, "evaluate");
  for (size_t i = 0; i < gate->n; i++)
    y[i] = x[i] * x[i];
  return 0;
}

static int
linearize (void *self, const double *x, double *y, void **derivative, char *error)
{
  const Gate *gate = self;
  double *point = malloc ((gate->n + 1) * sizeof *point);

  if (point == NULL)
    {
      strcpy (error, "no memory");
      return -1;
    }
  pass (gate, "linearize");
  for (size_t i = 0; i < gate->n; i++)
    y[i] = x[i] * x[i];
  memcpy (point, x, gate->n * sizeof *point);
  *derivative = point;
  return 0;
}

static void
multiply (const Gate *gate, const double *point, const double *h, double *dy)
{
  for (size_t i = 0; i < gate->n; i++)
    dy[i] = 2 * point[i] * h[i];
}

static int
derivative (void *self, void *point, const double *h, double *dy, char *error)
{
  (void) error;
  pass (self, "apply");
  multiply (self, point, h, dy);
  return 0;
}

static int
adjoint (void *self, void *point, const double *dy, double *dx, char *error)
{
  (void) error;
  pass (self, "adjoint");
  multiply (self, point, dy, dx);
  return 0;
}

static void
derivative_free (void *self, void *point)
{
  (void) self;
  free (point);
}

static const char *const numbers[] = { "n", NULL }, *const texts[] = { "folder", NULL };
static const TuttiOperatorClass classes[] = {
  { .name = "gate",
    .description = "x -> x^2, sometimes never",
    .parameters = numbers,
    .text_parameters = texts,
    .create = create,
    .destroy = free,
    .evaluate = evaluate,
    .linearize = linearize,
    .derivative = derivative,
    .adjoint = adjoint,
    .derivative_free = derivative_free },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI, .name = "example", .description = "an operator for tests", .n_classes = 1, .classes = classes,
};
