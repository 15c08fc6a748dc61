/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the bindings know of Guile's insides: how objects are laid out in memory, and the interface of the collector.
 * Guile's manual documents neither, so all of it is in this header, with the reason and with the cost of the
 * documented way; a lint keeps it out of the other files. tti_guile_init_internals () checks at each start that the
 * Guile that is there is made as its headers say.
 *
 * Where the documented way costs less than a twentieth of what it is a part of, it is used. What it costs elsewhere
 * is given as "ours to documented" in nanoseconds: medians of tests/bench/internals.scm, which measures both in turn,
 * and their range in five runs if that is wide (Guile 3.0.8, 2 cores of a virtual machine that were busy). To
 * compare: in a list, a small integer takes 3.5 to 4.5 ns to encode and 7 to 9 to decode, a symbol 11 and 19 to 23; a
 * vector of four numbers takes 320 and 135 by itself. */
#pragma once
#include <gc/gc.h>
#include <gc/gc_disclaim.h>
#include <glib.h>
#include <libguile.h>

/* Check that this Guile's insides are what the bindings take them for; else raise an error that names what is
 * different. To be called before anything relies on them. */
void tti_guile_init_internals (void);

/* --- numbers, characters --------------------------------------------------------------------------------------------- */

/* Small integers and reals are most of what lists and vectors consist of, and the encoder looks at each of them
 * twice. */

/* Is OBJECT an exact integer that needs no memory: of 62 bits? Documented: scm_is_signed_integer () and scm_to_int64
 * (), 0.6 to 3.6. */
static inline gboolean
tti_guile_is_small_integer (SCM object)
{
  return SCM_I_INUMP (object);
}

static inline gint64
tti_guile_get_small_integer (SCM small_integer)
{
  return SCM_I_INUM (small_integer);
}

/* Is OBJECT a real that is inexact: a double? Documented: scm_is_real (), scm_is_inexact () and scm_to_double (), 0.8
 * to 7.4. */
static inline gboolean
tti_guile_is_double (SCM object)
{
  return SCM_REALP (object);
}

static inline double
tti_guile_get_double (SCM real)
{
  return SCM_REAL_VALUE (real);
}

/* The other numbers, but fractions. Documented: scm_is_exact_integer () and scm_is_real (), then scm_c_real_part ()
 * and scm_c_imag_part (), 0.8 to 7.4. */
static inline gboolean
tti_guile_is_big_integer (SCM object)
{
  return SCM_BIGP (object);
}

/* Is OBJECT a complex number that is not real? */
static inline gboolean
tti_guile_is_complex (SCM object)
{
  return SCM_COMPLEXP (object);
}

static inline double
tti_guile_get_real_part (SCM complex_number)
{
  return SCM_COMPLEX_REAL (complex_number);
}

static inline double
tti_guile_get_imaginary_part (SCM complex_number)
{
  return SCM_COMPLEX_IMAG (complex_number);
}

/* Lists of characters need it. Documented: scm_char_p () and scm_char_to_integer (), 0.6 to 4.9. */
static inline gboolean
tti_guile_is_character (SCM object)
{
  return SCM_CHARP (object);
}

static inline guint32
tti_guile_get_character (SCM character)
{
  return (guint32) SCM_CHAR (character);
}

/* The character with CODE, which is one. Documented: scm_integer_to_char (), 0.6 to 4.4. */
static inline SCM
tti_guile_make_character (guint32 code)
{
  return SCM_MAKE_CHAR ((scm_t_wchar) code);
}

/* --- types ---------------------------------------------------------------------------------------------------------- */

/* One switch instead of up to nine questions, each a call of a function, for every part of a value that is encoded,
 * watched or copied. Documented: scm_is_number (), scm_is_string () and so on, one after the other: 0.8 to 5.6. */
typedef enum
{
  TTI_GUILE_NUMBER = scm_tc7_number,
  TTI_GUILE_STRING = scm_tc7_string,
  TTI_GUILE_SYMBOL = scm_tc7_symbol,
  TTI_GUILE_KEYWORD = scm_tc7_keyword,
  TTI_GUILE_VECTOR = scm_tc7_vector,
  TTI_GUILE_BYTEVECTOR = scm_tc7_bytevector,
  TTI_GUILE_BITVECTOR = scm_tc7_bitvector,
  TTI_GUILE_ARRAY = scm_tc7_array,
  TTI_GUILE_HASHTABLE = scm_tc7_hashtable
} TtiGuileType;

/* The type of OBJECT, which is neither immediate nor a pair; other values than those above are of other types. */
static inline TtiGuileType
tti_guile_get_type (SCM object)
{
  return (TtiGuileType) SCM_TYP7 (object);
}

/* --- pairs ---------------------------------------------------------------------------------------------------------- */

/* A new pair out of CELLS, a linked list of unused ones, which is filled again when it is empty. A bulk is of 4 KiB:
 * what is not used of it is garbage. Documented: scm_cons (), which goes to the collector for every pair, 5.0 to 9.4. */
static inline SCM
tti_guile_take_pair (void **cells, SCM car, SCM cdr)
{
  if (G_UNLIKELY (*cells == NULL))
    *cells = GC_malloc_many (2 * sizeof (SCM));
  if (G_UNLIKELY (*cells == NULL))
    return scm_cons (car, cdr); /* there is no memory, and this says so */
  SCM pair = SCM_PACK_POINTER (*cells);

  *cells = GC_NEXT (*cells);
  SCM_SET_CELL_OBJECT_0 (pair, car);
  SCM_SET_CELL_OBJECT_1 (pair, cdr);
  return pair;
}

/* PAIR, which was made here and so is no constant of a program, gets another tail. Documented: scm_set_cdr_x (), 0.6
 * to 3.3. */
static inline void
tti_guile_set_tail (SCM pair, SCM tail)
{
  SCM_SETCDR (pair, tail);
}

/* --- bytevectors ---------------------------------------------------------------------------------------------------- */

/* Which numbers are in BYTEVECTOR: asked for each argument of what computes. Documented: scm_array_type (), which
 * makes a symbol of it, 4.4 to 25. */
static inline scm_t_array_element_type
tti_guile_get_element_type (SCM bytevector)
{
  return (scm_t_array_element_type) SCM_BYTEVECTOR_ELEMENT_TYPE (bytevector);
}

/* A bytevector of COUNT numbers of KIND, a symbol, that are at DATA; it keeps OWNER alive. Guile keeps the pointer
 * object there, so that its finaliser waits for the bytevector; the owner that is there instead does the same, and
 * can be found. Documented: the owner in a weak table, 29 to 690 (to 1000; each more entry is more work for the
 * collector). */
static inline SCM
tti_guile_make_view (gpointer data, gsize count, SCM kind, SCM owner)
{
  SCM view = scm_pointer_to_bytevector (scm_from_pointer (data, NULL), scm_from_size_t (count), SCM_UNDEFINED, kind);

  SCM_SET_CELL_OBJECT_3 (view, owner);
  return view;
}

/* What BYTEVECTOR keeps alive: the owner of a view's memory. It tells shared vectors from others, for each argument.
 * Documented: to look it up in that table, 1.9 to 20. */
static inline SCM
tti_guile_get_owner (SCM bytevector)
{
  return SCM_BYTEVECTOR_PARENT (bytevector);
}

/* VIEW becomes a bytevector of length 0, and keeps nothing alive. Documented: no way. */
static inline void
tti_guile_empty_view (SCM view)
{
  SCM_SET_CELL_WORD_1 (view, 0); /* its length */
  SCM_SET_CELL_OBJECT_3 (view, SCM_BOOL_F);
}

/* Does BYTEVECTOR contain its numbers: one block of memory for both, as Guile makes its own? */
static inline gboolean
tti_guile_is_one_block (SCM bytevector)
{
  return SCM_BYTEVECTOR_CONTIGUOUS_P (bytevector)
         && (scm_t_bits) SCM_BYTEVECTOR_CONTENTS (bytevector) == SCM_UNPACK (bytevector) + 4 * sizeof (scm_t_bits);
}

/* The numbers of BYTEVECTOR, which is not empty, move to other memory, and stay where they were as well: that is theirs who protect what is
 * returned, and lives with it. BYTEVECTOR has no owner then. Raises an error, and changes nothing, if there is no memory. Documented: no
 * way. */
SCM tti_guile_move_contents (SCM bytevector);

/* --- constants ------------------------------------------------------------------------------------------------------ */

/* Guile refuses to change vectors, bytevectors and bit vectors that are constants of a program; what tasks have in
 * common is to be refused in the same way. Documented: no way to make or to recognise one. (Strings have
 * scm_substring_read_only ().) */

static inline gboolean
tti_guile_is_mutable_bytevector (SCM object)
{
  return SCM_MUTABLE_BYTEVECTOR_P (object);
}

static inline void
tti_guile_freeze_bytevector (SCM bytevector)
{
  SCM_SET_BYTEVECTOR_FLAGS (bytevector, SCM_BYTEVECTOR_FLAGS (bytevector) | SCM_F_BYTEVECTOR_IMMUTABLE);
}

static inline gboolean
tti_guile_is_mutable_vector (SCM object)
{
  return SCM_I_IS_MUTABLE_VECTOR (object);
}

static inline void
tti_guile_freeze_vector (SCM vector)
{
  SCM_SET_CELL_TYPE (vector, SCM_CELL_TYPE (vector) | SCM_F_VECTOR_IMMUTABLE);
}

static inline void
tti_guile_freeze_bitvector (SCM bitvector)
{
  /* The same bit as that of a vector, which Guile's headers do not say. */
  SCM_SET_CELL_TYPE (bitvector, SCM_CELL_TYPE (bitvector) | SCM_F_VECTOR_IMMUTABLE);
}

/* --- hash tables ---------------------------------------------------------------------------------------------------- */

/* A vector of association lists: the bucket of each key tells which of hash-set!, hashv-set! and hashq-set! has put
 * it there. Documented: scm_hash_fold (), and for each key scm_hash_get_handle () and the two like it, 9 to 90, of 56
 * that an entry takes now. */
static inline SCM
tti_guile_get_buckets (SCM table)
{
  return SCM_HASHTABLE_VECTOR (table);
}

static inline gsize
tti_guile_get_n_entries (SCM table)
{
  return SCM_HASHTABLE_N_ITEMS (table);
}

/* A hash table with BUCKETS, which have N entries. Documented: none in which all three find their keys, nor one that
 * keeps an order of keys that are found by address. */
static inline SCM
tti_guile_make_table (SCM buckets, gsize n)
{
  SCM table = scm_c_make_hash_table (0);

  SCM_SET_HASHTABLE_VECTOR (table, buckets);
  SCM_SET_HASHTABLE_N_ITEMS (table, n);
  return table;
}

/* The same, which grows and shrinks when TABLE would. */
static inline SCM
tti_guile_make_table_like (SCM table, SCM buckets)
{
  SCM other = scm_c_make_hash_table (0);

  *SCM_HASHTABLE (other) = *SCM_HASHTABLE (table);
  SCM_SET_HASHTABLE_VECTOR (other, buckets);
  return other;
}

/* --- arrays --------------------------------------------------------------------------------------------------------- */

/* The rank of ARRAY, which is no vector, and its dimensions. Documented: scm_array_get_handle () and what belongs to
 * it, 0.8 to 8.5. */
static inline gsize
tti_guile_get_rank (SCM array)
{
  return SCM_I_ARRAY_NDIM (array);
}

static inline const scm_t_array_dim *
tti_guile_get_dimensions (SCM array)
{
  return SCM_I_ARRAY_DIMS (array);
}

/* An array of RANK DIMENSIONS, which the caller fills in, over CONTENTS, a vector of any kind; its first element is
 * number BASE of these. Documented: scm_make_typed_array (), 16 to 180 (to 270), which makes contents of its own and
 * so copies what is shared; or scm_make_shared_array (), which calls a procedure. */
static inline SCM
tti_guile_make_array (gsize rank, SCM contents, gsize base, scm_t_array_dim **dimensions)
{
  SCM array = scm_i_raw_array ((int) rank);

  SCM_I_ARRAY_SET_V (array, contents);
  SCM_I_ARRAY_SET_BASE (array, base);
  *dimensions = SCM_I_ARRAY_DIMS (array);
  return array;
}

/* --- random states -------------------------------------------------------------------------------------------------- */

/* A state that begins when something is drawn from it, because most items of a map draw nothing. Documented:
 * scm_seed_to_random_state () for each item, 0 to 82 (to 97), of 100 to 200 that an item takes. */

/* Guile's generator. */
static inline const scm_t_rng *
tti_guile_get_rng (void)
{
  return &scm_the_rng;
}

/* In *RNG, Guile's generator with three functions of ours: states that have it are deferred. Each function is to call
 * tti_guile_begin_random_state (), and then that of Guile's generator. */
static inline void
tti_guile_init_deferred_rng (scm_t_rng *rng, uint32_t (*random_bits) (scm_t_rstate *), scm_t_rstate *(*copy_rstate) (scm_t_rstate *),
                             SCM (*to_datum) (scm_t_rstate *))
{
  *rng = scm_the_rng;
  rng->random_bits = random_bits;
  rng->copy_rstate = copy_rstate;
  rng->to_datum = to_datum;
}

/* A random state with SIZE bytes, unknown to the collector, behind what Guile has in it. */
static inline SCM
tti_guile_make_random_state (gsize size)
{
  return scm_new_smob (scm_tc16_rstate, (scm_t_bits) scm_gc_malloc_pointerless (scm_the_rng.rstate_size + size, "random-state"));
}

static inline scm_t_rstate *
tti_guile_get_random_state (SCM object)
{
  return (scm_t_rstate *) SCM_SMOB_DATA (object);
}

/* The bytes behind STATE. */
static inline gpointer
tti_guile_get_random_extra (scm_t_rstate *state)
{
  return (char *) state + scm_the_rng.rstate_size;
}

/* STATE is one of RNG from now on. */
static inline void
tti_guile_defer_random_state (scm_t_rstate *state, scm_t_rng *rng)
{
  state->rng = rng;
  state->normal_next = 0; /* normal numbers are drawn in pairs: no second one of what was before */
}

/* STATE is one of Guile's generator from now on, begun with the N bytes of SEED. */
static inline void
tti_guile_begin_random_state (scm_t_rstate *state, const char *seed, int n)
{
  state->rng = &scm_the_rng;
  state->rng->init_rstate (state, seed, n);
}

/* --- asyncs --------------------------------------------------------------------------------------------------------- */

/* Let THREAD run THUNK at its next safe point, as scm_system_async_mark_for_thread () does, but without waking it if it
 * sleeps: usleep would return early. In Guile mode, in any thread. Documented: no way. */
static inline void
tti_guile_mark_quietly (SCM thunk, SCM thread)
{
  scm_thread *data = SCM_I_THREAD_DATA (thread);
  SCM pending = __atomic_load_n (&data->pending_asyncs, __ATOMIC_SEQ_CST);

  do
    if (scm_is_true (scm_memq (thunk, pending)))
      return;
  while (!__atomic_compare_exchange_n (&data->pending_asyncs, &pending, scm_cons (thunk, pending), FALSE, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST));
}

/* --- the collector -------------------------------------------------------------------------------------------------- */

/* Between the two there are no collections; they nest. A handle takes 50 with them and 520 (to 930) without, because
 * of the collections (guile-handle.c). Documented: no way. */
static inline void
tti_guile_pause_collector (void)
{
  GC_disable ();
}

static inline void
tti_guile_resume_collector (void)
{
  GC_enable ();
}

/* A procedure and its data. */
typedef struct GC_finalizer_closure TtiSwept;

/* An object that has SWEPT and calls SWEPT->proc (..., SWEPT->cd) when nothing refers to it any more: some time after the
 * collection that finds this, when its memory is used again, with the lock of the collector held. So the procedure may do
 * little more than to note it. For a task by pool-submit! it takes 60, a finaliser 1300: for its table, which each
 * collection goes through, and for a call of Guile's.
 * SWEPT is not the collector's, and stays where it is as long as the object. Documented: no way. */
gpointer tti_guile_make_swept (const TtiSwept *swept);
const TtiSwept *tti_guile_get_swept (gpointer object);

/* Call PROC (address of OBJECT, DATA) when nothing refers to OBJECT, which has no finaliser, any more. */
void tti_guile_add_finaliser (SCM object, GC_finalization_proc proc, gpointer data);

/* The heap is of SIZE bytes at least, and a quarter of that can be used up before the first collection. Documented:
 * the variable GC_INITIAL_HEAP_SIZE, which would have to be set before Guile starts. */
void tti_guile_widen_heap (gsize size);

/* Let the calling thread, which is to be in Guile and blocks signals, get those by which the collector stops and continues it.
 * Documented. */
void tti_guile_accept_collector_signals (void);

/* The collector, which does not run yet, makes no threads. Documented: the variable GC_MARKERS, which programs that
 * tasks start would have as well. */
void tti_guile_forbid_markers (void);
