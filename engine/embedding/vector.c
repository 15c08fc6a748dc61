/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "embedding/embedding-private.h"
#include "platform/error.h"
#include <fcntl.h>
#include <errno.h>
#include <string.h>

G_DEFINE_BOXED_TYPE (TuttiVector, tutti_vector, tutti_vector_ref, tutti_vector_unref)

/**
 * tutti_vector_new:
 * @n: number of elements
 * @error: where to put an error
 *
 * Makes a vector of @n doubles, which are 0.
 *
 * Returns: (transfer full): the vector; %NULL with %TUTTI_ERROR_LIMIT, %TUTTI_ERROR_SHORTAGE or %TUTTI_ERROR_SYSTEM if there is no memory
 */
TuttiVector *
tutti_vector_new (gsize n, GError **error)
{
  return tti_typed_vector_allocate (TUTTI_ELEMENT_F64, n, FALSE, error);
}

/**
 * tutti_vector_new_typed:
 * @type: of its elements
 * @n: number of elements
 * @error: where to put an error
 *
 * Makes a vector of @n elements of @type, which are 0.
 *
 * Returns: (transfer full): the vector; %NULL as for [ctor@Vector.new]
 */
TuttiVector *
tutti_vector_new_typed (TuttiElementType type, gsize n, GError **error)
{
  g_return_val_if_fail ((guint) type <= TUTTI_ELEMENT_BYTES, NULL);
  return tti_typed_vector_allocate (type, n, FALSE, error);
}

static TuttiVector *
vector_new_filled (TuttiElementType type, gconstpointer contents, gsize n, GError **error)
{
  TuttiVector *self = tti_typed_vector_allocate (type, n, TRUE, error);

  if (self != NULL && n > 0)
    memcpy (tti_vector_get_data (self->memory), contents, n * tti_element_size (type));
  return self;
}

/**
 * tutti_vector_new_from_doubles:
 * @numbers: (array length=n): the numbers
 * @n: how many
 * @error: where to put an error
 *
 * Makes a vector of doubles with a copy of @numbers.
 *
 * Returns: (transfer full): the vector; %NULL as for [ctor@Vector.new]
 */
TuttiVector *
tutti_vector_new_from_doubles (const double *numbers, gsize n, GError **error)
{
  g_return_val_if_fail (numbers != NULL || n == 0, NULL);
  return vector_new_filled (TUTTI_ELEMENT_F64, numbers, n, error);
}

/**
 * tutti_vector_new_from_bytes:
 * @bytes: (array length=n): the bytes
 * @n: how many
 * @error: where to put an error
 *
 * Makes a vector of bytes (%TUTTI_ELEMENT_BYTES) with a copy of @bytes.
 *
 * Returns: (transfer full): the vector; %NULL as for [ctor@Vector.new]
 */
TuttiVector *
tutti_vector_new_from_bytes (const guint8 *bytes, gsize n, GError **error)
{
  g_return_val_if_fail (bytes != NULL || n == 0, NULL);
  return vector_new_filled (TUTTI_ELEMENT_BYTES, bytes, n, error);
}

/**
 * tutti_vector_new_for_file:
 * @path: (type filename): the name of a file
 * @type: of its elements
 * @offset: of the first element in the file, in bytes
 * @n: how many elements; -1: all up to the end
 * @writable: whether the vector can be written to; what is written reaches the file
 * @error: where to put an error
 *
 * Makes a vector of the contents of a file, which is mapped, not read.
 *
 * Returns: (transfer full): the vector; %NULL with %TUTTI_ERROR_SYSTEM if the file cannot be mapped, %TUTTI_ERROR_SHAPE if it is
 *   shorter, or %TUTTI_ERROR_LIMIT if none is so long
 */
TuttiVector *
tutti_vector_new_for_file (const char *path, TuttiElementType type, guint64 offset, gssize n, gboolean writable, GError **error)
{
  g_return_val_if_fail (path != NULL && (guint) type <= TUTTI_ELEMENT_BYTES, NULL);
  gsize size = tti_element_size (type);

  if (offset > G_MAXINT64 || (n >= 0 && (gsize) n > (gsize) G_MAXSSIZE / size))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "'%s': no file has %" G_GSSIZE_FORMAT " elements of %" G_GSIZE_FORMAT
                   " bytes from byte %" G_GUINT64_FORMAT, path, n, size, offset);
      return NULL;
    }
  g_autoptr (TtiVector) memory = tti_vector_open_file (path, (goffset) offset, n < 0 ? -1 : n * (gssize) size, writable, error);
  return memory != NULL ? tti_typed_vector_new (type, tti_vector_get_size (memory) / size, memory) : NULL;
}

/**
 * tutti_vector_slice:
 * @vector: a vector
 * @start: index of the first element
 * @n: how many elements
 * @error: where to put an error
 *
 * Makes a vector over some elements of @vector, in the same memory.
 *
 * Returns: (transfer full): the vector; %NULL with %TUTTI_ERROR_SHAPE if @vector ends before
 */
TuttiVector *
tutti_vector_slice (TuttiVector *vector, gsize start, gsize n, GError **error)
{
  g_return_val_if_fail (vector != NULL, NULL);
  if (start > vector->n || n > vector->n - start)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "%" G_GSIZE_FORMAT " elements from index %" G_GSIZE_FORMAT
                   " of a vector of %" G_GSIZE_FORMAT, n, start, vector->n);
      return NULL;
    }
  gsize size = tti_element_size (vector->type);
  g_autoptr (TtiVector) memory = tti_vector_slice (vector->memory, start * size, n * size);
  return tti_typed_vector_new (vector->type, n, memory);
}

/**
 * tutti_vector_ref:
 * @vector: a vector
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @vector
 */
TuttiVector *
tutti_vector_ref (TuttiVector *vector)
{
  return tti_typed_vector_ref (vector);
}

/**
 * tutti_vector_unref:
 * @vector: (nullable) (transfer full): a vector
 *
 * Drops a reference. When the last one and those of its slices are gone, its memory is used again or freed.
 */
void
tutti_vector_unref (TuttiVector *vector)
{
  tti_typed_vector_unref (vector);
}

/**
 * tutti_vector_get_element_type:
 * @vector: a vector
 *
 * Gets the type of the elements of a vector.
 *
 * Returns: what it is made of
 */
TuttiElementType
tutti_vector_get_element_type (TuttiVector *vector)
{
  return vector->type;
}

/**
 * tutti_vector_get_n_elements:
 * @vector: a vector
 *
 * Gets the length of a vector.
 *
 * Returns: how many elements it has; a complex number is one
 */
gsize
tutti_vector_get_n_elements (TuttiVector *vector)
{
  return vector->n;
}

/**
 * tutti_vector_get_size:
 * @vector: a vector
 *
 * Gets the size of a vector in bytes.
 *
 * Returns: how many bytes its elements are
 */
gsize
tutti_vector_get_size (TuttiVector *vector)
{
  return vector->n * tti_element_size (vector->type);
}

/**
 * tutti_vector_get_data: (skip)
 * @vector: a vector
 *
 * Gets the memory of a vector, in C and for elements of any type.
 *
 * Returns: its first element, owned by @vector; to be read only unless [method@Vector.is_writable]
 */
gpointer
tutti_vector_get_data (TuttiVector *vector)
{
  return tti_vector_get_data (vector->memory);
}

/**
 * tutti_vector_get_doubles:
 * @vector: a vector of doubles, real or complex
 * @n: (out): how many doubles there are, two for each complex number
 *
 * Gets the numbers of a vector, in C without a copy; other languages get a copy: see [method@Vector.dup_fd] for a way without.
 *
 * Returns: (array length=n) (transfer none): its first number, owned by @vector; to be read only unless [method@Vector.is_writable]
 */
double *
tutti_vector_get_doubles (TuttiVector *vector, gsize *n)
{
  g_return_val_if_fail (n != NULL, NULL);
  *n = 0;
  g_return_val_if_fail (vector->type == TUTTI_ELEMENT_F64 || vector->type == TUTTI_ELEMENT_C64, NULL);
  *n = vector->type == TUTTI_ELEMENT_F64 ? vector->n : 2 * vector->n;
  return tti_vector_get_data (vector->memory);
}

/**
 * tutti_vector_set_doubles:
 * @vector: a vector of doubles, real or complex
 * @start: where to begin, in doubles
 * @numbers: (array length=n): what to write
 * @n: how many doubles
 * @error: where to put an error
 *
 * Writes numbers, after checks that a program in C makes itself.
 *
 * Returns: %TRUE; %FALSE with %TUTTI_ERROR_SHAPE if they do not fit, or %TUTTI_ERROR_ARGUMENT if @vector has other elements, is
 *   read-only, or
 *   belongs to a task that has not ended
 */
gboolean
tutti_vector_set_doubles (TuttiVector *vector, gsize start, const double *numbers, gsize n, GError **error)
{
  gsize there = vector->type == TUTTI_ELEMENT_C64 ? 2 * vector->n : vector->n;
  const char *wrong = vector->type != TUTTI_ELEMENT_F64 && vector->type != TUTTI_ELEMENT_C64 ? "is not one of doubles"
                      : !tutti_vector_is_writable (vector)                                   ? "is read-only"
                      : tutti_vector_is_borrowed (vector) ? "is an argument of a task that has not ended: wait for it" : NULL;

  g_return_val_if_fail (numbers != NULL || n == 0, FALSE);
  if (wrong != NULL)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the vector %s", wrong);
  else if (start > there || n > there - start)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE, "%" G_GSIZE_FORMAT " numbers from index %" G_GSIZE_FORMAT
                 " of a vector of %" G_GSIZE_FORMAT, n, start, there);
  else
    {
      if (n > 0)
        memcpy ((double *) tti_vector_get_data (vector->memory) + start, numbers, n * sizeof *numbers);
      return TRUE;
    }
  return FALSE;
}

/**
 * tutti_vector_is_writable:
 * @vector: a vector
 *
 * Arguments of a function on a worker and files that were opened for reading are not.
 *
 * Returns: whether it can be written to here
 */
gboolean
tutti_vector_is_writable (TuttiVector *vector)
{
  return tti_vector_is_writable (vector->memory);
}

/**
 * tutti_vector_is_borrowed:
 * @vector: a vector
 *
 * Tells whether the vector must not be written to at this moment. Does not block.
 *
 * Returns: whether a task that has not ended can see it, or a slice that shares memory with it: then it must not be written to
 */
gboolean
tutti_vector_is_borrowed (TuttiVector *vector)
{
  return tti_vector_is_borrowed (vector->memory);
}

/**
 * tutti_vector_dup_fd:
 * @vector: a vector of more than 16384 bytes
 * @offset: (out): where it begins in the file, in bytes, a multiple of its element's size, but perhaps not of a page
 * @error: where to put an error
 *
 * Makes a descriptor by which others can map the memory of @vector, for reading only, without a copy. The memory is used for other
 * vectors when the last reference of @vector is gone: keep one as long as there is a mapping.
 *
 * Returns: the descriptor, which the caller closes; -1 with %TUTTI_ERROR_ARGUMENT if @vector is too small to have shared memory, or
 *   %TUTTI_ERROR_SHORTAGE
 */
int
tutti_vector_dup_fd (TuttiVector *vector, guint64 *offset, GError **error)
{
  goffset where = 0;
  int fd = tti_vector_get_descriptor (vector->memory, &where), copy;

  g_return_val_if_fail (offset != NULL, -1);
  *offset = (guint64) where;
  if (fd < 0)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "a vector of %" G_GSIZE_FORMAT " bytes is in memory of its own, which cannot "
                   "be mapped: that begins above %d bytes", tutti_vector_get_size (vector), TTI_INLINE_LIMIT);
      return -1;
    }
  copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    tti_set_errno (error, errno, "a descriptor for a vector");
  return copy;
}
