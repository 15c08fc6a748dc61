/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Handles as smobs. */
#include "bindings/guile-handle.h"
#include "bindings/guile-internals.h"

/* The words of a smob. One of them is our type, because Guile clears its own before it calls the free function. */
#define HANDLE_THING(object) ((gpointer) SCM_SMOB_DATA (object))
#define HANDLE_TYPE(object) ((const TtiHandleType *) SCM_SMOB_DATA_2 (object))
#define HANDLE_FLAG(object) (SCM_SMOB_DATA_3 (object) != 0)

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
  if (type->release != NULL)
    scm_set_smob_free (type->tag, handle_free);
  scm_set_smob_print (type->tag, handle_print);
}

SCM
tti_guile_make_handle (const TtiHandleType *type, gpointer thing, gboolean flag)
{
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

  SCM_SET_SMOB_DATA (object, 0);
  return thing;
}

gboolean
tti_guile_get_handle_flag (SCM object)
{
  return HANDLE_FLAG (object);
}
