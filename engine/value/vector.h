/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors as programs in C see them: numbers of one type in shared memory, or in memory of their own. */
#pragma once
#include "transport/codec.h"
#include "tutti/tutti.h"

struct _TuttiVector
{
  gatomicrefcount refs;
  TuttiElementType type;
  gsize n;             /* elements */
  TtiVector *memory;   /* owned */
};

/* How the codec calls TYPE, and whether there is a type for KIND. */
TtiNumberKind tti_element_kind (TuttiElementType type);
gboolean tti_element_from_kind (TtiNumberKind kind, TuttiElementType *type);
gsize tti_element_size (TuttiElementType type);

/* N elements of TYPE in MEMORY, of which a reference is taken. */
TuttiVector *tti_typed_vector_new (TuttiElementType type, gsize n, TtiVector *memory);
/* The same in new memory, zero-filled or (FILL) with undefined contents. TUTTI_ERROR_LIMIT if there cannot be so many. */
TuttiVector *tti_typed_vector_allocate (TuttiElementType type, gsize n, gboolean fill, GError **error);
TuttiVector *tti_typed_vector_ref (TuttiVector *vector);
void tti_typed_vector_unref (TuttiVector *vector); /* NULL is fine */
