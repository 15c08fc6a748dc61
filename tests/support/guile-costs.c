/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the functions of bindings/guile-internals.h save: each does its work here N times, and so does what Guile's manual documents. */
#include "support/guile-costs.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-vector.h"
#include <string.h>

enum { OBJECTS = 16 };

static volatile guintptr sink; /* nothing that is computed is left out by the compiler */

/* A function NAME (subject, n) that adds VALUE, of type TYPE, for N items of the vector SUBJECT. */
#define ADD_ITEMS(name, type, value) \
  static void name (SCM subject, gsize n) \
  { \
    type sum = 0; \
    for (gsize i = 0; i < n; i++) \
      { \
        SCM item = SCM_SIMPLE_VECTOR_REF (subject, i % OBJECTS); \
        sum += value; \
      } \
    sink = (guintptr) sum; \
  }

/* The same of one SUBJECT, and the number I. */
#define ADD(name, value) \
  static void name (G_GNUC_UNUSED SCM subject, gsize n) \
  { \
    guintptr sum = 0; \
    for (gsize i = 0; i < n; i++) \
      sum += value; \
    sink = sum; \
  }

typedef struct
{
  const char *name;
  SCM (*make) (void); /* what both get */
  void (*ours) (SCM subject, gsize n);
  void (*documented) (SCM subject, gsize n);
} Cost;

static SCM
make_nothing (void)
{
  return SCM_BOOL_F;
}

/* --- numbers -------------------------------------------------------------------------------------------------------- */

static SCM
make_integers (void)
{
  SCM vector = scm_c_make_vector (OBJECTS, SCM_BOOL_F);

  for (gsize i = 0; i < OBJECTS; i++)
    scm_c_vector_set_x (vector, i, scm_from_size_t (1000 * i));
  return vector;
}

ADD_ITEMS (integers_ours, gint64, tti_guile_is_small_integer (item) ? tti_guile_get_small_integer (item) : 0)

ADD_ITEMS (integers_documented, gint64, scm_is_signed_integer (item, G_MININT64, G_MAXINT64) ? scm_to_int64 (item) : 0)

static SCM
make_reals (void)
{
  SCM vector = scm_c_make_vector (OBJECTS, SCM_BOOL_F);

  for (gsize i = 0; i < OBJECTS; i++)
    scm_c_vector_set_x (vector, i, scm_from_double ((double) i));
  return vector;
}

ADD_ITEMS (reals_ours, double, tti_guile_is_double (item) ? tti_guile_get_double (item) : 0)

ADD_ITEMS (reals_documented, double, scm_is_real (item) && scm_is_inexact (item) ? scm_to_double (item) : 0)

static SCM
make_complex (void)
{
  return scm_c_make_rectangular (1, 2);
}

static void
complex_ours (SCM number, gsize n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    if (!tti_guile_is_double (number) && !tti_guile_is_big_integer (number) && tti_guile_is_complex (number))
      sum += tti_guile_get_real_part (number) + tti_guile_get_imaginary_part (number);
  sink = (guintptr) sum;
}

static void
complex_documented (SCM number, gsize n)
{
  double sum = 0;

  for (gsize i = 0; i < n; i++)
    if (!scm_is_exact_integer (number) && !scm_is_real (number))
      sum += scm_c_real_part (number) + scm_c_imag_part (number);
  sink = (guintptr) sum;
}

static SCM
make_characters (void)
{
  SCM vector = scm_c_make_vector (OBJECTS, SCM_BOOL_F);

  for (gsize i = 0; i < OBJECTS; i++)
    scm_c_vector_set_x (vector, i, scm_integer_to_char (scm_from_size_t (65 + i)));
  return vector;
}

ADD_ITEMS (characters_ours, guintptr, tti_guile_is_character (item) ? tti_guile_get_character (item) : 0)

ADD_ITEMS (characters_documented, guintptr, scm_is_true (scm_char_p (item)) ? scm_to_uint32 (scm_char_to_integer (item)) : 0)

ADD (new_characters_ours, SCM_UNPACK (tti_guile_make_character (65 + i % OBJECTS)))

ADD (new_characters_documented, SCM_UNPACK (scm_integer_to_char (scm_from_size_t (65 + i % OBJECTS))))

/* --- types ---------------------------------------------------------------------------------------------------------- */

/* What comes most in values. */
static SCM
make_objects (void)
{
  SCM symbol = scm_from_utf8_symbol ("symbol"), string = scm_from_utf8_string ("text"), real = scm_from_double (0.5);

  return scm_vector (scm_append (scm_list_2 (
    scm_list_4 (real, string, symbol, scm_c_make_vector (1, SCM_BOOL_F)),
    scm_list_4 (scm_c_make_bytevector (1), scm_c_make_hash_table (1), real, string))));
}

static void
types_ours (SCM vector, gsize n)
{
  guintptr sum = 0;

  for (gsize i = 0; i < n; i++)
    switch ((int) tti_guile_get_type (SCM_SIMPLE_VECTOR_REF (vector, i % 8)))
      {
      case TTI_GUILE_NUMBER:
        sum += 1;
        break;
      case TTI_GUILE_STRING:
        sum += 2;
        break;
      case TTI_GUILE_SYMBOL:
        sum += 3;
        break;
      case TTI_GUILE_VECTOR:
        sum += 4;
        break;
      case TTI_GUILE_BYTEVECTOR:
        sum += 5;
        break;
      default:
        sum += 6;
      }
  sink = sum;
}

static void
types_documented (SCM vector, gsize n)
{
  guintptr sum = 0;

  for (gsize i = 0; i < n; i++)
    {
      SCM object = SCM_SIMPLE_VECTOR_REF (vector, i % 8);

      sum += scm_is_number (object)       ? 1
             : scm_is_string (object)     ? 2
             : scm_is_symbol (object)     ? 3
             : scm_is_keyword (object)    ? 7
             : scm_is_vector (object)     ? 4
             : scm_is_bytevector (object) ? 5
             : scm_is_bitvector (object)  ? 8
             : scm_is_array (object)      ? 9
                                          : 6;
    }
  sink = sum;
}

/* --- pairs ---------------------------------------------------------------------------------------------------------- */

static void
pairs_ours (G_GNUC_UNUSED SCM subject, gsize n)
{
  void *cells = NULL;
  SCM list = SCM_EOL;

  for (gsize i = 0; i < n; i++)
    list = tti_guile_take_pair (&cells, SCM_BOOL_T, i % 1024 == 0 ? SCM_EOL : list);
  sink = (guintptr) SCM_UNPACK_POINTER (list);
}

static void
pairs_documented (G_GNUC_UNUSED SCM subject, gsize n)
{
  SCM list = SCM_EOL;

  for (gsize i = 0; i < n; i++)
    list = scm_cons (SCM_BOOL_T, i % 1024 == 0 ? SCM_EOL : list);
  sink = (guintptr) SCM_UNPACK_POINTER (list);
}

static SCM
make_pair (void)
{
  return scm_cons (SCM_BOOL_T, SCM_EOL);
}

static void
tails_ours (SCM pair, gsize n)
{
  for (gsize i = 0; i < n; i++)
    tti_guile_set_tail (pair, i % 2 == 0 ? SCM_EOL : SCM_BOOL_T);
}

static void
tails_documented (SCM pair, gsize n)
{
  for (gsize i = 0; i < n; i++)
    scm_set_cdr_x (pair, i % 2 == 0 ? SCM_EOL : SCM_BOOL_T);
}

/* --- bytevectors ---------------------------------------------------------------------------------------------------- */

static void
release_nothing (G_GNUC_UNUSED gpointer thing)
{
}

static TtiHandleType owner_type = { .name = "<owner>", .what = "owner", .release = release_nothing };
static SCM owners; /* weak table: view -> owner */
static char memory[64];

static SCM
make_numbers (void)
{
  return tti_guile_make_private (TTI_NUMBER_F64, 4);
}

ADD (element_types_ours, tti_guile_get_kind (subject))

static void
element_types_documented (SCM vector, gsize n)
{
  guintptr sum = 0;

  for (gsize i = 0; i < n; i++)
    {
      SCM symbol = scm_array_type (vector);

      for (guint kind = 0; kind <= TTI_NUMBER_VU8; kind++)
        if (scm_is_eq (symbol, tti_guile_get_kind_symbol (kind)))
          {
            sum += kind;
            break;
          }
    }
  sink = sum;
}

static SCM
make_owner (void)
{
  return tti_guile_make_handle (&owner_type, memory, FALSE);
}

static void
views_ours (SCM owner, gsize n)
{
  SCM kind = tti_guile_get_kind_symbol (TTI_NUMBER_F64), view = SCM_BOOL_F;

  for (gsize i = 0; i < n; i++)
    view = tti_guile_make_view (memory, 4, kind, owner);
  sink = (guintptr) SCM_UNPACK_POINTER (view);
}

static void
views_documented (SCM owner, gsize n)
{
  SCM kind = tti_guile_get_kind_symbol (TTI_NUMBER_F64), view = SCM_BOOL_F;

  for (gsize i = 0; i < n; i++)
    {
      view = scm_pointer_to_bytevector (scm_from_pointer (memory, NULL), scm_from_int (4), SCM_UNDEFINED, kind);
      scm_hashq_set_x (owners, view, owner);
    }
  sink = (guintptr) SCM_UNPACK_POINTER (view);
}

static SCM
make_view (void)
{
  SCM owner = make_owner (), view = tti_guile_make_view (memory, 4, tti_guile_get_kind_symbol (TTI_NUMBER_F64), owner);

  scm_hashq_set_x (owners, view, owner);
  return view;
}

ADD (owners_ours, tti_guile_is_handle (&owner_type, tti_guile_get_owner (subject)))

ADD (owners_documented, scm_is_true (scm_hashq_ref (owners, subject, SCM_BOOL_F)))

/* --- hash tables, arrays -------------------------------------------------------------------------------------------- */

static SCM
make_table (void)
{
  SCM table = scm_c_make_hash_table (OBJECTS);

  for (int i = 0; i < OBJECTS; i++)
    scm_hashv_set_x (table, scm_from_int (i), SCM_BOOL_T);
  return table;
}

/* The entries of TABLE, and for each the buckets where three hash functions would have put it; N counts entries. */
static void
tables_ours (SCM table, gsize n)
{
  guintptr sum = 0;

  for (gsize done = 0; done < n; done += OBJECTS)
    {
      SCM buckets = tti_guile_get_buckets (table);
      gsize n_buckets = SCM_SIMPLE_VECTOR_LENGTH (buckets);

      for (gsize b = 0; b < n_buckets; b++)
        for (SCM rest = SCM_SIMPLE_VECTOR_REF (buckets, b); scm_is_pair (rest); rest = SCM_CDR (rest))
          {
            SCM key = SCM_CAR (SCM_CAR (rest));

            sum += (scm_ihash (key, n_buckets) == b) + (scm_ihashv (key, n_buckets) == b) + (scm_ihashq (key, n_buckets) == b);
          }
    }
  sink = sum;
}

static SCM
note_key (SCM key, G_GNUC_UNUSED SCM value, SCM keys)
{
  return scm_cons (key, keys);
}

static void
tables_documented (SCM table, gsize n)
{
  static SCM procedure;
  guintptr sum = 0;

  if (SCM_UNPACK (procedure) == 0)
    procedure = scm_permanent_object (scm_c_make_gsubr ("note-key", 3, 0, 0, note_key));
  for (gsize done = 0; done < n; done += OBJECTS)
    for (SCM rest = scm_hash_fold (procedure, SCM_EOL, table); scm_is_pair (rest); rest = SCM_CDR (rest))
      {
        SCM key = SCM_CAR (rest);

        sum += scm_is_pair (scm_hash_get_handle (table, key)) + scm_is_pair (scm_hashv_get_handle (table, key))
               + scm_is_pair (scm_hashq_get_handle (table, key));
      }
  sink = sum;
}

static void
arrays_ours (SCM contents, gsize n)
{
  SCM array = SCM_BOOL_F;

  for (gsize i = 0; i < n; i++)
    {
      scm_t_array_dim *dimensions;

      array = tti_guile_make_array (2, contents, 0, &dimensions);
      dimensions[0] = (scm_t_array_dim) { .lbnd = 0, .ubnd = 1, .inc = 2 };
      dimensions[1] = (scm_t_array_dim) { .lbnd = 0, .ubnd = 1, .inc = 1 };
    }
  sink = (guintptr) SCM_UNPACK_POINTER (array);
}

static void
arrays_documented (SCM contents, gsize n)
{
  SCM kind = tti_guile_get_kind_symbol (TTI_NUMBER_F64), array = SCM_BOOL_F;

  for (gsize i = 0; i < n; i++)
    {
      scm_t_array_handle handle;

      array = scm_make_typed_array (kind, SCM_UNSPECIFIED, scm_list_2 (scm_from_int (2), scm_from_int (2)));
      scm_array_get_handle (array, &handle);
      memcpy (scm_array_handle_f64_writable_elements (&handle), SCM_BYTEVECTOR_CONTENTS (contents), 4 * sizeof (double));
      scm_array_handle_release (&handle);
    }
  sink = (guintptr) SCM_UNPACK_POINTER (array);
}

static SCM
make_array (void)
{
  return scm_make_array (SCM_BOOL_F, scm_list_2 (scm_from_int (2), scm_from_int (2)));
}

static void
dimensions_ours (SCM array, gsize n)
{
  guintptr sum = 0;

  for (gsize i = 0; i < n; i++)
    for (gsize d = 0; d < tti_guile_get_rank (array); d++)
      sum += (guintptr) tti_guile_get_dimensions (array)[d].ubnd;
  sink = sum;
}

static void
dimensions_documented (SCM array, gsize n)
{
  guintptr sum = 0;

  for (gsize i = 0; i < n; i++)
    {
      scm_t_array_handle handle;

      scm_array_get_handle (array, &handle);
      for (gsize d = 0; d < scm_array_handle_rank (&handle); d++)
        sum += (guintptr) scm_array_handle_dims (&handle)[d].ubnd;
      scm_array_handle_release (&handle);
    }
  sink = sum;
}

/* --- random states, handles ----------------------------------------------------------------------------------------- */

static scm_t_rng deferred;

static SCM
make_random_state (void)
{
  tti_guile_init_deferred_rng (&deferred, tti_guile_get_rng ()->random_bits, tti_guile_get_rng ()->copy_rstate,
                               tti_guile_get_rng ()->to_datum);
  return tti_guile_make_random_state (0);
}

static void
random_states_ours (SCM object, gsize n)
{
  for (gsize i = 0; i < n; i++)
    tti_guile_defer_random_state (tti_guile_get_random_state (object), &deferred);
}

static void
random_states_documented (G_GNUC_UNUSED SCM object, gsize n)
{
  SCM state = SCM_BOOL_F;

  for (gsize i = 0; i < n; i++)
    state = scm_seed_to_random_state (scm_from_size_t (i));
  sink = (guintptr) SCM_UNPACK_POINTER (state);
}

static void
handles_ours (G_GNUC_UNUSED SCM subject, gsize n)
{
  for (gsize i = 0; i < n; i++)
    sink = (guintptr) SCM_UNPACK_POINTER (make_owner ());
}

static void
handles_documented (G_GNUC_UNUSED SCM subject, gsize n)
{
  for (gsize i = 0; i < n; i++)
    sink = (guintptr) SCM_UNPACK_POINTER (
      scm_new_double_smob (owner_type.tag, (scm_t_bits) memory, (scm_t_bits) &owner_type, (scm_t_bits) FALSE));
}

static const Cost costs[] = {
  { "small integer: is it one, and which", make_integers, integers_ours, integers_documented },
  { "real: is it one, and which", make_reals, reals_ours, reals_documented },
  { "complex number: is it one, and which", make_complex, complex_ours, complex_documented },
  { "character: is it one, and which", make_characters, characters_ours, characters_documented },
  { "character, new", make_nothing, new_characters_ours, new_characters_documented },
  { "type of an object", make_objects, types_ours, types_documented },
  { "pair, new", make_nothing, pairs_ours, pairs_documented },
  { "pair, another tail", make_pair, tails_ours, tails_documented },
  { "bytevector: kind of numbers", make_numbers, element_types_ours, element_types_documented },
  { "view, new", make_owner, views_ours, views_documented },
  { "view: owner", make_view, owners_ours, owners_documented },
  { "hash table: entry, and who put it there", make_table, tables_ours, tables_documented },
  { "array: dimensions", make_array, dimensions_ours, dimensions_documented },
  { "array of four numbers", make_numbers, arrays_ours, arrays_documented },
  { "random state of an item", make_random_state, random_states_ours, random_states_documented },
  { "handle, new", make_nothing, handles_ours, handles_documented },
};

static double
nanoseconds (void (*work) (SCM, gsize), SCM subject, gsize n)
{
  gint64 start = g_get_monotonic_time ();

  work (subject, n);
  return (double) (g_get_monotonic_time () - start) * 1000 / (double) n;
}

/* (%internals-costs n) -> a list of (name ours documented), in nanoseconds: the time of each, done N times */
static SCM
internals_costs (SCM n)
{
  gsize times = scm_to_size_t (n);
  SCM list = SCM_EOL;

  for (gsize i = G_N_ELEMENTS (costs); i-- > 0; )
    {
      SCM subject = costs[i].make ();
      double ours = nanoseconds (costs[i].ours, subject, times), documented = nanoseconds (costs[i].documented, subject, times);

      list = scm_cons (scm_list_3 (scm_from_utf8_string (costs[i].name), scm_from_double (ours), scm_from_double (documented)), list);
      scm_remember_upto_here_1 (subject);
    }
  return list;
}

void
tti_guile_init_costs (void)
{
  tti_guile_define_handle_type (&owner_type);
  owners = scm_permanent_object (scm_make_weak_key_hash_table (SCM_UNDEFINED));
  scm_c_define_gsubr ("%internals-costs", 1, 0, 0, internals_costs);
  scm_c_export ("%internals-costs", NULL);
}
