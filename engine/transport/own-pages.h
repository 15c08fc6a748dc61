/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Own pages: those pages of the mapping of a file or a memfd whose contents are this process's own.
 *
 * tti_vector_keep_contents () (vector.h) makes them: the pages of a vector get a copy of what they contain, in private memory at the same
 * address, so that others' writes do not show any more. Nothing can be sent by descriptor from there, because the file does not have
 * what this process writes from then on; and where all bytes of a vector are in own pages, it does not use leased memory. */
#pragma once
#include "transport/vector-private.h"

/* Is there a byte of VECTOR in own pages? */
gboolean tti_own_pages_overlap (TtiVector *vector);
/* Are all of them? With the lock of storages held. */
gboolean tti_own_pages_contain_locked (TtiVector *vector);
/* Only the own pages of STORAGE are used any more: let go of the others. The addresses stay reserved. */
void tti_own_pages_drop_others (TtiStorage *storage);
/* STORAGE has no vectors. */
void tti_own_pages_clear (TtiStorage *storage);
