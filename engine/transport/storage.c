/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The memory of vectors: on the heap, in a memfd, or mapped from a descriptor of the caller. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "transport/mapped-file.h"
#include "transport/vector-private.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static gsize used_bytes;  /* atomic, all three */
static guint used_storages, mapped_storages;

static TtiStorage *
storage_new (void)
{
  tti_vector_follow_forks ();
  TtiStorage *storage = g_new0 (TtiStorage, 1);

  storage->refs = 1;
  storage->fd = -1;
  storage->link.data = storage;
  storage->fork_count = tti_storage_get_fork_count ();
  g_atomic_int_inc (&used_storages);
  return storage;
}

void
tti_storage_count (TtiStorage *storage, gboolean used)
{
  g_atomic_int_add (&used_storages, used ? 1 : -1);
  if (used)
    __atomic_add_fetch (&used_bytes, storage->charged, __ATOMIC_RELAXED);
  else
    __atomic_sub_fetch (&used_bytes, storage->charged, __ATOMIC_RELAXED);
}

void
tti_storage_charge (TtiStorage *storage, gsize bytes)
{
  storage->charged += bytes;
  __atomic_add_fetch (&used_bytes, bytes, __ATOMIC_RELAXED);
}

void
tti_storage_recharge (TtiStorage *storage, gsize bytes)
{
  __atomic_add_fetch (&used_bytes, bytes - storage->charged, __ATOMIC_RELAXED);
  storage->charged = bytes;
}

TtiStorage *
tti_storage_new_heap (gsize size)
{
  TtiStorage *storage = storage_new ();

  storage->data = g_malloc0 (MAX (size, 1));
  storage->size = size;
  storage->writable = TRUE;
  tti_storage_charge (storage, size);
  return storage;
}

static TtiStorage *
storage_new_over (gpointer map, gsize map_size, gsize size, gboolean writable)
{
  TtiStorage *storage = storage_new ();

  g_atomic_int_inc (&mapped_storages);
  storage->map = storage->data = map;
  storage->map_size = map_size;
  storage->size = size;
  storage->writable = writable;
  tti_storage_charge (storage, size);
  return storage;
}

TtiStorage *
tti_storage_new_anonymous (gsize size, GError **error)
{
  gpointer map = tti_memory_map_anonymous (size, error);

  return map != NULL ? storage_new_over (map, size, size, TRUE) : NULL;
}

TtiStorage *
tti_storage_new_zeros (gsize size, GError **error)
{
  gpointer map = tti_memory_map_zeros (size, error);

  return map != NULL ? storage_new_over (map, size, size, FALSE) : NULL;
}

TtiStorage *
tti_storage_new_twice (gpointer map, gsize size)
{
  return storage_new_over (map, 2 * size, size, FALSE);
}

/* Map SIZE bytes of FD from any OFFSET into STORAGE. */
static gboolean
storage_map (TtiStorage *storage, int fd, goffset offset, gsize size, TtiMapMode mode, GError **error)
{
  gsize inside = (gsize) offset % (gsize) sysconf (_SC_PAGESIZE);

  storage->map = tti_memory_map (fd, offset - (goffset) inside, size + inside, mode, error);
  if (storage->map == NULL)
    return FALSE;
  g_atomic_int_inc (&mapped_storages);
  storage->map_size = size + inside;
  storage->data = (guint8 *) storage->map + inside;
  storage->size = size;
  storage->file_offset = offset;
  storage->writable = mode != TTI_MAP_READ_ONLY;
  storage->backed = TRUE;
  storage->mode = mode;
  return TRUE;
}

static guint64
storage_new_id (void)
{
  static guint64 last; /* atomic */

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

TtiStorage *
tti_storage_new_memory (gsize size, gsize charged, GError **error)
{
  TtiStorage *kept = tti_storage_take_kept (size);

  if (kept != NULL)
    {
      tti_storage_count (kept, TRUE);
      tti_storage_charge (kept, charged);
      return kept;
    }
  g_autoptr (TtiStorage) storage = storage_new ();
  gsize class = tti_storage_class (size), whole = class <= tti_memory_get_limit () ? class : size;
  tti_autofd int fd = tti_memory_open ("tutti-vector", whole, error);

  if (fd < 0 || !storage_map (storage, fd, 0, whole, TTI_MAP_SHARED, error))
    return NULL;
  /* Not arenas: their first vector may be the only one, and small. */
  if (charged > 0)
    tti_memory_want_large_pages (storage->map, storage->map_size);
  storage->fd = tti_fd_reopen_read_only (fd, error);
  if (storage->fd < 0)
    return NULL;
  tti_fd_move_up (&storage->fd);
  storage->sealed = storage->recyclable = TRUE;
  storage->id = storage_new_id ();
  tti_storage_charge (storage, charged);
  return g_steal_pointer (&storage);
}

/* A descriptor of the same file as FD that may be mapped as MODE; also in *OWNED if it had to be opened. */
static int
descriptor_for_mode (int fd, TtiMapMode mode, int *owned, GError **error)
{
  if (mode != TTI_MAP_SHARED || (fcntl (fd, F_GETFL) & O_ACCMODE) == O_RDWR)
    return fd;
  /* Senders pass read-only descriptors. We may write to the memory if we can open it for writing. */
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  tti_fd_begin_opening ();
  *owned = open (path, O_RDWR | O_CLOEXEC);
  tti_fd_end_opening ();
  if (*owned < 0)
    tti_set_errno (error, errno, "cannot reopen %s for writing", path);
  return *owned;
}

TtiStorage *
tti_storage_new_mapped (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean keep_fd, GError **error)
{
  g_autoptr (TtiStorage) storage = storage_new ();
  tti_autofd int reopened = -1;
  int usable = descriptor_for_mode (fd, mode, &reopened, error);

  if (usable < 0 || !storage_map (storage, usable, offset, size, mode, error))
    return NULL;
  /* The file does not contain writes to a private mapping, so its descriptor must not be passed on. */
  if (keep_fd && mode != TTI_MAP_COPY)
    {
      storage->fd = tti_fd_reopen_read_only (fd, error);
      if (storage->fd < 0)
        return NULL;
      tti_fd_move_up (&storage->fd);
    }
  storage->is_file = tti_mapped_file_note (fd, storage->map, storage->map_size);
  tti_storage_charge (storage, size);
  return g_steal_pointer (&storage);
}

gboolean
tti_descriptor_is_sealed (int fd)
{
  int seals = fcntl (fd, F_GET_SEALS);

  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

TtiStorage *
tti_storage_adopt (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean require_sealed, gboolean keep_fd,
                   GError **error)
{
  gboolean sealed = tti_descriptor_is_sealed (fd);
  gssize found = tti_memory_size (fd, error);

  if (found < 0)
    return NULL;
  if (require_sealed && !sealed)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                   "received memory of %" G_GSIZE_FORMAT " bytes is not sealed: its sender could shrink it", size);
      return NULL;
    }
  if (offset < 0 || offset > found || size > (gsize) (found - offset))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                   "received memory has %" G_GSSIZE_FORMAT " bytes, but %" G_GSIZE_FORMAT " from offset %" G_GOFFSET_FORMAT
                   " were announced", found, size, offset);
      return NULL;
    }
  TtiStorage *storage = size == 0 ? tti_storage_new_heap (0)
                                    : tti_storage_new_mapped (fd, offset, size, mode, keep_fd, error);

  if (storage != NULL)
    {
      storage->received = TRUE;
      storage->sealed = sealed;
      storage->id = storage->fd >= 0 && sealed ? storage_new_id () : 0;
      storage->writable = mode != TTI_MAP_READ_ONLY;
    }
  return storage;
}

TtiStorage *
tti_storage_ref (TtiStorage *storage)
{
  g_atomic_int_inc (&storage->refs);
  return storage;
}

void
tti_storage_dispose (TtiStorage *storage)
{
  if (storage->is_file)
    tti_mapped_file_forget (storage->map);
  if (storage->map != NULL)
    {
      tti_memory_unmap (storage->map, storage->map_size);
      g_atomic_int_add (&mapped_storages, -1);
    }
  else
    g_free (storage->data);
  storage->map = storage->data = NULL;
  tti_fd_clear (&storage->fd);
}

void
tti_storage_unref (TtiStorage *storage)
{
  if (storage == NULL)
    return;
  if (storage->is_arena)
    tti_arena_drop (storage);
  else if (g_atomic_int_dec_and_test (&storage->refs))
    tti_storage_retire (storage);
}

void
tti_storage_get_usage (gsize *bytes, guint *storages, guint *mapped)
{
  if (bytes != NULL)
    *bytes = __atomic_load_n (&used_bytes, __ATOMIC_RELAXED);
  if (storages != NULL)
    *storages = g_atomic_int_get (&used_storages);
  if (mapped != NULL)
    *mapped = g_atomic_int_get (&mapped_storages);
}
