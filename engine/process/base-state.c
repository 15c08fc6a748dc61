/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who saves the base state. It is asked after each task: a load and a call, no more. The functions in front of libc's may be called
 * before the dynamic linker is done, so nothing here needs it. */
#include "process/base-state.h"

static const TtiBaseOps *saver; /* atomic; NULL: nobody */

static inline const TtiBaseOps *
ops_now (void)
{
  return __atomic_load_n (&saver, __ATOMIC_ACQUIRE);
}

const TtiBaseOps *
tti_base_install (const TtiBaseOps *ops)
{
  (void) g_atomic_pointer_compare_and_exchange (&saver, NULL, ops);
  return ops_now ();
}

void
tti_base_begin (gboolean keep_streams)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->begin (keep_streams);
}

void
tti_base_end (void)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->end ();
}

void
tti_base_changing (TtiBasePart part, int which)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->changing (part, which);
}

void
tti_base_changed (TtiBasePart part, int which, const char *name)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->changed (part, which, name);
}

void
tti_base_umask_changed (mode_t before, mode_t now)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->umask_changed (before, now);
}

gboolean
tti_base_keeps_streams (void)
{
  const TtiBaseOps *ops = ops_now ();

  return ops != NULL && ops->keeps_streams ();
}

void
tti_base_keep_begin (void)
{
  const TtiBaseOps *ops = ops_now ();

  if (ops != NULL)
    ops->keep_begin ();
}

guint64
tti_base_keep_end (void)
{
  const TtiBaseOps *ops = ops_now ();

  return ops != NULL ? ops->keep_end () : 0;
}

gboolean
tti_base_is_touched (void)
{
  const TtiBaseOps *ops = ops_now ();

  return ops != NULL && ops->is_touched ();
}

guint64
tti_base_restore (void)
{
  const TtiBaseOps *ops = ops_now ();

  return ops != NULL ? ops->restore () : 0;
}
