/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "bindings/guile-frozen.h"
#include "bindings/guile-error.h"
#include "bindings/guile-vector.h"
#include <string.h>

/* --- protected numbers ---------------------------------------------------------------------------------------------- */

enum { FIRST_CHUNK = TUTTI_INLINE_LIMIT, LARGEST_CHUNK = 1 << 20, ALIGNMENT = 16, FIRST_STACK = 256 };

static void
chunk_release (gpointer vector)
{
  tutti_vector_unref (vector);
}

/* Not the type of the storage of shared vectors: these are not shared. */
static TuttiHandleType chunk_type = { "<frozen-memory>", "frozen memory", chunk_release, 0 };

static void
freezer_grow (TuttiFreezer *freezer, gsize least)
{
  GError *error = NULL;
  gsize size = FIRST_CHUNK;

  if (scm_is_pair (freezer->chunks))
    size = MIN (LARGEST_CHUNK,
                2 * tutti_vector_get_size (tutti_guile_from_handle (&chunk_type, SCM_CAR (freezer->chunks), 0, "decode")));
  size = MAX (size, least);
  TuttiVector *chunk = tutti_vector_new_to_protect (size, &error);

  if (chunk == NULL)
    tutti_guile_raise ("decode", error);
  freezer->chunks = scm_cons (tutti_guile_make_handle (&chunk_type, chunk, FALSE), freezer->chunks);
  freezer->next = tutti_vector_get_data (chunk);
  freezer->left = size;
}

SCM
tutti_guile_freezer_numbers (TuttiFreezer *freezer, TuttiNumberKind kind, gconstpointer data, gsize size)
{
  gsize taken = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  if (taken > freezer->left)
    freezer_grow (freezer, taken);
  memcpy (freezer->next, data, size);
  SCM view = scm_pointer_to_bytevector (scm_from_pointer (freezer->next, NULL), scm_from_size_t (size / tutti_number_size (kind)),
                                        SCM_UNDEFINED, tutti_guile_get_kind_symbol (kind));

  SCM_SET_CELL_OBJECT_3 (view, SCM_CAR (freezer->chunks));
  SCM_SET_BYTEVECTOR_FLAGS (view, SCM_BYTEVECTOR_FLAGS (view) | SCM_F_BYTEVECTOR_IMMUTABLE);
  freezer->next += taken;
  freezer->left -= taken;
  return view;
}

void
tutti_guile_freezer_finish (TuttiFreezer *freezer)
{
  for (SCM rest = freezer->chunks; scm_is_pair (rest); rest = SCM_CDR (rest))
    tutti_vector_protect (tutti_guile_from_handle (&chunk_type, SCM_CAR (rest), 0, "decode"));
}

/* --- parts ---------------------------------------------------------------------------------------------------------- */

/* A walk over all that can be changed in a value. Its digest is made of the words of its parts: objects do not move, so that a value whose
 * words are the same is the same. */
typedef struct
{
  SCM hook;
  gboolean numbers; /* are vectors of numbers unprotected? */
  gsize parts, limit, bytes;
  guint64 digest;
  SCM *stack;       /* unknown to the collector: all of it can be reached from the value */
  gsize depth, capacity;
} Walk;

/* Each word's product comes in at a place of its own, so that the processor need not wait for one to begin with the next. */
static inline void
mix (Walk *walk, guint64 word)
{
  guint64 product = word * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  walk->digest = (walk->digest << 7 | walk->digest >> 57) + (product ^ product >> 32);
}

static void
push (Walk *walk, SCM object)
{
  if (SCM_IMP (object) || (!scm_is_pair (object) && SCM_TYP7 (object) == scm_tc7_number))
    return;
  if (walk->depth == walk->capacity)
    {
      walk->capacity = MAX (2 * walk->capacity, FIRST_STACK);
      walk->stack = g_renew (SCM, walk->stack, walk->capacity);
    }
  walk->stack[walk->depth++] = object;
}

/* What has no parts is not looked at again; pairs of numbers, as the entries of tables often are, do not go over the stack. */
static inline void
walk_item (Walk *walk, SCM item)
{
  if (scm_is_pair (item) && SCM_IMP (SCM_CAR (item)))
    {
      mix (walk, SCM_UNPACK (SCM_CAR (item)));
      mix (walk, SCM_UNPACK (SCM_CDR (item)));
      walk->parts++;
      push (walk, SCM_CDR (item));
    }
  else
    push (walk, item);
}

static void
walk_list (Walk *walk, SCM rest)
{
  /* The limit also ends what was made circular. */
  for (; scm_is_pair (rest) && walk->parts <= walk->limit; rest = SCM_CDR (rest))
    {
      SCM item = SCM_CAR (rest);

      mix (walk, SCM_UNPACK (item));
      mix (walk, SCM_UNPACK (SCM_CDR (rest)));
      walk->parts++;
      if (SCM_NIMP (item))
        walk_item (walk, item);
    }
  push (walk, rest);
}

static void
walk_vector (Walk *walk, SCM vector)
{
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (vector);

  if (SCM_I_IS_MUTABLE_VECTOR (vector))
    walk->parts += n;
  mix (walk, n);
  for (gsize i = 0; i < n && walk->parts <= walk->limit; i++)
    {
      SCM item = SCM_SIMPLE_VECTOR_REF (vector, i);

      mix (walk, SCM_UNPACK (item));
      if (scm_is_pair (item))
        walk_list (walk, item);
      else
        push (walk, item);
    }
}

static void
walk_numbers (Walk *walk, SCM vector)
{
  gsize size = SCM_BYTEVECTOR_LENGTH (vector), i;
  const guint8 *data = (const guint8 *) SCM_BYTEVECTOR_CONTENTS (vector);
  guint64 word = 0;

  if (!walk->numbers)
    return;
  walk->bytes += size;
  for (i = 0; i + sizeof word <= size; i += sizeof word)
    {
      memcpy (&word, data + i, sizeof word);
      mix (walk, word);
    }
  word = size;
  for (; i < size; i++)
    word = word << 8 | data[i];
  mix (walk, word);
}

static void
walk_other (Walk *walk, SCM object)
{
  SCM found = scm_call_1 (walk->hook, object);

  if (!scm_is_pair (found))
    return;
  gboolean can_change = scm_is_true (SCM_CAR (found));

  walk->parts += can_change;
  for (SCM rest = SCM_CDR (found); scm_is_pair (rest); rest = SCM_CDR (rest))
    {
      walk->parts += can_change;
      mix (walk, SCM_UNPACK (SCM_CAR (rest)));
      push (walk, SCM_CAR (rest));
    }
}

static void
walk_all (Walk *walk)
{
  while (walk->depth > 0 && walk->parts <= walk->limit)
    {
      SCM object = walk->stack[--walk->depth];

      if (scm_is_pair (object))
        {
          walk_list (walk, object);
          continue;
        }
      switch (SCM_TYP7 (object))
        {
        case scm_tc7_string:
        case scm_tc7_symbol:
        case scm_tc7_keyword:
        case scm_tc7_number:
        case scm_tc7_bitvector:
          break;
        case scm_tc7_vector:
          walk_vector (walk, object);
          break;
        case scm_tc7_bytevector:
          walk_numbers (walk, object);
          break;
        case scm_tc7_array:
          push (walk, SCM_I_ARRAY_V (object));
          break;
        case scm_tc7_hashtable:
          walk->parts++;
          mix (walk, SCM_HASHTABLE_N_ITEMS (object));
          mix (walk, SCM_UNPACK (SCM_HASHTABLE_VECTOR (object)));
          push (walk, SCM_HASHTABLE_VECTOR (object));
          break;
        default:
          walk_other (walk, object);
        }
    }
}

static void
walk_free (void *walk)
{
  g_free (((Walk *) walk)->stack);
}

/* (%parts value hook numbers? limit) -> (parts bytes . digest): of what can be changed in VALUE, the number of parts, counting ends soon
 * after LIMIT; with NUMBERS?, the bytes of its vectors of numbers; and a digest of all that. HOOK returns, for a record or a procedure, a
 * list: whether it can be changed, and what is in it; for anything else the empty list. */
static SCM
parts (SCM value, SCM hook, SCM numbers, SCM limit)
{
  Walk walk = { .hook = hook, .numbers = scm_is_true (numbers), .limit = scm_to_size_t (limit) };

  scm_dynwind_begin (0);
  scm_dynwind_unwind_handler (walk_free, &walk, SCM_F_WIND_EXPLICITLY);
  push (&walk, value);
  walk_all (&walk);
  scm_dynwind_end ();
  scm_remember_upto_here_1 (value);
  return scm_cons2 (scm_from_size_t (walk.parts), scm_from_size_t (walk.bytes), scm_from_uint64 (walk.digest));
}

/* --- copies --------------------------------------------------------------------------------------------------------- */

static SCM copy (SCM object, SCM hook);

static SCM
copy_list (SCM list, SCM hook)
{
  SCM first = scm_cons (copy (SCM_CAR (list), hook), SCM_EOL), last = first;

  for (list = SCM_CDR (list); scm_is_pair (list); list = SCM_CDR (list))
    {
      SCM pair = scm_cons (copy (SCM_CAR (list), hook), SCM_EOL);

      SCM_SETCDR (last, pair);
      last = pair;
    }
  SCM_SETCDR (last, copy (list, hook));
  return first;
}

/* The same vector if nothing in it has to be copied. */
static SCM
copy_vector (SCM vector, SCM hook)
{
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (vector);
  gboolean immutable = !SCM_I_IS_MUTABLE_VECTOR (vector), same = immutable;
  SCM items = scm_c_make_vector (n, SCM_BOOL_F);

  for (gsize i = 0; i < n; i++)
    {
      SCM item = SCM_SIMPLE_VECTOR_REF (vector, i), other = copy (item, hook);

      same = same && scm_is_eq (item, other);
      SCM_SIMPLE_VECTOR_SET (items, i, other);
    }
  if (immutable)
    SCM_SET_CELL_TYPE (items, SCM_CELL_TYPE (items) | SCM_F_VECTOR_IMMUTABLE);
  return same ? vector : items;
}

static SCM
copy_table (SCM table, SCM hook)
{
  gsize n = SCM_HASHTABLE_N_BUCKETS (table);
  SCM other = scm_c_make_hash_table (0), buckets = scm_c_make_vector (n, SCM_EOL);

  for (gsize i = 0; i < n; i++)
    {
      SCM reversed = SCM_EOL;

      /* Keys stay: they may be found by their addresses. */
      for (SCM rest = SCM_HASHTABLE_BUCKET (table, i); scm_is_pair (rest); rest = SCM_CDR (rest))
        reversed = scm_acons (SCM_CAAR (rest), copy (SCM_CDAR (rest), hook), reversed);
      SCM_SIMPLE_VECTOR_SET (buckets, i, scm_reverse_x (reversed, SCM_EOL));
    }
  *SCM_HASHTABLE (other) = *SCM_HASHTABLE (table);
  SCM_SET_HASHTABLE_VECTOR (other, buckets);
  return other;
}

static SCM
copy_array (SCM array, SCM hook)
{
  SCM contents = SCM_I_ARRAY_V (array), other = copy (contents, hook);

  if (scm_is_eq (contents, other))
    return array;
  SCM result = scm_i_raw_array ((int) SCM_I_ARRAY_NDIM (array));

  SCM_I_ARRAY_SET_V (result, other);
  SCM_I_ARRAY_SET_BASE (result, SCM_I_ARRAY_BASE (array));
  memcpy (SCM_I_ARRAY_DIMS (result), SCM_I_ARRAY_DIMS (array), SCM_I_ARRAY_NDIM (array) * sizeof (scm_t_array_dim));
  return result;
}

/* OBJECT is small, and so not nested deeply. */
static SCM
copy (SCM object, SCM hook)
{
  if (SCM_IMP (object))
    return object;
  if (scm_is_pair (object))
    return copy_list (object, hook);
  switch (SCM_TYP7 (object))
    {
    case scm_tc7_string:
    case scm_tc7_symbol:
    case scm_tc7_keyword:
    case scm_tc7_number:
    case scm_tc7_bitvector:
    case scm_tc7_bytevector:
      return object;
    case scm_tc7_vector:
      return copy_vector (object, hook);
    case scm_tc7_array:
      return copy_array (object, hook);
    case scm_tc7_hashtable:
      return copy_table (object, hook);
    default:
      return scm_call_1 (hook, object);
    }
}

/* (%copy-parts value hook) -> a value with parts of its own, of one that has few. HOOK returns the copy of a record or procedure. */
static SCM
copy_parts (SCM value, SCM hook)
{
  return copy (value, hook);
}

void
tutti_guile_init_frozen (void)
{
  tutti_guile_define_handle_type (&chunk_type);
  scm_c_define_gsubr ("%parts", 4, 0, 0, parts);
  scm_c_define_gsubr ("%copy-parts", 2, 0, 0, copy_parts);
}
