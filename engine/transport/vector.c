/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors: counted references to bytes in a storage. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/away-private.h"
#include "transport/leases.h"
#include "transport/own-pages.h"
#include "transport/vector-private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
tti_vector_place (TtiVector *vector, TtiStorage *storage, gsize start, gsize size)
{
  g_assert (start <= storage->size && size <= storage->size - start);
  vector->refs = vector->holders = 1;
  vector->storage = storage;
  vector->data = storage->data + start;
  vector->size = size;
  vector->writable = storage->writable;
  vector->user.data = vector;
}

void
tti_vector_list (TtiVector *vector)
{
  vector->range = vector->size > 0 ? tti_range_add (vector->data, vector->size) : NULL;
}

TtiVector *
tti_vector_new_in_storage (TtiStorage *storage, gsize start, gsize size)
{
  TtiVector *vector = g_new0 (TtiVector, 1);

  tti_vector_place (vector, storage, start, size);
  if (storage->is_leased)
    tti_leased_begin_use (vector);
  tti_vector_list (vector);
  return vector;
}

/* WARM: it may contain the numbers of an earlier vector. */
static TtiVector *
vector_new (gsize size, gboolean *warm, GError **error)
{
  TtiStorage *storage;
  gsize start = 0;

  if (size <= TTI_INLINE_LIMIT)
    storage = tti_storage_new_heap (size);
  else if (size <= tti_arena_get_slot_limit ())
    storage = tti_arena_take (size, &start, error);
  else
    storage = tti_storage_new_memory (size, size, error);
  if (storage == NULL)
    return NULL;
  *warm = storage->warm;
  return tti_vector_new_in_storage (storage, start, size);
}

TtiVector *
tti_vector_new (gsize size, GError **error)
{
  gboolean warm;
  TtiVector *vector = vector_new (size, &warm, error);

  if (vector != NULL && warm)
    memset (vector->data, 0, size);
  return vector;
}

TtiVector *
tti_vector_new_to_fill (gsize size, GError **error)
{
  gboolean warm;
  TtiVector *vector = vector_new (size, &warm, error);

  if (vector != NULL && !warm && vector->storage->map != NULL)
    tti_memory_populate (vector->data, size);
  return vector;
}

TtiVector *
tti_vector_new_to_receive (gsize size, GError **error)
{
  gboolean warm;

  return vector_new (size, &warm, error);
}

TtiVector *
tti_vector_new_to_protect (gsize size, GError **error)
{
  g_return_val_if_fail (size > 0, NULL);
  TtiStorage *storage = tti_storage_new_anonymous (size, error);

  return storage != NULL ? tti_vector_new_in_storage (storage, 0, size) : NULL;
}

void
tti_vector_protect (TtiVector *vector)
{
  g_return_if_fail (vector->storage->map != NULL && vector->storage->fd < 0);
  tti_memory_protect (vector->storage->map, vector->storage->map_size);
  vector->storage->writable = vector->writable = FALSE;
}

TtiVector *
tti_vector_copy_on_write (TtiVector *vector, gsize size, GError **error)
{
  goffset offset;
  int fd = tti_vector_get_descriptor (vector, &offset);

  g_return_val_if_fail (fd >= 0 && size <= vector->size, NULL);
  TtiVector *copy = tti_vector_adopt (fd, offset, size, TTI_MAP_COPY, FALSE, error);

  /* Pages that nobody writes to stay shared with VECTOR. */
  if (copy != NULL)
    copy->storage->base = tti_storage_ref (vector->storage);
  return copy;
}

/* Open the regular file PATH, and check that it has COUNT bytes (-1: all, set here) at OFFSET. */
static int
file_open_checked (const char *path, goffset offset, gssize *count, gboolean writable, GError **error)
{
  tti_autofd int fd = open (path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    {
      tti_set_errno (error, errno, "cannot open '%s'", path);
      return -1;
    }
  g_autoptr (GError) local = NULL;
  gssize found = tti_memory_size (fd, &local);

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

TtiVector *
tti_vector_open_file (const char *path, goffset offset, gssize count, gboolean writable, GError **error)
{
  g_return_val_if_fail (path != NULL && offset >= 0, NULL);
  tti_autofd int fd = file_open_checked (path, offset, &count, writable, error);

  if (fd < 0)
    return NULL;
  if (count == 0)
    return tti_vector_new_in_storage (tti_storage_new_heap (0), 0, 0);
  g_autoptr (GError) local = NULL;
  TtiStorage *storage = tti_storage_new_mapped (fd, offset, (gsize) count,
                                                writable ? TTI_MAP_SHARED : TTI_MAP_READ_ONLY, TRUE, &local);

  if (storage == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot map '%s': %s", path, local->message);
      return NULL;
    }
  TtiVector *vector = tti_vector_new_in_storage (storage, 0, (gsize) count);

  if (!writable)
    tti_vector_note_mapped_file (vector, path, (guint64) offset);
  return vector;
}

TtiVector *
tti_vector_adopt (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean require_sealed, GError **error)
{
  g_return_val_if_fail (fd >= 0, NULL);
  TtiStorage *storage = tti_storage_adopt (fd, offset, size, mode, require_sealed, TRUE, error);

  return storage != NULL ? tti_vector_new_in_storage (storage, 0, size) : NULL;
}

TtiVector *
tti_vector_get_whole (TtiVector *vector)
{
  return vector->whole != NULL ? vector->whole : vector;
}

TtiVector *
tti_vector_slice (TtiVector *vector, gsize start, gsize size)
{
  g_return_val_if_fail (vector != NULL && start <= vector->size && size <= vector->size - start, NULL);
  gsize offset = (gsize) (vector->data - vector->storage->data);
  TtiVector *slice = tti_vector_new_in_storage (tti_storage_ref (vector->storage), offset + start, size);

  slice->whole = tti_vector_get_whole (vector);
  g_atomic_int_inc (&slice->whole->holders);
  slice->writable = vector->writable;
  return slice;
}

TtiVector *
tti_vector_ref (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, NULL);
  g_atomic_int_inc (&vector->refs);
  return vector;
}

static void
vector_drop (TtiVector *vector)
{
  if (!g_atomic_int_dec_and_test (&vector->holders))
    return;
  TtiVector *whole = vector->whole;

  /* Out of the table first: an address must not be found as ours after it was unmapped and belongs to somebody else. */
  tti_range_remove (vector->range);
  tti_storage_unref (vector->storage);
  tti_origin_free (vector->origin);
  if (vector->home != NULL)
    tti_home_forget (vector->home, vector->number);
  g_free (vector);
  if (whole != NULL)
    vector_drop (whole);
}

/* A slice keeps the vector that it is of, which counts who borrows both, but does not use its memory: the lease of that may end before
 * the slice. */
void
tti_vector_unref (TtiVector *vector)
{
  if (vector == NULL || !g_atomic_int_dec_and_test (&vector->refs))
    return;
  if (vector->storage->is_leased)
    tti_leased_end_use (vector);
  vector_drop (vector);
}

gpointer
tti_vector_get_data (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, NULL);
  return vector->data;
}

gsize
tti_vector_get_size (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, 0);
  return vector->size;
}

gboolean
tti_vector_is_writable (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return vector->writable;
}

gboolean
tti_vector_is_received (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return vector->storage->received;
}

gboolean
tti_vector_is_own_sealed (TtiVector *vector)
{
  return tti_vector_get_descriptor (vector, NULL) >= 0 && vector->storage->sealed && !vector->storage->received;
}

void
tti_vector_set_read_only (TtiVector *vector)
{
  vector->writable = FALSE;
}

TtiStorage *
tti_vector_get_storage (TtiVector *vector)
{
  return vector->storage;
}

void
tti_vector_set_destination (TtiVector *vector, gboolean destination)
{
  g_return_if_fail (vector != NULL);
  g_atomic_int_set (&vector->destination, destination);
}

gboolean
tti_vector_is_destination (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return g_atomic_int_get (&vector->destination) || g_atomic_int_get (&tti_vector_get_whole (vector)->destination);
}

void
tti_vector_set_copy (TtiVector *vector)
{
  g_return_if_fail (vector != NULL);
  vector->is_copy = TRUE;
}

gboolean
tti_vector_is_copy (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return vector->is_copy;
}

int
tti_vector_get_descriptor (TtiVector *vector, goffset *offset)
{
  g_return_val_if_fail (vector != NULL, -1);
  if (offset != NULL)
    *offset = vector->storage->file_offset + (vector->data - vector->storage->data);
  return tti_own_pages_overlap (vector) ? -1 : vector->storage->fd;
}

/* Protection helps to find mistakes, and costs system calls. One lock keeps protecting and unprotecting in order. */
static gint protecting; /* atomic */
static pthread_mutex_t pages_lock = PTHREAD_MUTEX_INITIALIZER;

void
tti_pages_lock (void)
{
  pthread_mutex_lock (&pages_lock);
}

void
tti_pages_unlock (void)
{
  pthread_mutex_unlock (&pages_lock);
}

void
tti_vector_protect_borrowed (void)
{
  g_atomic_int_set (&protecting, TRUE);
}

/* WHOLE was borrowed, or returned: protect or unprotect the pages that it shares with no other vector: a vector begins at a page
 * boundary, unless it is in the middle of a file, and nothing else uses the rest of its last page. */
static void
vector_update_protection (TtiVector *whole)
{
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE), start = (guintptr) whole->data;

  if (whole->storage->map == NULL || !whole->storage->writable || start % page != 0)
    return;
  tti_pages_lock ();
  if (g_atomic_int_get (&whole->borrowed) > 0)
    {
      tti_memory_protect (whole->data, whole->size);
      tti_range_set_protected (whole->range, TRUE);
    }
  else
    {
      tti_range_set_protected (whole->range, FALSE);
      tti_memory_unprotect (whole->data, whole->size);
    }
  tti_pages_unlock ();
}

void
tti_vector_borrow (TtiVector *vector)
{
  g_return_if_fail (vector != NULL);
  static guint64 last;
  TtiVector *whole = tti_vector_get_whole (vector);

  if (g_atomic_int_add (&whole->borrowed, 1) != 0)
    return;
  __atomic_store_n (&whole->borrow, __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
  if (g_atomic_int_get (&protecting))
    vector_update_protection (whole);
}

guint64
tti_vector_get_borrow (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, 0);
  TtiVector *whole = tti_vector_get_whole (vector);

  return g_atomic_int_get (&whole->borrowed) > 0 ? __atomic_load_n (&whole->borrow, __ATOMIC_ACQUIRE) : 0;
}

void
tti_vector_give_back (TtiVector *vector)
{
  g_return_if_fail (vector != NULL);
  TtiVector *whole = tti_vector_get_whole (vector);
  gint before = g_atomic_int_add (&whole->borrowed, -1);

  g_return_if_fail (before > 0);
  if (before == 1 && g_atomic_int_get (&protecting))
    vector_update_protection (whole);
}

gboolean
tti_vector_is_borrowed (TtiVector *vector)
{
  g_return_val_if_fail (vector != NULL, FALSE);
  return g_atomic_int_get (&tti_vector_get_whole (vector)->borrowed) > 0;
}

void
tti_vector_get_usage (gsize *bytes, guint *storages)
{
  tti_storage_get_usage (bytes, storages, NULL);
}
