/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Storage: the memory of vectors. One storage has one mapping and at most one descriptor, and lives as long as the last vector in
 * it. Counting uses g_atomic_int_* and POSIX mutexes, which thread checkers can see (GLib's own they cannot). */
#pragma once
#include "platform/lock.h"
#include "transport/vector.h"

#define TTI_SLOT_LIMIT (1024 * 1024)    /* above this a vector has a memfd of its own (while storages are few) */
#define TTI_STORAGES_FEW 256

typedef struct _TtiLeased TtiLeased; /* what the other side leases to us (leases.h) */
typedef struct _TtiRange TtiRange;   /* see below */

typedef struct _TtiStorage
{
  gint refs;            /* atomic; an arena's goes down under the arena lock only */
  guint8 *data;         /* the first byte that may be used; it is byte FILE_OFFSET of FD */
  gsize size;
  gpointer map;         /* page-aligned, NULL: heap */
  gsize map_size;
  int fd;               /* -1: no other process can map these bytes */
  goffset file_offset;
  gsize charged;        /* its contribution to the usage, in bytes */
  guint64 id;           /* number by which two processes refer to the same memfd; 0: it has none */
  gboolean is_arena, writable, received, sealed;
  gboolean is_file;     /* the mapped file could shrink */
  gboolean backed;      /* the mapping is of a file or a memfd, as MODE: others may write there */
  TtiMapMode mode;
  gboolean warm;        /* it is reused: its pages exist, and are not zero */
  gboolean is_leased;    /* it maps memory that is leased to us */
  gboolean is_delivery;  /* ... and what we write there is for the lessor */
  gboolean cached;       /* it counts in the usage only while vectors use it, see leases.c */
  struct _TtiStorage *base; /* it is a private mapping of this storage, which must not be reused meanwhile */
  /* Under the lock of storages: */
  gboolean recyclable;  /* ours, sealed, writable */
  gboolean listed;      /* it is kept: in one of the lists of storage-pool.c */
  gboolean gone;        /* its memory was freed, or is about to be */
  gboolean exposed;      /* processes that we do not know may see it, for ever */
  TtiLeased *origin;     /* the leased memory that it maps; NULL: none, or nothing uses that through this mapping any more */
  gboolean apart;        /* its origin does not give this mapping to new vectors */
  gsize made_start, made_end; /* of a delivery: bytes whose pages were made here before they were written */
  GQueue users;          /* of TtiVector: those that use its origin */
  GArray *own_pages;     /* atomic pointer; see own-pages.h */
  guint leases;          /* connections whose other side may see it */
  guint holders;        /* connections that refer to this struct */
  guint fork_count;     /* of the process that made it */
  GList link;
} TtiStorage;

struct _TtiVector
{
  gint refs;          /* atomic */
  gint holders;       /* atomic: its slices, and one more as long as there are references */
  gint borrowed;      /* atomic; used only in vectors that are not slices */
  guint64 borrow;     /* atomic: the number of the time for which it is, or was last, borrowed; used likewise */
  gint destination;   /* atomic */
  gboolean is_copy;   /* of what its receivers may change; fixed before it is sent */
  struct _TtiHome *home; /* where its contents are (away.h); NULL: here */
  guint64 number;     /* as which they are known there; 0: it is a slice, or they are here */
  TtiVector *whole;   /* the vector that this is a slice of, never a slice itself; NULL: this is no slice */
  TtiStorage *storage;
  guint8 *data;
  gsize size;
  gboolean writable;
  struct _TtiOrigin *origin; /* of a vector that is no slice: its file (file-origin.c), NULL: it has none */
  TtiRange *range;
  /* Under the lock of storages: */
  gboolean uses_lease; /* it is among the users of its storage */
  GList user;
};

/* SIZE zeros on the heap. */
TtiStorage *tti_storage_new_heap (gsize size);
/* SIZE zeros in whole pages without a descriptor. */
TtiStorage *tti_storage_new_anonymous (gsize size, GError **error);
/* SIZE zeros that can only be read. They take no memory, but are counted as if they did. */
TtiStorage *tti_storage_new_zeros (gsize size, GError **error);
/* The first SIZE bytes of MAP, which tti_memory_map_twice () has made; the storage takes it over. */
TtiStorage *tti_storage_new_twice (gpointer map, gsize size);
/* A sealed memfd of SIZE bytes, zeros unless it is WARM; a kept one if there is one. CHARGED: its initial contribution to the
 * usage. */
TtiStorage *tti_storage_new_memory (gsize size, gsize charged, GError **error);
/* SIZE bytes of FD from any OFFSET, no checks; the storage gets a descriptor of its own only if KEEP_FD. */
TtiStorage *tti_storage_new_mapped (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean keep_fd, GError **error);
/* The same with the checks of tti_vector_adopt (). */
TtiStorage *tti_storage_adopt (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean require_sealed,
                               gboolean keep_fd, GError **error);
/* Count references, also of arenas. */
TtiStorage *tti_storage_ref (TtiStorage *storage);
void tti_storage_unref (TtiStorage *storage);
/* Add BYTES to the contribution of STORAGE. */
void tti_storage_charge (TtiStorage *storage, gsize bytes);
/* From now on the contribution of STORAGE, which is counted, is BYTES. */
void tti_storage_recharge (TtiStorage *storage, gsize bytes);
/* The storages alive in this process; MAPPED: those that are not on the heap. Each argument may be NULL. */
void tti_storage_get_usage (gsize *bytes, guint *storages, guint *mapped);
/* Vectors begin, or cease, to use STORAGE. */
void tti_storage_count (TtiStorage *storage, gboolean used);

/* --- using memory again (storage-pool.c) --------------------------------------------------------------------------------- */
extern TtiLock tti_storage_guard; /* of the lists here, and of the tables of loans; held for a few look-ups only */
void tti_storage_lock (void);
void tti_storage_unlock (void);
/* The number of forks between the first process and this one. */
guint tti_storage_get_fork_count (void);
/* A kept storage for SIZE bytes, with one reference; NULL: there is none. */
TtiStorage *tti_storage_take_kept (gsize size);
/* The size of a new storage for SIZE bytes, rounded up so that vectors of other sizes can reuse it. */
gsize tti_storage_class (gsize size);
/* The last reference to STORAGE is gone: keep it for reuse, or free its memory. */
void tti_storage_retire (TtiStorage *storage);
/* STORAGE must never be reused. */
void tti_storage_forbid_reuse (TtiStorage *storage);
/* The same, because processes that we do not know may see it. */
void tti_storage_expose (TtiStorage *storage);
/* With the lock held. A lease ends: the other side of one connection cannot see STORAGE any more, or we shall not hear when that is
 * so, and STORAGE is not recyclable. If it was kept for reuse, which it must not be then, it is returned with a reference, to be
 * dropped without the lock; otherwise NULL. */
TtiStorage *tti_storage_end_lease_locked (TtiStorage *storage);
/* With the lock held. A connection forgets STORAGE, which may free the struct. */
void tti_storage_drop_holder_locked (TtiStorage *storage);
/* Changes when the memory of a storage that connections refer to is freed. */
guint tti_storage_get_epoch (void);
/* Free the memory of STORAGE, and the struct (storage.c). */
void tti_storage_dispose (TtiStorage *storage);

/* Is FD a memfd that can neither shrink nor lose its seals? FALSE also for files. */
gboolean tti_descriptor_is_sealed (int fd);

/* Largest vector that is put into an arena now. */
gsize tti_arena_get_slot_limit (void);
/* A slot of SIZE bytes (> 0, <= the slot limit): its storage, with a reference, and where it starts there. */
TtiStorage *tti_arena_take (gsize size, gsize *start, GError **error);
void tti_arena_drop (TtiStorage *arena); /* give back a reference */
void tti_arena_follow_forks (void);

/* A vector over a part of STORAGE, whose reference it takes. */
TtiVector *tti_vector_new_in_storage (TtiStorage *storage, gsize start, gsize size);
/* The two halves of that, between which a vector begins to use leased memory. */
void tti_vector_place (TtiVector *vector, TtiStorage *storage, gsize start, gsize size);
void tti_vector_list (TtiVector *vector);
TtiVector *tti_vector_get_whole (TtiVector *vector); /* itself, if it is no slice */
TtiStorage *tti_vector_get_storage (TtiVector *vector); /* owned by VECTOR */
void tti_vector_set_read_only (TtiVector *vector); /* by agreement: the memory is not protected */
/* Can the descriptor of VECTOR be sent to a peer that trusts nothing, and do we own the contents? */
gboolean tti_vector_is_own_sealed (TtiVector *vector);

/* The pages of mappings change, in their protection or what they map, under this lock, which is taken before that of storages. */
void tti_pages_lock (void);
void tti_pages_unlock (void);

/* Note that VECTOR, which is read-only, maps the file PATH from OFFSET; and forget such a note (NULL is fine). */
void tti_vector_note_mapped_file (TtiVector *vector, const char *path, guint64 offset);
void tti_origin_free (struct _TtiOrigin *origin);

/* The table of address ranges (vector-table.c). An entry is valid until it is removed. */
TtiRange *tti_range_add (gconstpointer start, gsize size);
void tti_range_remove (TtiRange *range); /* NULL is fine */
void tti_range_follow_forks (void);
void tti_range_set_protected (TtiRange *range, gboolean protected);
gboolean tti_range_is_protected (TtiRange *range);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiStorage, tti_storage_unref)
