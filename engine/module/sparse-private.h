/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The representation of sparse matrices, shared by the files about them. */
#pragma once
#include "module/sparse-math.h"

struct _TtiSparse
{
  guint32 rows, columns;
  gboolean is_complex;
  gsize n;
  gsize *starts;    /* rows + 1: the entries of row i are starts[i] ... starts[i + 1] - 1 */
  guint32 *indices; /* n: their columns, ascending within a row */
  double *values;   /* n, or 2 n if complex */
};

/* A matrix with room for N entries, of which only starts[0] = 0 is filled in. */
TtiSparse *tti_sparse_allocate (guint32 rows, guint32 columns, gsize n, gboolean is_complex, GError **error);

/* COUNT items of SIZE bytes for a matrix of ROWS x COLUMNS, from malloc(), never NULL for want of bytes;
 * TUTTI_ERROR_LIMIT. */
gpointer tti_sparse_reserve (gsize count, gsize size, guint32 rows, guint32 columns, GError **error);
