/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Handles as smobs. */
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"

/* The words of a smob. One of them is our type, because Guile clears its own before it calls the free function. */
#define HANDLE_THING(object) ((gpointer) SCM_SMOB_DATA (object))
#define HANDLE_TYPE(object) ((const TtiHandleType *) SCM_SMOB_DATA_2 (object))
#define HANDLE_FLAG(object) (SCM_SMOB_DATA_3 (object) != 0)
#define HANDLE_SWEPT(object) ((gpointer) SCM_SMOB_DATA_3 (object)) /* of a late type */

/* --- late release --------------------------------------------------------------------------------------------------------- */

/* What a handle of a late type leaves when it is swept. Its third word refers to the collector's object that tells. */
typedef struct _Remains Remains;
struct _Remains
{
  TtiSwept swept;
  gpointer thing;                /* atomic; NULL: there is nothing to release */
  void (*release) (gpointer thing);
  Remains *next;
};

static Remains *remains; /* atomic: a stack of those that were swept, and not yet released */

/* The collector has its lock, and any thread may have any of ours. */
static void
remains_note (void *object, void *data)
{
  Remains *one = data;

  (void) object;
  do
    one->next = g_atomic_pointer_get (&remains);
  while (!g_atomic_pointer_compare_and_exchange (&remains, one->next, one));
}

static void
remains_release_all (void)
{
  if (g_atomic_pointer_get (&remains) == NULL)
    return;
  for (Remains *one = g_atomic_pointer_exchange (&remains, NULL), *next; one != NULL; one = next)
    {
      next = one->next;
      if (one->thing != NULL)
        one->release (one->thing);
      g_slice_free (Remains, one);
    }
}

static size_t
handle_free (SCM object)
{
  if (HANDLE_THING (object) != NULL)
    HANDLE_TYPE (object)->release (HANDLE_THING (object));
  return 0;
}

static int
handle_print (SCM object, SCM port, scm_print_state *state)
{
  (void) state;
  scm_puts ("#<", port);
  scm_puts (HANDLE_TYPE (object)->name, port);
  scm_putc (' ', port);
  scm_uintprint (SCM_UNPACK (object), 16, port);
  scm_putc ('>', port);
  return 1;
}

void
tti_guile_define_handle_type (TtiHandleType *type)
{
  g_return_if_fail (type->tag == 0);
  type->tag = scm_make_smob_type (type->name, 0);
  if (type->release != NULL && !type->late)
    scm_set_smob_free (type->tag, handle_free);
  scm_set_smob_print (type->tag, handle_print);
}

static SCM
make_late_handle (const TtiHandleType *type, gpointer thing)
{
  Remains *own = g_slice_new (Remains);

  remains_release_all ();
  *own = (Remains) { .swept = { remains_note, own }, .thing = thing, .release = type->release };
  return scm_new_double_smob (type->tag, (scm_t_bits) thing, (scm_t_bits) type, (scm_t_bits) tti_guile_make_swept (&own->swept));
}

/* What the handle OBJECT of a late type owns, which is not its remains' any more; NULL: it was not before. */
static gpointer
take_from_remains (SCM object)
{
  Remains *own = tti_guile_get_swept (HANDLE_SWEPT (object))->cd;

  return g_atomic_pointer_exchange (&own->thing, NULL);
}

static void
release_in_time (void *object, void *data)
{
  (void) data;
  (void) handle_free (SCM_PACK_POINTER (object));
}

void
tti_guile_release_in_time (SCM object)
{
  /* The handle has it as before. */
  if (HANDLE_TYPE (object)->late && take_from_remains (object) != NULL)
    tti_guile_add_finaliser (object, release_in_time, NULL);
  scm_remember_upto_here_1 (object);
}

SCM
tti_guile_make_handle (const TtiHandleType *type, gpointer thing, gboolean flag)
{
  if (type->late)
    return make_late_handle (type, thing);
  /* The table of finalizers begins small, and before it grows there is a collection in the hope of avoiding that: at every 4096th
   * task, say. While the collector is paused the table just grows; there are enough collections for other reasons. */
  if (type->release != NULL)
    tti_guile_pause_collector ();
  SCM object = scm_new_double_smob (type->tag, (scm_t_bits) thing, (scm_t_bits) type, (scm_t_bits) (flag != FALSE));

  if (type->release != NULL)
    tti_guile_resume_collector ();
  return object;
}

gboolean
tti_guile_is_handle (const TtiHandleType *type, SCM object)
{
  return SCM_SMOB_PREDICATE (type->tag, object);
}

gpointer
tti_guile_from_handle (const TtiHandleType *type, SCM object, int position, const char *who)
{
  if (!tti_guile_is_handle (type, object))
    scm_wrong_type_arg_msg (who, position, object, type->what);
  return HANDLE_THING (object);
}

gpointer
tti_guile_empty_handle (SCM object)
{
  gpointer thing = HANDLE_THING (object);

  if (HANDLE_TYPE (object)->late)
    (void) take_from_remains (object);
  SCM_SET_SMOB_DATA (object, 0);
  return thing;
}

gboolean
tti_guile_get_handle_flag (SCM object)
{
  return HANDLE_FLAG (object);
}
