/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sparse matrices: from entries in any order to rows, and products with vectors. */
#include "module/sparse-private.h"
#include "module/vector-math.h"
#include "platform/error.h"
#include <string.h>

gpointer
tti_sparse_reserve (gsize count, gsize size, guint32 rows, guint32 columns, GError **error)
{
  gpointer memory = count < G_MAXSIZE / size ? g_try_malloc (MAX (count, 1) * size) : NULL;

  if (memory == NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT,
                 "there is no memory for a sparse matrix of %u x %u: %zu items of %zu bytes are needed at once", rows,
                 columns, count, size);
  return memory;
}

TtiSparse *
tti_sparse_allocate (guint32 rows, guint32 columns, gsize n, gboolean is_complex, GError **error)
{
  g_autoptr (TtiSparse) self = g_new0 (TtiSparse, 1);

  self->rows = rows;
  self->columns = columns;
  self->is_complex = is_complex != FALSE; /* any true value counts */
  self->n = n;
  if ((self->starts = tti_sparse_reserve ((gsize)rows + 1, sizeof *self->starts, rows, columns, error)) == NULL
      || (self->indices = tti_sparse_reserve (n, sizeof *self->indices, rows, columns, error)) == NULL
      || (self->values = tti_sparse_reserve (n, (is_complex ? 2 : 1) * sizeof *self->values, rows, columns, error))
           == NULL)
    return NULL;
  self->starts[0] = 0;
  return g_steal_pointer (&self);
}

void
tti_sparse_free (TtiSparse *self)
{
  if (self == NULL)
    return;
  g_free (self->starts);
  g_free (self->indices);
  g_free (self->values);
  g_free (self);
}

guint32
tti_sparse_get_rows (const TtiSparse *self)
{
  return self->rows;
}

guint32
tti_sparse_get_columns (const TtiSparse *self)
{
  return self->columns;
}

gsize
tti_sparse_get_count (const TtiSparse *self)
{
  return self->n;
}

gboolean
tti_sparse_is_complex (const TtiSparse *self)
{
  return self->is_complex;
}

gsize
tti_sparse_get_bytes (const TtiSparse *self)
{
  return sizeof *self + ((gsize)self->rows + 1) * sizeof *self->starts
         + self->n * (sizeof *self->indices + (self->is_complex ? 2 : 1) * sizeof *self->values);
}

/* --- from entries to rows ----------------------------------------------------------------------------------------- */

gsize
tti_sparse_find_stray (guint32 rows, guint32 columns, gsize n, const guint32 *row_indices,
                       const guint32 *column_indices)
{
  gsize i = 0;

  while (i < n && row_indices[i] < rows && column_indices[i] < columns)
    i++;
  return i;
}

/* SORTED = the entries of FROM (0 ... n - 1 if NULL) in the order of their keys, those with equal keys in the order
 * they had. STARTS has room for N_KEYS + 1 numbers; at the end starts[key] is where the entries with KEY begin. */
static void
sort_stably (gsize *sorted, const gsize *from, gsize n, const guint32 *keys, gsize *starts, gsize n_keys)
{
  memset (starts, 0, (n_keys + 1) * sizeof *starts);
  for (gsize i = 0; i < n; i++)
    starts[keys[i] + 1]++;
  for (gsize key = 0; key < n_keys; key++)
    starts[key + 1] += starts[key];
  for (gsize i = 0; i < n; i++)
    {
      gsize entry = from != NULL ? from[i] : i;
      sorted[starts[keys[entry]]++] = entry;
    }
  memmove (starts + 1, starts, n_keys * sizeof *starts);
  starts[0] = 0;
}

/* The numbers of the N entries by row, then column, then in the original order; self->starts becomes the beginnings of the
 * rows in that. */
static gsize *
sort_entries (TtiSparse *self, gsize n, const guint32 *row_indices, const guint32 *column_indices, GError **error)
{
  g_autofree gsize *by_column = tti_sparse_reserve (n, sizeof *by_column, self->rows, self->columns, error);
  g_autofree gsize *sorted
    = by_column ? tti_sparse_reserve (n, sizeof *sorted, self->rows, self->columns, error) : NULL;
  g_autofree gsize *starts
    = sorted ? tti_sparse_reserve ((gsize)self->columns + 1, sizeof *starts, self->rows, self->columns, error) : NULL;

  if (starts == NULL)
    return NULL;
  sort_stably (by_column, NULL, n, column_indices, starts, self->columns);
  sort_stably (sorted, by_column, n, row_indices, self->starts, self->rows);
  return g_steal_pointer (&sorted);
}

/* Put the entries in order, and add up those at the same place. */
static void
fill_rows (TtiSparse *self, const gsize *sorted, const guint32 *column_indices, const double *values)
{
  gsize width = self->is_complex ? 2 : 1, used = 0, begin = 0;

  for (gsize row = 0; row < self->rows; row++)
    {
      gsize end = self->starts[row + 1];
      self->starts[row] = used;
      for (gsize k = begin; k < end; k++)
        {
          const double *value = values + width * sorted[k];
          guint32 column = column_indices[sorted[k]];
          gboolean again = used > self->starts[row] && self->indices[used - 1] == column;
          double *place = self->values + width * (again ? used - 1 : used);
          for (gsize part = 0; part < width; part++)
            place[part] = again ? place[part] + value[part] : value[part];
          if (!again)
            self->indices[used++] = column;
        }
      begin = end;
    }
  self->starts[self->rows] = self->n = used;
}

TtiSparse *
tti_sparse_new (guint32 rows, guint32 columns, gsize n, const guint32 *row_indices, const guint32 *column_indices,
                const double *values, gboolean is_complex, GError **error)
{
  g_return_val_if_fail (tti_sparse_find_stray (rows, columns, n, row_indices, column_indices) == n, NULL);

  g_autoptr (TtiSparse) self = tti_sparse_allocate (rows, columns, n, is_complex, error);
  if (self == NULL)
    return NULL;
  g_autofree gsize *sorted = sort_entries (self, n, row_indices, column_indices, error);
  if (sorted == NULL)
    return NULL;
  fill_rows (self, sorted, column_indices, values);
  return g_steal_pointer (&self);
}

void
tti_sparse_get_entries (const TtiSparse *self, guint32 *row_indices, guint32 *column_indices, double *values)
{
  for (gsize row = 0; row < self->rows; row++)
    for (gsize k = self->starts[row]; k < self->starts[row + 1]; k++)
      row_indices[k] = (guint32)row;
  if (self->n > 0)
    {
      memcpy (column_indices, self->indices, self->n * sizeof *column_indices);
      memcpy (values, self->values, self->n * (self->is_complex ? 2 : 1) * sizeof *values);
    }
}

/* --- products with vectors ---------------------------------------------------------------------------------------- */

static void
apply_real (const TtiSparse *self, const double *x, double *y, gsize width)
{
  for (gsize row = 0; row < self->rows; row++)
    for (gsize part = 0; part < width; part++)
      {
        double sum = 0;
        for (gsize k = self->starts[row]; k < self->starts[row + 1]; k++)
          sum += self->values[k] * x[width * self->indices[k] + part];
        y[width * row + part] = sum;
      }
}

static void
apply_complex (const TtiSparse *self, const double *x, double *y)
{
  for (gsize row = 0; row < self->rows; row++)
    {
      double real = 0, imaginary = 0;
      for (gsize k = self->starts[row]; k < self->starts[row + 1]; k++)
        {
          const double *a = self->values + 2 * k, *b = x + 2 * (gsize)self->indices[k];
          real += a[0] * b[0] - a[1] * b[1];
          imaginary += a[0] * b[1] + a[1] * b[0];
        }
      y[2 * row] = real;
      y[2 * row + 1] = imaginary;
    }
}

/* The terms of each number of X are added in the order of the rows, as if it were computed column by column. */
static void
adjoint_real (const TtiSparse *self, const double *y, double *x, gsize width)
{
  for (gsize row = 0; row < self->rows; row++)
    for (gsize k = self->starts[row]; k < self->starts[row + 1]; k++)
      for (gsize part = 0; part < width; part++)
        x[width * self->indices[k] + part] += self->values[k] * y[width * row + part];
}

static void
adjoint_complex (const TtiSparse *self, const double *y, double *x)
{
  for (gsize row = 0; row < self->rows; row++)
    for (gsize k = self->starts[row]; k < self->starts[row + 1]; k++)
      {
        const double *a = self->values + 2 * k, *b = y + 2 * row;
        double *sum = x + 2 * (gsize)self->indices[k];
        sum[0] += a[0] * b[0] + a[1] * b[1];
        sum[1] += a[0] * b[1] - a[1] * b[0];
      }
}

/* X as N complex numbers: a copy, if it is real. */
static const double *
widen (const double *x, gboolean is_complex, gsize n, double **owned)
{
  if (is_complex)
    return x;
  *owned = g_new (double, 2 * n);
  tti_math_promote (*owned, x, n);
  return *owned;
}

void
tti_sparse_apply (const TtiSparse *self, const double *x, gboolean is_complex, double *y)
{
  g_autofree double *owned = NULL;

  if (self->is_complex)
    apply_complex (self, widen (x, is_complex, self->columns, &owned), y);
  else
    apply_real (self, x, y, is_complex ? 2 : 1);
}

void
tti_sparse_adjoint (const TtiSparse *self, const double *y, gboolean is_complex, double *x)
{
  g_autofree double *owned = NULL;

  if (self->columns > 0)
    memset (x, 0, (gsize)self->columns * (self->is_complex || is_complex ? 2 : 1) * sizeof *x);
  if (self->is_complex)
    adjoint_complex (self, widen (y, is_complex, self->rows, &owned), x);
  else
    adjoint_real (self, y, x, is_complex ? 2 : 1);
}
