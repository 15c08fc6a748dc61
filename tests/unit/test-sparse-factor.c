/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Direct solution of sparse systems: residuals, orderings, and singular systems. */
#include "module/sparse-factor.h"
#include <math.h>

typedef struct
{
  guint32 n;
  GArray *rows, *columns, *values;
} Entries;

static Entries
entries_new (guint32 n)
{
  return (Entries){ n, g_array_new (FALSE, FALSE, sizeof (guint32)), g_array_new (FALSE, FALSE, sizeof (guint32)),
                    g_array_new (FALSE, FALSE, sizeof (double)) };
}

static void
add (Entries *entries, guint32 row, guint32 column, double value)
{
  g_array_append_val (entries->rows, row);
  g_array_append_val (entries->columns, column);
  g_array_append_val (entries->values, value);
}

static TtiSparse *
finish (Entries *entries)
{
  g_autoptr (GError) error = NULL;
  TtiSparse *s = tti_sparse_new (entries->n, entries->n, entries->rows->len, (const guint32 *)entries->rows->data,
                                 (const guint32 *)entries->columns->data, (const double *)entries->values->data, FALSE, &error);

  g_assert_no_error (error);
  g_array_unref (entries->rows);
  g_array_unref (entries->columns);
  g_array_unref (entries->values);
  return s;
}

/* The five-point stencil on a grid of SIDE x SIDE points, numbered at random; SKEW makes it unsymmetric. */
static TtiSparse *
grid (guint32 side, double skew, GRand *random)
{
  guint32 n = side * side;
  Entries entries = entries_new (n);
  g_autofree guint32 *number = g_new (guint32, n);

  for (guint32 i = 0; i < n; i++)
    number[i] = i;
  for (guint32 i = n; i-- > 1; )
    {
      guint32 j = g_rand_int_range (random, 0, i + 1), kept = number[i];

      number[i] = number[j];
      number[j] = kept;
    }
  for (guint32 y = 0; y < side; y++)
    for (guint32 x = 0; x < side; x++)
      {
        guint32 here = number[y * side + x];

        add (&entries, here, here, 4);
        if (x + 1 < side)
          {
            guint32 there = number[y * side + x + 1];

            add (&entries, here, there, -1 + skew);
            add (&entries, there, here, -1 - skew);
          }
        if (y + 1 < side)
          {
            guint32 there = number[(y + 1) * side + x];

            add (&entries, here, there, -1);
            add (&entries, there, here, -1);
          }
      }
  return finish (&entries);
}

static void
check_solves (const TtiSparse *s, gboolean positive, GRand *random)
{
  g_autoptr (GError) error = NULL;
  guint32 n = tti_sparse_get_rows (s);
  g_autofree double *b = g_new (double, n), *x = g_new (double, n), *image = g_new (double, n);
  TtiSparseFactor *factor = tti_sparse_factor_new (s, positive, &error);

  g_assert_no_error (error);
  g_assert_nonnull (factor);
  g_assert_cmpuint (tti_sparse_factor_get_size (factor), ==, n);
  for (guint32 i = 0; i < n; i++)
    b[i] = g_rand_double_range (random, -1, 1);
  tti_sparse_factor_solve (factor, b, x);
  tti_sparse_apply (s, x, FALSE, image);
  for (guint32 i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (image[i], b[i], 1e-12);
  tti_sparse_factor_free (factor);
}

static void
test_grid (void)
{
  enum
  {
    SIDE = 30
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) random = g_rand_new_with_seed (3);
  g_autoptr (TtiSparse) symmetric = grid (SIDE, 0, random), skew = grid (SIDE, 0.4, random);
  TtiSparseFactor *factor = tti_sparse_factor_new (symmetric, TRUE, &error);

  check_solves (symmetric, TRUE, random);
  check_solves (symmetric, FALSE, random);
  check_solves (skew, FALSE, random);
  /* Whatever the numbering, the band is hardly wider than the grid. */
  g_assert_cmpuint (tti_sparse_factor_get_bytes (factor), <=, SIDE * SIDE * 2 * SIDE * sizeof (double));
  tti_sparse_factor_free (factor);
}

/* Disconnected parts, zeros on the diagonal, and an empty matrix. */
static void
test_shapes (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (4);
  Entries pieces = entries_new (5), none = entries_new (0);

  add (&pieces, 0, 3, 2);
  add (&pieces, 3, 0, 1);
  add (&pieces, 1, 1, 4);
  add (&pieces, 2, 4, 1);
  add (&pieces, 4, 2, -1);
  g_autoptr (TtiSparse) exchanged = finish (&pieces), empty = finish (&none);
  check_solves (exchanged, FALSE, random);
  check_solves (empty, FALSE, random);
  check_solves (empty, TRUE, random);
}

static void
test_impossible (void)
{
  g_autoptr (GError) error = NULL;
  Entries singular = entries_new (3), indefinite = entries_new (2);

  add (&singular, 0, 0, 1);
  add (&singular, 2, 2, 1);
  add (&indefinite, 0, 0, 1);
  add (&indefinite, 1, 1, -1);
  g_autoptr (TtiSparse) s = finish (&singular), d = finish (&indefinite);
  g_assert_null (tti_sparse_factor_new (s, FALSE, &error));
  g_assert_no_error (error);
  g_assert_null (tti_sparse_factor_new (s, TRUE, &error));
  g_assert_no_error (error);
  g_assert_null (tti_sparse_factor_new (d, TRUE, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sparse-factor/grid", test_grid);
  g_test_add_func ("/sparse-factor/shapes", test_shapes);
  g_test_add_func ("/sparse-factor/impossible", test_impossible);
  return g_test_run ();
}
