/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Numbers in bulk: SRFI-4 vectors, bit vectors, and arrays of any rank over these and others. */
#include "bindings/guile-encoder.h"
#include "bindings/guile-error.h"
#include "bindings/guile-frozen.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include "platform/error.h"
#include "platform/memory.h"
#include "transport/away.h"
#include "transport/shield.h"
#include <string.h>

/* Can the memory under VIEW be shared with the other side as it is? Memory that was received read-only belongs to the other side, which
 * may use it again when its task is over; a private mapping cannot be seen by other processes. */
static gboolean
can_be_shared (SCM view, TtiVector *vector)
{
  gboolean lent = tti_vector_is_received (vector) && !tti_vector_is_writable (vector);
  gboolean shown_read_only = tti_vector_is_writable (vector) && !tti_guile_is_mutable_bytevector (view);

  return !lent && !shown_read_only && tti_vector_get_descriptor (vector, NULL) >= 0;
}

void
tti_encoder_bytevector (Encoder *encoder, SCM bytevector)
{
  TtiNumberKind kind = tti_guile_get_kind (bytevector);
  gsize size = SCM_BYTEVECTOR_LENGTH (bytevector);
  gconstpointer data = SCM_BYTEVECTOR_CONTENTS (bytevector);
  guint64 count = size / tti_number_size (kind);
  TtiVector *vector = tti_guile_find_vector (bytevector);

  /* A part of a destination may be small: what is written into a copy would be lost. */
  if (vector != NULL && tti_vector_is_destination (vector))
    tti_writer_attach (encoder->writer, kind, vector, count, TTI_TRAVEL_WRITE);
  else if (vector != NULL && tti_vector_get_home (vector, NULL) != NULL) /* there is nothing to copy; it may be refused when it is sent */
    tti_writer_attach (encoder->writer, kind, vector, count, TTI_TRAVEL_SHARED);
  else if (size <= TTI_INLINE_LIMIT)
    tti_writer_numbers (encoder->writer, kind, vector != NULL, data, count);
  else if (vector != NULL && tti_vector_is_copy (vector))
    tti_writer_attach (encoder->writer, kind, vector, count, TTI_TRAVEL_COPY);
  else if (vector != NULL && can_be_shared (bytevector, vector))
    tti_writer_attach (encoder->writer, kind, vector, count, TTI_TRAVEL_SHARED);
  else
    {
      TtiVector *copy = tti_guile_copy_numbers (bytevector, encoder->who);

      tti_writer_attach (encoder->writer, kind, copy, count, TTI_TRAVEL_COPY);
      tti_vector_unref (copy);
    }
  scm_remember_upto_here_1 (bytevector);
}

void
tti_encoder_bitvector (Encoder *encoder, SCM bitvector)
{
  scm_t_array_handle handle;
  size_t offset, count;
  ssize_t step;
  const uint32_t *words = scm_bitvector_elements (bitvector, &handle, &offset, &count, &step);
  gsize size = (count + 7) / 8;
  guint8 *bits = scm_gc_malloc_pointerless (MAX (size, 1), "encoder");

  /* A bit vector by itself starts at its first word. */
  g_assert (offset == 0 && step == 1);
  /* One of no bits may have no words. */
  if (size > 0)
    memcpy (bits, words, size);
  scm_array_handle_release (&handle);
  if (count % 8 != 0)
    bits[size - 1] &= (guint8) ((1u << count % 8) - 1);
  tti_writer_numbers (encoder->writer, TTI_NUMBER_BIT, FALSE, bits, count);
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
tti_encoder_array (Encoder *encoder, SCM array)
{
  gsize rank = tti_guile_get_rank (array);
  const scm_t_array_dim *dimensions = tti_guile_get_dimensions (array);
  SCM contents = array_contents (array, dimensions, rank);

  tti_writer_open (encoder->writer, TTI_ITEM_ARRAY, 0, rank);
  for (gsize d = 0; d < rank; d++)
    {
      tti_writer_integer (encoder->writer, dimensions[d].lbnd);
      tti_writer_integer (encoder->writer, dimensions[d].ubnd);
    }
  if (scm_is_bytevector (contents))
    tti_encoder_bytevector (encoder, contents);
  else if (scm_is_bitvector (contents))
    tti_encoder_bitvector (encoder, contents);
  else if (scm_is_string (contents))
    tti_encoder_string (encoder, TTI_ITEM_STRING, contents);
  else if (scm_is_vector (contents))
    {
      gsize count = SCM_SIMPLE_VECTOR_LENGTH (contents);

      tti_writer_open (encoder->writer, TTI_ITEM_VECTOR, 0, count);
      tti_encoder_push (encoder, FRAME_ARRAY, array, contents, count);
    }
  else
    tti_encoder_refuse_text (encoder, array, "an array of this kind cannot travel", "copy it into an ordinary array");
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

static void G_GNUC_NORETURN
raise_malformed (const char *what)
{
  tti_guile_raise ("decode", g_error_new (TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "encoded value: %s", what));
}

static SCM
bitvector_new (const TtiItem *item, gboolean frozen)
{
  SCM bitvector = scm_c_make_bitvector (item->count, SCM_BOOL_F);
  scm_t_array_handle handle;
  size_t offset, count;
  ssize_t step;
  uint32_t *words = scm_bitvector_writable_elements (bitvector, &handle, &offset, &count, &step);

  /* One of no bits may have no words. */
  if (item->n_bytes > 0)
    memcpy (words, item->bytes, item->n_bytes);
  scm_array_handle_release (&handle);
  if (frozen && count > 0)
    tti_guile_freeze_bitvector (bitvector);
  return bitvector;
}

static SCM
numbers_new (TtiNumberKind kind, gconstpointer data, gsize size, gboolean frozen)
{
  SCM vector = tti_guile_make_private (kind, size / tti_number_size (kind));

  if (size > 0)
    memcpy (SCM_BYTEVECTOR_CONTENTS (vector), data, size);
  if (frozen && size > 0) /* all empty ones are the same object */
    tti_guile_freeze_bytevector (vector);
  return vector;
}

/* The numbers of a small shared vector, for a task: read-only, as those of a large one are. */
static SCM
numbers_shown (const TtiItem *item)
{
  GError *error = NULL;
  gpointer room;
  TtiVector *vector = tti_shield_take (item->n_bytes, &room, &error);

  if (vector == NULL)
    tti_guile_raise ("decode", error);
  memcpy (room, item->bytes, item->n_bytes);
  SCM view = tti_guile_view_vector (vector, (TtiNumberKind) item->kind, FALSE);

  tti_vector_unref (vector);
  return view;
}

SCM
tti_guile_decode_numbers (const TtiItem *item, gboolean shown, gboolean frozen, TtiFreezer *freezer)
{
  if (item->kind == TTI_NUMBER_BIT)
    return bitvector_new (item, frozen);
  if (shown && item->shared && item->n_bytes > 0 && item->n_bytes <= TTI_INLINE_LIMIT)
    return numbers_shown (item);
  if (frozen && freezer != NULL && item->n_bytes > 0)
    return tti_guile_freezer_numbers (freezer, (TtiNumberKind) item->kind, item->bytes, item->n_bytes);
  return numbers_new ((TtiNumberKind) item->kind, item->bytes, item->n_bytes, frozen);
}

/* A view of a vector of a payload that was made in this process. Who receives a shared vector must not write to it, and a copy must be
 * another one each time that the payload is decoded: a private mapping satisfies both. */
static SCM
view_apart (TtiVector *vector, TtiNumberKind kind, gsize size, gboolean writable)
{
  GError *error = NULL;

  if (tti_vector_get_descriptor (vector, NULL) < 0)
    return numbers_new (kind, tti_vector_get_data (vector), size, !writable);
  TtiVector *apart = tti_vector_copy_on_write (vector, size, &error);

  if (apart == NULL)
    tti_guile_raise ("decode", error);
  SCM view = tti_guile_view_vector (apart, kind, writable);

  tti_vector_unref (apart);
  return view;
}

SCM
tti_guile_decode_attached (TtiPayload *payload, const TtiItem *item, gboolean local, gboolean frozen)
{
  TtiTravel travel;
  TtiVector *vector = tti_payload_get_vector (payload, item->index, &travel);
  TtiNumberKind kind = (TtiNumberKind) item->kind;

  if (kind == TTI_NUMBER_BIT)
    raise_malformed ("bits in shared memory");
  if (local)
    return view_apart (vector, kind, item->n_bytes, travel == TTI_TRAVEL_COPY && !frozen);
  if (item->n_bytes == tti_vector_get_size (vector))
    return tti_guile_view_vector (vector, kind, tti_vector_is_writable (vector) && !frozen);
  TtiVector *part = tti_vector_slice (vector, 0, item->n_bytes);
  SCM view = tti_guile_view_vector (part, kind, tti_vector_is_writable (vector) && !frozen);

  tti_vector_unref (part);
  return view;
}

SCM
tti_guile_decode_array (SCM parts, gsize rank)
{
  SCM contents = SCM_SIMPLE_VECTOR_REF (parts, 2 * rank);
  gsize length = 1;

  if (!scm_is_bytevector (contents) && !scm_is_bitvector (contents) && !scm_is_string (contents)
      && !scm_is_vector (contents))
    raise_malformed ("an array without contents");
  if (rank > G_MAXINT16)
    raise_malformed ("an array of more than 32767 dimensions");
  scm_t_array_dim *dimensions;
  SCM array = tti_guile_make_array (rank, contents, 0, &dimensions);

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
