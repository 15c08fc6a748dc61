/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors over memory that is leased to us: the mappings that they are in, and when they cease to use it. */
#include "transport/leases-private.h"
#include "transport/own-pages.h"

/* --- use ------------------------------------------------------------------------------------------------------------------- */
static void
begin_use_locked (TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiStorage *storage = vector->storage;

  if (storage->own_pages != NULL && tti_own_pages_contain_locked (vector))
    return;
  g_queue_push_tail_link (&storage->users, &vector->user);
  vector->uses_lease = TRUE;
  tti_leased_use_locked (storage->origin);
}

static TtiRemains
end_use_locked (TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_queue_unlink (&vector->storage->users, &vector->user);
  vector->uses_lease = FALSE;
  return tti_leased_unuse_locked (vector->storage->origin);
}

gboolean
tti_leased_part_with_origin_locked (TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  if (storage->origin == NULL || !storage->apart || storage->users.length > 0 || storage->leases > 0)
    return FALSE;
  storage->origin = NULL;
  return storage->own_pages != NULL;
}

void
tti_leased_begin_use (TtiVector *vector)
{
  tti_storage_lock ();
  begin_use_locked (vector);
  tti_storage_unlock ();
}

void
tti_leased_end_use (TtiVector *vector)
{
  static const TtiRemains none = TTI_NO_REMAINS;

  tti_storage_lock ();
  TtiRemains remains = vector->uses_lease ? end_use_locked (vector) : none;
  gboolean parted = tti_leased_part_with_origin_locked (vector->storage);

  tti_storage_unlock ();
  tti_remains_free (remains);
  if (parted)
    tti_own_pages_drop_others (vector->storage);
}

TtiStorage *
tti_leased_part_with_mapping_locked (TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiLeased *leased = storage->origin;

  if (leased == NULL || storage->apart)
    return NULL;
  storage->apart = TRUE;
  storage->cached = FALSE; /* it is counted, as it is in use, and will be as long as there are vectors in it */
  leased->mapped[leased->mapped[0] == storage ? 0 : 1] = NULL;
  return storage;
}

void
tti_leased_end_uses (TtiStorage *storage)
{
  TtiRemains remains = TTI_NO_REMAINS;

  tti_storage_lock ();
  for (GList *l = storage->users.head, *next; l != NULL; l = next)
    {
      next = l->next;
      /* Only the last user can leave something: the others still refer to the leased memory. */
      if (tti_own_pages_contain_locked (l->data))
        remains = end_use_locked (l->data);
    }
  gboolean parted = tti_leased_part_with_origin_locked (storage);

  tti_storage_unlock ();
  tti_remains_free (remains);
  if (parted)
    tti_own_pages_drop_others (storage);
}

/* --- mappings -------------------------------------------------------------------------------------------------------------- */
/* Make the mapping that all vectors of LEASED share. */
static gboolean
leased_map (TtiLeased *leased, TtiMapMode mode, gboolean keep_fd, GError **error)
{
  TtiStorage *storage = tti_storage_adopt (leased->fd, 0, leased->size, mode, FALSE, keep_fd, error);

  if (storage == NULL)
    return FALSE;
  storage->cached = TRUE; /* it was counted already, because it is in use: a message is being received */
  storage->origin = leased;
  storage->is_leased = TRUE;
  storage->is_delivery = mode == TTI_MAP_SHARED && !keep_fd; /* a worker writes there for the master */
  if (storage->is_delivery)
    tti_memory_want_large_pages (storage->map, storage->map_size);
  tti_storage_lock ();
  leased->mapped[mode != TTI_MAP_READ_ONLY] = storage;
  tti_storage_unlock ();
  return TRUE;
}

/* NULL: there is no mapping. In one step, so that there is no new vector in a mapping that another thread takes away. */
static TtiVector *
vector_in_mapping (TtiLeased *leased, guint64 offset, gsize size, TtiMapMode mode)
{
  TtiVector *vector = g_new0 (TtiVector, 1);

  tti_storage_lock ();
  TtiStorage *mapped = leased->mapped[mode != TTI_MAP_READ_ONLY];

  if (mapped != NULL)
    {
      tti_vector_place (vector, tti_storage_ref (mapped), offset, size);
      begin_use_locked (vector);
    }
  tti_storage_unlock ();
  if (mapped == NULL)
    g_clear_pointer (&vector, g_free);
  else
    tti_vector_list (vector);
  return vector;
}

static TtiVector *
vector_apart (TtiLeased *leased, guint64 offset, gsize size, TtiMapMode mode, GError **error)
{
  TtiStorage *storage = tti_storage_adopt (leased->fd, (goffset) offset, size, mode, FALSE, FALSE, error);

  if (storage == NULL)
    return NULL;
  storage->origin = leased;
  storage->is_leased = storage->apart = TRUE;
  return tti_vector_new_in_storage (storage, 0, size);
}

/* We shall write all of VECTOR, for the lessor, who has left it to us to make the pages. Usually it is the same part each time. */
static void
make_pages (TtiVector *vector)
{
  TtiStorage *storage = vector->storage;
  gsize start = (gsize) (vector->data - storage->data), end = start + vector->size;

  tti_storage_lock ();
  gboolean made = storage->made_start <= start && end <= storage->made_end;
  gboolean adjacent = start <= storage->made_end && storage->made_start <= end;

  storage->made_start = adjacent ? MIN (start, storage->made_start) : start;
  storage->made_end = adjacent ? MAX (end, storage->made_end) : end;
  tti_storage_unlock ();
  if (!made)
    tti_memory_populate (vector->data, vector->size);
}

TtiVector *
tti_leased_get_vector (TtiLeased *leased, guint64 offset, gsize size, TtiMapMode mode, gboolean keep_fd, GError **error)
{
  g_assert (offset <= leased->size && size <= leased->size - offset);
  /* Writes to a private mapping are its own, so it cannot be shared. */
  if (mode == TTI_MAP_COPY || size == 0)
    return vector_apart (leased, offset, size, mode, error);
  TtiVector *vector;

  do
    vector = vector_in_mapping (leased, offset, size, mode);
  while (vector == NULL && leased_map (leased, mode, keep_fd, error));
  if (vector != NULL && vector->storage->is_delivery)
    make_pages (vector);
  return vector;
}
