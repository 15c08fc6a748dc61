/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/file-origin.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/vector-private.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct _TtiOrigin
{
  guint64 serial;          /* the number of this struct */
  char *path;
  guint64 offset;          /* of the whole vector */
  gboolean is_copy;
  struct stat noted;       /* what the file was */
  TtiLock lock;            /* held while a digest is made */
  GHashTable *digests;     /* "start+size" -> GBytes */
};

static void
set_origin (TtiVector *vector, const char *path, guint64 offset, gboolean is_copy, const struct stat *noted)
{
  static guint64 last; /* atomic */
  struct _TtiOrigin *origin = g_new0 (struct _TtiOrigin, 1);

  origin->serial = __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
  origin->path = g_canonicalize_filename (path, NULL);
  origin->offset = offset;
  origin->is_copy = is_copy;
  origin->noted = *noted;
  origin->digests = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  vector->origin = origin;
}

void
tti_vector_note_mapped_file (TtiVector *vector, const char *path, guint64 offset)
{
  int fd = tti_vector_get_descriptor (vector, NULL);
  struct stat noted;

  if (fd >= 0 && fstat (fd, &noted) == 0)
    set_origin (vector, path, offset, FALSE, &noted);
}

void
tti_origin_free (struct _TtiOrigin *origin)
{
  if (origin == NULL)
    return;
  g_hash_table_unref (origin->digests);
  tti_lock_clear (&origin->lock);
  g_free (origin->path);
  g_free (origin);
}

/* Read what VECTOR has room for. FALSE with errno; 0: the file has become shorter. */
static gboolean
read_all (int fd, TtiVector *vector)
{
  guint8 *to = tti_vector_get_data (vector);
  gsize left = tti_vector_get_size (vector);

  while (left > 0)
    {
      gssize n = read (fd, to, left);

      if (n < 0 && errno == EINTR)
        continue;
      if (n == 0)
        errno = 0;
      if (n <= 0)
        return FALSE;
      to += n;
      left -= (gsize) n;
    }
  return TRUE;
}

TtiVector *
tti_vector_read_file (const char *path, GError **error)
{
  g_return_val_if_fail (path != NULL, NULL);
  tti_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat found;

  if (fd < 0 || fstat (fd, &found) < 0)
    {
      tti_set_errno (error, errno, "cannot open '%s'", path);
      return NULL;
    }
  if (!S_ISREG (found.st_mode))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot read '%s': it is no regular file", path);
      return NULL;
    }
  g_autoptr (TtiVector) vector = tti_vector_new_to_fill ((gsize) found.st_size, error);

  if (vector == NULL)
    return NULL;
  if (!read_all (fd, vector))
    {
      if (errno != 0)
        tti_set_errno (error, errno, "cannot read '%s'", path);
      else
        g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "'%s' has become shorter while it was read", path);
      return NULL;
    }
  set_origin (vector, path, 0, TRUE, &found);
  return g_steal_pointer (&vector);
}

gboolean
tti_vector_get_origin (TtiVector *vector, TtiFileOrigin *origin)
{
  TtiVector *whole = tti_vector_get_whole (vector);
  const struct _TtiOrigin *known = whole->origin;

  if (known == NULL)
    return FALSE;
  *origin = (TtiFileOrigin){ .path = known->path, .offset = known->offset + (guint64) (vector->data - whole->data),
                               .file_size = (guint64) known->noted.st_size, .is_copy = known->is_copy };
  return TRUE;
}

gboolean
tti_vector_is_as_opened (TtiVector *vector)
{
  const struct _TtiOrigin *origin = tti_vector_get_whole (vector)->origin;
  struct stat now;

  g_return_val_if_fail (origin != NULL, FALSE);
  return origin->is_copy
         || (fstat (tti_vector_get_descriptor (vector, NULL), &now) == 0 && now.st_size == origin->noted.st_size
             && now.st_mtim.tv_sec == origin->noted.st_mtim.tv_sec && now.st_mtim.tv_nsec == origin->noted.st_mtim.tv_nsec);
}

guint64
tti_vector_get_version (TtiVector *vector)
{
  const struct _TtiOrigin *origin = tti_vector_get_whole (vector)->origin;

  if (origin != NULL && tti_vector_is_as_opened (vector))
    return origin->serial | G_GUINT64_CONSTANT (1) << 63;
  return tti_vector_get_borrow (vector);
}

GBytes *
tti_vector_get_digest (TtiVector *vector, GBytes *(*make) (TtiVector *vector, gpointer data), gpointer data)
{
  TtiVector *whole = tti_vector_get_whole (vector);
  struct _TtiOrigin *origin = whole->origin;

  g_return_val_if_fail (origin != NULL, NULL);
  g_autofree char *part = g_strdup_printf ("%" G_GSIZE_FORMAT "+%" G_GSIZE_FORMAT, (gsize) (vector->data - whole->data), vector->size);

  tti_lock_take (&origin->lock);
  GBytes *digest = g_hash_table_lookup (origin->digests, part);

  if (digest != NULL)
    g_bytes_ref (digest);
  else if ((digest = make (vector, data)) != NULL)
    g_hash_table_insert (origin->digests, g_steal_pointer (&part), g_bytes_ref (digest));
  tti_lock_release (&origin->lock);
  return digest;
}
