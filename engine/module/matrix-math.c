/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Products by BLAS. */
#include "module/matrix-math.h"
#include "module/blas-threads.h"
#include "module/vector-math.h"
#include <cblas.h>
#include <string.h>

enum
{
  /* BLAS's walk through a matrix of long rows jumps from row to row, a part of each at a time. Few rows at a time lie in memory one after
   * the other, which memory likes better: up to 15 % of the time. Not where the vector that all rows meet leaves the caches between them.
   * All that decides is the shape, so that a product has the same bits wherever it is computed. */
  ROWS_TOGETHER = 4,
  LONG_ROW = 4096,
  LONGEST_ROW = 65536,
  /* Threads take bands of rows. The adjoint's are added one after the other, in whatever thread each was made: for that, a band has many
   * rows. */
  BANDS_FROM = 512 * 1024, /* numbers; less is done before another thread has begun */
  LEAST_BAND = 128,        /* rows: a multiple of those together, as the last band's have company that depends on their number */
  MOST_BANDS = 32,
  /* So many vectors are multiplied at a time; the last ones are joined by zeros, since BLAS does other numbers in another order. */
  VECTORS_TOGETHER = 8
};

static void
multiply_rows (const TtiMatrix *a, CBLAS_TRANSPOSE transpose, const double *x, double *y)
{
  for (int row = 0; row < a->rows; row += ROWS_TOGETHER)
    {
      const double *entries = a->entries + (gsize)row * a->columns;
      int rows = MIN (ROWS_TOGETHER, a->rows - row);

      if (transpose == CblasNoTrans)
        cblas_dgemv (CblasRowMajor, transpose, rows, a->columns, 1, entries, a->columns, x, 1, 0, y + row, 1);
      else
        cblas_dgemv (CblasRowMajor, transpose, rows, a->columns, 1, entries, a->columns, x + row, 1, 1, y, 1);
    }
}

/* Y is zero before. */
static void
multiply_real (const TtiMatrix *a, CBLAS_TRANSPOSE transpose, const double *x, double *y)
{
  if (a->columns >= LONG_ROW && a->columns <= LONGEST_ROW)
    multiply_rows (a, transpose, x, y);
  else
    cblas_dgemv (CblasRowMajor, transpose, a->rows, a->columns, 1, a->entries, a->columns, x, 1, 0, y, 1);
}

static void
multiply_complex (const TtiMatrix *a, CBLAS_TRANSPOSE transpose, const double *x, double *y)
{
  const double one[] = { 1, 0 }, zero[] = { 0, 0 };

  cblas_zgemv (CblasRowMajor, transpose, a->rows, a->columns, one, a->entries, a->columns, x, 1, zero, y, 1);
}

/* VECTORS_TOGETHER vectors in X, of which one begins LDX numbers after the one before; the same for Y. */
static void
multiply_together (const TtiMatrix *a, gboolean adjoint, const double *x, int ldx, double *y, int ldy)
{
  const double one[] = { 1, 0 }, zero[] = { 0, 0 };
  int m = VECTORS_TOGETHER, n = adjoint ? a->columns : a->rows, k = adjoint ? a->rows : a->columns;

  if (a->is_complex)
    cblas_zgemm (CblasRowMajor, CblasNoTrans, adjoint ? CblasConjNoTrans : CblasTrans, m, n, k, one, x, ldx, a->entries, a->columns, zero,
                 y, ldy);
  else
    cblas_dgemm (CblasRowMajor, CblasNoTrans, adjoint ? CblasNoTrans : CblasTrans, m, n, k, 1, x, ldx, a->entries, a->columns, 0, y, ldy);
}

/* --- bands ------------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  const TtiMatrix *a;
  gboolean adjoint, together; /* TOGETHER: VECTORS_TOGETHER vectors, else one */
  const double *x;
  double *y, *others; /* of an adjoint, what the first band gives, and what the others give, one after the other; or all in one place */
  gsize n_y, stride;  /* numbers in Y, counting a complex one as two; STRIDE: of OTHERS, 0: all in one place */
  int band_rows;
} Bands;

static int
matrix_band_rows (const TtiMatrix *a)
{
  int rows = (a->rows + MOST_BANDS - 1) / MOST_BANDS;

  if ((gsize)a->rows * (gsize)a->columns < BANDS_FROM)
    return a->rows;
  return MAX (LEAST_BAND, (rows + ROWS_TOGETHER - 1) / ROWS_TOGETHER * ROWS_TOGETHER);
}

static double *
bands_other (const Bands *bands, guint band)
{
  return bands->others + (band - 1) * bands->stride;
}

static void
bands_multiply (gpointer data, guint band)
{
  const Bands *bands = data;
  const TtiMatrix *a = bands->a;
  gsize width = a->is_complex ? 2 : 1, first = band * (gsize)bands->band_rows;
  TtiMatrix part = *a;
  const double *x = bands->adjoint ? bands->x + first * width : bands->x;
  double *y = !bands->adjoint ? bands->y + first * width : band == 0 ? bands->y : bands_other (bands, band);

  part.rows = MIN (bands->band_rows, part.rows - (int)first);
  part.entries += first * (gsize)part.columns * width;
  if (bands->together)
    {
      multiply_together (&part, bands->adjoint, x, bands->adjoint ? a->rows : a->columns, y, bands->adjoint ? a->columns : a->rows);
      return;
    }
  memset (y, 0, (gsize)(bands->adjoint ? part.columns : part.rows) * width * sizeof *y);
  if (part.is_complex)
    multiply_complex (&part, bands->adjoint ? CblasConjTrans : CblasNoTrans, x, y);
  else
    multiply_real (&part, bands->adjoint ? CblasTrans : CblasNoTrans, x, y);
}

/* What band BAND gives is added to the sum of those before. */
static void
bands_add (const Bands *bands, guint band)
{
  const double *other = bands_other (bands, band);

  for (gsize i = 0; i < bands->n_y; i++)
    bands->y[i] += other[i];
}

/* X and Y are complex if A is. */
static void
multiply_bands (const TtiMatrix *a, gboolean adjoint, gboolean together, const double *x, double *y)
{
  Bands bands = { .a = a, .adjoint = adjoint, .together = together, .x = x, .y = y, .band_rows = matrix_band_rows (a) };
  guint n = (guint)((a->rows + bands.band_rows - 1) / bands.band_rows);
  gboolean shared = tti_blas_threads () > 1; /* also one band: BLAS would cut it */

  bands.n_y = (gsize)(adjoint ? a->columns : a->rows) * (a->is_complex ? 2 : 1) * (together ? VECTORS_TOGETHER : 1);
  g_autofree double *others = adjoint && n > 1 ? g_new (double, bands.n_y * (shared ? n - 1 : 1)) : NULL;

  bands.others = others;
  bands.stride = shared ? bands.n_y : 0;
  if (shared)
    tti_blas_share (n, bands_multiply, &bands);
  for (guint band = 0; band < n; band++)
    {
      if (!shared)
        bands_multiply (&bands, band);
      if (adjoint && band > 0)
        bands_add (&bands, band);
    }
}

/* --- products ---------------------------------------------------------------------------------------------------------------- */

/* The real and the imaginary parts of a complex vector, each as the real vector that it is: with a stride, BLAS adds in another order. */
static void
multiply_parts (const TtiMatrix *a, gboolean adjoint, const double *x, int n_x, double *y, int n_y)
{
  g_autofree double *part_x = g_new (double, n_x), *part_y = g_new (double, n_y);

  for (gsize part = 0; part < 2; part++)
    {
      for (gsize i = 0; i < (gsize)n_x; i++)
        part_x[i] = x[2 * i + part];
      multiply_bands (a, adjoint, FALSE, part_x, part_y);
      for (gsize i = 0; i < (gsize)n_y; i++)
        y[2 * i + part] = part_y[i];
    }
}

static void
multiply (const TtiMatrix *a, gboolean adjoint, const double *x, gboolean is_complex, double *y)
{
  int n_x = adjoint ? a->rows : a->columns, n_y = adjoint ? a->columns : a->rows;

  if (n_y == 0)
    return;
  if (n_x == 0)
    {
      memset (y, 0, (gsize)n_y * (a->is_complex || is_complex ? 2 : 1) * sizeof *y);
      return;
    }
  if (!a->is_complex)
    {
      if (is_complex)
        multiply_parts (a, adjoint, x, n_x, y, n_y);
      else
        multiply_bands (a, adjoint, FALSE, x, y);
      return;
    }
  g_autofree double *wide = NULL;
  if (!is_complex)
    {
      wide = g_new (double, 2 * (gsize)n_x);
      tti_math_promote (wide, x, n_x);
    }
  multiply_bands (a, adjoint, FALSE, is_complex ? x : wide, y);
}

void
tti_matrix_apply (const TtiMatrix *a, const double *x, gboolean is_complex, double *y)
{
  g_return_if_fail (a != NULL && a->rows >= 0 && a->columns >= 0);
  multiply (a, FALSE, x, is_complex, y);
}

void
tti_matrix_adjoint (const TtiMatrix *a, const double *y, gboolean is_complex, double *x)
{
  g_return_if_fail (a != NULL && a->rows >= 0 && a->columns >= 0);
  multiply (a, TRUE, y, is_complex, x);
}

static void
multiply_block (const TtiMatrix *a, gboolean adjoint, gsize n, const double *x, double *y)
{
  gsize width = a->is_complex ? 2 : 1;
  gsize n_x = (gsize)(adjoint ? a->rows : a->columns) * width, n_y = (gsize)(adjoint ? a->columns : a->rows) * width;
  gsize whole = n / VECTORS_TOGETHER * VECTORS_TOGETHER, left = n - whole;

  if (n_x == 0 || n_y == 0)
    {
      if (n > 0 && n_y > 0)
        memset (y, 0, n * n_y * sizeof *y);
      return;
    }
  for (gsize i = 0; i < whole; i += VECTORS_TOGETHER)
    multiply_bands (a, adjoint, TRUE, x + i * n_x, y + i * n_y);
  if (left == 0)
    return;
  g_autofree double *last_x = g_new0 (double, VECTORS_TOGETHER * n_x), *last_y = g_new (double, VECTORS_TOGETHER * n_y);

  memcpy (last_x, x + whole * n_x, left * n_x * sizeof *x);
  multiply_bands (a, adjoint, TRUE, last_x, last_y);
  memcpy (y + whole * n_y, last_y, left * n_y * sizeof *y);
}

void
tti_matrix_apply_block (const TtiMatrix *a, gsize n, const double *x, double *y)
{
  g_return_if_fail (a != NULL && a->rows >= 0 && a->columns >= 0);
  multiply_block (a, FALSE, n, x, y);
}

void
tti_matrix_adjoint_block (const TtiMatrix *a, gsize n, const double *y, double *x)
{
  g_return_if_fail (a != NULL && a->rows >= 0 && a->columns >= 0);
  multiply_block (a, TRUE, n, y, x);
}

void
tti_matrix_scale_rows (const TtiMatrix *a, const double *factors, double *b)
{
  g_return_if_fail (a != NULL && !a->is_complex);
  for (gsize i = 0, k = 0; i < (gsize)a->rows; i++)
    for (gsize j = 0; j < (gsize)a->columns; j++, k++)
      b[k] = factors[i] * a->entries[k];
}

void
tti_matrix_gram (const TtiMatrix *a, double *gram)
{
  g_return_if_fail (a != NULL && !a->is_complex);
  gsize n = (gsize)a->columns;

  if (n == 0)
    return;
  memset (gram, 0, n * n * sizeof *gram);
  cblas_dsyrk (CblasRowMajor, CblasUpper, CblasTrans, a->columns, a->rows, 1, a->entries, a->columns, 0, gram, a->columns);
  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < i; j++)
      gram[i * n + j] = gram[j * n + i];
}
