/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Long lists, of maps. The first items of one are a value that is encoded like their list: a map sends its lists in pieces, and to copy a
 * piece would take longer than to send it. To walk through a list that is not in a cache takes as long, too. */
#include "bindings/guile-encoder.h"

static scm_t_bits prefix_tag;

/* (%list-prefix list count): LIST has at least COUNT pairs. */
static SCM
list_prefix (SCM list, SCM count)
{
  return scm_new_double_smob (prefix_tag, SCM_UNPACK (list), scm_to_size_t (count), 0);
}

gboolean
tti_guile_is_prefix (SCM object, SCM *list, gsize *count)
{
  if (!SCM_SMOB_PREDICATE (prefix_tag, object))
    return FALSE;
  *list = SCM_SMOB_OBJECT (object);
  *count = SCM_SMOB_DATA_2 (object);
  return TRUE;
}

/* (%list-length x): how many items, #f if it is no proper list; Guile's own list? and length would walk through it once each. */
static SCM
list_length (SCM x)
{
  long length = scm_ilength (x);

  return length < 0 ? SCM_BOOL_F : scm_from_long (length);
}

void
tti_guile_init_prefix (void)
{
  prefix_tag = scm_make_smob_type ("list-prefix", 0);
  scm_c_define_gsubr ("%list-prefix", 2, 0, 0, list_prefix);
  scm_c_define_gsubr ("%list-length", 1, 0, 0, list_length);
}
