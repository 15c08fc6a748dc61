/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared vectors as Scheme sees them: ordinary SRFI-4 vectors (bytevectors) over the memory of a TtiVector.  A
 * view keeps its TtiVector alive through the bytevector's parent, a handle; the collector drops the
 * reference, from whatever thread its finalisers run on, and does nothing else. A view may be immutable for Scheme:
 * then the procedures of Guile that check refuse to write; compiled code that was inlined does not check, and only
 * the mapping stops it. */
#pragma once
#include "transport/codec.h"
#include <libguile.h>

/* Define the primitives of guile-vector.c and guile-vector-math.c in the current module. */
void tti_guile_init_vector (void);
void tti_guile_init_vector_math (void);

/* PAYLOAD is about to be decoded: collect if there may be much garbage among the vectors in use. Those of PAYLOAD are none: while a task
 * gets many large vectors, which it releases at its end, nothing is collected for their sake. */
void tti_guile_collect_before_views (TtiPayload *payload);

/* A vector of KIND (not TTI_NUMBER_BIT) over VECTOR, of which it takes a reference. */
SCM tti_guile_view_vector (TtiVector *vector, TtiNumberKind kind, gboolean writable);

/* The vector under the view OBJECT, owned by OBJECT (keep that alive); NULL if OBJECT is anything else. */
TtiVector *tti_guile_find_vector (SCM object);

/* A new shared vector of COUNT numbers with undefined contents: the caller writes all of them. Raises as WHO, also if the limit of
 * live bytes is reached and collecting does not help. */
SCM tti_guile_make_shared_to_fill (TtiNumberKind kind, gsize count, const char *who);

/* The same as private memory of the collector's, contents undefined. */
SCM tti_guile_make_private (TtiNumberKind kind, gsize count);

/* A new vector with the contents of BYTEVECTOR, to be sent. Raises as WHO. */
TtiVector *tti_guile_copy_numbers (SCM bytevector, const char *who);

/* Vectors whose memory somebody else refers to, who does not know of Guile and may keep it: an array of another language. If
 * tti_guile_can_leave_contents () says so, which it does unless BYTEVECTOR is a part of another one, the memory can be given away. Who
 * finds that it is kept calls tti_guile_leave_contents (): then the memory belongs to the keeper alone, BYTEVECTOR has a copy of it
 * elsewhere, and what is returned has to be protected as long as the memory is kept (scm_gc_protect_object ()).
 *
 * That can be done again and again: BYTEVECTOR uses memory again that was let go. What refers to the memory that it has left (slices,
 * which see no more what is written to BYTEVECTOR) stays valid as long as BYTEVECTOR lives. Of immutable vectors nothing is copied:
 * nobody writes there. Arrays over BYTEVECTOR have its new contents; a shared vector becomes a private one. No other thread uses
 * BYTEVECTOR meanwhile. For what a worker has received: tti_vector_keep_contents (). Raises if there is no memory; then nothing has
 * changed. */
gboolean tti_guile_can_leave_contents (SCM bytevector);
SCM tti_guile_leave_contents (SCM bytevector);

/* Make room for SIZE more bytes of shared memory: collects when the limit would be exceeded; then raises as WHO. */
void tti_guile_reserve (gsize size, const char *who);

/* Collect, if enough shared memory has been added since the last time; to be called when nobody waits, as it takes some ms. */
void tti_guile_tidy_vectors (void);

/* The kind of a SRFI-4 vector or bytevector. */
TtiNumberKind tti_guile_get_kind (SCM bytevector);
SCM tti_guile_get_kind_symbol (TtiNumberKind kind);

/* Raise as WHO unless the bytevector OBJECT may be written to: it is mutable, and no running task reads it. */
void tti_guile_check_writable (SCM object, const char *who);
