/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/away-private.h"
#include "platform/error.h"
#include "transport/vector-private.h"

struct _TtiHome
{
  gatomicrefcount refs; /* of its owner, and of the vectors */
  guint64 id;
  TtiLock lock;         /* of what follows */
  void (*left) (guint64 number, gpointer user_data); /* NULL: it is closed */
  gpointer user_data;
};

TtiHome *
tti_home_new (void (*left) (guint64 number, gpointer user_data), gpointer user_data)
{
  static guint64 last;
  TtiHome *home = g_new0 (TtiHome, 1);

  g_atomic_ref_count_init (&home->refs);
  home->id = __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
  home->left = left;
  home->user_data = user_data;
  return home;
}

static void
home_unref (TtiHome *home)
{
  if (!g_atomic_ref_count_dec (&home->refs))
    return;
  tti_lock_clear (&home->lock);
  g_free (home);
}

void
tti_home_close (TtiHome *home)
{
  tti_lock_take (&home->lock);
  home->left = NULL;
  tti_lock_release (&home->lock);
  home_unref (home);
}

guint64
tti_home_get_id (TtiHome *home)
{
  return home->id;
}

TtiVector *
tti_vector_new_away (TtiHome *home, guint64 number, gsize size, GError **error)
{
  g_return_val_if_fail (home != NULL && number != 0 && size > TTI_INLINE_LIMIT, NULL);
  /* It is memory in use, if not here: so there is a limit, and garbage is collected that keeps much of it. */
  TtiStorage *storage = tti_storage_new_zeros (size, error);

  if (storage == NULL)
    return NULL;
  TtiVector *vector = tti_vector_new_in_storage (storage, 0, size);

  g_atomic_ref_count_inc (&home->refs);
  vector->home = home;
  vector->number = number;
  return vector;
}

TtiHome *
tti_vector_get_home (TtiVector *vector, guint64 *number)
{
  if (number != NULL)
    *number = vector->number;
  return tti_vector_get_whole (vector)->home;
}

gboolean
tti_vector_refuse_to_send (TtiVector *vector, GError **error)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "the contents of a vector of %" G_GSIZE_FORMAT " bytes were left on another node, "
               "or on one that was lost since", tti_vector_get_size (vector));
  return FALSE;
}

void
tti_home_forget (TtiHome *home, guint64 number)
{
  tti_lock_take (&home->lock);
  if (home->left != NULL)
    home->left (number, home->user_data);
  tti_lock_release (&home->lock);
  home_unref (home);
}
