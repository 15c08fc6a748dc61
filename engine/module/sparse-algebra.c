/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sparse matrices out of sparse matrices. */
#include "module/sparse-private.h"
#include "module/vector-math.h"
#include <stdlib.h>
#include <string.h>

/* The values of S as complex numbers if COMPLEX: a copy, if they are real; NULL without memory. */
static const double *
values_as (const TtiSparse *s, gboolean is_complex, double **owned, GError **error)
{
  if (is_complex == s->is_complex)
    return s->values;
  *owned = tti_sparse_reserve (s->n, 2 * sizeof **owned, s->rows, s->columns, error);
  if (*owned != NULL)
    tti_math_promote (*owned, s->values, s->n);
  return *owned;
}

/* Z += X Y for one number. */
static inline void
add_product (double *z, const double *x, const double *y, gboolean is_complex)
{
  if (is_complex)
    {
      z[0] += x[0] * y[0] - x[1] * y[1];
      z[1] += x[0] * y[1] + x[1] * y[0];
    }
  else
    z[0] += x[0] * y[0];
}

/* --- products ----------------------------------------------------------------------------------------------------- */

static int
compare_indices (const void *a, const void *b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

  return x < y ? -1 : x > y;
}

/* The columns in which row ROW of A B has an entry, unsorted, into FOUND (if not NULL). SEEN[column] is ROW + 1 for those that were
 * found. */
static gsize
find_columns (const TtiSparse *a, const TtiSparse *b, gsize row, guint64 *seen, guint32 *found)
{
  gsize n = 0;

  for (gsize i = a->starts[row]; i < a->starts[row + 1]; i++)
    for (gsize k = b->starts[a->indices[i]]; k < b->starts[a->indices[i] + 1]; k++)
      {
        guint32 column = b->indices[k];
        if (seen[column] == row + 1)
          continue;
        seen[column] = row + 1;
        if (found != NULL)
          found[n] = column;
        n++;
      }
  return n;
}

/* SUMS has a number for each column of B; all are zero before and after. */
static void
multiply_row (TtiSparse *product, const TtiSparse *a, const double *a_values, const TtiSparse *b,
              const double *b_values, gsize row, double *sums)
{
  gsize width = product->is_complex ? 2 : 1, begin = product->starts[row], end = product->starts[row + 1];

  for (gsize i = a->starts[row]; i < a->starts[row + 1]; i++)
    for (gsize k = b->starts[a->indices[i]]; k < b->starts[a->indices[i] + 1]; k++)
      add_product (sums + width * b->indices[k], a_values + width * i, b_values + width * k, product->is_complex);
  for (gsize k = begin; k < end; k++)
    {
      double *sum = sums + width * product->indices[k];
      memcpy (product->values + width * k, sum, width * sizeof *sum);
      memset (sum, 0, width * sizeof *sum);
    }
}

static gsize
count_product (const TtiSparse *a, const TtiSparse *b, guint64 *seen)
{
  gsize n = 0;

  memset (seen, 0, b->columns * sizeof *seen);
  for (gsize row = 0; row < a->rows; row++)
    n += find_columns (a, b, row, seen, NULL);
  memset (seen, 0, b->columns * sizeof *seen);
  return n;
}

TtiSparse *
tti_sparse_multiply (const TtiSparse *a, const TtiSparse *b, GError **error)
{
  g_return_val_if_fail (a != NULL && b != NULL && a->columns == b->rows, NULL);

  gboolean is_complex = a->is_complex || b->is_complex;
  gsize width = is_complex ? 2 : 1;
  g_autofree double *a_owned = NULL, *b_owned = NULL;
  const double *a_values = values_as (a, is_complex, &a_owned, error);
  const double *b_values = a_values != NULL ? values_as (b, is_complex, &b_owned, error) : NULL;
  g_autofree guint64 *seen
    = b_values != NULL ? tti_sparse_reserve (b->columns, sizeof *seen, a->rows, b->columns, error) : NULL;
  g_autofree double *sums
    = seen != NULL ? tti_sparse_reserve (b->columns, width * sizeof *sums, a->rows, b->columns, error) : NULL;
  if (sums == NULL)
    return NULL;

  g_autoptr (TtiSparse) product
    = tti_sparse_allocate (a->rows, b->columns, count_product (a, b, seen), is_complex, error);
  if (product == NULL)
    return NULL;
  memset (sums, 0, b->columns * width * sizeof *sums);
  for (gsize row = 0; row < a->rows; row++)
    {
      guint32 *columns = product->indices + product->starts[row];
      gsize n = find_columns (a, b, row, seen, columns);
      if (n > 1)
        qsort (columns, n, sizeof *columns, compare_indices);
      product->starts[row + 1] = product->starts[row] + n;
      multiply_row (product, a, a_values, b, b_values, row, sums);
    }
  return g_steal_pointer (&product);
}

/* --- sums --------------------------------------------------------------------------------------------------------- */

/* A row of A and the same row of B, both by column, into the row of SUM that begins at starts[row]. */
static void
add_row (TtiSparse *sum, const TtiSparse *a, const double *a_values, const TtiSparse *b, const double *b_values,
         gsize row)
{
  gsize width = sum->is_complex ? 2 : 1, to = sum->starts[row], i = a->starts[row], k = b->starts[row];
  gsize i_end = a->starts[row + 1], k_end = b->starts[row + 1];

  for (; i < i_end || k < k_end; to++)
    {
      gboolean from_a = k == k_end || (i < i_end && a->indices[i] <= b->indices[k]);
      gboolean from_b = i == i_end || (k < k_end && b->indices[k] <= a->indices[i]);
      sum->indices[to] = from_a ? a->indices[i] : b->indices[k];
      for (gsize part = 0; part < width; part++)
        sum->values[width * to + part] = !from_b   ? a_values[width * i + part]
                                         : !from_a ? b_values[width * k + part]
                                                   : a_values[width * i + part] + b_values[width * k + part];
      i += from_a;
      k += from_b;
    }
  sum->starts[row + 1] = to;
}

TtiSparse *
tti_sparse_add (const TtiSparse *a, const TtiSparse *b, GError **error)
{
  g_return_val_if_fail (a != NULL && b != NULL && a->rows == b->rows && a->columns == b->columns, NULL);

  gboolean is_complex = a->is_complex || b->is_complex;
  g_autofree double *a_owned = NULL, *b_owned = NULL;
  const double *a_values = values_as (a, is_complex, &a_owned, error);
  const double *b_values = a_values != NULL ? values_as (b, is_complex, &b_owned, error) : NULL;
  g_autoptr (TtiSparse) sum
    = b_values != NULL ? tti_sparse_allocate (a->rows, a->columns, a->n + b->n, is_complex, error) : NULL;

  if (sum == NULL)
    return NULL;
  for (gsize row = 0; row < a->rows; row++)
    add_row (sum, a, a_values, b, b_values, row);
  sum->n = sum->starts[sum->rows];
  return g_steal_pointer (&sum);
}

/* --- entry by entry ----------------------------------------------------------------------------------------------- */

/* A matrix with entries at the places of those of S, without values yet. */
static TtiSparse *
allocate_like (const TtiSparse *s, gboolean is_complex, GError **error)
{
  TtiSparse *self = tti_sparse_allocate (s->rows, s->columns, s->n, is_complex, error);

  if (self == NULL)
    return NULL;
  memcpy (self->starts, s->starts, ((gsize)s->rows + 1) * sizeof *s->starts);
  memcpy (self->indices, s->indices, s->n * sizeof *s->indices);
  return self;
}

TtiSparse *
tti_sparse_scale_rows (const TtiSparse *s, const double *factors, gboolean is_complex, GError **error)
{
  g_return_val_if_fail (s != NULL, NULL);

  TtiSparse *self = allocate_like (s, s->is_complex || is_complex, error);
  if (self == NULL)
    return NULL;
  for (gsize row = 0; row < s->rows; row++)
    {
      double factor[2] = { is_complex ? factors[2 * row] : factors[row], is_complex ? factors[2 * row + 1] : 0 };
      for (gsize k = s->starts[row]; k < s->starts[row + 1]; k++)
        if (!self->is_complex)
          self->values[k] = factor[0] * s->values[k];
        else
          {
            double value[2]
              = { s->is_complex ? s->values[2 * k] : s->values[k], s->is_complex ? s->values[2 * k + 1] : 0 };
            self->values[2 * k] = factor[0] * value[0] - factor[1] * value[1];
            self->values[2 * k + 1] = factor[0] * value[1] + factor[1] * value[0];
          }
    }
  return self;
}

TtiSparse *
tti_sparse_square (const TtiSparse *s, GError **error)
{
  g_return_val_if_fail (s != NULL, NULL);

  TtiSparse *self = allocate_like (s, FALSE, error);
  if (self == NULL)
    return NULL;
  for (gsize k = 0; k < s->n; k++)
    {
      const double *value = s->values + (s->is_complex ? 2 * k : k);
      self->values[k] = s->is_complex ? value[0] * value[0] + value[1] * value[1] : value[0] * value[0];
    }
  return self;
}
