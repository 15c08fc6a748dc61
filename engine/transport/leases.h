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

typedef struct _TuttiLeases TuttiLeases; /* of one end of a connection */

typedef enum { TUTTI_LEASE_RELEASE = 1, TUTTI_LEASE_FORGET } TuttiLeaseNewsKind;

typedef struct
{
  TuttiLeaseNewsKind kind;
  guint64 id;
  guint64 count;           /* messages, with a release */
} TuttiLeaseNews;

/* MOST: how many of our storages the other side remembers at most. */
TuttiLeases *tutti_leases_new (guint most);
/* The other side cannot see our memory any more: end all leases. Memory that is leased to us stays as long as vectors use it. */
void tutti_leases_close (TuttiLeases *leases); /* NULL is fine */

/* --- the lessor ---------------------------------------------------------------------------------------------------------- */
/* Does the other side know STORAGE by its number? */
gboolean tutti_leases_is_known (TuttiLeases *leases, TuttiStorage *storage);
/* A message with STORAGES (of TuttiStorage, each once) is on its way. */
void tutti_leases_grant (TuttiLeases *leases, GPtrArray *storages);
/* The next piece of news to send before the next message; FALSE: there is none. */
gboolean tutti_leases_take_news (TuttiLeases *leases, TuttiLeaseNews *news);
void tutti_leases_hear (TuttiLeases *leases, const TuttiLeaseNews *news);

/* --- the lessee ---------------------------------------------------------------------------------------------------------- */
/* The storage that the other side has leased to us under number ID, with a new reference for the caller; NULL: none. */
TuttiLeased *tutti_leases_find (TuttiLeases *leases, guint64 id);
/* The other side leases FD to us, which stays the caller's, under number ID (which is free). Error: no descriptors left. */
TuttiLeased *tutti_leases_add (TuttiLeases *leases, guint64 id, int fd, gsize size, GError **error);
/* Another message with LEASED has arrived. */
void tutti_leased_received (TuttiLeased *leased);
int tutti_leased_get_fd (TuttiLeased *leased);
gsize tutti_leased_get_size (TuttiLeased *leased);
/* A vector over SIZE bytes from OFFSET, checked by the caller, mapped as MODE. KEEP_FD: it can be sent on. */
TuttiVector *tutti_leased_get_vector (TuttiLeased *leased, guint64 offset, gsize size, TuttiMapMode mode, gboolean keep_fd,
                                        GError **error);
/* Users: vectors, messages that are being received, and leases of it to others. When the last user goes, the lessor is notified. */
void tutti_leased_use (TuttiLeased *leased);
void tutti_leased_unuse (TuttiLeased *leased);
