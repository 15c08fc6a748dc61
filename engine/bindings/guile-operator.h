/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators, and what linear ones are made of, as Scheme sees them. */
#pragma once

/* Define the primitives of guile-operator.c, guile-matrix.c, guile-reduction.c, guile-solve.c, guile-sparse.c and
 * guile-fourier.c in the current module. */
void tti_guile_init_operator (void);
void tti_guile_init_matrix (void);
void tti_guile_init_reduction (void);
void tti_guile_init_solve (void);
void tti_guile_init_sparse (void);
void tti_guile_init_fourier (void);
