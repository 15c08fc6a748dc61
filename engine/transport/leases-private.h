/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What leases.c and leased-vectors.c share. */
#pragma once
#include "transport/leases.h"

struct _TtiLeased
{
  guint refs;           /* one of the table, one of each user */
  guint users;
  TtiLeases *leases;
  guint64 id;
  guint64 received;
  gboolean forgotten;
  int fd;
  gsize size;
  TtiStorage *mapped[2]; /* all of it, readable and writable; NULL: not yet mapped */
};

/* Memory whose last reference is gone: it is freed without the lock. */
typedef struct
{
  TtiStorage *mapped[2];
  TtiStorage *leased_on; /* what somebody else had from us: a mapping, or memory that must not be reused */
  gboolean parted;       /* ... of which only own pages are used */
  int fd;
} TtiRemains;

#define TTI_NO_REMAINS { { NULL, NULL }, NULL, FALSE, -1 }

void tti_remains_free (TtiRemains remains);

/* All with the lock of storages held. */
void tti_leased_use_locked (TtiLeased *leased);
TtiRemains tti_leased_unuse_locked (TtiLeased *leased);
/* If STORAGE, in which no new vectors are made, has no use of its origin left, the origin may be freed. TRUE: so it is, and some of its
 * pages are in use. */
gboolean tti_leased_part_with_origin_locked (TtiStorage *storage);
