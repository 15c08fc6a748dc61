/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reuse of memory.
 *
 * The first touch of a page of shared memory costs ten times what writing to it costs: 40 ms instead of 4 for 80 MB. So storages
 * whose last vector is gone are kept, mapped, for the next vector of their size class, up to a limit of bytes. The contents stay:
 * functions that promise zeros must write them.
 *
 * A storage that the other side of a connection may still see must wait until that side releases it, or until its exit is confirmed
 * (leases.c). If the limit forces us to free it earlier, we unmap it on our side, and the kernel frees the memory with the last
 * mapping. */
#include "platform/fork.h"
#include "transport/mapped-file.h"
#include "transport/own-pages.h"
#include "transport/vector-private.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

TtiLock tti_storage_guard;
static GQueue ready = G_QUEUE_INIT;   /* can be reused at once; most recent first, as that may still be in the caches */
static GQueue waiting = G_QUEUE_INIT; /* leased; most recent first */
static gsize kept_bytes, kept_limit;
static gboolean limit_known;
static guint64 hits, misses;
static guint epoch; /* atomic */
static guint fork_count; /* how many times this process and its originals were forked; written by fork () only */

void
tti_storage_lock (void)
{
  tti_lock_take (&tti_storage_guard);
}

void
tti_storage_unlock (void)
{
  tti_lock_release (&tti_storage_guard);
}

guint
tti_storage_get_epoch (void)
{
  return __atomic_load_n (&epoch, __ATOMIC_ACQUIRE);
}

gsize
tti_storage_class (gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), power = page;

  /* Eight classes between powers of two. The rest after the vector costs address space only: it is never touched. */
  while (power <= size / 2)
    power *= 2;
  gsize step = MAX (page, power / 8);

  return size > G_MAXSSIZE - step ? size : (size + step - 1) / step * step;
}

static void
limit_init_locked (void)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  const char *text = limit_known ? NULL : getenv ("TUTTI_KEPT_MEMORY");
  gsize memory = (gsize) sysconf (_SC_PHYS_PAGES) * (gsize) sysconf (_SC_PAGESIZE);

  if (limit_known)
    return;
  limit_known = TRUE;
  kept_limit = MIN (memory / 8, (gsize) 1 << 30);
  if (text != NULL)
    kept_limit = g_ascii_strtoull (text, NULL, 10);
}

/* STORAGE leaves its list. */
static void
unlist_locked (TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_queue_unlink (storage->leases > 0 ? &waiting : &ready, &storage->link);
  storage->listed = FALSE;
  kept_bytes -= storage->map_size;
}

static void
give_up_locked (TtiStorage *storage, GPtrArray *victims)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  storage->gone = TRUE;
  if (storage->holders > 0)
    __atomic_add_fetch (&epoch, 1, __ATOMIC_RELEASE);
  storage->holders++; /* until it is unmapped */
  g_ptr_array_add (victims, storage);
}

/* Keep no more than LIMIT. Free storages that can be reused at once first: others will be ready when these
 * are needed. */
static void
shrink_locked (gsize limit, GPtrArray *victims)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  while (kept_bytes > limit)
    {
      GList *link = ready.tail != NULL ? ready.tail : waiting.tail;

      g_assert (link != NULL);
      TtiStorage *storage = link->data;

      unlist_locked (storage);
      give_up_locked (storage, victims);
    }
}

/* Without the lock: unmapping takes milliseconds. */
static void
victims_free (GPtrArray *victims)
{
  for (guint i = 0; i < victims->len; i++)
    tti_storage_dispose (g_ptr_array_index (victims, i));
  tti_storage_lock ();
  for (guint i = 0; i < victims->len; i++)
    tti_storage_drop_holder_locked (g_ptr_array_index (victims, i));
  tti_storage_unlock ();
  g_ptr_array_unref (victims);
}

/* In a forked copy of this process all kept and leased storages belong to the original, which reuses them as well. */
static void
pool_own (void)
{
  GPtrArray *victims = g_ptr_array_new ();

  fork_count++;
  shrink_locked (0, victims);
  for (guint i = 0; i < victims->len; i++)
    {
      tti_storage_dispose (g_ptr_array_index (victims, i));
      tti_storage_drop_holder_locked (g_ptr_array_index (victims, i));
    }
  g_ptr_array_unref (victims);
}

static void
follow_forks (void)
{
  tti_mapped_file_follow_forks ();
  tti_range_follow_forks ();
  tti_fork_protect (tti_storage_lock, tti_storage_unlock, pool_own);
  tti_fork_protect (tti_pages_lock, tti_pages_unlock, NULL);
  tti_arena_follow_forks ();
}

void
tti_vector_follow_forks (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, follow_forks);
}

guint
tti_storage_get_fork_count (void)
{
  return fork_count;
}

static TtiStorage *
find_kept_locked (gsize size)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  gsize wanted = tti_storage_class (size);

  for (GList *l = ready.head; l != NULL; l = l->next)
    if (((TtiStorage *) l->data)->map_size == wanted)
      return l->data;
  return NULL;
}

gboolean
tti_vector_is_kept (gsize size)
{
  tti_storage_lock ();
  gboolean found = find_kept_locked (size) != NULL;

  tti_storage_unlock ();
  return found;
}

TtiStorage *
tti_storage_take_kept (gsize size)
{
  tti_storage_lock ();
  TtiStorage *found = find_kept_locked (size);

  if (found != NULL)
    {
      unlist_locked (found);
      found->refs = 1;
      found->is_arena = FALSE;
      found->warm = TRUE;
      hits++;
    }
  else
    misses++;
  tti_storage_unlock ();
  return found;
}

void
tti_storage_retire (TtiStorage *storage)
{
  TtiStorage *base = g_steal_pointer (&storage->base);

  tti_own_pages_clear (storage);
  if (!storage->cached)
    tti_storage_count (storage, FALSE);
  if (storage->map == NULL)
    {
      tti_storage_dispose (storage);
      g_free (storage);
      return;
    }
  GPtrArray *victims = g_ptr_array_new ();

  storage->charged = 0;
  tti_storage_lock ();
  limit_init_locked ();
  if (storage->recyclable && storage->fork_count == fork_count && storage->map_size <= kept_limit)
    {
      g_queue_push_head_link (storage->leases > 0 ? &waiting : &ready, &storage->link);
      storage->listed = TRUE;
      kept_bytes += storage->map_size;
    }
  else
    give_up_locked (storage, victims);
  shrink_locked (kept_limit, victims);
  tti_storage_unlock ();
  victims_free (victims);
  tti_storage_unref (base);
}

void
tti_storage_forbid_reuse (TtiStorage *storage)
{
  tti_storage_lock ();
  storage->recyclable = FALSE;
  tti_storage_unlock ();
}

void
tti_storage_expose (TtiStorage *storage)
{
  tti_storage_lock ();
  storage->exposed = TRUE;
  storage->recyclable = FALSE;
  tti_storage_unlock ();
}

TtiStorage *
tti_storage_end_lease_locked (TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_assert (storage->leases > 0);
  if (storage->leases == 1 && storage->listed && !storage->recyclable)
    {
      unlist_locked (storage);
      storage->leases = 0;
      storage->refs = 1;
      tti_storage_count (storage, TRUE);
      return storage;
    }
  if (--storage->leases > 0 || !storage->listed)
    return NULL;
  g_queue_unlink (&waiting, &storage->link);
  g_queue_push_head_link (&ready, &storage->link);
  return NULL;
}

void
tti_storage_drop_holder_locked (TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_assert (storage->holders > 0);
  if (--storage->holders == 0 && storage->gone)
    g_free (storage);
}

void
tti_vector_set_kept_limit (gsize bytes)
{
  GPtrArray *victims = g_ptr_array_new ();

  tti_storage_lock ();
  limit_known = TRUE;
  kept_limit = bytes;
  shrink_locked (kept_limit, victims);
  tti_storage_unlock ();
  victims_free (victims);
}

void
tti_vector_get_kept (TtiKept *kept)
{
  tti_storage_lock ();
  limit_init_locked ();
  *kept = (TtiKept) { .bytes = kept_bytes, .limit = kept_limit, .hits = hits, .misses = misses };
  for (GList *l = waiting.head; l != NULL; l = l->next)
    kept->leased_bytes += ((TtiStorage *) l->data)->map_size;
  tti_storage_unlock ();
}
