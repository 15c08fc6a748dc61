/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Views: how shared memory becomes a Scheme vector, and how much of it there may be. */
#include "bindings/guile-vector.h"
#include "bindings/guile-error.h"
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"
#include "bindings/guile-name.h"
#include "platform/error.h"
#include "platform/memory.h"
#include "transport/away.h"
#include "transport/file-origin.h"
#include <unistd.h>

#define COLLECT_AFTER ((gsize) 256 * 1024 * 1024)
#define WORTH_TIDYING ((gsize) 4 * 1024 * 1024)
#define WORTH_COLLECTING ((gsize) 16 * 1024 * 1024)
#define TOUCHED_IN_MICROSECOND 2000 /* bytes of memory, where pages are small */
#define COLLECTIONS_FOR_ONE 2

static SCM kind_symbols[TTI_NUMBER_VU8 + 1];
static gsize live_limit; /* atomic */

/* Guile's collector does not know how much memory a view keeps alive. If each view were registered (scm_gc_register_allocation), there
 * would be a collection for every vector that is larger than the heap, and for every few smaller ones: 5 to 50 ms each time, in each
 * worker. Instead there is one when enough has been added to what was alive after the last collection: its yield serves the next
 * vectors, and one of many calls is slower, not each. Further views of the same memory add nothing. */
static gsize live_after_collection; /* atomic */

typedef struct
{
  const char *name;
  scm_t_array_element_type type;
} Kind;

static const Kind kinds[] = {
  [TTI_NUMBER_U8] = { "u8", SCM_ARRAY_ELEMENT_TYPE_U8 },    [TTI_NUMBER_S8] = { "s8", SCM_ARRAY_ELEMENT_TYPE_S8 },
  [TTI_NUMBER_U16] = { "u16", SCM_ARRAY_ELEMENT_TYPE_U16 }, [TTI_NUMBER_S16] = { "s16", SCM_ARRAY_ELEMENT_TYPE_S16 },
  [TTI_NUMBER_U32] = { "u32", SCM_ARRAY_ELEMENT_TYPE_U32 }, [TTI_NUMBER_S32] = { "s32", SCM_ARRAY_ELEMENT_TYPE_S32 },
  [TTI_NUMBER_U64] = { "u64", SCM_ARRAY_ELEMENT_TYPE_U64 }, [TTI_NUMBER_S64] = { "s64", SCM_ARRAY_ELEMENT_TYPE_S64 },
  [TTI_NUMBER_F32] = { "f32", SCM_ARRAY_ELEMENT_TYPE_F32 }, [TTI_NUMBER_F64] = { "f64", SCM_ARRAY_ELEMENT_TYPE_F64 },
  [TTI_NUMBER_C32] = { "c32", SCM_ARRAY_ELEMENT_TYPE_C32 }, [TTI_NUMBER_C64] = { "c64", SCM_ARRAY_ELEMENT_TYPE_C64 },
  [TTI_NUMBER_VU8] = { "vu8", SCM_ARRAY_ELEMENT_TYPE_VU8 },
};

TtiNumberKind
tti_guile_get_kind (SCM bytevector)
{
  scm_t_array_element_type type = tti_guile_get_element_type (bytevector);

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].type == type)
      return (TtiNumberKind) i;
  g_assert_not_reached ();
}

SCM
tti_guile_get_kind_symbol (TtiNumberKind kind)
{
  g_assert ((gsize) kind < G_N_ELEMENTS (kinds));
  return kind_symbols[kind];
}

static void
storage_release (gpointer vector)
{
  tti_vector_unref (vector);
}

static TtiHandleType storage_type = { .name = "<shared-storage>", .what = "shared vector", .release = storage_release };

static gint64 last_collection; /* atomic; how long it took, in microseconds */

static void
collect (void)
{
  gsize live;
  gint64 start = g_get_monotonic_time ();

  scm_gc ();
  scm_run_finalizers ();
  __atomic_store_n (&last_collection, g_get_monotonic_time () - start, __ATOMIC_RELAXED);
  tti_vector_get_usage (&live, NULL);
  __atomic_store_n (&live_after_collection, live, __ATOMIC_RELAXED);
}

/* By how many bytes more are in use than BEFORE, after the last collection. */
static gsize
growth (gsize *before)
{
  gsize live;

  *before = __atomic_load_n (&live_after_collection, __ATOMIC_RELAXED);
  tti_vector_get_usage (&live, NULL);
  if (live >= *before)
    return live - *before;
  __atomic_store_n (&live_after_collection, live, __ATOMIC_RELAXED);
  *before = live;
  return 0;
}

/* EXCEPT: bytes in use that are not garbage for certain. */
static void
collect_if_due (gsize except)
{
  gsize before, grown = growth (&before);

  if (grown > except && grown - except > MAX (MIN (COLLECT_AFTER, __atomic_load_n (&live_limit, __ATOMIC_RELAXED) / 4), before / 2))
    collect ();
}

/* Large new memory is dear: its first touch takes as long as many copies, and the old memory, of vectors that nobody has any more, stays
 * where it is. So there is a collection first if as much as two such vectors has been added since the last one, unless that took longer
 * than the first touch would. But a loop that drops a vector in each round should not collect in every other one: after two collections the
 * memory is made. So it has three vectors in turn, or four, and a few vectors one after the other take the memory of two. */
static void
collect_for_new_memory (gsize size)
{
  static gint since_new; /* atomic: collections since the last such memory was made */
  gsize before;

  if (size < WORTH_COLLECTING || tti_vector_is_kept (size) || growth (&before) < 2 * size)
    return;
  gboolean quick = __atomic_load_n (&last_collection, __ATOMIC_RELAXED) < (gint64) (size / TOUCHED_IN_MICROSECOND);

  if (quick && g_atomic_int_add (&since_new, 1) < COLLECTIONS_FOR_ONE)
    collect ();
  else
    g_atomic_int_set (&since_new, 0);
}

void
tti_guile_tidy_vectors (void)
{
  gsize before;

  if (growth (&before) >= WORTH_TIDYING)
    collect ();
}

SCM
tti_guile_view_vector (TtiVector *vector, TtiNumberKind kind, gboolean writable)
{
  static char nothing; /* there are no views of a null pointer */
  gsize size = tti_vector_get_size (vector);
  gpointer data = size > 0 ? tti_vector_get_data (vector) : &nothing;
  SCM storage = tti_guile_make_handle (&storage_type, tti_vector_ref (vector), FALSE);
  SCM view = tti_guile_make_view (data, size / tti_number_size (kind), tti_guile_get_kind_symbol (kind), storage);

  if (!writable)
    tti_guile_freeze_bytevector (view);
  return view;
}

TtiVector *
tti_guile_find_vector (SCM object)
{
  if (!scm_is_bytevector (object))
    return NULL;
  SCM parent = tti_guile_get_owner (object);

  return tti_guile_is_handle (&storage_type, parent) ? tti_guile_from_handle (&storage_type, parent, 1, "shared-vector?") : NULL;
}

static gboolean
limit_allows (gsize size)
{
  gsize live, limit = __atomic_load_n (&live_limit, __ATOMIC_RELAXED);
  guint storages;

  tti_vector_get_usage (&live, &storages);
  return size <= limit && live <= limit - size;
}

void
tti_guile_collect_before_views (TtiPayload *payload)
{
  if (tti_payload_get_n_vectors (payload) > 0)
    collect_if_due (tti_payload_get_usage (payload));
}

void
tti_guile_reserve (gsize size, const char *who)
{
  collect_if_due (0);
  collect_for_new_memory (size);
  /* Several rounds: a finaliser that another thread has begun is not done when the collection is. */
  for (int i = 0; i < 4 && !limit_allows (size); i++)
    collect ();
  if (limit_allows (size))
    return;
  gsize live;
  guint storages;

  tti_vector_get_usage (&live, &storages);
  GError *error
    = g_error_new (TUTTI_ERROR, TUTTI_ERROR_LIMIT,
                   "%zu more bytes of shared vectors do not fit: %zu bytes in %u storages are in use, and the limit "
                   "is %zu bytes; drop vectors that are not needed, or raise (shared-memory-limit)",
                   size, live, storages, __atomic_load_n (&live_limit, __ATOMIC_RELAXED));

  tti_guile_raise (who, error);
}

static SCM
make_shared_with (TtiNumberKind kind, gsize count, const char *who, TtiVector *(*make) (gsize, GError **))
{
  GError *error = NULL;
  gsize size;

  if (!g_size_checked_mul (&size, count, tti_number_size (kind)) || size > G_MAXSSIZE)
    scm_out_of_range (who, scm_from_size_t (count));
  tti_guile_reserve (size, who);
  TtiVector *vector = make (size, &error);

  if (vector == NULL)
    tti_guile_raise (who, error);
  SCM view = tti_guile_view_vector (vector, kind, TRUE);

  tti_vector_unref (vector);
  return view;
}

SCM
tti_guile_make_shared_to_fill (TtiNumberKind kind, gsize count, const char *who)
{
  return make_shared_with (kind, count, who, tti_vector_new_to_fill);
}

SCM
tti_guile_make_private (TtiNumberKind kind, gsize count)
{
  if (kind == TTI_NUMBER_VU8)
    return scm_c_make_bytevector (count);
  return scm_make_srfi_4_vector (tti_guile_get_kind_symbol (kind), scm_from_size_t (count), SCM_UNDEFINED);
}

TtiVector *
tti_guile_copy_numbers (SCM bytevector, const char *who)
{
  gsize size = SCM_BYTEVECTOR_LENGTH (bytevector);
  GError *error = NULL;

  tti_guile_reserve (size, who);
  TtiVector *copy = tti_vector_new_to_fill (size, &error);

  if (copy == NULL)
    tti_guile_raise (who, error);
  tti_memory_copy (tti_vector_get_data (copy), SCM_BYTEVECTOR_CONTENTS (bytevector), size);
  scm_remember_upto_here_1 (bytevector);
  return copy;
}

gboolean
tti_guile_can_leave_contents (SCM bytevector)
{
  return scm_is_bytevector (bytevector)
         && (tti_guile_is_one_block (bytevector) || !scm_is_bytevector (tti_guile_get_owner (bytevector)));
}

SCM
tti_guile_leave_contents (SCM bytevector)
{
  SCM_ASSERT_TYPE (tti_guile_can_leave_contents (bytevector), bytevector, 1, "leave-contents", "bytevector that is no part of another");
  if (tti_guile_is_mutable_bytevector (bytevector) && SCM_BYTEVECTOR_LENGTH (bytevector) > 0)
    return tti_guile_move_contents (bytevector);
  /* The owner of a view is what keeps its memory, also when the view is emptied. */
  SCM owner = tti_guile_is_one_block (bytevector) ? SCM_BOOL_F : tti_guile_get_owner (bytevector);

  return scm_is_true (owner) ? owner : bytevector;
}

void
tti_guile_check_writable (SCM object, const char *who)
{
  TtiVector *vector = tti_guile_find_vector (object);

  if (vector != NULL && tti_vector_is_borrowed (vector))
    tti_guile_raise_busy (who, object);
  if (!tti_guile_is_mutable_bytevector (object))
    scm_misc_error (who, vector != NULL
                    ? "a shared vector of ~A bytes can only be read here: it was received, or is a file mapped without "
                      "#:writable? #t; write to a copy, (vec-scale 1 v)"
                    : "a vector of ~A bytes cannot be changed: it is a constant of the program; write to a copy",
                    scm_list_1 (scm_from_size_t (SCM_BYTEVECTOR_LENGTH (object))));
}

static TtiNumberKind
kind_from_symbol (SCM symbol, const char *who)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (scm_is_eq (symbol, kind_symbols[i]))
      return (TtiNumberKind) i;
  scm_wrong_type_arg_msg (who, 1, symbol, "f64, c64 or another kind of SRFI-4 vector");
}

static gsize
to_length (SCM count, TtiNumberKind kind, const char *who)
{
  return tti_guile_to_count (count, G_MAXSSIZE / tti_number_size (kind), who, "a number of elements");
}

/* (%make-shared kind n): zeros. */
static SCM
make_shared (SCM kind, SCM count)
{
  static const char who[] = "make-shared-vector";

  TtiNumberKind c_kind = kind_from_symbol (kind, who);

  return make_shared_with (c_kind, to_length (count, c_kind, who), who, tti_vector_new);
}

/* (%make-shared-to-fill kind n): anything. */
static SCM
make_shared_to_fill (SCM kind, SCM count)
{
  static const char who[] = "make-shared-vector";

  TtiNumberKind c_kind = kind_from_symbol (kind, who);

  return tti_guile_make_shared_to_fill (c_kind, to_length (count, c_kind, who), who);
}

/* (%make-shared-to-receive kind n): anything, in pages that are made by who writes them. */
static SCM
make_shared_to_receive (SCM kind, SCM count)
{
  static const char who[] = "make-shared-vector";
  TtiNumberKind c_kind = kind_from_symbol (kind, who);

  return make_shared_with (c_kind, to_length (count, c_kind, who), who, tti_vector_new_to_receive);
}

/* (%copy-for-several v): a private SRFI-4 vector or bytevector of more than 16 KiB becomes a copy in shared memory, which travels as V
 * would, but without being copied each time that it is sent; any other object is returned as it is. */
static SCM
copy_for_several (SCM object)
{
  if (!scm_is_bytevector (object) || SCM_BYTEVECTOR_LENGTH (object) <= TTI_INLINE_LIMIT || tti_guile_find_vector (object) != NULL)
    return object;
  TtiVector *copy = tti_guile_copy_numbers (object, "encode");
  SCM view = tti_guile_view_vector (copy, tti_guile_get_kind (object), TRUE);

  tti_vector_set_copy (copy);
  tti_vector_unref (copy);
  return view;
}

/* (%vector-destination! v there?): V, new and of more than 16 KiB, and its slices travel as memory that workers write to, until THERE? is
 * #f. */
static SCM
vector_destination (SCM view, SCM there)
{
  TtiVector *vector = tti_guile_find_vector (view);

  SCM_ASSERT_TYPE (vector != NULL && tti_vector_get_descriptor (vector, NULL) >= 0, view, 1, "vector-destination!",
                   "shared vector of more than 16384 bytes");
  tti_vector_set_destination (vector, scm_is_true (there));
  return SCM_UNSPECIFIED;
}

/* (%vector-home v) -> the number of the place where the contents of V are, what a task has left there; #f: V has its contents here */
static SCM
vector_home (SCM view)
{
  TtiVector *vector = tti_guile_find_vector (view);
  TtiHome *home = vector != NULL ? tti_vector_get_home (vector, NULL) : NULL;
  SCM id = home != NULL ? scm_from_uint64 (tti_home_get_id (home)) : SCM_BOOL_F;

  scm_remember_upto_here_1 (view);
  return id;
}

/* (%vector-release! v): V, received, becomes empty, and its memory is free without a collection. */
static SCM
vector_release (SCM view)
{
  TtiVector *vector = tti_guile_find_vector (view);

  if (vector == NULL)
    return SCM_UNSPECIFIED;
  SCM storage = tti_guile_get_owner (view);

  tti_guile_empty_view (view);
  tti_vector_unref (tti_guile_empty_handle (storage));
  return SCM_UNSPECIFIED;
}

static SCM
is_shared (SCM object)
{
  return scm_from_bool (tti_guile_find_vector (object) != NULL);
}

/* (%map-f64vector file offset count writable?): COUNT is in elements, or #f for all that is there. */
static SCM
map_file (SCM file, SCM offset, SCM count, SCM writable)
{
  static const char who[] = "map-f64vector";
  gint64 start = (gint64) tti_guile_to_count (offset, G_MAXSSIZE, who, "an offset in bytes");
  gssize size = scm_is_true (count) ? (gssize) (to_length (count, TTI_NUMBER_F64, who) * sizeof (double)) : -1;
  GError *error = NULL;

  collect_if_due (0);
  scm_dynwind_begin (0);
  char *path = tti_guile_to_name_in_dynwind (file, who);
  TtiVector *vector = tti_vector_open_file (path, start, size, scm_is_true (writable), &error);
  gsize found = vector != NULL ? tti_vector_get_size (vector) : 0;
  gpointer data = vector != NULL ? tti_vector_get_data (vector) : NULL;

  if (vector != NULL && (found % sizeof (double) != 0 || (found > 0 && (guintptr) data % sizeof (double) != 0)))
    {
      tti_vector_unref (vector);
      vector = NULL;
      error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_SHAPE, "'%s': %zu bytes from offset %" G_GINT64_FORMAT
                           " are no f64vector: both must be multiples of 8", path, found, start);
    }
  scm_dynwind_end ();
  if (vector == NULL)
    tti_guile_raise (who, error);
  SCM view = tti_guile_view_vector (vector, TTI_NUMBER_F64, scm_is_true (writable));

  tti_vector_unref (vector);
  return view;
}

/* (%read-file file) -> a bytevector with its contents, which is not to be written to: elsewhere the same file may stand for it. */
static SCM
read_file (SCM file)
{
  static const char who[] = "make-pool";
  GError *error = NULL;

  scm_dynwind_begin (0);
  TtiVector *vector = tti_vector_read_file (tti_guile_to_name_in_dynwind (file, who), &error);
  scm_dynwind_end ();
  if (vector == NULL)
    tti_guile_raise (who, error);
  SCM view = tti_guile_view_vector (vector, TTI_NUMBER_VU8, FALSE);

  tti_vector_unref (vector);
  return view;
}

/* (%shared-slice v start end), in elements; the caller has checked the bounds. */
static SCM
shared_slice (SCM view, SCM start, SCM end)
{
  TtiVector *vector = tti_guile_find_vector (view);

  SCM_ASSERT_TYPE (vector != NULL, view, 1, "vec-slice", "shared vector");
  TtiNumberKind kind = tti_guile_get_kind (view);
  gsize width = tti_number_size (kind), n = tti_vector_get_size (vector) / width;
  gsize to = scm_to_unsigned_integer (end, 0, n), from = scm_to_unsigned_integer (start, 0, to);
  TtiVector *part = tti_vector_slice (vector, from * width, (to - from) * width);
  SCM slice = tti_guile_view_vector (part, kind, tti_guile_is_mutable_bytevector (view));

  tti_vector_unref (part);
  scm_remember_upto_here_1 (view);
  return slice;
}

/* (%shared-usage) -> bytes, storages */
static SCM
shared_usage (void)
{
  gsize bytes;
  guint storages;

  tti_vector_get_usage (&bytes, &storages);
  return scm_cons (scm_from_size_t (bytes), scm_from_uint (storages));
}

/* (%shared-kept) -> bytes, lent, limit, hits, misses */
static SCM
shared_kept (void)
{
  TtiKept kept;

  tti_vector_get_kept (&kept);
  return scm_list_5 (scm_from_size_t (kept.bytes), scm_from_size_t (kept.leased_bytes), scm_from_size_t (kept.limit),
                     scm_from_uint64 (kept.hits), scm_from_uint64 (kept.misses));
}

static SCM
shared_set_kept_limit (SCM bytes)
{
  tti_vector_set_kept_limit (tti_guile_to_count (bytes, G_MAXSSIZE, "shared-memory-kept-limit", "a number of bytes"));
  return SCM_UNSPECIFIED;
}

/* (%shared-memory-limit [bytes]) -> the limit, after setting it */
static SCM
shared_memory_limit (SCM limit)
{
  if (!SCM_UNBNDP (limit))
    __atomic_store_n (&live_limit, tti_guile_to_count (limit, G_MAXSSIZE, "shared-memory-limit", "a number of bytes"),
                      __ATOMIC_RELAXED);
  return scm_from_size_t (__atomic_load_n (&live_limit, __ATOMIC_RELAXED));
}

static const struct { const char *name; int req, opt; scm_t_subr proc; } primitives[] = {
  { "%make-shared", 2, 0, make_shared },         { "%shared-vector?", 1, 0, is_shared },
  { "%make-shared-to-fill", 2, 0, make_shared_to_fill }, { "%make-shared-to-receive", 2, 0, make_shared_to_receive },
  { "%copy-for-several", 1, 0, copy_for_several },
  { "%vector-destination!", 2, 0, vector_destination }, { "%vector-release!", 1, 0, vector_release },
  { "%vector-home", 1, 0, vector_home },
  { "%shared-kept", 0, 0, shared_kept },         { "%shared-set-kept-limit!", 1, 0, shared_set_kept_limit },
  { "%read-file", 1, 0, read_file },
  { "%map-f64vector", 4, 0, map_file },          { "%shared-slice", 3, 0, shared_slice },
  { "%shared-usage", 0, 0, shared_usage },       { "%shared-memory-limit", 0, 1, shared_memory_limit },
};

void
tti_guile_init_vector (void)
{
  tti_guile_define_handle_type (&storage_type);
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    kind_symbols[i] = scm_permanent_object (scm_from_utf8_symbol (kinds[i].name));
  live_limit = (gsize) sysconf (_SC_PHYS_PAGES) / 2 * (gsize) sysconf (_SC_PAGESIZE);
  for (gsize i = 0; i < G_N_ELEMENTS (primitives); i++)
    scm_c_define_gsubr (primitives[i].name, primitives[i].req, primitives[i].opt, 0, primitives[i].proc);
}
