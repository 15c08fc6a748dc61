/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decompositions of small matrices, through LAPACK. */
#include "module/decompositions.h"
#include "module/lapack.h"
#include "module/reduction-math.h"
#include <string.h>

/* It is arbitrary which of two opposite vectors LAPACK returns. */
static void
fix_sign (double *x, int n)
{
  if (n > 0 && x[tti_reduction_largest (x, n)] < 0)
    for (int i = 0; i < n; i++)
      x[i] = -x[i];
}

static void
reverse (double *x, int n)
{
  for (int i = 0; i < n / 2; i++)
    {
      double kept = x[i];

      x[i] = x[n - 1 - i];
      x[n - 1 - i] = kept;
    }
}

static void
reverse_rows (double *a, int rows, int columns)
{
  g_autofree double *kept = g_new (double, MAX (columns, 1));
  gsize bytes = columns * sizeof *kept;

  for (int i = 0; i < rows / 2; i++)
    {
      double *upper = a + (gsize)i * columns, *lower = a + (gsize)(rows - 1 - i) * columns;

      memcpy (kept, upper, bytes);
      memcpy (upper, lower, bytes);
      memcpy (lower, kept, bytes);
    }
}

gboolean
tti_symmetric_eigen (int n, double *a, double *values)
{
  int info = 0, query = -1, lead = MAX (n, 1);
  double best;

  /* The upper triangle by rows is Fortran's lower one by columns; its columns are our rows. */
  dsyev_ ("V", "L", &n, a, &lead, values, &best, &query, &info, 1, 1);
  int size = MAX ((int)best, 3 * n);
  g_autofree double *work = g_new (double, MAX (size, 1));
  dsyev_ ("V", "L", &n, a, &lead, values, work, &size, &info, 1, 1);
  g_assert (info >= 0);
  reverse (values, n);
  reverse_rows (a, n, n);
  for (int k = 0; k < n; k++)
    fix_sign (a + (gsize)k * n, n);
  return info == 0;
}

gboolean
tti_singular_values (int rows, int columns, const double *a, double *values, double *vectors)
{
  int least = MIN (rows, columns), lead = MAX (columns, 1), lead_vectors = MAX (least, 1), one = 1, info = 0, query = -1;
  gsize n = (gsize)rows * columns;
  g_autofree double *matrix = g_new (double, MAX (n, 1)), *transposed = g_new (double, MAX ((gsize)least * rows, 1));
  double best;

  if (least == 0)
    return TRUE;
  memcpy (matrix, a, n * sizeof *matrix);
  /* For Fortran A is the transpose, COLUMNS x ROWS, whose right singular vectors are ours. */
  dgesvd_ ("N", "S", &columns, &rows, matrix, &lead, values, NULL, &one, transposed, &lead_vectors, &best, &query, &info, 1, 1);
  int size = (int)best;
  g_autofree double *work = g_new (double, MAX (size, 1));
  dgesvd_ ("N", "S", &columns, &rows, matrix, &lead, values, NULL, &one, transposed, &lead_vectors, work, &size, &info, 1, 1);
  g_assert (info >= 0);
  for (int k = 0; k < least; k++)
    {
      for (int i = 0; i < rows; i++)
        vectors[(gsize)k * rows + i] = transposed[(gsize)i * least + k];
      fix_sign (vectors + (gsize)k * rows, rows);
    }
  return info == 0;
}

gboolean
tti_pivoted_columns (const double *const *x, int n_vectors, int n, guint32 *columns, double *sizes)
{
  int least = MIN (n_vectors, n), lead = MAX (n_vectors, 1), info = 0, query = -1;
  gsize entries = (gsize)n_vectors * n;
  g_autofree double *matrix = g_try_new (double, MAX (entries, 1)), *factors = g_new (double, MAX (least, 1));
  g_autofree int *pivots = g_new0 (int, MAX (n, 1));
  double best;

  if (matrix == NULL)
    return FALSE;
  for (int j = 0; j < n_vectors; j++)
    for (int i = 0; i < n; i++)
      matrix[(gsize)i * n_vectors + j] = x[j][i];
  dgeqp3_ (&n_vectors, &n, matrix, &lead, pivots, factors, &best, &query, &info);
  int size = MAX ((int)best, 3 * n + 1);
  g_autofree double *work = g_new (double, size);
  dgeqp3_ (&n_vectors, &n, matrix, &lead, pivots, factors, work, &size, &info);
  g_assert (info == 0);
  double first = least > 0 ? ABS (matrix[0]) : 0;
  for (int k = 0; k < least; k++)
    {
      columns[k] = pivots[k] - 1;
      sizes[k] = first > 0 ? ABS (matrix[(gsize)k * n_vectors + k]) / first : 0;
    }
  return TRUE;
}
