/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "value/vector.h"
#include "platform/error.h"

static const TtiNumberKind kinds[] = {
  [TUTTI_ELEMENT_F64] = TTI_NUMBER_F64, [TUTTI_ELEMENT_F32] = TTI_NUMBER_F32, [TUTTI_ELEMENT_C64] = TTI_NUMBER_C64,
  [TUTTI_ELEMENT_C32] = TTI_NUMBER_C32, [TUTTI_ELEMENT_U8] = TTI_NUMBER_U8,   [TUTTI_ELEMENT_S8] = TTI_NUMBER_S8,
  [TUTTI_ELEMENT_U16] = TTI_NUMBER_U16, [TUTTI_ELEMENT_S16] = TTI_NUMBER_S16, [TUTTI_ELEMENT_U32] = TTI_NUMBER_U32,
  [TUTTI_ELEMENT_S32] = TTI_NUMBER_S32, [TUTTI_ELEMENT_U64] = TTI_NUMBER_U64, [TUTTI_ELEMENT_S64] = TTI_NUMBER_S64,
  [TUTTI_ELEMENT_BYTES] = TTI_NUMBER_VU8,
};

TtiNumberKind
tti_element_kind (TuttiElementType type)
{
  return kinds[type];
}

gboolean
tti_element_from_kind (TtiNumberKind kind, TuttiElementType *type)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i] == kind)
      {
        *type = (TuttiElementType) i;
        return TRUE;
      }
  return FALSE;
}

gsize
tti_element_size (TuttiElementType type)
{
  return tti_number_size (kinds[type]);
}

TuttiVector *
tti_typed_vector_new (TuttiElementType type, gsize n, TtiVector *memory)
{
  TuttiVector *self = g_new (TuttiVector, 1);

  g_assert (tti_vector_get_size (memory) >= n * tti_element_size (type));
  g_atomic_ref_count_init (&self->refs);
  self->type = type;
  self->n = n;
  self->memory = tti_vector_ref (memory);
  return self;
}

TuttiVector *
tti_typed_vector_allocate (TuttiElementType type, gsize n, gboolean fill, GError **error)
{
  if (n > (gsize) G_MAXSSIZE / tti_element_size (type))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "a vector of %" G_GSIZE_FORMAT " elements of %" G_GSIZE_FORMAT
                   " bytes: at most %" G_GSIZE_FORMAT " of them fit into the address space", n, tti_element_size (type),
                   (gsize) G_MAXSSIZE / tti_element_size (type));
      return NULL;
    }
  gsize size = n * tti_element_size (type);
  g_autoptr (TtiVector) memory = fill ? tti_vector_new_to_fill (size, error) : tti_vector_new (size, error);

  return memory != NULL ? tti_typed_vector_new (type, n, memory) : NULL;
}

TuttiVector *
tti_typed_vector_ref (TuttiVector *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
tti_typed_vector_unref (TuttiVector *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  tti_vector_unref (self->memory);
  g_free (self);
}
