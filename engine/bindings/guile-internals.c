/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Some of the bindings reach into Guile's objects, because its functions are too slow or do not exist. That is by the headers that they
 * were compiled with; the library that they find may be of another version, and a new version may mean something else by the same
 * names. Nothing would crash at once: numbers would be wrong, or written where nobody may write. So everything of that kind is tried
 * here, each time when the bindings are loaded, against what Guile's own functions say; it takes some 50 µs.
 *
 * Whoever relies on something new adds it here. */
#include "bindings/guile-internals.h"
#include <gc/gc.h>
#include <glib.h>
#include <libguile.h>

static gboolean
is_equal (SCM a, SCM b)
{
  return scm_is_true (scm_equal_p (a, b));
}

/* guile-encode.c, guile-random.c, guile-call.c */
static gboolean
check_small_integers (void)
{
  SCM number = scm_from_int (-42);

  return SCM_I_INUMP (number) && SCM_I_INUM (number) == -42 && scm_to_int (SCM_I_MAKINUM (-42)) == -42
         && !SCM_I_INUMP (scm_from_double (1));
}

/* guile-decode.c makes pairs out of cells that it takes from the collector in bulk. */
static gboolean
check_pairs (void)
{
  gpointer cells = GC_malloc_many (2 * sizeof (SCM));

  if (cells == NULL)
    return TRUE; /* no memory: nothing is known, and nothing is taken either */
  gpointer rest = GC_NEXT (cells);
  SCM pair = SCM_PACK_POINTER (cells);

  SCM_SET_CELL_OBJECT_0 (pair, scm_from_int (1));
  SCM_SET_CELL_OBJECT_1 (pair, scm_list_1 (scm_from_int (2)));
  return rest != cells && is_equal (pair, scm_list_2 (scm_from_int (1), scm_from_int (2)));
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

/* guile-vector.c: views of shared vectors, that keep their storage alive, may be read-only, and may be emptied. */
static gboolean
check_bytevectors (void)
{
  static double numbers[4] = { 1, 2, 3, 4 };
  SCM pointer = scm_from_pointer (numbers, NULL);
  SCM view = scm_pointer_to_bytevector (pointer, scm_from_int (4), SCM_UNDEFINED, scm_from_utf8_symbol ("f64"));
  SCM own = scm_c_make_bytevector (8);

  if (!SCM_BYTEVECTOR_P (view) || SCM_BYTEVECTOR_P (scm_cons (view, own)) || SCM_CELL_WORD_1 (view) != sizeof numbers
      || SCM_BYTEVECTOR_LENGTH (view) != scm_c_bytevector_length (view) || (gpointer) SCM_BYTEVECTOR_CONTENTS (view) != (gpointer) numbers
      || !scm_is_eq (SCM_BYTEVECTOR_PARENT (view), pointer) || !scm_is_eq (SCM_CELL_OBJECT_3 (view), pointer)
      || SCM_BYTEVECTOR_ELEMENT_TYPE (view) != SCM_ARRAY_ELEMENT_TYPE_F64
      || SCM_BYTEVECTOR_ELEMENT_TYPE (own) != SCM_ARRAY_ELEMENT_TYPE_VU8)
    return FALSE;
  SCM_SET_BYTEVECTOR_FLAGS (view, SCM_BYTEVECTOR_FLAGS (view) | SCM_F_BYTEVECTOR_IMMUTABLE);
  if (scm_is_true (scm_c_catch (SCM_BOOL_T, write_into, &view, refused, NULL, NULL, NULL)) || numbers[0] != 1
      || SCM_BYTEVECTOR_ELEMENT_TYPE (view) != SCM_ARRAY_ELEMENT_TYPE_F64)
    return FALSE;
  SCM_SET_CELL_WORD_1 (view, 0);
  return scm_c_bytevector_length (view) == 0;
}

/* guile-table.c looks where keys are, and puts all of them into one place. */
static gboolean
check_tables (void)
{
  SCM table = scm_c_make_hash_table (31), key = scm_from_utf8_string ("key"), value = scm_from_int (3);

  scm_hash_set_x (table, key, value);
  scm_hash_set_x (table, scm_from_int (5), value);
  SCM buckets = SCM_HASHTABLE_VECTOR (table);
  gulong at = scm_ihash (key, scm_c_vector_length (buckets));

  if (!SCM_HASHTABLE_P (table) || SCM_HASHTABLE_N_ITEMS (table) != 2
      || !is_equal (scm_assoc_ref (scm_c_vector_ref (buckets, at), key), value))
    return FALSE;
  SCM_SET_HASHTABLE_VECTOR (table, scm_c_make_vector (1, scm_acons (key, SCM_BOOL_T, SCM_EOL)));
  SCM_SET_HASHTABLE_N_ITEMS (table, 1);
  return scm_is_eq (scm_hash_ref (table, key, SCM_BOOL_F), SCM_BOOL_T)
         && scm_is_eq (scm_hash_ref (table, scm_from_int (5), SCM_BOOL_F), SCM_BOOL_F);
}

/* guile-array.c takes arrays to pieces and puts them together. */
static gboolean
check_arrays (void)
{
  SCM array = scm_i_raw_array (2), contents = scm_c_make_vector (6, SCM_BOOL_F);

  scm_c_vector_set_x (contents, 4, scm_from_int (44));
  SCM_I_ARRAY_SET_V (array, contents);
  SCM_I_ARRAY_SET_BASE (array, 0);
  SCM_I_ARRAY_DIMS (array)[0] = (scm_t_array_dim) { .lbnd = 1, .ubnd = 2, .inc = 3 };
  SCM_I_ARRAY_DIMS (array)[1] = (scm_t_array_dim) { .lbnd = 0, .ubnd = 2, .inc = 1 };
  return SCM_I_ARRAYP (array) && SCM_I_ARRAY_NDIM (array) == scm_c_array_rank (array)
         && is_equal (scm_array_ref (array, scm_list_2 (scm_from_int (2), scm_from_int (1))), scm_from_int (44));
}

/* guile-encode.c decides by tags what an object is. */
static gboolean
check_tags (void)
{
  SCM big = scm_expt (scm_from_int (2), scm_from_int (100)), fraction = scm_divide (scm_from_int (1), scm_from_int (3));
  const struct { SCM object; scm_t_bits tag; } objects[] = {
    { scm_from_double (0.5), scm_tc7_number },
    { big, scm_tc7_number },
    { fraction, scm_tc7_number },
    { scm_from_utf8_string ("s"), scm_tc7_string },
    { scm_from_utf8_symbol ("s"), scm_tc7_symbol },
    { scm_from_utf8_keyword ("s"), scm_tc7_keyword },
    { scm_c_make_vector (1, SCM_BOOL_F), scm_tc7_vector },
    { scm_c_make_bytevector (1), scm_tc7_bytevector },
    { scm_c_make_bitvector (1, SCM_BOOL_F), scm_tc7_bitvector },
    { scm_i_raw_array (2), scm_tc7_array },
    { scm_c_make_hash_table (1), scm_tc7_hashtable },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (objects); i++)
    if (SCM_IMP (objects[i].object) || SCM_TYP7 (objects[i].object) != objects[i].tag)
      return FALSE;
  return SCM_REALP (objects[0].object) && !SCM_REALP (big) && !SCM_REALP (fraction);
}

/* guile-random.c makes states of its own, which begin late and then are Guile's. */
static gboolean
check_random_states (void)
{
  SCM object = scm_seed_to_random_state (scm_from_utf8_string ("seed"));

  if (!SCM_SMOB_PREDICATE (scm_tc16_rstate, object))
    return FALSE;
  scm_t_rstate *state = (scm_t_rstate *) SCM_SMOB_DATA (object);

  if (state->rng == NULL || state->rng->random_bits != scm_the_rng.random_bits || scm_the_rng.rstate_size < sizeof (scm_t_rstate)
      || state->normal_next != 0)
    return FALSE;
  scm_t_rstate *copy = state->rng->copy_rstate (state);
  uint32_t drawn = state->rng->random_bits (state);

  return copy->rng->random_bits (copy) == drawn;
}

static const struct { const char *name; gboolean (*check) (void); } internals[] = {
  { "small integers", check_small_integers }, { "pairs", check_pairs },   { "bytevectors", check_bytevectors },
  { "hash tables", check_tables },            { "arrays", check_arrays }, { "tags", check_tags },
  { "random states", check_random_states },
};

void
tutti_guile_init_internals (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (internals); i++)
    if (!internals[i].check ())
      scm_misc_error (NULL,
                      "this is Guile ~A, whose ~A are not made as those of the Guile that Tutti was built with (~A.~A.~A); build Tutti "
                      "again with the headers of this Guile, or use Guile 3.0.8 to 3.0.10",
                      scm_list_5 (scm_version (), scm_from_utf8_string (internals[i].name), scm_from_int (SCM_MAJOR_VERSION),
                                  scm_from_int (SCM_MINOR_VERSION), scm_from_int (SCM_MICRO_VERSION)));
}
