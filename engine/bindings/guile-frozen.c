/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "bindings/guile-frozen.h"
#include "bindings/guile-error.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include <string.h>

/* --- protected numbers ---------------------------------------------------------------------------------------------- */

enum { FIRST_CHUNK = TTI_INLINE_LIMIT, LARGEST_CHUNK = 1 << 20, ALIGNMENT = 16, FIRST_STACK = 256 };

static void
chunk_release (gpointer vector)
{
  tti_vector_unref (vector);
}

/* Not the type of the storage of shared vectors: these are not shared. */
static TtiHandleType chunk_type = { .name = "<frozen-memory>", .what = "frozen memory", .release = chunk_release };

static void
freezer_grow (TtiFreezer *freezer, gsize least)
{
  GError *error = NULL;
  gsize size = FIRST_CHUNK;

  if (scm_is_pair (freezer->chunks))
    size = MIN (LARGEST_CHUNK,
                2 * tti_vector_get_size (tti_guile_from_handle (&chunk_type, SCM_CAR (freezer->chunks), 0, "decode")));
  size = MAX (size, least);
  TtiVector *chunk = tti_vector_new_to_protect (size, &error);

  if (chunk == NULL)
    tti_guile_raise ("decode", error);
  freezer->chunks = scm_cons (tti_guile_make_handle (&chunk_type, chunk, FALSE), freezer->chunks);
  freezer->next = tti_vector_get_data (chunk);
  freezer->left = size;
}

SCM
tti_guile_freezer_numbers (TtiFreezer *freezer, TtiNumberKind kind, gconstpointer data, gsize size)
{
  gsize taken = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  if (taken > freezer->left)
    freezer_grow (freezer, taken);
  memcpy (freezer->next, data, size);
  SCM view = tti_guile_make_view (freezer->next, size / tti_number_size (kind), tti_guile_get_kind_symbol (kind),
                                  SCM_CAR (freezer->chunks));

  tti_guile_freeze_bytevector (view);
  freezer->next += taken;
  freezer->left -= taken;
  return view;
}

void
tti_guile_freezer_finish (TtiFreezer *freezer)
{
  for (SCM rest = freezer->chunks; scm_is_pair (rest); rest = SCM_CDR (rest))
    tti_vector_protect (tti_guile_from_handle (&chunk_type, SCM_CAR (rest), 0, "decode"));
}

/* --- parts ---------------------------------------------------------------------------------------------------------- */

/* A walk over all that can be changed in a value. Its digest is made of the words of its parts: objects do not move, so that a value
 * whose words are the same is the same. */
typedef struct
{
  SCM hook;
  gboolean numbers; /* are vectors of numbers unprotected? */
  gsize parts, limit, bytes;
  guint64 digest;
  SCM *stack;       /* unknown to the collector: the value keeps all of it alive */
  gsize depth, capacity;
} Walk;

/* No word's product depends on that of the word before, so that the processor need not wait for it. */
static inline void
mix (Walk *walk, guint64 word)
{
  guint64 product = word * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  walk->digest = (walk->digest << 7 | walk->digest >> 57) + (product ^ product >> 32);
}

static void
push (Walk *walk, SCM object)
{
  if (SCM_IMP (object) || (!scm_is_pair (object) && tti_guile_get_type (object) == TTI_GUILE_NUMBER))
    return;
  if (walk->depth == walk->capacity)
    {
      walk->capacity = MAX (2 * walk->capacity, FIRST_STACK);
      walk->stack = g_renew (SCM, walk->stack, walk->capacity);
    }
  walk->stack[walk->depth++] = object;
}

/* Objects without parts are left out; pairs of numbers, as entries of tables often are, bypass the stack. */
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
  /* The limit also ends circular lists. */
  for (; scm_is_pair (rest) && walk->parts <= walk->limit; rest = SCM_CDR (rest))
    {
      SCM item = SCM_CAR (rest);

      mix (walk, SCM_UNPACK (item));
      mix (walk, SCM_UNPACK (SCM_CDR (rest)));
      walk->parts++;
      if (!SCM_IMP (item))
        walk_item (walk, item);
    }
  push (walk, rest);
}

static void
walk_vector (Walk *walk, SCM vector)
{
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (vector);

  if (tti_guile_is_mutable_vector (vector))
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
      switch ((int) tti_guile_get_type (object))
        {
        case TTI_GUILE_STRING:
        case TTI_GUILE_SYMBOL:
        case TTI_GUILE_KEYWORD:
        case TTI_GUILE_NUMBER:
        case TTI_GUILE_BITVECTOR:
          break;
        case TTI_GUILE_VECTOR:
          walk_vector (walk, object);
          break;
        case TTI_GUILE_BYTEVECTOR:
          walk_numbers (walk, object);
          break;
        case TTI_GUILE_ARRAY:
          push (walk, scm_shared_array_root (object));
          break;
        case TTI_GUILE_HASHTABLE:
          walk->parts++;
          mix (walk, tti_guile_get_n_entries (object));
          mix (walk, SCM_UNPACK (tti_guile_get_buckets (object)));
          push (walk, tti_guile_get_buckets (object));
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

      tti_guile_set_tail (last, pair);
      last = pair;
    }
  tti_guile_set_tail (last, copy (list, hook));
  return first;
}

/* The same vector if nothing in it has to be copied. */
static SCM
copy_vector (SCM vector, SCM hook)
{
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (vector);
  gboolean immutable = !tti_guile_is_mutable_vector (vector), same = immutable;
  SCM items = scm_c_make_vector (n, SCM_BOOL_F);

  for (gsize i = 0; i < n; i++)
    {
      SCM item = SCM_SIMPLE_VECTOR_REF (vector, i), other = copy (item, hook);

      same = same && scm_is_eq (item, other);
      SCM_SIMPLE_VECTOR_SET (items, i, other);
    }
  if (immutable)
    tti_guile_freeze_vector (items);
  return same ? vector : items;
}

static SCM
copy_table (SCM table, SCM hook)
{
  SCM buckets = tti_guile_get_buckets (table);
  gsize n = SCM_SIMPLE_VECTOR_LENGTH (buckets);
  SCM copies = scm_c_make_vector (n, SCM_EOL);

  for (gsize i = 0; i < n; i++)
    {
      SCM reversed = SCM_EOL;

      /* Keys stay: they may be found by their addresses. */
      for (SCM rest = SCM_SIMPLE_VECTOR_REF (buckets, i); scm_is_pair (rest); rest = SCM_CDR (rest))
        reversed = scm_acons (SCM_CAR (SCM_CAR (rest)), copy (SCM_CDR (SCM_CAR (rest)), hook), reversed);
      SCM_SIMPLE_VECTOR_SET (copies, i, scm_reverse_x (reversed, SCM_EOL));
    }
  return tti_guile_make_table_like (table, copies);
}

static SCM
copy_array (SCM array, SCM hook)
{
  SCM contents = scm_shared_array_root (array), other = copy (contents, hook);

  if (scm_is_eq (contents, other))
    return array;
  gsize rank = tti_guile_get_rank (array);
  scm_t_array_dim *dimensions;
  SCM result = tti_guile_make_array (rank, other, scm_to_size_t (scm_shared_array_offset (array)), &dimensions);

  memcpy (dimensions, tti_guile_get_dimensions (array), rank * sizeof *dimensions);
  return result;
}

/* OBJECT is small, so that recursion is not deep. */
static SCM
copy (SCM object, SCM hook)
{
  if (SCM_IMP (object))
    return object;
  if (scm_is_pair (object))
    return copy_list (object, hook);
  switch ((int) tti_guile_get_type (object))
    {
    case TTI_GUILE_STRING:
    case TTI_GUILE_SYMBOL:
    case TTI_GUILE_KEYWORD:
    case TTI_GUILE_NUMBER:
    case TTI_GUILE_BITVECTOR:
    case TTI_GUILE_BYTEVECTOR:
      return object;
    case TTI_GUILE_VECTOR:
      return copy_vector (object, hook);
    case TTI_GUILE_ARRAY:
      return copy_array (object, hook);
    case TTI_GUILE_HASHTABLE:
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
tti_guile_init_frozen (void)
{
  tti_guile_define_handle_type (&chunk_type);
  scm_c_define_gsubr ("%parts", 4, 0, 0, parts);
  scm_c_define_gsubr ("%copy-parts", 2, 0, 0, copy_parts);
}
