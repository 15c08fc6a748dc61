/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The layer between callers and an operator's class: lengths, parameters, messages, lifetimes. The class here is y = a x^2, from
 * R^n to R^n, and it counts living objects. */
#include "module/operator.h"
#include "platform/error.h"
#include <stdio.h>
#include <string.h>

static int operators_alive, derivatives_alive;
/* An evaluation at this number says that it has begun, and lasts until it is released. */
enum { SLOW = 4711 };
static gint evaluating, released;

typedef struct
{
  size_t n;
  double factor;
} Square;

static void *
square_create (const TuttiOperatorParameter *parameters, size_t n, size_t *domain, size_t *codomain, char *error)
{
  Square *self = g_new0 (Square, 1);

  self->n = 3;
  self->factor = 1;
  for (size_t i = 0; i < n; i++)
    if (strcmp (parameters[i].name, "factor") == 0)
      self->factor = parameters[i].values[0];
  if (self->factor == 0)
    {
      g_free (self);
      strcpy (error, "'factor' is 0, expected another number");
      return NULL;
    }
  *domain = *codomain = self->n;
  operators_alive++;
  return self;
}

static void
square_destroy (void *self)
{
  operators_alive--;
  g_free (self);
}

static int
square_evaluate (void *data, const double *x, double *y, char *error)
{
  const Square *self = data;

  if (x[0] == SLOW)
    {
      g_atomic_int_set (&evaluating, TRUE);
      while (!g_atomic_int_get (&released))
        g_thread_yield ();
    }
  for (size_t i = 0; i < self->n; i++)
    {
      y[i] = self->factor * x[i] * x[i];
      if (x[i] < 0)
        {
          snprintf (error, TUTTI_OPERATOR_ERROR_SIZE, "number %zu is %g, expected none below 0", i, x[i]);
          return -1;
        }
    }
  return 0;
}

static int
square_linearize (void *data, const double *x, double *y, void **derivative, char *error)
{
  const Square *self = data;

  if (square_evaluate (data, x, y, error) != 0)
    return -1;
  double *diagonal = g_new (double, self->n);
  for (size_t i = 0; i < self->n; i++)
    diagonal[i] = 2 * self->factor * x[i];
  *derivative = diagonal;
  derivatives_alive++;
  return 0;
}

static int
square_derivative (void *data, void *derivative, const double *h, double *dy, char *error)
{
  const Square *self = data;
  const double *diagonal = derivative;

  (void) error;
  for (size_t i = 0; i < self->n; i++)
    dy[i] = diagonal[i] * h[i];
  return 0;
}

/* Fails without a message: the caller must not use the buffer as one. */
static int
silent_adjoint (void *data, void *derivative, const double *dy, double *dx, char *error)
{
  return dy[0] > 1000 ? -1 : square_derivative (data, derivative, dy, dx, error);
}

static void
square_derivative_free (void *self, void *derivative)
{
  g_assert_cmpint (operators_alive, >, 0);
  (void) self;
  derivatives_alive--;
  g_free (derivative);
}

/* Pairs of doubles: the number is its sum. */
static int
parts_evaluate (void *data, const double *x, double *y, char *error)
{
  const Square *self = data;

  (void) error;
  for (size_t i = 0; i < self->n; i++)
    {
      y[2 * i] = x[2 * i] + x[2 * i + 1];
      y[2 * i + 1] = 0;
    }
  return 0;
}

static const char *const square_parameters[] = { "factor", "unused", NULL };
static const TuttiOperatorClass classes[] = {
  { .name = "square", .parameters = square_parameters, .create = square_create, .destroy = square_destroy,
    .evaluate = square_evaluate, .linearize = square_linearize, .derivative = square_derivative, .adjoint = silent_adjoint,
    .derivative_free = square_derivative_free },
};
/* The same between C^3 and C^3, as far as sizes are concerned. */
static const TuttiOperatorClass complex_classes[] = {
  { .name = "parts", .parameters = square_parameters, .complex_domain = 1, .complex_codomain = 1, .create = square_create,
    .destroy = square_destroy, .evaluate = parts_evaluate, .linearize = square_linearize, .derivative = square_derivative,
    .adjoint = square_derivative, .derivative_free = square_derivative_free },
};
static const TuttiOperatorModule complex_contents
  = { .abi = TUTTI_OPERATOR_ABI, .name = "complex", .n_classes = 1, .classes = complex_classes };
static const TuttiOperatorModule contents = { .abi = TUTTI_OPERATOR_ABI, .name = "test", .n_classes = 1, .classes = classes };
static TtiModule *module, *complex_module;

static const double two = 2;
static const TuttiOperatorParameter factor_two = { .name = "factor", .values = &two, .n = 1 };

static TtiOperator *
square_new (void)
{
  g_autoptr (GError) error = NULL;
  TtiOperator *operator = tti_operator_new (module, "square", &factor_two, 1, &error);

  g_assert_no_error (error);
  g_assert_nonnull (operator);
  return operator;
}

static void
assert_message (GError **error, int code, const char *pattern)
{
  g_assert_error (*error, TUTTI_ERROR, code);
  if (!g_pattern_match_simple (pattern, (*error)->message))
    g_error ("'%s' does not match: %s", pattern, (*error)->message);
  g_clear_error (error);
}

static void
test_values (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = square_new ();
  const double x[] = { 1, 2, 3 };
  double y[3], matrix[9];

  g_assert_cmpuint (tti_operator_get_domain (operator), ==, 3);
  g_assert_cmpuint (tti_operator_get_codomain (operator), ==, 3);
  g_assert_true (tti_operator_evaluate (operator, x, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 2, 8, 18 }), sizeof y);

  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, 3, y, 3, &error);
  g_assert_cmpmem (y, sizeof y, ((double[]){ 2, 8, 18 }), sizeof y);
  g_assert_true (tti_derivative_apply (derivative, x, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 4, 16, 36 }), sizeof y);
  g_assert_true (tti_derivative_get_matrix (derivative, matrix, 9, &error));
  g_assert_cmpmem (matrix, sizeof matrix, ((double[]){ 4, 0, 0, 0, 8, 0, 0, 0, 12 }), sizeof matrix);
  g_assert_no_error (error);
}

static void
test_lengths (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = square_new ();
  double x[4] = { 1, 1, 1, 1 }, y[4];

  g_assert_false (tti_operator_evaluate (operator, x, 4, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "operator 'test square'*argument has length 4, expected 3");
  g_assert_false (tti_operator_evaluate (operator, x, 3, y, 2, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "operator 'test square'*result has length 2, expected 3");
  g_assert_null (tti_operator_linearize (operator, x, 2, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "*length 2, expected 3");

  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, x, 3, y, 3, &error);
  g_assert_false (tti_derivative_apply (derivative, x, 4, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "*derivative's argument has length 4, expected 3");
  g_assert_false (tti_derivative_adjoint (derivative, x, 4, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "*adjoint's argument has length 4, expected 3");
  g_assert_false (tti_derivative_get_matrix (derivative, y, 4, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "*matrix has length 4, expected 9");
}

static void
test_complex (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) parts = tti_operator_new (complex_module, "parts", NULL, 0, &error), square = square_new ();
  const double x[] = { 1, 2, 3, 4, 5, 6 };
  double y[6];

  g_assert_true (tti_operator_has_complex_domain (parts));
  g_assert_true (tti_operator_has_complex_codomain (parts));
  g_assert_false (tti_operator_has_complex_domain (square));
  g_assert_false (tti_operator_has_complex_codomain (square));
  g_assert_cmpuint (tti_operator_get_domain (parts), ==, 3);
  g_assert_true (tti_operator_evaluate (parts, x, 3, y, 3, &error));
  g_assert_cmpmem (y, sizeof y, ((double[]){ 3, 0, 7, 0, 11, 0 }), sizeof y);
  g_assert_false (tti_operator_evaluate (parts, x, 6, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_SHAPE, "operator 'complex parts' (C^3 -> C^3): the argument has length 6, expected 3");
}

static void
test_parameters (void)
{
  g_autoptr (GError) error = NULL;
  const double zero = 0;
  TuttiOperatorParameter misspelt = { .name = "fakter", .values = &two, .n = 1 };
  TuttiOperatorParameter refused = { .name = "factor", .values = &zero, .n = 1 };
  TuttiOperatorParameter twice[] = { factor_two, factor_two };

  g_assert_null (tti_operator_new (module, "square", &misspelt, 1, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "operator 'test square' has no parameter 'fakter', only 'factor', 'unused'");
  g_assert_null (tti_operator_new (module, "square", twice, 2, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "*'factor' was given twice");
  g_assert_null (tti_operator_new (module, "square", &refused, 1, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "operator 'test square', create: 'factor' is 0, expected another number");
  g_assert_null (tti_operator_new (module, "cube", NULL, 0, &error));
  assert_message (&error, TUTTI_ERROR_MODULE, "*'cube'*'square'*");
  g_assert_cmpint (operators_alive, ==, 0);
}

static void
test_failures (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = square_new ();
  const double bad[] = { 1, -2, 3 }, good[] = { 1, 2, 3 }, large[] = { 2000, 0, 0 };
  double y[3];

  g_assert_false (tti_operator_evaluate (operator, bad, 3, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "operator 'test square', evaluate: number 1 is -2, expected none below 0");
  g_assert_null (tti_operator_linearize (operator, bad, 3, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "operator 'test square', linearize: number 1 is -2*");
  g_autoptr (TtiDerivative) derivative = tti_operator_linearize (operator, good, 3, y, 3, &error);
  g_assert_false (tti_derivative_adjoint (derivative, large, 3, y, 3, &error));
  assert_message (&error, TUTTI_ERROR_ARGUMENT, "operator 'test square', adjoint: failed without a message");
}

/* A derivative outlives its caller's last reference to the operator, and a later one does not change it. */
static void
test_lifetimes (void)
{
  g_autoptr (GError) error = NULL;
  TtiOperator *operator = square_new ();
  double x[] = { 1, 2, 3 }, y[3];

  TtiDerivative *first = tti_operator_linearize (operator, x, 3, y, 3, &error);
  x[0] = 10;
  TtiDerivative *second = tti_operator_linearize (operator, x, 3, y, 3, &error);
  tti_operator_unref (operator);
  g_assert_cmpint (operators_alive, ==, 1);
  g_assert_cmpint (derivatives_alive, ==, 2);

  const double ones[] = { 1, 1, 1 };
  g_assert_true (tti_derivative_apply (first, ones, 3, y, 3, &error));
  g_assert_cmpfloat (y[0], ==, 4);
  tti_derivative_free (first);
  g_assert_true (tti_derivative_apply (second, ones, 3, y, 3, &error));
  g_assert_cmpfloat (y[0], ==, 40);
  tti_derivative_free (second);
  g_assert_cmpint (derivatives_alive, ==, 0);
  g_assert_cmpint (operators_alive, ==, 0);
  tti_operator_unref (NULL);
  tti_derivative_free (NULL);
}

static gpointer
drop_derivative (gpointer derivative)
{
  tti_derivative_free (derivative);
  return NULL;
}

/* Finalisers run on a thread of their own while the operator is in use. */
static void
test_threads (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiOperator) operator = square_new ();
  const double x[] = { 1, 2, 3 };
  double y[3];

  for (int i = 0; i < 200; i++)
    {
      TtiDerivative *derivative = tti_operator_linearize (operator, x, 3, y, 3, &error);
      GThread *thread = g_thread_new ("finaliser", drop_derivative, derivative);
      TtiDerivative *other = tti_operator_linearize (operator, x, 3, y, 3, &error);
      tti_derivative_free (other);
      g_thread_join (thread);
    }
  g_assert_no_error (error);
  g_assert_cmpint (derivatives_alive, ==, 0);
}

static gpointer
evaluate_slowly (gpointer operator)
{
  const double x[] = { SLOW, 2, 3 };
  double y[3];

  g_assert_true (tti_operator_evaluate (operator, x, 3, y, 3, NULL));
  return NULL;
}

/* A finaliser does not wait for the end of an evaluation, which never comes here. */
static void
test_dropped_meanwhile (void)
{
  TtiOperator *operator = square_new ();
  const double x[] = { 1, 2, 3 };
  double y[3];
  TtiDerivative *first = tti_operator_linearize (operator, x, 3, y, 3, NULL);
  TtiDerivative *second = tti_operator_linearize (operator, x, 3, y, 3, NULL);
  GThread *thread = g_thread_new ("evaluating", evaluate_slowly, operator);

  while (!g_atomic_int_get (&evaluating))
    g_thread_yield ();
  tti_derivative_free (first);
  tti_derivative_free (second);
  g_assert_cmpint (derivatives_alive, ==, 2);
  g_atomic_int_set (&released, TRUE);
  g_thread_join (thread);
  g_assert_cmpint (derivatives_alive, ==, 0);
  g_assert_cmpint (operators_alive, ==, 1);
  tti_operator_unref (operator);
  g_assert_cmpint (operators_alive, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  module = tti_module_adopt ("test", &contents, NULL);
  complex_module = tti_module_adopt ("complex", &complex_contents, NULL);
  g_assert_true (module != NULL && complex_module != NULL);
  g_test_add_func ("/operator/evaluate/values", test_values);
  g_test_add_func ("/operator/evaluate/lengths", test_lengths);
  g_test_add_func ("/operator/evaluate/complex", test_complex);
  g_test_add_func ("/operator/new/parameters", test_parameters);
  g_test_add_func ("/operator/evaluate/failures", test_failures);
  g_test_add_func ("/operator/unref/derivatives-outlive", test_lifetimes);
  g_test_add_func ("/operator/unref/other-thread", test_threads);
  g_test_add_func ("/operator/unref/meanwhile", test_dropped_meanwhile);
  return g_test_run ();
}
