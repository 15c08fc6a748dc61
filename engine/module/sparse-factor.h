/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Systems of linear equations with sparse matrices, solved directly: rows and columns are reordered so that entries are near the
 * diagonal (Cuthill and McKee 1969, reversed), and LAPACK factorises the band. */
#pragma once
#include "module/sparse-math.h"

typedef struct _TtiSparseFactor TtiSparseFactor;

/* A factorisation of S, which is square and real: Cholesky's if POSITIVE, for which S is taken to be symmetric; else with
 * row exchanges. NULL without an error: S is singular, or not positive definite. TUTTI_ERROR_LIMIT: there is no
 * memory for the band. */
TtiSparseFactor *tti_sparse_factor_new (const TtiSparse *s, gboolean positive, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_sparse_factor_free (TtiSparseFactor *self); /* NULL is fine */

/* How many rows S has, and the bytes that the band takes. */
guint32 tti_sparse_factor_get_size (const TtiSparseFactor *self);
gsize tti_sparse_factor_get_bytes (const TtiSparseFactor *self);

/* X = the solution of S X = B, of as many numbers as S has rows. They may be the same array. */
void tti_sparse_factor_solve (const TtiSparseFactor *self, const double *b, double *x);
