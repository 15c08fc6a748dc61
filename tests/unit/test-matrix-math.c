/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Products of matrices and vectors against plain loops in long doubles, and the same bits from any address. */
#include "module/matrix-math.h"
#include "module/blas-threads.h"
#include <cblas.h>
#include <math.h>
#include <string.h>

static double *
numbers_new (gsize n, guint32 seed)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  double *x = g_new (double, n + 1);

  for (gsize i = 0; i < n; i++)
    x[i] = g_rand_double_range (random, -1, 1);
  return x;
}

static void
get_number (long double number[2], const double *x, gsize i, gboolean is_complex)
{
  number[0] = is_complex ? x[2 * i] : x[i];
  number[1] = is_complex ? x[2 * i + 1] : 0;
}

/* Entry I of A X, or of A^H X. */
static void
reference (long double sum[2], const TtiMatrix *a, gboolean adjoint, const double *x, gboolean is_complex, int i)
{
  sum[0] = sum[1] = 0;
  for (int k = 0; k < (adjoint ? a->rows : a->columns); k++)
    {
      long double entry[2], number[2];
      get_number (entry, a->entries, adjoint ? (gsize)k * a->columns + i : (gsize)i * a->columns + k, a->is_complex);
      get_number (number, x, k, is_complex);
      if (adjoint)
        entry[1] = -entry[1];
      sum[0] += entry[0] * number[0] - entry[1] * number[1];
      sum[1] += entry[0] * number[1] + entry[1] * number[0];
    }
}

static void
check_products (int rows, int columns, gboolean a_complex, gboolean x_complex)
{
  gsize a_width = a_complex ? 2 : 1, x_width = x_complex ? 2 : 1, width = MAX (a_width, x_width);
  g_autofree double *entries = numbers_new (a_width * rows * columns, 1);
  const TtiMatrix a = { rows, columns, a_complex, entries };

  for (int adjoint = 0; adjoint < 2; adjoint++)
    {
      int n_x = adjoint ? rows : columns, n_y = adjoint ? columns : rows;
      g_autofree double *x = numbers_new (x_width * n_x, 2), *y = g_new (double, width *n_y + 1);
      /* Earlier contents must not matter. */
      for (gsize i = 0; i <= width * n_y; i++)
        y[i] = NAN;
      if (adjoint)
        tti_matrix_adjoint (&a, x, x_complex, y);
      else
        tti_matrix_apply (&a, x, x_complex, y);
      for (int i = 0; i < n_y; i++)
        {
          long double want[2];
          reference (want, &a, adjoint, x, x_complex, i);
          for (gsize part = 0; part < width; part++)
            g_assert_cmpfloat_with_epsilon (y[width * i + part], (double)want[part], 1e-14 * (1 + n_x));
        }
      g_assert_true (isnan (y[width * n_y]));
    }
}

static void
test_products (void)
{
  const int shapes[][2] = { { 1, 1 },     { 3, 5 },     { 40, 17 }, { 7, 130 }, { 4, 4096 },
                            { 11, 5003 }, { 2, 70000 }, { 0, 4 },   { 4, 0 },   { 0, 0 }, { 300, 1800 } };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (int mix = 0; mix < 4; mix++)
      check_products (shapes[i][0], shapes[i][1], mix & 1, mix & 2);
}

/* (2 + i)(1 - i) = 3 - i, (2 - i)(1 - i) = 1 - 3 i */
static void
test_conjugate (void)
{
  const double entries[] = { 2, 1 }, x[] = { 1, -1 };
  const TtiMatrix a = { 1, 1, TRUE, entries };
  double y[2];

  tti_matrix_apply (&a, x, TRUE, y);
  g_assert_cmpfloat (y[0], ==, 3);
  g_assert_cmpfloat (y[1], ==, -1);
  tti_matrix_adjoint (&a, x, TRUE, y);
  g_assert_cmpfloat (y[0], ==, 1);
  g_assert_cmpfloat (y[1], ==, -3);
}

/* Doubles may be at any multiple of 8 bytes. */
static void
check_alignment (int rows, int columns, gboolean is_complex, gboolean x_complex, gboolean adjoint)
{
  gsize n_a = (gsize)rows * columns * (is_complex ? 2 : 1), n_x = (gsize)(adjoint ? rows : columns) * (x_complex ? 2 : 1);
  gsize n_y = (gsize)(adjoint ? columns : rows) * (is_complex || x_complex ? 2 : 1);
  g_autofree double *entries = numbers_new (n_a, 3), *x = numbers_new (n_x, 4), *want = g_new (double, n_y);

  for (gsize shift = 0; shift < 8; shift++)
    {
      g_autofree double *moved_a = g_new (double, n_a + 8), *moved_x = g_new (double, n_x + 8), *y = g_new (double, n_y + 8);
      const TtiMatrix a = { rows, columns, is_complex, moved_a + shift };

      memcpy (moved_a + shift, entries, n_a * sizeof (double));
      memcpy (moved_x + shift * 3 % 8, x, n_x * sizeof (double));
      (adjoint ? tti_matrix_adjoint : tti_matrix_apply) (&a, moved_x + shift * 3 % 8, x_complex, y + shift * 5 % 8);
      if (shift == 0)
        memcpy (want, y, n_y * sizeof *want);
      g_assert_cmpmem (y + shift * 5 % 8, n_y * sizeof *y, want, n_y * sizeof *want);
    }
}

static const int bit_shapes[][2] = { { 37, 211 }, { 29, 53 }, { 11, 5003 }, { 6, 4096 }, { 3, 66000 } };

static void
test_alignment (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bit_shapes); i++)
    for (int mix = 0; mix < 8; mix++)
      check_alignment (bit_shapes[i][0], bit_shapes[i][1], mix & 1, mix & 2, mix & 4);
}

/* A real matrix acts on each part of a complex vector as on a real vector, bit by bit. */
static void
check_parts (int rows, int columns, gboolean adjoint)
{
  int n_x = adjoint ? rows : columns, n_y = adjoint ? columns : rows;
  g_autofree double *entries = numbers_new ((gsize)rows * columns, 5), *x = numbers_new (2 * (gsize)n_x, 6);
  g_autofree double *real = g_new (double, n_x), *y = g_new (double, 2 * n_y), *want = g_new (double, n_y);
  const TtiMatrix a = { rows, columns, FALSE, entries };

  (adjoint ? tti_matrix_adjoint : tti_matrix_apply) (&a, x, TRUE, y);
  for (int part = 0; part < 2; part++)
    {
      for (int i = 0; i < n_x; i++)
        real[i] = x[2 * i + part];
      (adjoint ? tti_matrix_adjoint : tti_matrix_apply) (&a, real, FALSE, want);
      for (int i = 0; i < n_y; i++)
        g_assert_cmpfloat (y[2 * i + part], ==, want[i]);
    }
}

static void
test_parts (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bit_shapes); i++)
    for (int adjoint = 0; adjoint < 2; adjoint++)
      check_parts (bit_shapes[i][0], bit_shapes[i][1], adjoint);
}

/* --- threads ----------------------------------------------------------------------------------------------------------------- */

/* A matrix that is cut into bands has the same products for any number of threads. */
static void
check_threads (int rows, int columns, gboolean is_complex, gboolean x_complex, gboolean adjoint)
{
  gsize n_a = (gsize)rows * columns * (is_complex ? 2 : 1), n_x = (gsize)(adjoint ? rows : columns) * (x_complex ? 2 : 1);
  gsize n_y = (gsize)(adjoint ? columns : rows) * (is_complex || x_complex ? 2 : 1);
  g_autofree double *entries = numbers_new (n_a, 7), *x = numbers_new (n_x, 8), *want = g_new (double, n_y);
  const TtiMatrix a = { rows, columns, is_complex, entries };

  for (int threads = 1; threads <= 5; threads++)
    {
      g_autofree double *y = g_new (double, n_y);

      for (gsize i = 0; i < n_y; i++)
        y[i] = NAN;
      openblas_set_num_threads (threads);
      (adjoint ? tti_matrix_adjoint : tti_matrix_apply) (&a, x, x_complex, y);
      g_assert_cmpint (openblas_get_num_threads (), ==, threads);
      if (threads == 1)
        memcpy (want, y, n_y * sizeof *want);
      g_assert_cmpmem (y, n_y * sizeof *y, want, n_y * sizeof *want);
    }
  openblas_set_num_threads (1);
}

static void
test_threads (void)
{
  const int shapes[][2] = { { 100, 200 }, { 90, 5000 }, { 1030, 600 }, { 129, 4100 }, { 20000, 30 },
                            { 2, 300000 }, { 300000, 2 }, { 641, 5000 } };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (int mix = 0; mix < 8; mix++)
      check_threads (shapes[i][0], shapes[i][1], mix & 1, mix & 2, mix & 4);
}

/* Every third of the N vectors in X has the bits in WANT, whatever the others are, and whether they are there. */
static void
check_others (const TtiMatrix *a, gboolean adjoint, gsize n, const double *x, const double *want)
{
  gsize width = a->is_complex ? 2 : 1, n_x = (gsize)(adjoint ? a->rows : a->columns) * width;
  gsize n_y = (gsize)(adjoint ? a->columns : a->rows) * width;
  g_autofree double *other_x = numbers_new (n * n_x, 11), *y = g_new (double, n * n_y + 1);

  for (gsize vector = 0; vector < n; vector += 3)
    memcpy (other_x + vector * n_x, x + vector * n_x, n_x * sizeof *x);
  for (gsize present = n; present > n - 6; present--)
    {
      (adjoint ? tti_matrix_adjoint_block : tti_matrix_apply_block) (a, present, other_x, y);
      for (gsize vector = 0; vector < present; vector += 3)
        g_assert_cmpmem (y + vector * n_y, n_y * sizeof (double), want + vector * n_y, n_y * sizeof (double));
    }
}

/* Products of several vectors at a time: right, whatever they are together with, and for any number of threads. */
static void
check_block (int rows, int columns, gboolean is_complex, gboolean adjoint)
{
  enum { N = 21 };
  gsize width = is_complex ? 2 : 1, n_x = (gsize)(adjoint ? rows : columns) * width, n_y = (gsize)(adjoint ? columns : rows) * width;
  g_autofree double *entries = numbers_new ((gsize)rows * columns * width, 9), *x = numbers_new (N * n_x, 10);
  g_autofree double *want = g_new (double, N * n_y + 1);
  const TtiMatrix a = { rows, columns, is_complex, entries };

  want[N * n_y] = NAN;
  (adjoint ? tti_matrix_adjoint_block : tti_matrix_apply_block) (&a, N, x, want);
  g_assert_true (isnan (want[N * n_y]));
  for (gsize vector = 0; vector < N; vector++)
    {
      g_autofree double *single = g_new (double, n_y + 1);

      (adjoint ? tti_matrix_adjoint : tti_matrix_apply) (&a, x + vector * n_x, is_complex, single);
      for (gsize i = 0; i < n_y; i++)
        g_assert_cmpfloat_with_epsilon (want[vector * n_y + i], single[i], 1e-14 * (1 + (double)n_x));
    }
  check_others (&a, adjoint, N, x, want);
  for (int threads = 2; threads <= 3; threads++)
    {
      g_autofree double *y = g_new (double, N * n_y + 1);

      openblas_set_num_threads (threads);
      (adjoint ? tti_matrix_adjoint_block : tti_matrix_apply_block) (&a, N, x, y);
      g_assert_cmpmem (y, N * n_y * sizeof (double), want, N * n_y * sizeof (double));
    }
  openblas_set_num_threads (1);
}

static void
test_block (void)
{
  const int shapes[][2] = { { 1, 1 }, { 3, 5 }, { 40, 17 }, { 7, 130 }, { 300, 1800 }, { 4, 140000 }, { 9000, 60 }, { 0, 4 }, { 4, 0 } };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (int mix = 0; mix < 4; mix++)
      check_block (shapes[i][0], shapes[i][1], mix & 1, mix & 2);
}

static void
note_thread (gpointer data, guint part)
{
  g_assert_cmpint (openblas_get_num_threads (), ==, 1);
  __atomic_add_fetch (&((guint *)data)[part], 1, __ATOMIC_RELAXED);
}

static gpointer
share_often (gpointer data)
{
  (void)data;
  for (guint round = 0; round < 200; round++)
    {
      guint done[7] = { 0 };

      tti_blas_share (G_N_ELEMENTS (done), note_thread, done);
      for (guint i = 0; i < G_N_ELEMENTS (done); i++)
        g_assert_cmpuint (done[i], ==, 1);
      g_assert_cmpuint (tti_blas_threads (), ==, 3); /* whatever the others are at */
    }
  return NULL;
}

/* Each part is done once, also if several ask at a time, and BLAS has its threads again. */
static void
test_shared (void)
{
  GThread *threads[3];

  openblas_set_num_threads (3);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("shares", share_often, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (tti_blas_threads (), ==, 3);
  openblas_set_num_threads (1);
}

static void
test_scaled_rows (void)
{
  const double entries[] = { 1, 2, 3, 4, 5, 6 }, factors[] = { 10, -1 };
  double b[6];
  const TtiMatrix a = { 2, 3, FALSE, entries }, none = { 0, 3, FALSE, NULL };

  tti_matrix_scale_rows (&a, factors, b);
  g_assert_cmpmem (b, sizeof b, ((double[]){ 10, 20, 30, -4, -5, -6 }), sizeof b);
  tti_matrix_scale_rows (&none, NULL, NULL);
}

static void
test_gram (void)
{
  const double entries[] = { 1, 2, 3, 4, 5, 6 };
  double gram[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
  const TtiMatrix a = { 2, 3, FALSE, entries }, no_rows = { 0, 3, FALSE, entries }, no_columns = { 3, 0, FALSE, NULL };

  tti_matrix_gram (&a, gram);
  g_assert_cmpmem (gram, sizeof gram, ((double[]){ 17, 22, 27, 22, 29, 36, 27, 36, 45 }), sizeof gram);
  tti_matrix_gram (&no_rows, gram);
  g_assert_cmpmem (gram, sizeof gram, ((double[9]){ 0 }), sizeof gram);
  tti_matrix_gram (&no_columns, NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/matrix/products", test_products);
  g_test_add_func ("/matrix/conjugate", test_conjugate);
  g_test_add_func ("/matrix/alignment", test_alignment);
  g_test_add_func ("/matrix/parts", test_parts);
  g_test_add_func ("/matrix/threads", test_threads);
  g_test_add_func ("/matrix/block", test_block);
  g_test_add_func ("/matrix/shared", test_shared);
  g_test_add_func ("/matrix/scaled-rows", test_scaled_rows);
  g_test_add_func ("/matrix/gram", test_gram);
  return g_test_run ();
}
