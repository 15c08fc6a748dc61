/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* embedding-bits WORKERS MODULE: prints the bits of what vectors of operators give, as embedding-bits.scm does. */
#include "embedding-test.h"
#include <stdio.h>
#include <stdlib.h>

/* The numbers are such that each language has the same. */
static TuttiVector *
numbers_new (TuttiElementType type, gsize n)
{
  TuttiVector *vector = tutti_vector_new_typed (type, n, NULL);
  gsize n_doubles;
  double *numbers = tutti_vector_get_doubles (vector, &n_doubles);

  for (gsize i = 0; i < n_doubles; i++)
    numbers[i] = 1 + 0.0625 * (double) i;
  return vector;
}

static void
show (TuttiVector *vector)
{
  gsize n;
  const double *numbers = tutti_vector_get_doubles (vector, &n);

  for (gsize i = 0; i < n; i++)
    {
      guint64 bits;

      memcpy (&bits, &numbers[i], sizeof bits);
      printf ("%" G_GINT64_MODIFIER "x\n", bits);
    }
  tutti_vector_unref (vector);
}

static void
show_all (TuttiOperator **members, gsize n)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiOperator) operator = tutti_operator_new_vector (members, n, &error);
  TuttiVector *value;

  g_assert_no_error (error);
  g_autoptr (TuttiVector) x = numbers_new (tutti_operator_get_domain_type (operator), tutti_operator_get_domain (operator));
  g_autoptr (TuttiVector) y = numbers_new (tutti_operator_get_codomain_type (operator), tutti_operator_get_codomain (operator));
  show (tutti_operator_evaluate (operator, x, NULL, &error));
  g_autoptr (TuttiDerivative) derivative = tutti_operator_linearize (operator, x, &value, NULL, &error);
  show (value);
  show (tutti_derivative_apply (derivative, x, NULL, &error));
  show (tutti_derivative_adjoint (derivative, y, NULL, &error));
  for (gsize i = 0; i < n; i++)
    tutti_operator_unref (members[i]);
}

static TuttiOperator *
sounding_new (TuttiPool *pool, gsize i)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiVector) thicknesses = tutti_vector_new (5, &error), periods = tutti_vector_new (i + 1, &error);
  gsize n;

  for (gsize k = 0; k < 5; k++)
    tutti_vector_get_doubles (thicknesses, &n)[k] = 100 * (double) (k + 1);
  for (gsize k = 0; k <= i; k++)
    tutti_vector_get_doubles (periods, &n)[k] = 0.125 * (double) (k + 1) + (double) i;
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("thicknesses", tutti_value_new_vector (thicknesses), "periods",
                                                                  tutti_value_new_vector (periods), NULL);
  TuttiOperator *operator = tutti_operator_new (pool, "mt1d", "response", parameters, NULL, &error);
  g_assert_no_error (error);
  return operator;
}

static TuttiOperator *
square_new (TuttiPool *pool, const char *module)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TuttiValue) parameters = tutti_value_new_table_take ("n", tutti_value_new_integer (3000), NULL);
  TuttiOperator *operator = tutti_operator_new (pool, module, "square", parameters, NULL, &error);

  g_assert_no_error (error);
  return operator;
}

int
main (int argc, char **argv)
{
  if (argc != 3)
    return 2;
  TuttiPool *pool = pool_new ((guint) atoi (argv[1]));
  TuttiOperator *members[5];

  for (gsize i = 0; i < 5; i++)
    members[i] = sounding_new (pool, i);
  show_all (members, 5);
  for (gsize i = 0; i < 4; i++)
    members[i] = square_new (pool, argv[2]);
  show_all (members, 4);
  pool_end (pool);
  return 0;
}
