/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operators and dense linear algebra as Scheme sees them. */
#pragma once

/* Define the primitives of guile-operator.c and guile-linear.c in the current module. */
void tutti_guile_init_operator (void);
void tutti_guile_init_linear (void);
