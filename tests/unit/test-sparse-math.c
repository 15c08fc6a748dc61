/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sparse matrices against dense ones, with duplicates, empty rows and every mixture of real and complex; sums in the
 * order promised. */
#include "module/sparse-math.h"
#include <math.h>
#include <string.h>

enum
{
  MAX = 64
};

typedef struct
{
  double entries[MAX][MAX][2];
} Dense;

static TtiSparse *
sparse_new (guint32 rows, guint32 columns, gsize n, const guint32 *row_indices, const guint32 *column_indices,
            const double *values, gboolean is_complex)
{
  g_autoptr (GError) error = NULL;
  TtiSparse *s = tti_sparse_new (rows, columns, n, row_indices, column_indices, values, is_complex, &error);

  g_assert_no_error (error);
  return s;
}

/* N random entries, with duplicates; the same in DENSE. */
static TtiSparse *
random_new (guint32 rows, guint32 columns, gsize n, gboolean is_complex, guint32 seed, Dense *dense)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  g_autofree guint32 *row_indices = g_new (guint32, n + 1), *column_indices = g_new (guint32, n + 1);
  g_autofree double *values = g_new (double, 2 * n + 1);
  gsize width = is_complex ? 2 : 1;

  memset (dense, 0, sizeof *dense);
  for (gsize i = 0; i < n; i++)
    {
      row_indices[i] = (guint32)g_rand_int_range (random, 0, (gint32)rows);
      column_indices[i] = (guint32)g_rand_int_range (random, 0, (gint32)columns);
      for (gsize part = 0; part < width; part++)
        {
          values[width * i + part] = g_rand_double_range (random, -1, 1);
          dense->entries[row_indices[i]][column_indices[i]][part] += values[width * i + part];
        }
    }
  return sparse_new (rows, columns, n, row_indices, column_indices, values, is_complex);
}

static void
check_equal (const TtiSparse *s, const Dense *dense)
{
  gsize n = tti_sparse_get_count (s), width = tti_sparse_is_complex (s) ? 2 : 1;
  g_autofree guint32 *rows = g_new (guint32, n + 1), *columns = g_new (guint32, n + 1);
  g_autofree double *values = g_new (double, 2 * n + 1);
  g_autofree Dense *rest = g_memdup2 (dense, sizeof *dense);

  tti_sparse_get_entries (s, rows, columns, values);
  for (gsize k = 0; k < n; k++)
    {
      if (k > 0)
        g_assert_true (rows[k - 1] < rows[k] || (rows[k - 1] == rows[k] && columns[k - 1] < columns[k]));
      for (gsize part = 0; part < width; part++)
        rest->entries[rows[k]][columns[k]][part] -= values[width * k + part];
    }
  for (int i = 0; i < MAX; i++)
    for (int j = 0; j < MAX; j++)
      for (int part = 0; part < 2; part++)
        g_assert_cmpfloat_with_epsilon (rest->entries[i][j][part], 0, 1e-13);
}

/* Unordered entries, a position three times (added in the order of the arguments: other orders have other bits), an explicit zero,
 * an empty row. */
static void
test_entries (void)
{
  const guint32 row_indices[] = { 3, 0, 3, 0, 3, 1, 3 }, column_indices[] = { 1, 4, 1, 0, 0, 2, 1 };
  const double values[] = { 1e16, 5, 1, 7, 2, 0, -1e16 };
  const guint32 rows[] = { 0, 0, 1, 3, 3 }, columns[] = { 0, 4, 2, 0, 1 };
  const double sums[] = { 7, 5, 0, 2, 0 };
  guint32 got_rows[5], got_columns[5];
  double got[5];
  g_autoptr (TtiSparse) s = sparse_new (4, 5, 7, row_indices, column_indices, values, FALSE);

  g_assert_cmpuint (tti_sparse_get_rows (s), ==, 4);
  g_assert_cmpuint (tti_sparse_get_columns (s), ==, 5);
  g_assert_cmpuint (tti_sparse_get_count (s), ==, 5);
  tti_sparse_get_entries (s, got_rows, got_columns, got);
  g_assert_cmpmem (got_rows, sizeof got_rows, rows, sizeof rows);
  g_assert_cmpmem (got_columns, sizeof got_columns, columns, sizeof columns);
  g_assert_cmpmem (got, sizeof got, sums, sizeof sums);
}

static void
test_stray (void)
{
  const guint32 rows[] = { 0, 2, 1, 3 }, columns[] = { 3, 0, 4, 0 };

  g_assert_cmpuint (tti_sparse_find_stray (4, 5, 4, rows, columns), ==, 4);
  g_assert_cmpuint (tti_sparse_find_stray (3, 5, 4, rows, columns), ==, 3);
  g_assert_cmpuint (tti_sparse_find_stray (4, 4, 4, rows, columns), ==, 2);
  g_assert_cmpuint (tti_sparse_find_stray (0, 0, 0, NULL, NULL), ==, 0);
}

static void
multiply_dense (Dense *product, const Dense *a, const Dense *b, int rows, int inner, int columns)
{
  memset (product, 0, sizeof *product);
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < inner; k++)
      for (int j = 0; j < columns; j++)
        {
          const double *x = a->entries[i][k], *y = b->entries[k][j];
          product->entries[i][j][0] += x[0] * y[0] - x[1] * y[1];
          product->entries[i][j][1] += x[0] * y[1] + x[1] * y[0];
        }
}

/* A vector is a matrix of one column. */
static void
test_products (void)
{
  for (int mix = 0; mix < 4; mix++)
    {
      gboolean is_complex = mix & 1, x_complex = mix & 2;
      gsize width = x_complex ? 2 : 1, y_width = is_complex || x_complex ? 2 : 1;
      g_autofree Dense *a = g_new (Dense, 1), *x = g_new0 (Dense, 1), *y = g_new (Dense, 1),
                       *adjoint = g_new0 (Dense, 1);
      g_autoptr (TtiSparse) s = random_new (40, 30, 200, is_complex, 1, a);
      double numbers[2 * 40], result[2 * 40];
      for (int i = 0; i < 40; i++)
        for (gsize part = 0; part < width; part++)
          x->entries[i][0][part] = numbers[width * i + part] = sin (1 + i + 0.3 * (double)part);
      for (int i = 0; i < MAX; i++)
        for (int j = 0; j < MAX; j++)
          {
            adjoint->entries[j][i][0] = a->entries[i][j][0];
            adjoint->entries[j][i][1] = -a->entries[i][j][1];
          }
      multiply_dense (y, adjoint, x, 30, 40, 1);
      tti_sparse_adjoint (s, numbers, x_complex, result);
      for (int i = 0; i < 30; i++)
        for (gsize part = 0; part < y_width; part++)
          g_assert_cmpfloat_with_epsilon (result[y_width * i + part], y->entries[i][0][part], 1e-14);
      multiply_dense (y, a, x, 40, 30, 1);
      tti_sparse_apply (s, numbers, x_complex, result);
      for (int i = 0; i < 40; i++)
        for (gsize part = 0; part < y_width; part++)
          g_assert_cmpfloat_with_epsilon (result[y_width * i + part], y->entries[i][0][part], 1e-14);
    }
}

static void
test_algebra (void)
{
  for (int mix = 0; mix < 4; mix++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree Dense *a = g_new (Dense, 1), *b = g_new (Dense, 1), *c = g_new (Dense, 1), *want = g_new (Dense, 1);
      g_autoptr (TtiSparse) s = random_new (20, 50, 90, mix & 1, 2, a), t = random_new (50, 60, 200, mix & 2, 3, b);
      g_autoptr (TtiSparse) u = random_new (20, 50, 70, mix & 2, 4, c);
      g_autoptr (TtiSparse) product = tti_sparse_multiply (s, t, &error), sum = tti_sparse_add (s, u, &error);
      g_autoptr (TtiSparse) square = tti_sparse_square (s, &error);
      multiply_dense (want, a, b, 20, 50, 60);
      check_equal (product, want);
      g_assert_true (tti_sparse_is_complex (product) == (mix != 0));

      memcpy (want, a, sizeof *want);
      for (int i = 0; i < 20; i++)
        for (int j = 0; j < 50; j++)
          for (int part = 0; part < 2; part++)
            want->entries[i][j][part] += c->entries[i][j][part];
      check_equal (sum, want);

      memset (want, 0, sizeof *want);
      for (int i = 0; i < 20; i++)
        for (int j = 0; j < 50; j++)
          want->entries[i][j][0] = pow (a->entries[i][j][0], 2) + pow (a->entries[i][j][1], 2);
      check_equal (square, want);
      g_assert_false (tti_sparse_is_complex (square));
    }
}

static void
test_scale_rows (void)
{
  for (int mix = 0; mix < 4; mix++)
    {
      g_autoptr (GError) error = NULL;
      gboolean is_complex = mix & 2;
      g_autofree Dense *a = g_new (Dense, 1), *diagonal = g_new0 (Dense, 1), *want = g_new (Dense, 1);
      g_autoptr (TtiSparse) s = random_new (30, 25, 100, mix & 1, 5, a);
      double factors[60];
      for (int i = 0; i < 30; i++)
        for (int part = 0; part < (is_complex ? 2 : 1); part++)
          diagonal->entries[i][i][part] = factors[(is_complex ? 2 : 1) * i + part] = cos (i + part);
      g_autoptr (TtiSparse) scaled = tti_sparse_scale_rows (s, factors, is_complex, &error);
      multiply_dense (want, diagonal, a, 30, 30, 25);
      check_equal (scaled, want);
    }
}

static void
test_empty (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiSparse) none = sparse_new (0, 3, 0, NULL, NULL, NULL, FALSE),
                          flat = sparse_new (3, 0, 0, NULL, NULL, NULL, FALSE);
  g_autoptr (TtiSparse) square = tti_sparse_multiply (flat, none, &error);
  double x[3] = { 1, 2, 3 }, y[3] = { 9, 9, 9 };

  g_assert_cmpuint (tti_sparse_get_rows (square), ==, 3);
  g_assert_cmpuint (tti_sparse_get_count (square), ==, 0);
  tti_sparse_apply (square, x, FALSE, y);
  g_assert_cmpfloat (fabs (y[0]) + fabs (y[1]) + fabs (y[2]), ==, 0);
  y[2] = 9;
  tti_sparse_adjoint (none, NULL, FALSE, y);
  g_assert_cmpfloat (y[2], ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sparse/entries", test_entries);
  g_test_add_func ("/sparse/stray", test_stray);
  g_test_add_func ("/sparse/products", test_products);
  g_test_add_func ("/sparse/algebra", test_algebra);
  g_test_add_func ("/sparse/scale-rows", test_scale_rows);
  g_test_add_func ("/sparse/empty", test_empty);
  return g_test_run ();
}
