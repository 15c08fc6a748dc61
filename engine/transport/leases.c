/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Leases: the memory that both sides of a connection know by a number. */
#include "transport/leases-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "transport/own-pages.h"
#include <errno.h>
#include <fcntl.h>

/* The lock of storages protects the tables of all connections; it is held for a few look-ups only. */
typedef struct
{
  TtiStorage *storage;
  guint64 sent;         /* number of messages that contained it */
  guint64 last_used;    /* decides which lease is forgotten first */
  gboolean out;         /* it was not released yet */
} Lease;

struct _TtiLeases
{
  guint refs;           /* one of the connection, one of each TtiLeased */
  gboolean closed;
  guint most;
  guint64 clock;
  guint epoch;
  GHashTable *granted;  /* number -> Lease */
  GHashTable *leased;   /* number -> TtiLeased */
  GArray *news;         /* of TtiLeaseNews, oldest first; those before index TOLD were already taken */
  guint told;
  gint has_news;        /* atomic */
};

static void
leases_unref_locked (TtiLeases *leases)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  if (--leases->refs > 0)
    return;
  g_hash_table_unref (leases->granted);
  g_hash_table_unref (leases->leased);
  g_array_unref (leases->news);
  g_free (leases);
}

TtiLeases *
tti_leases_new (guint most)
{
  TtiLeases *leases = g_new0 (TtiLeases, 1);

  leases->refs = 1;
  leases->most = most;
  leases->epoch = tti_storage_get_epoch ();
  leases->granted = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  leases->leased = g_hash_table_new (g_int64_hash, g_int64_equal);
  leases->news = g_array_new (FALSE, FALSE, sizeof (TtiLeaseNews));
  return leases;
}

static void
news_add_locked (TtiLeases *leases, TtiLeaseNewsKind kind, guint64 id, guint64 count)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiLeaseNews news = { .kind = kind, .id = id, .count = count };

  if (leases->closed)
    return;
  g_array_append_val (leases->news, news);
  g_atomic_int_set (&leases->has_news, TRUE);
}

/* --- users --------------------------------------------------------------------------------------------------------------- */
static const TtiRemains nothing = TTI_NO_REMAINS;

static TtiRemains
leased_unref_locked (TtiLeased *leased)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  if (--leased->refs > 0)
    return nothing;
  TtiRemains remains = { { leased->mapped[0], leased->mapped[1] }, NULL, FALSE, leased->fd };

  leases_unref_locked (leased->leases);
  g_free (leased);
  return remains;
}

void
tti_remains_free (TtiRemains remains)
{
  tti_storage_unref (remains.mapped[0]);
  tti_storage_unref (remains.mapped[1]);
  if (remains.parted)
    tti_own_pages_drop_others (remains.leased_on);
  tti_storage_unref (remains.leased_on);
  tti_fd_clear (&remains.fd);
}

static void
count_mapped (TtiLeased *leased, gboolean used)
{
  for (guint i = 0; i < G_N_ELEMENTS (leased->mapped); i++)
    if (leased->mapped[i] != NULL)
      tti_storage_count (leased->mapped[i], used);
}

void
tti_leased_use_locked (TtiLeased *leased)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  leased->refs++;
  if (leased->users++ == 0)
    count_mapped (leased, TRUE);
}

TtiRemains
tti_leased_unuse_locked (TtiLeased *leased)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_assert (leased->users > 0);
  if (--leased->users == 0)
    {
      count_mapped (leased, FALSE);
      if (!leased->forgotten)
        news_add_locked (leased->leases, TTI_LEASE_RELEASE, leased->id, leased->received);
    }
  return leased_unref_locked (leased);
}

void
tti_leased_unuse (TtiLeased *leased)
{
  tti_storage_lock ();
  TtiRemains remains = tti_leased_unuse_locked (leased);
  tti_storage_unlock ();
  tti_remains_free (remains);
}

/* --- the lessor ---------------------------------------------------------------------------------------------------------- */
gboolean
tti_leases_is_known (TtiLeases *leases, TtiStorage *storage)
{
  tti_storage_lock ();
  gboolean known = g_hash_table_contains (leases->granted, &storage->id);
  tti_storage_unlock ();
  return known;
}

/* End LEASE. If the storage was itself leased to us, this lease does not use it any more. */
static TtiRemains
lease_end_locked (Lease *lease)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiLeased *origin = lease->storage->origin;
  TtiRemains remains = nothing;

  lease->out = FALSE;
  remains.leased_on = tti_storage_end_lease_locked (lease->storage);
  if (origin == NULL)
    return remains;
  remains = tti_leased_unuse_locked (origin);
  remains.parted = tti_leased_part_with_origin_locked (lease->storage);
  remains.leased_on = lease->storage;
  return remains;
}

/* Tell the other side to forget LEASE, which is freed. */
static TtiRemains
lease_forget_locked (TtiLeases *leases, Lease *lease)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  TtiStorage *storage = lease->storage;
  TtiRemains remains = nothing;

  news_add_locked (leases, TTI_LEASE_FORGET, storage->id, 0);
  if (lease->out)
    {
      storage->recyclable = FALSE; /* when it is released we shall not hear of it; it may be kept already */
      remains = lease_end_locked (lease);
    }
  g_hash_table_remove (leases->granted, &storage->id);
  tti_storage_drop_holder_locked (storage);
  return remains;
}

/* Forget leases that are not in use first, then the least recently used ones. */
static gint
compare_by_use (gconstpointer a, gconstpointer b)
{
  const Lease *one = *(Lease *const *) a, *other = *(Lease *const *) b;

  if (one->out != other->out)
    return one->out ? 1 : -1;
  return (one->last_used > other->last_used) - (one->last_used < other->last_used);
}

/* The last message may have had more than MOST storages; those in the present one stay. Storages whose last reference goes are
 * appended to ALL. */
static void
leases_make_room_locked (TtiLeases *leases, GArray *all)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  g_autoptr (GPtrArray) leases_by_use = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  if (g_hash_table_size (leases->granted) <= leases->most)
    return;
  g_hash_table_iter_init (&iter, leases->granted);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Lease *) value)->last_used < leases->clock)
      g_ptr_array_add (leases_by_use, value);
  g_ptr_array_sort (leases_by_use, compare_by_use);
  for (guint i = 0; i < leases_by_use->len && g_hash_table_size (leases->granted) > leases->most; i++)
    {
      TtiRemains remains = lease_forget_locked (leases, g_ptr_array_index (leases_by_use, i));

      g_array_append_val (all, remains);
    }
}

static void
grant_locked (TtiLeases *leases, TtiStorage *storage)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  Lease *lease = g_hash_table_lookup (leases->granted, &storage->id);

  if (lease == NULL)
    {
      lease = g_new0 (Lease, 1);
      lease->storage = storage;
      storage->holders++;
      g_hash_table_insert (leases->granted, &storage->id, lease);
    }
  lease->sent++;
  lease->last_used = leases->clock;
  if (lease->out)
    return;
  lease->out = TRUE;
  storage->leases++;
  if (storage->origin == NULL)
    return;
  tti_leased_use_locked (storage->origin);
  tti_storage_ref (storage); /* its memory must be ours until the lease ends, and nothing else may keep the mapping */
}

void
tti_leases_grant (TtiLeases *leases, GPtrArray *storages)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (TtiRemains));

  tti_storage_lock ();
  leases->clock++;
  for (guint i = 0; i < storages->len; i++)
    grant_locked (leases, g_ptr_array_index (storages, i));
  leases_make_room_locked (leases, all);
  tti_storage_unlock ();
  for (guint i = 0; i < all->len; i++)
    tti_remains_free (g_array_index (all, TtiRemains, i));
}

/* Tell the other side to forget storages whose memory we have freed. */
static void
forget_gone_locked (TtiLeases *leases)
{
  TTI_ASSERT_LOCKED (&tti_storage_guard);
  GHashTableIter iter;
  gpointer value;
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();

  leases->epoch = tti_storage_get_epoch ();
  g_hash_table_iter_init (&iter, leases->granted);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Lease *) value)->storage->gone)
      g_ptr_array_add (gone, value);
  for (guint i = 0; i < gone->len; i++)
    {
      Lease *lease = g_ptr_array_index (gone, i);

      /* Memory that another process owns is not freed while it is leased, so that nothing of it remains here. */
      g_assert (!lease->out || lease->storage->origin == NULL);
      (void) lease_forget_locked (leases, lease);
    }
}

gboolean
tti_leases_take_news (TtiLeases *leases, TtiLeaseNews *news)
{
  /* Usually there are no news, and this is called for every message. */
  if (!g_atomic_int_get (&leases->has_news) && leases->epoch == tti_storage_get_epoch ())
    return FALSE;
  tti_storage_lock ();
  if (leases->epoch != tti_storage_get_epoch ())
    forget_gone_locked (leases);
  gboolean found = leases->told < leases->news->len;

  if (found)
    *news = g_array_index (leases->news, TtiLeaseNews, leases->told++);
  /* Moving the rest to the front at each call would take quadratic time; so do it when half of all were taken. */
  if (leases->told > 0 && leases->told >= leases->news->len / 2)
    {
      g_array_remove_range (leases->news, 0, leases->told);
      leases->told = 0;
    }
  g_atomic_int_set (&leases->has_news, leases->told < leases->news->len);
  tti_storage_unlock ();
  return found;
}

void
tti_leases_hear (TtiLeases *leases, const TtiLeaseNews *news)
{
  TtiRemains remains = nothing;

  tti_storage_lock ();
  if (news->kind == TTI_LEASE_RELEASE)
    {
      Lease *lease = g_hash_table_lookup (leases->granted, &news->id);

      if (lease != NULL && lease->out && lease->sent == news->count)
        remains = lease_end_locked (lease);
    }
  else
    {
      TtiLeased *leased = g_hash_table_lookup (leases->leased, &news->id);

      if (leased != NULL)
        {
          leased->forgotten = TRUE;
          g_hash_table_remove (leases->leased, &news->id);
          remains = leased_unref_locked (leased);
        }
    }
  tti_storage_unlock ();
  tti_remains_free (remains);
}

/* --- the lessee ---------------------------------------------------------------------------------------------------------- */
TtiLeased *
tti_leases_find (TtiLeases *leases, guint64 id)
{
  tti_storage_lock ();
  TtiLeased *leased = g_hash_table_lookup (leases->leased, &id);

  if (leased != NULL)
    tti_leased_use_locked (leased);
  tti_storage_unlock ();
  return leased;
}

TtiLeased *
tti_leases_add (TtiLeases *leases, guint64 id, int fd, gsize size, GError **error)
{
  tti_fd_begin_opening ();
  int own = fcntl (fd, F_DUPFD_CLOEXEC, 0);

  tti_fd_end_opening ();
  if (own < 0)
    {
      tti_set_errno (error, errno, "cannot keep received memory of %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  TtiLeased *leased = g_new0 (TtiLeased, 1);

  tti_fd_move_up (&own);
  *leased = (TtiLeased) { .refs = 1, .leases = leases, .id = id, .fd = own, .size = size };
  tti_storage_lock ();
  leases->refs++;
  g_assert (!g_hash_table_contains (leases->leased, &id));
  g_hash_table_insert (leases->leased, &leased->id, leased);
  tti_leased_use_locked (leased);
  tti_storage_unlock ();
  return leased;
}

void
tti_leased_received (TtiLeased *leased)
{
  tti_storage_lock ();
  leased->received++;
  tti_storage_unlock ();
}

int
tti_leased_get_fd (TtiLeased *leased)
{
  return leased->fd;
}

gsize
tti_leased_get_size (TtiLeased *leased)
{
  return leased->size;
}

void
tti_leases_close (TtiLeases *leases)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (TtiRemains));
  GHashTableIter iter;
  gpointer value;

  if (leases == NULL)
    return;
  tti_storage_lock ();
  leases->closed = TRUE;
  g_hash_table_iter_init (&iter, leases->granted);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Lease *lease = value;
      TtiStorage *storage = lease->storage;
      TtiRemains remains = lease->out ? lease_end_locked (lease) : nothing;

      g_hash_table_iter_remove (&iter);
      tti_storage_drop_holder_locked (storage);
      g_array_append_val (all, remains);
    }
  g_hash_table_iter_init (&iter, leases->leased);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiLeased *leased = value;

      g_hash_table_iter_remove (&iter);
      leased->forgotten = TRUE;
      TtiRemains remains = leased_unref_locked (leased);
      g_array_append_val (all, remains);
    }
  leases_unref_locked (leases);
  tti_storage_unlock ();
  for (guint i = 0; i < all->len; i++)
    tti_remains_free (g_array_index (all, TtiRemains, i));
}
