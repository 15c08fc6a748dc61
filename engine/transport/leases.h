/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The memory that the two sides of a connection lease to each other. (Tasks *borrow* vectors, which is another thing: see vector.h.)
 *
 * A storage that was sent is *leased*: its descriptor travels once, with a number; later messages name the number alone. The other
 * side, the lessee, keeps one mapping for all messages. When none of its vectors uses it any more, it says so (a *release*); only
 * then, or when its exit is confirmed, may the lessor use the memory for something else. The lessor decides what the lessee
 * remembers: it tells the lessee when to *forget* a storage. A release states how many messages the lessee had received: if the
 * lessor has sent more, the release is outdated, and another will follow.
 *
 * A lessee that lies harms only its own view. The lessee trusts nothing that the lessor says: it looks numbers up and measures
 * sizes. All functions may be called from any thread. */
#pragma once
#include "transport/vector-private.h"

typedef struct _TtiLeases TtiLeases; /* of one end of a connection */

typedef enum { TTI_LEASE_RELEASE = 1, TTI_LEASE_FORGET } TtiLeaseNewsKind;

typedef struct
{
  TtiLeaseNewsKind kind;
  guint64 id;
  guint64 count;           /* messages, with a release */
} TtiLeaseNews;

/* MOST: how many of our storages the other side remembers at most. */
TtiLeases *tti_leases_new (guint most);
/* The other side cannot see our memory any more: end all leases. Memory that is leased to us stays as long as vectors use it. */
void tti_leases_close (TtiLeases *leases); /* NULL is fine */

/* --- the lessor ---------------------------------------------------------------------------------------------------------- */
/* Does the other side know STORAGE by its number? */
gboolean tti_leases_is_known (TtiLeases *leases, TtiStorage *storage);
/* A message with STORAGES (of TtiStorage, each once) is on its way. */
void tti_leases_grant (TtiLeases *leases, GPtrArray *storages);
/* The next piece of news to send before the next message; FALSE: there is none. */
gboolean tti_leases_take_news (TtiLeases *leases, TtiLeaseNews *news);
void tti_leases_hear (TtiLeases *leases, const TtiLeaseNews *news);

/* --- the lessee ---------------------------------------------------------------------------------------------------------- */
/* The storage that the other side has leased to us under number ID, with a new reference for the caller; NULL: none. */
TtiLeased *tti_leases_find (TtiLeases *leases, guint64 id);
/* The other side leases FD to us, which stays the caller's, under number ID (which is free). Error: no descriptors left. */
TtiLeased *tti_leases_add (TtiLeases *leases, guint64 id, int fd, gsize size, GError **error);
/* Another message with LEASED has arrived. */
void tti_leased_received (TtiLeased *leased);
int tti_leased_get_fd (TtiLeased *leased);
gsize tti_leased_get_size (TtiLeased *leased);
/* A vector over SIZE bytes from OFFSET, checked by the caller, mapped as MODE. KEEP_FD: it can be sent on. */
TtiVector *tti_leased_get_vector (TtiLeased *leased, guint64 offset, gsize size, TtiMapMode mode, gboolean keep_fd,
                                        GError **error);
/* Users: vectors, messages that are being received, and leases of it to others. When the last user goes, the lessor is notified. */
void tti_leased_unuse (TtiLeased *leased);
/* VECTOR, in a storage that is leased, begins to use what that maps, unless all of its contents are this process's own; and ends it. */
void tti_leased_begin_use (TtiVector *vector);
void tti_leased_end_use (TtiVector *vector);

/* --- own pages (own-pages.h) in mappings of leased memory ------------------------------------------------------------------ */
/* With the lock of storages held. No new vector is made in STORAGE: the next one gets another mapping. Returns a reference to STORAGE
 * that the caller gives back; NULL: none, it was so already. */
TtiStorage *tti_leased_part_with_mapping_locked (TtiStorage *storage);
/* STORAGE has new own pages: end the use of leased memory by its vectors that have only such. */
void tti_leased_end_uses (TtiStorage *storage);
