/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests that count what is left of vectors. */
#pragma once
#include "transport/vector.h"

/* Give back to the system what is kept for the next vectors. */
static inline void
drop_kept_memory (void)
{
  TtiKept kept;

  tti_vector_get_kept (&kept);
  tti_vector_set_kept_limit (0);
  tti_vector_set_kept_limit (kept.limit);
}
