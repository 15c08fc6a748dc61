/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors: counted references to bytes in a storage. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/leases.h"
#include "transport/vector-private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct _TuttiVector
{
  gint refs;            /* atomic */
  gint borrowed;        /* atomic; used only in vectors that are not slices */
  gint destination;     /* atomic */
  TuttiVector *whole;   /* the vector that this is a slice of, never a slice itself; NULL: this is no slice */
  TuttiStorage *storage;
  guint8 *data;
  gsize size;
  gboolean writable;
  TuttiRange *range;
};

TuttiVector *
tutti_vector_new_in_storage (TuttiStorage *storage, gsize start, gsize size)
{
  g_assert (start <= storage->size && size <= storage->size - start);
  TuttiVector *vector = g_new0 (TuttiVector, 1);

  vector->refs = 1;
  vector->storage = storage;
  vector->data = storage->data + start;
  vector->size = size;
  vector->writable = storage->writable;
  if (storage->origin != NULL)
    tutti_leased_use (storage->origin);
  vector->range = size > 0 ? tutti_range_add (vector->data, size) : NULL;
  return vector;
}

/* WARM: it may contain the numbers of an earlier vector. */
static TuttiVector *
vector_new (gsize size, gboolean *warm, GError **error)
{
  TuttiStorage *storage;
  gsize start = 0;

  if (size <= TUTTI_INLINE_LIMIT)
    storage = tutti_storage_new_heap (size);
  else if (size <= tutti_arena_get_slot_limit ())
    storage = tutti_arena_take (size, &start, error);
  else
    storage = tutti_storage_new_memory (size, size, error);
  if (storage == NULL)
    return NULL;
  *warm = storage->warm;
  return tutti_vector_new_in_storage (storage, start, size);
}

TuttiVector *
tutti_vector_new (gsize size, GError **error)
{
  gboolean warm;
  TuttiVector *vector = vector_new (size, &warm, error);

  if (vector != NULL && warm)
    memset (vector->data, 0, size);
  return vector;
}

TuttiVector *
tutti_vector_new_to_fill (gsize size, GError **error)
{
  gboolean warm;
  TuttiVector *vector = vector_new (size, &warm, error);

  /* Populating all pages at once is several times cheaper than a fault for each. Kernels that do not support this fault them in one
   * by one. */
  if (vector != NULL && !warm && vector->storage->map != NULL)
    madvise (vector->data, size, MADV_POPULATE_WRITE);
  return vector;
}

TuttiVector *
tutti_vector_new_to_protect (gsize size, GError **error)
{
  g_return_val_if_fail (size > 0, NULL);
  TuttiStorage *storage = tutti_storage_new_anonymous (size, error);

  return storage != NULL ? tutti_vector_new_in_storage (storage, 0, size) : NULL;
}

void
tutti_vector_protect (TuttiVector *vector)
{
  g_return_if_fail (vector->storage->map != NULL && vector->storage->fd < 0);
  tutti_memory_protect (vector->storage->map, vector->storage->map_size);
  vector->storage->writable = vector->writable = FALSE;
}

TuttiVector *
tutti_vector_copy_on_write (TuttiVector *vector, gsize size, GError **error)
{
  goffset offset;
  int fd = tutti_vector_get_descriptor (vector, &offset);

  g_return_val_if_fail (fd >= 0 && size <= vector->size, NULL);
  TuttiVector *copy = tutti_vector_adopt (fd, offset, size, TUTTI_MAP_COPY, FALSE, error);

  /* Pages that nobody writes to stay shared with VECTOR. */
  if (copy != NULL)
    copy->storage->base = tutti_storage_ref (vector->storage);
  return copy;
}

/* Open the regular file PATH, and check that it has COUNT bytes (-1: all, set here) at OFFSET. */
static int
file_open_checked (const char *path, goffset offset, gssize *count, gboolean writable, GError **error)
{
  tutti_autofd int fd = open (path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    {
      tutti_set_errno (error, errno, "cannot open '%s'", path);
      return -1;
    }
  g_autoptr (GError) local = NULL;
  gssize found = tutti_memory_size (fd, &local);

  if (found < 0)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot map '%s': %s", path, local->message);
      return -1;
    }
  if (*count < 0 && offset <= found)
    *count = found - offset;
  if (*count < 0 || offset > found || *count > found - offset)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHAPE,
                   "'%s' has %" G_GSSIZE_FORMAT " bytes, expected at least %" G_GSSIZE_FORMAT " from offset %" G_GOFFSET_FORMAT,
                   path, found, MAX (*count, 0), offset);
      return -1;
    }
  return g_steal_fd (&fd);
}

TuttiVector *
tutti_vector_open_file (const char *path, goffset offset, gssize count, gboolean writable, GError **error)
{
  g_return_val_if_fail (path != NULL && offset >= 0, NULL);
  tutti_autofd int fd = file_open_checked (path, offset, &count, writable, error);

  if (fd < 0)
    return NULL;
  if (count == 0)
    return tutti_vector_new_in_storage (tutti_storage_new_heap (0), 0, 0);
  g_autoptr (GError) local = NULL;
  TuttiStorage *storage = tutti_storage_new_mapped (fd, offset, (gsize) count,
                                                    writable ? TUTTI_MAP_SHARED : TUTTI_MAP_READ_ONLY, TRUE, &local);

  if (storage == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot map '%s': %s", path, local->message);
      return NULL;
    }
  return tutti_vector_new_in_storage (storage, 0, (gsize) count);
}

TuttiVector *
tutti_vector_adopt (int fd, goffset offset, gsize size, TuttiMapMode mode, gboolean require_sealed, GError **error)
{
  g_return_val_if_fail (fd >= 0, NULL);
  TuttiStorage *storage = tutti_storage_adopt (fd, offset, size, mode, require_sealed, TRUE, error);

  return storage != NULL ? tutti_vector_new_in_storage (storage, 0, size) : NULL;
}

static TuttiVector *
vector_get_whole (TuttiVector *vector)
{
  return vector->whole != NULL ? vector->whole : vector;
}

TuttiVector *
tutti_vector_slice (TuttiVector *vector, gsize start, gsize size)
{
  g_return_val_if_fail (vector != NULL && start <= vector->size && size <= vector->size - start, NULL);
  gsize offset = (gsize) (vector->data - vector->storage->data);
  TuttiVector *slice = tutti_vector_new_in_storage (tutti_storage_ref (vector->storage), offset + start, size);

  slice->whole = tutti_vector_ref (vector_get_whole (vector));
  slice->writable = vector->writable;
  return slice;
}

TuttiVector *
tutti_vector_ref (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, NULL);
  g_atomic_int_inc (&vector->refs);
  return vector;
}

void
tutti_vector_unref (TuttiVector *vector)
{
  if (vector == NULL || !g_atomic_int_dec_and_test (&vector->refs))
    return;
  /* Out of the table first: an address must not be found as ours after it was unmapped and belongs to somebody else. */
  tutti_range_remove (vector->range);
  if (vector->storage->origin != NULL)
    tutti_leased_unuse (vector->storage->origin);
  tutti_storage_unref (vector->storage);
  tutti_vector_unref (vector->whole);
  g_free (vector);
}

gpointer
tutti_vector_get_data (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, NULL);
  return vector->data;
}

gsize
tutti_vector_get_size (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, 0);
  return vector->size;
}

gboolean
tutti_vector_is_writable (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return vector->writable;
}

gboolean
tutti_vector_is_received (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return vector->storage->received;
}

gboolean
tutti_vector_is_own_sealed (TuttiVector *vector)
{
  return vector->storage->fd >= 0 && vector->storage->sealed && !vector->storage->received;
}

void
tutti_vector_set_read_only (TuttiVector *vector)
{
  vector->writable = FALSE;
}

TuttiStorage *
tutti_vector_get_storage (TuttiVector *vector)
{
  return vector->storage;
}

void
tutti_vector_set_destination (TuttiVector *vector, gboolean destination)
{
  g_return_if_fail (vector != NULL);
  g_atomic_int_set (&vector->destination, destination);
}

gboolean
tutti_vector_is_destination (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return g_atomic_int_get (&vector->destination);
}

int
tutti_vector_get_descriptor (TuttiVector *vector, goffset *offset)
{
  g_return_val_if_fail (vector != NULL, -1);
  if (offset != NULL)
    *offset = vector->storage->file_offset + (vector->data - vector->storage->data);
  return vector->storage->fd;
}

/* Protection helps to find mistakes, and costs system calls. One lock keeps protecting and unprotecting in order. */
static gint protecting; /* atomic */
static pthread_mutex_t protection_lock = PTHREAD_MUTEX_INITIALIZER;

void
tutti_vector_protect_borrowed (void)
{
  g_atomic_int_set (&protecting, TRUE);
}

/* WHOLE was borrowed, or returned: protect or unprotect the pages that it shares with no other vector: a vector begins at a page
 * boundary, unless it is in the middle of a file, and nothing else uses the rest of its last page. */
static void
vector_update_protection (TuttiVector *whole)
{
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE), start = (guintptr) whole->data;

  if (whole->storage->map == NULL || !whole->storage->writable || start % page != 0)
    return;
  pthread_mutex_lock (&protection_lock);
  if (g_atomic_int_get (&whole->borrowed) > 0)
    {
      tutti_memory_protect (whole->data, whole->size);
      tutti_range_set_protected (whole->range, TRUE);
    }
  else
    {
      tutti_range_set_protected (whole->range, FALSE);
      tutti_memory_unprotect (whole->data, whole->size);
    }
  pthread_mutex_unlock (&protection_lock);
}

void
tutti_vector_borrow (TuttiVector *vector)
{
  g_return_if_fail (vector != NULL);
  TuttiVector *whole = vector_get_whole (vector);

  if (g_atomic_int_add (&whole->borrowed, 1) == 0 && g_atomic_int_get (&protecting))
    vector_update_protection (whole);
}

void
tutti_vector_give_back (TuttiVector *vector)
{
  g_return_if_fail (vector != NULL);
  TuttiVector *whole = vector_get_whole (vector);
  gint before = g_atomic_int_add (&whole->borrowed, -1);

  g_return_if_fail (before > 0);
  if (before == 1 && g_atomic_int_get (&protecting))
    vector_update_protection (whole);
}

gboolean
tutti_vector_is_borrowed (TuttiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return g_atomic_int_get (&vector_get_whole (vector)->borrowed) > 0;
}

void
tutti_vector_get_usage (gsize *bytes, guint *storages)
{
  tutti_storage_get_usage (bytes, storages, NULL);
}
