/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What (tutti primitives) loads: every table of primitives, once per process. */
#include "bindings/guile-convert.h"
#include "bindings/guile-operator.h"
#include "bindings/guile-pool.h"
#include "bindings/guile-vector.h"

void tutti_guile_init (void);

/* Called by load-extension in the module (tutti primitives), whose bindings the primitives become. */
void
tutti_guile_init (void)
{
  tutti_guile_init_vector ();
  tutti_guile_init_vector_math ();
  tutti_guile_init_convert ();
  tutti_guile_init_operator ();
  tutti_guile_init_linear ();
  tutti_guile_init_matrix ();
  tutti_guile_init_solve ();
  tutti_guile_init_sparse ();
  tutti_guile_init_fourier ();
  tutti_guile_init_pool ();
}
