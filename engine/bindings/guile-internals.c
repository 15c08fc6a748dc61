/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The functions of guile-internals.h are compiled with the headers of one Guile; the library that they find may be of another version,
 * and a new version may mean something else by the same names. Nothing would crash at once: numbers would be wrong, or written where
 * nobody may write. So each of them is tried here when the bindings are loaded, against what Guile's own functions say; it takes some
 * 50 µs. Whoever adds one there adds its check here. */
#define GC_THREADS /* or the collector's header has nothing about its threads */
#include "bindings/guile-internals.h"
#include "platform/memory.h"
#include <string.h>

static gboolean
is_equal (SCM a, SCM b)
{
  return scm_is_true (scm_equal_p (a, b));
}

static gboolean
check_numbers (void)
{
  SCM integer = scm_from_int (-42), real = scm_from_double (0.5), big = scm_expt (scm_from_int (2), scm_from_int (100)),
      fraction = scm_divide (scm_from_int (1), scm_from_int (3)), complex = scm_c_make_rectangular (1, 2);

  return tti_guile_is_small_integer (integer) && tti_guile_get_small_integer (integer) == -42
         && !tti_guile_is_small_integer (real) && !tti_guile_is_small_integer (big) && tti_guile_is_double (real)
         && tti_guile_get_double (real) == 0.5 && !tti_guile_is_double (integer) && !tti_guile_is_double (big)
         && !tti_guile_is_double (fraction) && !tti_guile_is_double (complex) && tti_guile_is_big_integer (big)
         && !tti_guile_is_big_integer (integer) && !tti_guile_is_big_integer (fraction) && tti_guile_is_complex (complex)
         && !tti_guile_is_complex (real) && tti_guile_get_real_part (complex) == 1 && tti_guile_get_imaginary_part (complex) == 2;
}

static gboolean
check_characters (void)
{
  SCM character = scm_integer_to_char (scm_from_int (0x1d11e));

  return tti_guile_is_character (character) && tti_guile_get_character (character) == 0x1d11e
         && scm_is_eq (tti_guile_make_character (0x1d11e), character) && !tti_guile_is_character (scm_from_int (65))
         && !tti_guile_is_character (SCM_EOL);
}

static gboolean
check_pairs (void)
{
  void *cells = NULL;
  SCM second = tti_guile_take_pair (&cells, scm_from_int (2), SCM_EOL), first = tti_guile_take_pair (&cells, scm_from_int (1), SCM_EOL);

  tti_guile_set_tail (first, second);
  return is_equal (first, scm_list_2 (scm_from_int (1), scm_from_int (2)));
}

static SCM
write_into (gpointer bytevector)
{
  scm_bytevector_u8_set_x (*(SCM *) bytevector, scm_from_int (0), scm_from_int (7));
  return SCM_BOOL_T;
}

static SCM
refused (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED SCM key, G_GNUC_UNUSED SCM arguments)
{
  return SCM_BOOL_F;
}

/* Do Guile's functions refuse to write into BYTEVECTOR? */
static gboolean
is_refused (SCM bytevector)
{
  return scm_is_false (scm_c_catch (SCM_BOOL_T, write_into, &bytevector, refused, NULL, NULL, NULL));
}

static gboolean
check_bytevectors (void)
{
  static double numbers[4] = { 1, 2, 3, 4 };
  SCM owner = scm_cons (SCM_EOL, SCM_EOL), own = scm_c_make_bytevector (8);
  SCM pointer = scm_from_pointer (numbers, NULL), kind = scm_from_utf8_symbol ("f64");
  SCM view = tti_guile_make_view (numbers, 4, kind, owner);

  if (scm_c_bytevector_length (view) != sizeof numbers || scm_to_double (scm_f64vector_ref (view, scm_from_int (3))) != 4
      || !scm_is_eq (tti_guile_get_owner (view), owner)
      || !scm_is_eq (tti_guile_get_owner (scm_pointer_to_bytevector (pointer, scm_from_int (4), SCM_UNDEFINED, kind)), pointer)
      || tti_guile_get_element_type (view) != SCM_ARRAY_ELEMENT_TYPE_F64
      || tti_guile_get_element_type (own) != SCM_ARRAY_ELEMENT_TYPE_VU8 || !tti_guile_is_mutable_bytevector (view)
      || tti_guile_is_mutable_bytevector (owner))
    return FALSE;
  tti_guile_freeze_bytevector (view);
  if (tti_guile_is_mutable_bytevector (view) || !is_refused (view) || is_refused (own) || numbers[0] != 1
      || tti_guile_get_element_type (view) != SCM_ARRAY_ELEMENT_TYPE_F64)
    return FALSE;
  tti_guile_empty_view (view);
  return scm_c_bytevector_length (view) == 0 && scm_is_false (tti_guile_get_owner (view));
}

static gboolean
check_moved_contents (void)
{
  SCM bytevector = scm_c_make_bytevector (8), owner = scm_cons (bytevector, SCM_EOL);
  const guint8 *first = (const guint8 *) SCM_BYTEVECTOR_CONTENTS (bytevector);
  SCM view = tti_guile_make_view ((gpointer) first, 1, scm_from_utf8_symbol ("f64"), owner);

  scm_bytevector_fill_x (bytevector, scm_from_int (5));
  if (!tti_guile_is_one_block (bytevector) || tti_guile_is_one_block (view) || GC_get_all_interior_pointers ())
    return FALSE;
  SCM kept = scm_list_3 (tti_guile_move_contents (bytevector), tti_guile_move_contents (view), view);
  const guint8 *second = (const guint8 *) SCM_BYTEVECTOR_CONTENTS (bytevector);

  scm_bytevector_fill_x (bytevector, scm_from_int (7));
  kept = scm_cons (tti_guile_move_contents (bytevector), kept);
  scm_bytevector_fill_x (bytevector, scm_from_int (9));
  gboolean right = first[0] == 5 && second[0] == 7 && !tti_guile_is_one_block (bytevector)
                   && scm_c_bytevector_length (bytevector) == 8 && scm_is_false (tti_guile_get_owner (view))
                   && scm_to_int (scm_bytevector_u8_ref (bytevector, scm_from_int (7))) == 9
                   && scm_to_int (scm_bytevector_u8_ref (view, scm_from_int (7))) == 5;

  scm_remember_upto_here_1 (kept);
  return right;
}

static SCM
set_vector (gpointer vector)
{
  scm_c_vector_set_x (*(SCM *) vector, 0, SCM_BOOL_T);
  return SCM_BOOL_T;
}

static SCM
set_bits (gpointer bitvector)
{
  scm_t_array_handle handle;
  size_t offset, count;
  ssize_t step;

  scm_bitvector_writable_elements (*(SCM *) bitvector, &handle, &offset, &count, &step);
  scm_array_handle_release (&handle);
  return SCM_BOOL_T;
}

static gboolean
check_constants (void)
{
  SCM vector = scm_c_make_vector (1, SCM_BOOL_F), bits = scm_c_make_bitvector (1, SCM_BOOL_F);

  if (!tti_guile_is_mutable_vector (vector))
    return FALSE;
  tti_guile_freeze_vector (vector);
  tti_guile_freeze_bitvector (bits);
  return !tti_guile_is_mutable_vector (vector) && scm_c_vector_length (vector) == 1 && scm_c_bitvector_length (bits) == 1
         && scm_is_false (scm_c_catch (SCM_BOOL_T, set_vector, &vector, refused, NULL, NULL, NULL))
         && scm_is_false (scm_c_catch (SCM_BOOL_T, set_bits, &bits, refused, NULL, NULL, NULL));
}

static gboolean
check_tables (void)
{
  SCM table = scm_c_make_hash_table (31), key = scm_from_utf8_string ("key"), value = scm_from_int (3);

  scm_hash_set_x (table, key, value);
  scm_hash_set_x (table, scm_from_int (5), value);
  SCM buckets = tti_guile_get_buckets (table);
  gulong at = scm_ihash (key, scm_c_vector_length (buckets));

  if (tti_guile_get_n_entries (table) != 2 || !is_equal (scm_assoc_ref (scm_c_vector_ref (buckets, at), key), value))
    return FALSE;
  SCM one = tti_guile_make_table (scm_c_make_vector (1, scm_acons (key, SCM_BOOL_T, SCM_EOL)), 1);
  SCM like = tti_guile_make_table_like (table, buckets);

  return scm_is_eq (scm_hash_ref (one, key, SCM_BOOL_F), SCM_BOOL_T) && tti_guile_get_n_entries (like) == 2
         && scm_is_false (scm_hash_ref (one, scm_from_int (5), SCM_BOOL_F)) && is_equal (scm_hash_ref (like, key, SCM_BOOL_F), value);
}

static gboolean
check_arrays (void)
{
  SCM contents = scm_c_make_vector (7, SCM_BOOL_F);
  scm_t_array_dim *dimensions;

  scm_c_vector_set_x (contents, 5, scm_from_int (44));
  SCM array = tti_guile_make_array (2, contents, 1, &dimensions);

  dimensions[0] = (scm_t_array_dim) { .lbnd = 1, .ubnd = 2, .inc = 3 };
  dimensions[1] = (scm_t_array_dim) { .lbnd = 0, .ubnd = 2, .inc = 1 };
  return scm_c_array_rank (array) == 2 && tti_guile_get_rank (array) == 2 && tti_guile_get_dimensions (array) == dimensions
         && scm_is_eq (scm_shared_array_root (array), contents)
         && scm_to_int (scm_shared_array_offset (array)) == 1
         && is_equal (scm_array_ref (array, scm_list_2 (scm_from_int (2), scm_from_int (1))), scm_from_int (44));
}

static gboolean
check_types (void)
{
  SCM array = scm_make_array (SCM_BOOL_F, scm_list_2 (scm_from_int (2), scm_from_int (2)));
  const struct { SCM object; TtiGuileType type; } objects[] = {
    { scm_from_double (0.5), TTI_GUILE_NUMBER },
    { scm_expt (scm_from_int (2), scm_from_int (100)), TTI_GUILE_NUMBER },
    { scm_divide (scm_from_int (1), scm_from_int (3)), TTI_GUILE_NUMBER },
    { scm_from_utf8_string ("s"), TTI_GUILE_STRING },
    { scm_from_utf8_symbol ("s"), TTI_GUILE_SYMBOL },
    { scm_from_utf8_keyword ("s"), TTI_GUILE_KEYWORD },
    { scm_c_make_vector (1, SCM_BOOL_F), TTI_GUILE_VECTOR },
    { scm_c_make_bytevector (1), TTI_GUILE_BYTEVECTOR },
    { scm_c_make_bitvector (1, SCM_BOOL_F), TTI_GUILE_BITVECTOR },
    { array, TTI_GUILE_ARRAY },
    { scm_c_make_hash_table (1), TTI_GUILE_HASHTABLE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (objects); i++)
    if (SCM_IMP (objects[i].object) || tti_guile_get_type (objects[i].object) != objects[i].type)
      return FALSE;
  return TRUE;
}

/* States may be made, begun and deferred if they consist of what the header says, and if their generator draws what Guile would. */
static gboolean
check_random_states (void)
{
  static const char seed[] = "seed";
  SCM object = scm_seed_to_random_state (scm_from_utf8_string (seed)), own = tti_guile_make_random_state (sizeof (double));

  if (!SCM_SMOB_PREDICATE (scm_tc16_rstate, object) || tti_guile_get_rng ()->rstate_size < sizeof (scm_t_rstate))
    return FALSE;
  scm_t_rstate *state = tti_guile_get_random_state (object), *other = tti_guile_get_random_state (own);
  scm_t_rng deferred;

  memset (tti_guile_get_random_extra (other), 0xff, sizeof (double));
  tti_guile_init_deferred_rng (&deferred, scm_the_rng.random_bits, scm_the_rng.copy_rstate, scm_the_rng.to_datum);
  tti_guile_defer_random_state (other, &deferred);
  if (state->rng == NULL || state->rng->random_bits != scm_the_rng.random_bits || state->normal_next != 0 || other->rng != &deferred)
    return FALSE;
  tti_guile_begin_random_state (other, seed, sizeof seed - 1);
  return is_equal (scm_random (scm_from_int (1 << 30), own), scm_random (scm_from_int (1 << 30), object));
}

static gboolean marked; /* the async was run */

static SCM
note_mark (void)
{
  marked = TRUE;
  return SCM_UNSPECIFIED;
}

static gboolean
check_asyncs (void)
{
  SCM thunk = scm_c_make_gsubr ("note-mark", 0, 0, 0, note_mark);

  marked = FALSE;
  tti_guile_mark_quietly (thunk, scm_current_thread ());
  scm_async_tick ();
  return marked;
}

static gboolean
check_collector (void)
{
  tti_guile_pause_collector ();
  gboolean paused = GC_is_disabled ();

  tti_guile_resume_collector ();
  return paused;
}

static void
ignore_sweep (void *object, void *data)
{
  (void) object, (void) data;
}

static gboolean
check_swept (void)
{
  static const TtiSwept ignored = { ignore_sweep, NULL };

  GC_init_finalized_malloc ();
  gpointer object = tti_guile_make_swept (&ignored);

  return object != NULL && GC_base (object) == object && tti_guile_get_swept (object) == &ignored;
}

static const struct { const char *name; gboolean (*check) (void); } internals[] = {
  { "numbers", check_numbers },         { "characters", check_characters }, { "types", check_types },
  { "pairs", check_pairs },             { "bytevectors", check_bytevectors }, { "constants", check_constants },
  { "contents of bytevectors", check_moved_contents },
  { "hash tables", check_tables },      { "arrays", check_arrays },         { "random states", check_random_states },
  { "asyncs", check_asyncs },           { "collections", check_collector },
  { "objects that are swept", check_swept },
};

void
tti_guile_init_internals (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (internals); i++)
    if (!internals[i].check ())
      scm_misc_error (NULL,
                      "this is Guile ~A, whose ~A are not made as those of the Guile that Tutti was built with (~A.~A.~A); build Tutti "
                      "again with the headers of this Guile, or use Guile 3.0.8 to 3.0.10",
                      scm_list_5 (scm_version (), scm_from_utf8_string (internals[i].name), scm_from_int (SCM_MAJOR_VERSION),
                                  scm_from_int (SCM_MINOR_VERSION), scm_from_int (SCM_MICRO_VERSION)));
}

/* --- the collector -------------------------------------------------------------------------------------------------- */

gpointer
tti_guile_make_swept (const TtiSwept *swept)
{
  /* The collector's own word comes first, and what it returns, a pointer behind that, is not known everywhere as one to the object. */
  const TtiSwept **contents = GC_finalized_malloc (sizeof *contents, swept);

  if (contents == NULL)
    return NULL;
  *contents = swept;
  return contents - 1;
}

const TtiSwept *
tti_guile_get_swept (gpointer object)
{
  return ((const TtiSwept **) object)[1];
}

void
tti_guile_add_finaliser (SCM object, GC_finalization_proc proc, gpointer data)
{
  GC_finalization_proc old;
  gpointer old_data;

  GC_register_finalizer_no_order (SCM2PTR (object), proc, data, &old, &old_data);
  g_warn_if_fail (old == NULL);
}

/* --- contents that move ------------------------------------------------------------------------------------------------ */
typedef struct _Block Block;
struct _Block
{
  void *data;
  SCM owner;     /* of the data; #f: none */
  gint kept;     /* atomic: it is somebody else's */
  Block *next;
};

/* All memory that a bytevector has had. It is the data of a finaliser, which the collector looks into; into the block that a bytevector has
 * in common with its first contents it does not, and it knows no pointers into the middle of a block, except on stacks. Nothing is given
 * back before the bytevector: what Guile makes of a part of it (bytevector-slice, since 3.0.9) keeps the bytevector, and no more. */
typedef struct
{
  Block *blocks, *now;
  GC_finalization_proc next; /* the finaliser that was there before; NULL: none */
  void *next_data;
} Places;

static void
bytevector_unreachable (void *bytevector, void *data)
{
  Places *places = data;
  GC_finalization_proc next = places->next;

  if (next == NULL)
    return;
  /* It may be that of a guardian, which makes the bytevector reachable again. (The finaliser of a later guardian puts this one back, and
   * does not call it.) */
  places->next = NULL;
  next (bytevector, places->next_data);
  GC_register_finalizer_no_order (bytevector, bytevector_unreachable, places, &places->next, &places->next_data);
}

/* What keeps BLOCK is gone. */
static void
keeper_unreachable (G_GNUC_UNUSED void *keeper, void *block)
{
  g_atomic_int_set (&((Block *) block)->kept, FALSE);
}

static Block *
block_new (Places *places, void *data, SCM owner)
{
  Block *block = scm_gc_malloc (sizeof *block, "contents");

  *block = (Block) { .data = data, .owner = owner, .next = places->blocks };
  places->blocks = block;
  return block;
}

/* The places of BYTEVECTOR: those of the last time, if nobody has added a finaliser since. */
static Places *
places_of (SCM bytevector)
{
  Places *places = scm_gc_malloc (sizeof *places, "contents");
  GC_finalization_proc former;
  void *former_data;

  *places = (Places) { .blocks = NULL };
  places->now = block_new (places, SCM_BYTEVECTOR_CONTENTS (bytevector),
                           tti_guile_is_one_block (bytevector) ? SCM_BOOL_F : tti_guile_get_owner (bytevector));
  GC_register_finalizer_no_order (SCM_UNPACK_POINTER (bytevector), bytevector_unreachable, places, &former, &former_data);
  if (former == bytevector_unreachable)
    {
      GC_register_finalizer_no_order (SCM_UNPACK_POINTER (bytevector), former, former_data, NULL, NULL);
      return former_data;
    }
  places->next = former;
  places->next_data = former_data;
  return places;
}

/* Memory that was let go, but not that of an owner, to whom others may refer as well; else new memory. */
static Block *
block_to_use (Places *places, size_t size)
{
  for (Block *block = places->blocks; block != NULL; block = block->next)
    if (block != places->now && scm_is_false (block->owner) && !g_atomic_int_get (&block->kept))
      return block;
  return block_new (places, scm_gc_malloc_pointerless (size, "bytevector"), SCM_BOOL_F);
}

SCM
tti_guile_move_contents (SCM bytevector)
{
  size_t size = SCM_BYTEVECTOR_LENGTH (bytevector);
  Places *places = places_of (bytevector);
  Block *block = block_to_use (places, size), *before = places->now;
  SCM keeper = scm_cons (bytevector, SCM_EOL);

  GC_register_finalizer_no_order (SCM_UNPACK_POINTER (keeper), keeper_unreachable, before, NULL, NULL);
  tti_memory_copy (block->data, SCM_BYTEVECTOR_CONTENTS (bytevector), size);
  g_atomic_int_set (&before->kept, TRUE);
  places->now = block;
  SCM_SET_CELL_WORD_2 (bytevector, (scm_t_bits) block->data);
  SCM_SET_CELL_OBJECT_3 (bytevector, SCM_BOOL_F);
  SCM_SET_BYTEVECTOR_FLAGS (bytevector, SCM_BYTEVECTOR_FLAGS (bytevector) & ~SCM_F_BYTEVECTOR_CONTIGUOUS);
  scm_remember_upto_here_1 (bytevector);
  return keeper;
}

/* --- the collector ----------------------------------------------------------------------------------------------------- */
void
tti_guile_widen_heap (gsize size)
{
  gsize present = GC_get_heap_size ();

  if (present < size)
    GC_expand_hp (size - present); /* a hint: without memory for it things go on as they are */
  GC_set_min_bytes_allocd (size / 4);
}

void
tti_guile_accept_collector_signals (void)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, GC_get_suspend_signal ());
  sigaddset (&set, GC_get_thr_restart_signal ());
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
}

void
tti_guile_forbid_markers (void)
{
  GC_set_markers_count (1);
}
