/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators that workers hold: the same numbers everywhere and whatever happens, products with the derivative and its adjoint. */
#include "embedding-test.h"
#include <math.h>
#include <signal.h>

/* --- vectors ----------------------------------------------------------------------------------------------------------------- */

/* Some numbers that depend on SEED. */
static TuttiVector *
numbers_new (TuttiElementType type, gsize n, guint seed)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *vector = tutti_vector_new_typed (type, n, &error);
  gsize n_doubles;

  g_assert_no_error (error);
  double *numbers = tutti_vector_get_doubles (vector, &n_doubles);
  for (gsize i = 0; i < n_doubles; i++)
    numbers[i] = sin ((double) (i * 7 + seed) * 0.7) + 1.5;
  return vector;
}

static double
dot (TuttiVector *x, TuttiVector *y)
{
  gsize n, m;
  const double *a = tutti_vector_get_doubles (x, &n), *b = tutti_vector_get_doubles (y, &m);
  double sum = 0;

  g_assert_cmpuint (n, ==, m);
  for (gsize i = 0; i < n; i++)
    sum += a[i] * b[i];
  return sum;
}

static void
assert_same_bits (TuttiVector *x, TuttiVector *y)
{
  g_assert_cmpint (tutti_vector_get_element_type (x), ==, tutti_vector_get_element_type (y));
  g_assert_cmpmem (tutti_vector_get_data (x), tutti_vector_get_size (x), tutti_vector_get_data (y), tutti_vector_get_size (y));
}

/* --- operators --------------------------------------------------------------------------------------------------------------- */

static TuttiOperator *
operator_new (TuttiPool *pool, const char *module, const char *class_name, TuttiValue *parameters)
{
  g_autoptr (GError) error = NULL;
  TuttiOperator *operator = tutti_operator_new (pool, module, class_name, parameters, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (operator);
  tutti_value_unref (parameters);
  return operator;
}

/* From the logarithms of the resistivities of N_LAYERS to what is measured at N_PERIODS. */
static TuttiOperator *
sounding_new (TuttiPool *pool, gsize n_layers, gsize n_periods, guint seed)
{
  g_autoptr (TuttiVector) thicknesses = numbers_new (TUTTI_ELEMENT_F64, n_layers - 1, seed);
  g_autoptr (TuttiVector) periods = numbers_new (TUTTI_ELEMENT_F64, n_periods, seed + 1);
  gsize n;

  for (gsize i = 0; i < n_layers - 1; i++)
    tutti_vector_get_doubles (thicknesses, &n)[i] *= 100;
  TuttiOperator *operator = operator_new (pool, "mt1d", "response",
                                          tutti_value_new_table_take ("thicknesses", tutti_value_new_vector (thicknesses), "periods",
                                                                      tutti_value_new_vector (periods), NULL));
  g_assert_cmpuint (tutti_operator_get_domain (operator), ==, n_layers);
  g_assert_cmpuint (tutti_operator_get_codomain (operator), ==, 2 * n_periods);
  return operator;
}

static TuttiOperator *
complex_new (TuttiPool *pool, const char *class_name, gsize n)
{
  g_autofree char *module = helper ("complex-operator.so");

  return operator_new (pool, module, class_name, tutti_value_new_table_take ("n", tutti_value_new_integer ((gint64) n), NULL));
}

static TuttiOperator *
vector_of (TuttiOperator *const *operators, gsize n)
{
  g_autoptr (GError) error = NULL;
  TuttiOperator *operator = tutti_operator_new_vector (operators, n, &error);

  g_assert_no_error (error);
  return operator;
}

static TuttiVector *
evaluate (TuttiOperator *operator, TuttiVector *x)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *y = tutti_operator_evaluate (operator, x, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tutti_vector_get_n_elements (y), ==, tutti_operator_get_codomain (operator));
  g_assert_cmpint (tutti_vector_get_element_type (y), ==, tutti_operator_get_codomain_type (operator));
  return y;
}

static TuttiDerivative *
linearize (TuttiOperator *operator, TuttiVector *x)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiVector) y = NULL, value = evaluate (operator, x);
  TuttiDerivative *derivative = tutti_operator_linearize (operator, x, &y, NULL, &error);

  g_assert_no_error (error);
  assert_same_bits (y, value);
  return derivative;
}

static TuttiVector *
apply (TuttiDerivative *derivative, TuttiVector *h)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *product = tutti_derivative_apply (derivative, h, NULL, &error);

  g_assert_no_error (error);
  return product;
}

static TuttiVector *
adjoint (TuttiDerivative *derivative, TuttiVector *y)
{
  g_autoptr (GError) error = NULL;
  TuttiVector *product = tutti_derivative_adjoint (derivative, y, NULL, &error);

  g_assert_no_error (error);
  return product;
}

/* <T'h, y> = <h, T'*y>, the value is the same again, and the derivative what differences say. */
static void
check (TuttiOperator *operator)
{
  g_autoptr (TuttiVector) x = numbers_new (tutti_operator_get_domain_type (operator), tutti_operator_get_domain (operator), 3);
  g_autoptr (TuttiVector) h = numbers_new (tutti_operator_get_domain_type (operator), tutti_operator_get_domain (operator), 4);
  g_autoptr (TuttiVector) y = numbers_new (tutti_operator_get_codomain_type (operator), tutti_operator_get_codomain (operator), 5);
  g_autoptr (TuttiDerivative) derivative = linearize (operator, x);
  g_autoptr (TuttiVector) forward = apply (derivative, h), backward = adjoint (derivative, y);
  double one = dot (forward, y), other = dot (h, backward);

  g_assert_cmpuint (tutti_vector_get_n_elements (backward), ==, tutti_operator_get_domain (operator));
  g_assert_cmpfloat_with_epsilon (one, other, 1e-12 * (fabs (one) + fabs (other)) + 1e-12);
  gsize n;
  const double step = 1e-6, *direction = tutti_vector_get_doubles (h, &n);
  g_autoptr (TuttiVector) near = numbers_new (tutti_operator_get_domain_type (operator), tutti_operator_get_domain (operator), 3);
  for (gsize i = 0; i < n; i++)
    tutti_vector_get_doubles (near, &n)[i] += step * direction[i];
  g_autoptr (TuttiVector) there = evaluate (operator, near), here = evaluate (operator, x);
  const double *a = tutti_vector_get_doubles (there, &n), *b = tutti_vector_get_doubles (here, &n);
  const double *c = tutti_vector_get_doubles (forward, &n);
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon ((a[i] - b[i]) / step, c[i], 1e-3 * (1 + fabs (c[i])));
}

static void
test_one (void)
{
  TuttiPool *pool = pool_new (2);
  TuttiOperator *operators[] = { sounding_new (pool, 5, 4, 0), sounding_new (pool, 1, 1, 1), complex_new (pool, "square", 5),
                                 complex_new (pool, "power", 5), complex_new (pool, "square", 5000), complex_new (pool, "power", 5000) };

  for (guint i = 0; i < G_N_ELEMENTS (operators); i++)
    {
      check (operators[i]);
      g_autoptr (TuttiOperator) alone = vector_of (&operators[i], 1);
      check (alone);
      tutti_operator_unref (operators[i]);
    }
  pool_end (pool);
}

/* Members on several workers; real ones among complex ones; vectors of vectors. */
static void
test_vectors_of_operators (void)
{
  TuttiPool *pool = pool_new (3);
  const gsize sizes[] = { 3, 3000 };

  for (guint k = 0; k < G_N_ELEMENTS (sizes); k++)
    {
      TuttiOperator *members[] = { complex_new (pool, "square", sizes[k]), complex_new (pool, "power", sizes[k]),
                                   complex_new (pool, "square", sizes[k]), complex_new (pool, "power", sizes[k]) };
      TuttiOperator *halves[] = { vector_of (members, 2), vector_of (members + 1, 3) };
      g_autoptr (TuttiOperator) whole = vector_of (halves, 2), real = vector_of ((TuttiOperator *[]){ members[1], members[3] }, 2);

      g_assert_cmpuint (tutti_operator_get_codomain (whole), ==, 5 * sizes[k]);
      g_assert_cmpint (tutti_operator_get_codomain_type (whole), ==, TUTTI_ELEMENT_C64);
      g_assert_cmpint (tutti_operator_get_codomain_type (real), ==, TUTTI_ELEMENT_F64);
      for (guint i = 0; i < 4; i++)
        tutti_operator_unref (members[i]);
      check (halves[0]);
      check (real);
      check (whole);
      g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_C64, sizes[k], 9), y = evaluate (whole, x), first = evaluate (halves[0], x);
      g_assert_cmpmem (tutti_vector_get_data (first), tutti_vector_get_size (first), tutti_vector_get_data (y),
                       tutti_vector_get_size (first));
      tutti_operator_unref (halves[0]);
      tutti_operator_unref (halves[1]);
    }
  pool_end (pool);
}

/* The bits do not depend on the number of workers. */
static void
test_same_bits (void)
{
  const guint counts[] = { 1, 2, 3, 7 };
  g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_F64, 6, 1), h = numbers_new (TUTTI_ELEMENT_F64, 6, 2);
  g_autoptr (TuttiVector) y = numbers_new (TUTTI_ELEMENT_F64, 2 * (1 + 2 + 3 + 4 + 5), 3);
  TuttiVector *expected[3] = { NULL, NULL, NULL };

  for (guint k = 0; k < G_N_ELEMENTS (counts); k++)
    {
      TuttiPool *pool = pool_new (counts[k]);
      TuttiOperator *members[5];

      for (guint i = 0; i < 5; i++)
        members[i] = sounding_new (pool, 6, i + 1, i);
      g_autoptr (TuttiOperator) whole = vector_of (members, 5);
      g_autoptr (TuttiDerivative) derivative = linearize (whole, x);
      TuttiVector *found[3] = { evaluate (whole, x), apply (derivative, h), adjoint (derivative, y) };
      for (guint i = 0; i < 3; i++)
        {
          if (k > 0)
            assert_same_bits (found[i], expected[i]);
          tutti_vector_unref (expected[i]);
          expected[i] = found[i];
        }
      for (guint i = 0; i < 5; i++)
        tutti_operator_unref (members[i]);
      g_clear_pointer (&whole, tutti_operator_unref);
      g_clear_pointer (&derivative, tutti_derivative_unref);
      pool_end (pool);
    }
  for (guint i = 0; i < 3; i++)
    tutti_vector_unref (expected[i]);
}

/* Z = X + Y */
static TuttiVector *
sum_of (TuttiVector *x, TuttiVector *y)
{
  g_autoptr (GError) error = NULL;
  gsize n, m;
  const double *a = tutti_vector_get_doubles (x, &n), *b = tutti_vector_get_doubles (y, &m);
  TuttiVector *z = tutti_vector_new_typed (tutti_vector_get_element_type (x), tutti_vector_get_n_elements (x), &error);

  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, m);
  for (gsize i = 0; i < n; i++)
    tutti_vector_get_doubles (z, &m)[i] = a[i] + b[i];
  return z;
}

/* Each member writes its part of a large result, however small the part is; adjoints are added by the tree ((0 + 1) + (2 + 3)) + 4. */
static void
test_parts_and_sums (void)
{
  enum { MEMBERS = 5 };
  const gsize sizes[] = { 3, 1000, 2049, 20000 };
  TuttiPool *pool = pool_new (2);

  for (guint k = 0; k < G_N_ELEMENTS (sizes); k++)
    {
      gsize n = sizes[k];
      TuttiOperator *members[MEMBERS];
      TuttiVector *adjoints[MEMBERS];
      g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_F64, n, 1), y = numbers_new (TUTTI_ELEMENT_F64, MEMBERS * n, 2);

      for (guint i = 0; i < MEMBERS; i++)
        members[i] = complex_new (pool, "power", n);
      g_autoptr (TuttiOperator) whole = vector_of (members, MEMBERS);
      g_autoptr (TuttiDerivative) derivative = linearize (whole, x);
      g_autoptr (TuttiVector) value = evaluate (whole, x), sum = adjoint (derivative, y);

      for (guint i = 0; i < MEMBERS; i++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (TuttiVector) alone = evaluate (members[i], x), slice = tutti_vector_slice (y, i * n, n, &error);
          g_autoptr (TuttiDerivative) own = linearize (members[i], x);

          g_assert_no_error (error);
          g_assert_cmpmem ((char *) tutti_vector_get_data (value) + 8 * i * n, 8 * n, tutti_vector_get_data (alone), 8 * n);
          adjoints[i] = adjoint (own, slice);
        }
      g_autoptr (TuttiVector) first = sum_of (adjoints[0], adjoints[1]), second = sum_of (adjoints[2], adjoints[3]);
      g_autoptr (TuttiVector) four = sum_of (first, second), expected = sum_of (four, adjoints[4]);
      assert_same_bits (sum, expected);
      for (guint i = 0; i < MEMBERS; i++)
        {
          tutti_vector_unref (adjoints[i]);
          tutti_operator_unref (members[i]);
        }
    }
  pool_end (pool);
}

/* --- refusals ---------------------------------------------------------------------------------------------------------------- */

static void
test_refused (void)
{
  TuttiPool *pool = pool_new (1), *other = pool_new (1);
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiOperator) real = sounding_new (pool, 3, 2, 0), complex = complex_new (pool, "power", 3);
  g_autoptr (TuttiOperator) wider = sounding_new (pool, 4, 2, 0), there = sounding_new (other, 3, 2, 0);
  g_autoptr (TuttiVector) two = numbers_new (TUTTI_ELEMENT_F64, 2, 0), three = numbers_new (TUTTI_ELEMENT_F64, 3, 0);
  g_autoptr (TuttiVector) pairs = numbers_new (TUTTI_ELEMENT_C64, 3, 0), whole = tutti_vector_new_typed (TUTTI_ELEMENT_S64, 3, &error);
  g_autoptr (TuttiDerivative) derivative = linearize (real, three);
  g_autoptr (TuttiValue) list = tutti_value_new_list (NULL, 0);
  g_autoptr (TuttiValue) table = tutti_value_new_table_take ("periods", tutti_value_new_boolean (TRUE), NULL);

#define REFUSED(expression, code)                       \
  do                                                    \
    {                                                   \
      g_assert_null (expression);                       \
      g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_##code); \
      g_clear_error (&error);                           \
    }                                                   \
  while (0)
  REFUSED (tutti_operator_evaluate (real, two, NULL, &error), SHAPE);
  REFUSED (tutti_operator_evaluate (real, pairs, NULL, &error), ARGUMENT);
  REFUSED (tutti_operator_evaluate (real, whole, NULL, &error), ARGUMENT);
  REFUSED (tutti_operator_linearize (real, two, NULL, NULL, &error), SHAPE);
  REFUSED (tutti_derivative_apply (derivative, two, NULL, &error), SHAPE);
  REFUSED (tutti_derivative_adjoint (derivative, two, NULL, &error), SHAPE);
  REFUSED (tutti_operator_new (pool, "mt1d", "none-such", NULL, NULL, &error), MODULE);
  REFUSED (tutti_operator_new (pool, "none-such", "response", NULL, NULL, &error), MODULE);
  REFUSED (tutti_operator_new (pool, "mt1d", "response", NULL, NULL, &error), ARGUMENT);
  REFUSED (tutti_operator_new (pool, "mt1d", "response", list, NULL, &error), ARGUMENT);
  REFUSED (tutti_operator_new (pool, "mt1d", "response", table, NULL, &error), ARGUMENT);
  REFUSED (tutti_operator_new_vector ((TuttiOperator *[]){ real, wider }, 2, &error), SHAPE);
  REFUSED (tutti_operator_new_vector ((TuttiOperator *[]){ real, complex }, 2, &error), SHAPE);
  REFUSED (tutti_operator_new_vector ((TuttiOperator *[]){ real, there }, 2, &error), ARGUMENT);
  /* Real numbers are complex ones. */
  g_autoptr (TuttiVector) y = evaluate (complex, three);
  gsize n;
  g_assert_cmpfloat (tutti_vector_get_doubles (y, &n)[1], ==,
                     tutti_vector_get_doubles (three, &n)[1] * tutti_vector_get_doubles (three, &n)[1]);
  g_autoptr (TuttiVector) again = evaluate (real, three);
  g_assert_true (tutti_pool_close (pool));
  REFUSED (tutti_operator_evaluate (real, three, NULL, &error), CLOSED);
  REFUSED (tutti_operator_new (pool, "mt1d", "response", NULL, NULL, &error), CLOSED);
  g_clear_pointer (&derivative, tutti_derivative_unref);
  g_clear_pointer (&real, tutti_operator_unref);
  g_clear_pointer (&complex, tutti_operator_unref);
  g_clear_pointer (&wider, tutti_operator_unref);
  g_clear_pointer (&there, tutti_operator_unref);
  pool_end (pool);
  pool_end (other);
}

static void
test_text_parameters (void)
{
  TuttiPool *pool = pool_new (1);
  g_autofree char *module = helper ("text-operator.so");
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiOperator) letters = operator_new (
    pool, module, "letters", tutti_value_new_table_take ("text", tutti_value_new_text ("aß"), "power", tutti_value_new_text ("linear"),
                                                         "scale", tutti_value_new_integer (2), NULL));
  g_autoptr (TuttiVector) x = tutti_vector_new_from_doubles ((const double[]){ 1 }, 1, &error), y = evaluate (letters, x);
  gsize n;
  const double *bytes = tutti_vector_get_doubles (y, &n);

  g_assert_cmpuint (n, ==, 3);
  g_assert_cmpfloat (bytes[0], ==, 2 * 'a');
  g_assert_cmpfloat (bytes[1], ==, 2 * 0xc3);
  g_assert_cmpfloat (bytes[2], ==, 2 * 0x9f);
  g_autoptr (TuttiValue) wrong = tutti_value_new_table_take ("text", tutti_value_new_text ("a"), "power", tutti_value_new_text ("quartic"),
                                                             NULL);
  g_assert_null (tutti_operator_new (pool, module, "letters", wrong, NULL, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "quartic"));
  g_clear_pointer (&letters, tutti_operator_unref);
  pool_end (pool);
}

/* --- deaths ------------------------------------------------------------------------------------------------------------------ */

static void
kill_all (TuttiPool *pool)
{
  for (guint i = 0; i < tutti_pool_get_n_workers (pool); i++)
    {
      int pid = 0;

      AWAIT ((pid = tutti_pool_get_worker_pid (pool, i)) > 0); /* one that was killed before may not be replaced yet */
      g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
      AWAIT (tutti_pool_get_worker_pid (pool, i) != pid);
    }
}

/* Whoever takes the place of a worker makes its operators and derivatives again, of the numbers that there were, not of those that the
 * caller's vectors have now. */
static void
deaths (gsize n, guint n_workers)
{
  TuttiPool *pool = pool_new (n_workers);
  TuttiOperator *members[] = { complex_new (pool, "square", n), complex_new (pool, "power", n) };
  g_autoptr (TuttiOperator) operator = vector_of (members, 2);
  g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_C64, n, 0), h = numbers_new (TUTTI_ELEMENT_C64, n, 1);
  g_autoptr (TuttiVector) y = numbers_new (TUTTI_ELEMENT_C64, 2 * n, 2), value = evaluate (operator, x);
  g_autoptr (TuttiDerivative) derivative = linearize (operator, x);
  g_autoptr (TuttiVector) forward = apply (derivative, h), backward = adjoint (derivative, y);
  gsize n_doubles;

  tutti_operator_unref (members[0]);
  tutti_operator_unref (members[1]);
  memset (tutti_vector_get_doubles (x, &n_doubles), 0, tutti_vector_get_size (x));
  g_autoptr (TuttiVector) after = apply (derivative, h);
  assert_same_bits (after, forward);
  kill_all (pool);
  g_autoptr (TuttiVector) later = apply (derivative, h);
  assert_same_bits (later, forward);
  kill_all (pool);
  g_autoptr (TuttiVector) back = adjoint (derivative, y);
  assert_same_bits (back, backward);
  kill_all (pool);
  g_autoptr (TuttiVector) same = numbers_new (TUTTI_ELEMENT_C64, n, 0), again = evaluate (operator, same);
  assert_same_bits (again, value);
  g_clear_pointer (&derivative, tutti_derivative_unref);
  g_clear_pointer (&operator, tutti_operator_unref);
  pool_end (pool);
}

static void
test_deaths (void)
{
  deaths (4, 1);
  deaths (4, 3);
  deaths (3000, 1);
  deaths (3000, 3);
}

/* --- without blocking ---------------------------------------------------------------------------------------------------------- */

static void
test_async (void)
{
  TuttiPool *pool = pool_new (2);
  g_autoptr (GError) error = NULL;
  g_autofree char *module = helper ("complex-operator.so");
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("n", tutti_value_new_integer (3000), NULL);
  g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_C64, 3000, 0), y = NULL;
  g_autoptr (Answer) made = answer_new (), evaluated = answer_new (), linearized = answer_new (), applied = answer_new ();
  g_autoptr (Answer) transposed = answer_new (), refused = answer_new (), stopped = answer_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  tutti_operator_new_async (pool, module, "square", parameters, NULL, answer_came, made);
  answer_await (made, NULL);
  g_assert_null (made->source);
  g_autoptr (TuttiOperator) operator = tutti_operator_new_finish (made->result, &error);
  g_assert_no_error (error);
  tutti_operator_evaluate_async (operator, x, NULL, answer_came, evaluated);
  tutti_operator_linearize_async (operator, x, NULL, answer_came, linearized);
  answer_await (evaluated, NULL);
  answer_await (linearized, NULL);
  g_autoptr (TuttiVector) value = tutti_operator_evaluate_finish (evaluated->result, &error);
  g_assert_no_error (error);
  g_autoptr (TuttiDerivative) derivative = tutti_operator_linearize_finish (linearized->result, &y, &error);
  g_assert_no_error (error);
  assert_same_bits (value, y);
  tutti_derivative_apply_async (derivative, x, NULL, answer_came, applied);
  tutti_derivative_adjoint_async (derivative, x, NULL, answer_came, transposed);
  answer_await (applied, NULL);
  answer_await (transposed, NULL);
  g_autoptr (TuttiVector) forward = tutti_derivative_apply_finish (applied->result, &error), again = apply (derivative, x);
  g_assert_no_error (error);
  assert_same_bits (forward, again);
  g_autoptr (TuttiVector) backward = tutti_derivative_adjoint_finish (transposed->result, &error), back = adjoint (derivative, x);
  g_assert_no_error (error);
  assert_same_bits (backward, back);
  g_autoptr (TuttiVector) wrong = numbers_new (TUTTI_ELEMENT_F64, 3, 0);
  tutti_operator_evaluate_async (operator, wrong, NULL, answer_came, refused);
  answer_await (refused, NULL);
  g_assert_null (tutti_operator_evaluate_finish (refused->result, &error));
  g_assert_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  tutti_operator_linearize_async (operator, x, cancellable, answer_came, stopped);
  answer_await (stopped, NULL);
  g_assert_null (tutti_operator_linearize_finish (stopped->result, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_autoptr (TuttiVector) good = evaluate (operator, x);
  assert_same_bits (good, value);
  GValue holder = G_VALUE_INIT, other = G_VALUE_INIT;
  g_value_init (&holder, TUTTI_TYPE_OPERATOR);
  g_value_init (&other, TUTTI_TYPE_DERIVATIVE);
  g_value_set_boxed (&holder, operator);
  g_value_set_boxed (&other, derivative);
  g_value_unset (&holder);
  g_value_unset (&other);
  g_clear_pointer (&derivative, tutti_derivative_unref);
  g_clear_pointer (&operator, tutti_operator_unref);
  pool_end (pool);
}

typedef struct
{
  TuttiDerivative *derivative;
  TuttiVector *h, *expected;
} Use;

static gpointer
use_derivative (gpointer data)
{
  const Use *use = data;

  for (guint i = 0; i < 20; i++)
    {
      g_autoptr (TuttiVector) found = apply (use->derivative, use->h);

      assert_same_bits (found, use->expected);
    }
  return NULL;
}

static void
test_threads (void)
{
  TuttiPool *pool = pool_new (3);
  TuttiOperator *members[] = { complex_new (pool, "square", 3000), complex_new (pool, "power", 3000), complex_new (pool, "square", 3000) };
  g_autoptr (TuttiOperator) operator = vector_of (members, 3);
  g_autoptr (TuttiVector) x = numbers_new (TUTTI_ELEMENT_C64, 3000, 0);
  g_autoptr (TuttiDerivative) derivative = linearize (operator, x);
  g_autoptr (TuttiVector) expected = apply (derivative, x);
  Use use = { derivative, x, expected };
  GThread *threads[4];

  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("use", use_derivative, &use);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < 3; i++)
    tutti_operator_unref (members[i]);
  g_clear_pointer (&derivative, tutti_derivative_unref);
  g_clear_pointer (&operator, tutti_operator_unref);
  pool_end (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/embedding/operators/one", test_one);
  g_test_add_func ("/embedding/operators/vectors-of-operators", test_vectors_of_operators);
  g_test_add_func ("/embedding/operators/same-bits", test_same_bits);
  g_test_add_func ("/embedding/operators/parts-and-sums", test_parts_and_sums);
  g_test_add_func ("/embedding/operators/refused", test_refused);
  g_test_add_func ("/embedding/operators/text-parameters", test_text_parameters);
  g_test_add_func ("/embedding/operators/deaths", test_deaths);
  g_test_add_func ("/embedding/operators/async", test_async);
  g_test_add_func ("/embedding/operators/threads", test_threads);
  return g_test_run ();
}
