/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors: numbers or bytes in memory that workers see without a copy. */
#pragma once
#include "tutti/macros.h"

G_BEGIN_DECLS

#define TUTTI_TYPE_VECTOR (tutti_vector_get_type ())

/**
 * TuttiVector: (ref-func tutti_vector_ref) (unref-func tutti_vector_unref)
 *
 * A counted reference to numbers or bytes. Those of more than 16384 bytes are in memory that other processes can map: a task on a worker
 * sees the same memory, read-only; smaller ones are copied on the way, which is faster.
 *
 * Do not write to a vector while a task that has it as an argument is unfinished ([method@Vector.is_borrowed]): the task would
 * see the change half done. Any thread may use a vector; its contents are the callers' business.
 */
typedef struct _TuttiVector TuttiVector;

/**
 * TuttiElementType:
 * @TUTTI_ELEMENT_F64: double
 * @TUTTI_ELEMENT_F32: float
 * @TUTTI_ELEMENT_C64: complex double: real part, imaginary part
 * @TUTTI_ELEMENT_C32: complex float
 * @TUTTI_ELEMENT_U8: guint8
 * @TUTTI_ELEMENT_S8: gint8
 * @TUTTI_ELEMENT_U16: guint16
 * @TUTTI_ELEMENT_S16: gint16
 * @TUTTI_ELEMENT_U32: guint32
 * @TUTTI_ELEMENT_S32: gint32
 * @TUTTI_ELEMENT_U64: guint64
 * @TUTTI_ELEMENT_S64: gint64
 * @TUTTI_ELEMENT_BYTES: bytes that are no numbers; in Scheme a bytevector
 *
 * What a vector is made of. The names are those of Scheme's uniform vectors (SRFI 4): a vector of `TUTTI_ELEMENT_F64` is an f64vector.
 */
typedef enum
{
  TUTTI_ELEMENT_F64,
  TUTTI_ELEMENT_F32,
  TUTTI_ELEMENT_C64,
  TUTTI_ELEMENT_C32,
  TUTTI_ELEMENT_U8,
  TUTTI_ELEMENT_S8,
  TUTTI_ELEMENT_U16,
  TUTTI_ELEMENT_S16,
  TUTTI_ELEMENT_U32,
  TUTTI_ELEMENT_S32,
  TUTTI_ELEMENT_U64,
  TUTTI_ELEMENT_S64,
  TUTTI_ELEMENT_BYTES
} TuttiElementType;

TUTTI_API GType tutti_vector_get_type (void);
TUTTI_API TuttiVector *tutti_vector_new (gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_new_typed (TuttiElementType type, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_new_from_doubles (const double *numbers, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_new_from_bytes (const guint8 *bytes, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_new_for_file (const char *path, TuttiElementType type, guint64 offset, gssize n, gboolean writable,
                                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_slice (TuttiVector *vector, gsize start, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiVector *tutti_vector_ref (TuttiVector *vector);
TUTTI_API void tutti_vector_unref (TuttiVector *vector);

TUTTI_API TuttiElementType tutti_vector_get_element_type (TuttiVector *vector);
TUTTI_API gsize tutti_vector_get_n_elements (TuttiVector *vector);
TUTTI_API gsize tutti_vector_get_size (TuttiVector *vector);
TUTTI_API gpointer tutti_vector_get_data (TuttiVector *vector);
TUTTI_API double *tutti_vector_get_doubles (TuttiVector *vector, gsize *n);
TUTTI_API gboolean tutti_vector_set_doubles (TuttiVector *vector, gsize start, const double *numbers, gsize n, GError **error);
TUTTI_API gboolean tutti_vector_is_writable (TuttiVector *vector);
TUTTI_API gboolean tutti_vector_is_borrowed (TuttiVector *vector);
TUTTI_API int tutti_vector_dup_fd (TuttiVector *vector, guint64 *offset, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiVector, tutti_vector_unref)

G_END_DECLS
