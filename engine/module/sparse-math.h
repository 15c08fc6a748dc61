/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sparse matrices: immutable, by rows, the entries of a row by column, no place twice.
 *
 * Sums are in a fixed order: duplicates in their original order, a product along the row, an adjoint
 * down the rows. Complex numbers are pairs of doubles (real, imaginary); real and complex arguments may be mixed, and a result
 * is complex if one of them is. TUTTI_ERROR_LIMIT: there is not enough memory. */
#pragma once
#include <glib.h>

typedef struct _TtiSparse TtiSparse;

/* The number of the first of N entries that is outside of a matrix of ROWS x COLUMNS; N if all are inside. */
gsize tti_sparse_find_stray (guint32 rows, guint32 columns, gsize n, const guint32 *row_indices,
                             const guint32 *column_indices);

/* The matrix with N entries, which must all be inside; indices are from 0. Entries at the same place are added up. */
TtiSparse *tti_sparse_new (guint32 rows, guint32 columns, gsize n, const guint32 *row_indices,
                           const guint32 *column_indices, const double *values, gboolean is_complex,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_sparse_free (TtiSparse *self); /* NULL is fine */

/* Its shape, its number of entries (those with the value zero count), whether they are complex, and its size in bytes. */
guint32 tti_sparse_get_rows (const TtiSparse *self);
guint32 tti_sparse_get_columns (const TtiSparse *self);
gsize tti_sparse_get_count (const TtiSparse *self);
gboolean tti_sparse_is_complex (const TtiSparse *self);
gsize tti_sparse_get_bytes (const TtiSparse *self);

/* All entries, by row, then by column, into arrays for as many as there are. */
void tti_sparse_get_entries (const TtiSparse *self, guint32 *row_indices, guint32 *column_indices, double *values);

/* Y = S X, and X = S^H Y, which is S^T Y for a real S. The arrays must not overlap. */
void tti_sparse_apply (const TtiSparse *self, const double *x, gboolean is_complex, double *y);
void tti_sparse_adjoint (const TtiSparse *self, const double *y, gboolean is_complex, double *x);

/* A B and A + B; the shapes must fit. */
TtiSparse *tti_sparse_multiply (const TtiSparse *a, const TtiSparse *b,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
TtiSparse *tti_sparse_add (const TtiSparse *a, const TtiSparse *b, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* diag (FACTORS) S, with a factor for each row. */
TtiSparse *tti_sparse_scale_rows (const TtiSparse *self, const double *factors, gboolean is_complex,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The real matrix of the squared magnitudes of the entries. */
TtiSparse *tti_sparse_square (const TtiSparse *self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiSparse, tti_sparse_free)
