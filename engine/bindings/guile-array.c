/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers in bulk: SRFI-4 vectors, bit vectors, and arrays of any rank over these and others. */
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"
#include "bindings/guile-frozen.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include "platform/error.h"
#include "platform/memory.h"
#include "transport/shield.h"
#include <string.h>

/* Can the memory under VIEW be shared with the other side as it is? Memory that was received read-only belongs to the other side, which
 * may use it again when its task is over; a private mapping cannot be seen by other processes. */
static gboolean
can_be_shared (SCM view, TuttiVector *vector)
{
  gboolean lent = tutti_vector_is_received (vector) && !tutti_vector_is_writable (vector);
  gboolean shown_read_only = tutti_vector_is_writable (vector) && !tutti_guile_is_mutable_bytevector (view);

  return !lent && !shown_read_only && tutti_vector_get_descriptor (vector, NULL) >= 0;
}

void
tutti_encoder_bytevector (Encoder *encoder, SCM bytevector)
{
  TuttiNumberKind kind = tutti_guile_get_kind (bytevector);
  gsize size = SCM_BYTEVECTOR_LENGTH (bytevector);
  gconstpointer data = SCM_BYTEVECTOR_CONTENTS (bytevector);
  guint64 count = size / tutti_number_size (kind);
  TuttiVector *vector = tutti_guile_find_vector (bytevector);

  if (size <= TUTTI_INLINE_LIMIT)
    tutti_writer_numbers (encoder->writer, kind, vector != NULL, data, count);
  else if (vector != NULL && tutti_vector_is_destination (vector))
    tutti_writer_attach (encoder->writer, kind, vector, count, TUTTI_TRAVEL_WRITE);
  else if (vector != NULL && can_be_shared (bytevector, vector))
    tutti_writer_attach (encoder->writer, kind, vector, count, TUTTI_TRAVEL_SHARED);
  else
    {
      GError *error = NULL;

      tutti_guile_reserve (size, encoder->who);
      TuttiVector *copy = tutti_vector_new_to_fill (size, &error);

      if (copy == NULL)
        tutti_guile_raise (encoder->who, error);
      tutti_memory_copy (tutti_vector_get_data (copy), data, size);
      tutti_writer_attach (encoder->writer, kind, copy, count, TUTTI_TRAVEL_COPY);
      tutti_vector_unref (copy);
    }
  scm_remember_upto_here_1 (bytevector);
}

void
tutti_encoder_bitvector (Encoder *encoder, SCM bitvector)
{
  scm_t_array_handle handle;
  size_t offset, count;
  ssize_t step;
  const uint32_t *words = scm_bitvector_elements (bitvector, &handle, &offset, &count, &step);
  gsize size = (count + 7) / 8;
  guint8 *bits = scm_gc_malloc_pointerless (MAX (size, 1), "encoder");

  /* A bit vector by itself starts at its first word. */
  g_assert (offset == 0 && step == 1);
  memcpy (bits, words, size);
  scm_array_handle_release (&handle);
  if (count % 8 != 0)
    bits[size - 1] &= (guint8) ((1u << count % 8) - 1);
  tutti_writer_numbers (encoder->writer, TUTTI_NUMBER_BIT, FALSE, bits, count);
}

/* --- arrays ------------------------------------------------------------------------------------------------------- */

/* Are the elements of an array of RANK DIMENSIONS, in row-major order, exactly those of its ROOT? (If they are as many, they start at
 * the first.) */
static gboolean
array_is_packed (const scm_t_array_dim *dimensions, gsize rank, SCM root)
{
  gssize increment = 1;

  for (gsize d = rank; d-- > 0; )
    {
      if (dimensions[d].inc != increment)
        return FALSE;
      increment *= dimensions[d].ubnd - dimensions[d].lbnd + 1;
    }
  return (gsize) increment == scm_c_array_length (root);
}

static SCM
array_bounds (const scm_t_array_dim *dimensions, gsize rank)
{
  SCM bounds = SCM_EOL;

  for (gsize d = rank; d-- > 0; )
    bounds
      = scm_cons (scm_list_2 (scm_from_ssize_t (dimensions[d].lbnd), scm_from_ssize_t (dimensions[d].ubnd)), bounds);
  return bounds;
}

/* A vector, string or SRFI-4 vector with the elements of ARRAY, of RANK DIMENSIONS, in row-major order. */
static SCM
array_contents (SCM array, const scm_t_array_dim *dimensions, gsize rank)
{
  SCM root = scm_shared_array_root (array);

  if (array_is_packed (dimensions, rank, root))
    return root;
  SCM copy = scm_make_typed_array (scm_array_type (array), SCM_UNSPECIFIED, array_bounds (dimensions, rank));

  scm_array_copy_x (array, copy);
  /* (An array of rank 1 from 0 is a plain vector.) */
  return scm_shared_array_root (copy);
}

void
tutti_encoder_array (Encoder *encoder, SCM array)
{
  gsize rank = tutti_guile_get_rank (array);
  const scm_t_array_dim *dimensions = tutti_guile_get_dimensions (array);
  SCM contents = array_contents (array, dimensions, rank);

  tutti_writer_open (encoder->writer, TUTTI_ITEM_ARRAY, 0, rank);
  for (gsize d = 0; d < rank; d++)
    {
      tutti_writer_integer (encoder->writer, dimensions[d].lbnd);
      tutti_writer_integer (encoder->writer, dimensions[d].ubnd);
    }
  if (scm_is_bytevector (contents))
    tutti_encoder_bytevector (encoder, contents);
  else if (scm_is_bitvector (contents))
    tutti_encoder_bitvector (encoder, contents);
  else if (scm_is_string (contents))
    tutti_encoder_string (encoder, TUTTI_ITEM_STRING, contents);
  else if (scm_is_vector (contents))
    {
      gsize count = SCM_SIMPLE_VECTOR_LENGTH (contents);

      tutti_writer_open (encoder->writer, TUTTI_ITEM_VECTOR, 0, count);
      tutti_encoder_push (encoder, FRAME_ARRAY, array, contents, count);
    }
  else
    tutti_encoder_refuse_text (encoder, array, "an array of this kind cannot travel", "copy it into an ordinary array");
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

static void G_GNUC_NORETURN
raise_malformed (const char *what)
{
  tutti_guile_raise ("decode", g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "encoded value: %s", what));
}

static SCM
bitvector_new (const TuttiItem *item, gboolean frozen)
{
  SCM bitvector = scm_c_make_bitvector (item->count, SCM_BOOL_F);
  scm_t_array_handle handle;
  size_t offset, count;
  ssize_t step;
  uint32_t *words = scm_bitvector_writable_elements (bitvector, &handle, &offset, &count, &step);

  memcpy (words, item->bytes, item->n_bytes);
  scm_array_handle_release (&handle);
  if (frozen && count > 0)
    tutti_guile_freeze_bitvector (bitvector);
  return bitvector;
}

static SCM
numbers_new (TuttiNumberKind kind, gconstpointer data, gsize size, gboolean frozen)
{
  SCM vector = tutti_guile_make_private (kind, size / tutti_number_size (kind));

  if (size > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (vector), data, size);
  if (frozen && size > 0) /* all empty ones are the same object */
    tutti_guile_freeze_bytevector (vector);
  return vector;
}

/* The numbers of a small shared vector, for a task: read-only, as those of a large one are. */
static SCM
numbers_shown (const TuttiItem *item)
{
  GError *error = NULL;
  gpointer room;
  TuttiVector *vector = tutti_shield_take (item->n_bytes, &room, &error);

  if (vector == NULL)
    tutti_guile_raise ("decode", error);
  memcpy (room, item->bytes, item->n_bytes);
  SCM view = tutti_guile_view_vector (vector, (TuttiNumberKind) item->kind, FALSE);

  tutti_vector_unref (vector);
  return view;
}

SCM
tutti_guile_decode_numbers (const TuttiItem *item, gboolean shown, gboolean frozen, TuttiFreezer *freezer)
{
  if (item->kind == TUTTI_NUMBER_BIT)
    return bitvector_new (item, frozen);
  if (shown && item->shared && item->n_bytes > 0 && item->n_bytes <= TUTTI_INLINE_LIMIT)
    return numbers_shown (item);
  if (frozen && freezer != NULL && item->n_bytes > 0)
    return tutti_guile_freezer_numbers (freezer, (TuttiNumberKind) item->kind, item->bytes, item->n_bytes);
  return numbers_new ((TuttiNumberKind) item->kind, item->bytes, item->n_bytes, frozen);
}

/* A view of a vector of a payload that was made in this process. Who receives a shared vector must not write to it, and a copy must be
 * another one each time that the payload is decoded: a private mapping satisfies both. */
static SCM
view_apart (TuttiVector *vector, TuttiNumberKind kind, gsize size, gboolean writable)
{
  GError *error = NULL;

  if (tutti_vector_get_descriptor (vector, NULL) < 0)
    return numbers_new (kind, tutti_vector_get_data (vector), size, !writable);
  TuttiVector *apart = tutti_vector_copy_on_write (vector, size, &error);

  if (apart == NULL)
    tutti_guile_raise ("decode", error);
  SCM view = tutti_guile_view_vector (apart, kind, writable);

  tutti_vector_unref (apart);
  return view;
}

SCM
tutti_guile_decode_attached (TuttiPayload *payload, const TuttiItem *item, gboolean local, gboolean frozen)
{
  TuttiTravel travel;
  TuttiVector *vector = tutti_payload_get_vector (payload, item->index, &travel);
  TuttiNumberKind kind = (TuttiNumberKind) item->kind;

  if (kind == TUTTI_NUMBER_BIT)
    raise_malformed ("bits in shared memory");
  if (local)
    return view_apart (vector, kind, item->n_bytes, travel == TUTTI_TRAVEL_COPY && !frozen);
  if (item->n_bytes == tutti_vector_get_size (vector))
    return tutti_guile_view_vector (vector, kind, tutti_vector_is_writable (vector) && !frozen);
  TuttiVector *part = tutti_vector_slice (vector, 0, item->n_bytes);
  SCM view = tutti_guile_view_vector (part, kind, tutti_vector_is_writable (vector) && !frozen);

  tutti_vector_unref (part);
  return view;
}

SCM
tutti_guile_decode_array (SCM parts, gsize rank)
{
  SCM contents = SCM_SIMPLE_VECTOR_REF (parts, 2 * rank);
  gsize length = 1;

  if (!scm_is_bytevector (contents) && !scm_is_bitvector (contents) && !scm_is_string (contents)
      && !scm_is_vector (contents))
    raise_malformed ("an array without contents");
  if (rank > G_MAXINT16)
    raise_malformed ("an array of more than 32767 dimensions");
  scm_t_array_dim *dimensions;
  SCM array = tutti_guile_make_array (rank, contents, 0, &dimensions);

  for (gsize d = rank; d-- > 0; )
    {
      gint64 lower = scm_to_int64 (SCM_SIMPLE_VECTOR_REF (parts, 2 * d)),
             upper = scm_to_int64 (SCM_SIMPLE_VECTOR_REF (parts, 2 * d + 1));
      gint64 extent;

      if (__builtin_sub_overflow (upper, lower, &extent) || __builtin_add_overflow (extent, 1, &extent) || extent < 0)
        raise_malformed ("an array with bounds that do not fit");
      dimensions[d] = (scm_t_array_dim) { .lbnd = lower, .ubnd = upper, .inc = (ssize_t) length };
      if (!g_size_checked_mul (&length, length, (gsize) extent) || length > G_MAXSSIZE)
        raise_malformed ("an array with bounds that do not fit");
    }
  if (length != scm_c_array_length (contents))
    raise_malformed ("an array whose bounds do not fit its contents");
  return array;
}
