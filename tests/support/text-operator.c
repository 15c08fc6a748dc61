/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* An operator module with parameters that are text. "letters": x -> scale b_i x^p for each byte b_i of 'text', from R to as many
 * numbers; p is 1, 2 or 3, which 'power' calls "linear", "square" (also if it is missing) or "cubic". So a caller sees what text has
 * arrived. */
#include "tutti/operator.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  double scale;
  int power;
  size_t n;
  unsigned char bytes[];
} Letters;

static const TuttiOperatorParameter *
find (const TuttiOperatorParameter *parameters, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcmp (parameters[i].name, name) == 0)
      return &parameters[i];
  return NULL;
}

/* 0 after writing ERROR. */
static int
power_of (const TuttiOperatorParameter *power, char *error)
{
  static const char *const names[] = { "linear", "square", "cubic" };

  if (power == NULL)
    return 2;
  for (int i = 0; i < 3; i++)
    if (strcmp (power->text, names[i]) == 0)
      return i + 1;
  snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "'power' is \"%s\", expected \"linear\", \"square\" or \"cubic\"", power->text);
  return 0;
}

/* What the header promises. */
static int
is_as_promised (const TuttiOperatorParameter *parameter)
{
  if (parameter->reserved[0] != NULL || parameter->reserved[1] != NULL || parameter->reserved[2] != NULL)
    return 0;
  if (parameter->text == NULL)
    return parameter->length == 0;
  return parameter->values == NULL && parameter->n == 0 && strlen (parameter->text) == parameter->length;
}

static void *
letters_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  const TuttiOperatorParameter *text = find (parameters, n, "text"), *scale = find (parameters, n, "scale");
  int power = power_of (find (parameters, n, "power"), error);

  for (size_t i = 0; i < n; i++)
    if (!is_as_promised (&parameters[i]))
      {
        snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "parameter %zu is not what the header says", i);
        return NULL;
      }
  if (power == 0)
    return NULL;
  if (text == NULL || (scale != NULL && scale->n != 1))
    {
      strcpy (error, text == NULL ? "'text' is missing" : "'scale' must be one number");
      return NULL;
    }
  Letters *self = malloc (sizeof *self + text->length);
  if (self == NULL)
    return NULL;
  self->scale = scale != NULL ? scale->values[0] : 1;
  self->power = power;
  *domain = 1;
  *codomain = self->n = text->length;
  memcpy (self->bytes, text->text, text->length);
  return self;
}

static int
letters_evaluate (void *data, const double *x, double *y, char *error)
{
  const Letters *self = data;

  (void) error;
  for (size_t i = 0; i < self->n; i++)
    y[i] = self->scale * self->bytes[i] * pow (*x, self->power);
  return 0;
}

static int
letters_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  const Letters *self = data;
  double *slope = malloc (sizeof *slope);

  if (slope == NULL)
    {
      strcpy (error, "no memory");
      return -1;
    }
  *slope = self->scale * self->power * pow (*x, self->power - 1);
  *derivative = slope;
  return letters_evaluate (data, x, y, error);
}

static int
letters_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  const Letters *self = data;

  (void) error;
  for (size_t i = 0; i < self->n; i++)
    dy[i] = self->bytes[i] * *(double *) derivative * *h;
  return 0;
}

static int
letters_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  const Letters *self = data;

  (void) error;
  *dx = 0;
  for (size_t i = 0; i < self->n; i++)
    *dx += self->bytes[i] * *(double *) derivative * dy[i];
  return 0;
}

static void
letters_derivative_free (void *data, void *derivative)
{
  (void) data;
  free (derivative);
}

static const char *const numbers[] = { "scale", NULL };
static const char *const texts[] = { "text", "power", NULL };
static const TuttiOperatorClass classes[] = {
  { .name = "letters",
    .description = "x -> scale b x^p for each byte b of 'text'; 'power' (\"square\") is the name of p",
    .parameters = numbers,
    .text_parameters = texts,
    .create = letters_create,
    .destroy = free,
    .evaluate = letters_evaluate,
    .linearize = letters_linearize,
    .derivative = letters_derivative,
    .adjoint = letters_adjoint,
    .derivative_free = letters_derivative_free },
};

extern const TuttiOperatorModule tutti_operator_module;
const TuttiOperatorModule tutti_operator_module = {
  .abi = TUTTI_OPERATOR_ABI,
  .name = "text",
  .description = "operators with parameters that are text",
  .n_classes = sizeof classes / sizeof *classes,
  .classes = classes,
};
