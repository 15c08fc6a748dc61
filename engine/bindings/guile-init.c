/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What (tutti base primitives) loads: every table of primitives, once per process. */
#include "bindings/guile-checksum.h"
#include "bindings/guile-convert.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-operator.h"
#include "bindings/guile-pool.h"
#include "bindings/guile-vector.h"

/* Guile begins with a heap of a few MiB and collects whenever a part of it has been used up. A few vectors of a hundred thousand
 * numbers are such a part: half of the time of a script with vectors would go into collections, and a tenth of the time of one with many
 * small tasks. Memory that is never touched costs nothing. */
enum { LEAST_HEAP = 32 << 20 };

void tutti_guile_init (void);

/* Called by load-extension in the module (tutti base primitives), whose bindings the primitives become. */
void
tutti_guile_init (void)
{
  tti_guile_init_internals ();
  tti_guile_widen_heap (LEAST_HEAP);
  tti_guile_init_vector ();
  tti_guile_init_vector_math ();
  tti_guile_init_convert ();
  tti_guile_init_terminal ();
  tti_guile_init_checksum ();
  tti_guile_init_operator ();
  tti_guile_init_matrix ();
  tti_guile_init_reduction ();
  tti_guile_init_solve ();
  tti_guile_init_sparse ();
  tti_guile_init_fourier ();
  tti_guile_init_pool ();
}
