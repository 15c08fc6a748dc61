/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Storage: the memory of vectors. One storage has one mapping and at most one descriptor, and lives as long as the last vector in
 * it. Counting uses g_atomic_int_* and POSIX mutexes, which thread checkers can see (GLib's own they cannot). */
#pragma once
#include "platform/lock.h"
#include "transport/vector.h"

#define TUTTI_SLOT_LIMIT (1024 * 1024)    /* above this a vector has a memfd of its own (while storages are few) */
#define TUTTI_STORAGES_FEW 256

typedef struct _TuttiLeased TuttiLeased; /* what the other side leases to us (leases.h) */

typedef struct _TuttiStorage
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
  gboolean warm;        /* it is reused: its pages exist, and are not zero */
  TuttiLeased *origin; /* it maps this memory, which is leased to us; NULL: the memory is ours */
  gboolean cached;       /* it counts in the usage only while vectors use it, see leases.c */
  struct _TuttiStorage *base; /* it is a private mapping of this storage, which must not be reused meanwhile */
  /* Under the lock of storages: */
  gboolean recyclable;  /* ours, sealed, writable */
  gboolean listed;      /* it is kept: in one of the lists of storage-pool.c */
  gboolean gone;        /* its memory was freed, or is about to be */
  guint leases;          /* connections whose other side may see it */
  guint holders;        /* connections that refer to this struct */
  guint fork_count;     /* of the process that made it */
  GList link;
} TuttiStorage;

/* SIZE zeros on the heap. */
TuttiStorage *tutti_storage_new_heap (gsize size);
/* SIZE zeros in whole pages without a descriptor. */
TuttiStorage *tutti_storage_new_anonymous (gsize size, GError **error);
/* The first SIZE bytes of MAP, which tutti_memory_map_twice () has made; the storage takes it over. */
TuttiStorage *tutti_storage_new_twice (gpointer map, gsize size);
/* A sealed memfd of SIZE bytes, zeros unless it is WARM; a kept one if there is one. CHARGED: its initial contribution to the
 * usage. */
TuttiStorage *tutti_storage_new_memory (gsize size, gsize charged, GError **error);
/* SIZE bytes of FD from any OFFSET, no checks; the storage gets a descriptor of its own only if KEEP_FD. */
TuttiStorage *tutti_storage_new_mapped (int fd, goffset offset, gsize size, TuttiMapMode mode, gboolean keep_fd, GError **error);
/* The same with the checks of tutti_vector_adopt (). */
TuttiStorage *tutti_storage_adopt (int fd, goffset offset, gsize size, TuttiMapMode mode, gboolean require_sealed,
                                   gboolean keep_fd, GError **error);
/* Count references, also of arenas. */
TuttiStorage *tutti_storage_ref (TuttiStorage *storage);
void tutti_storage_unref (TuttiStorage *storage);
/* Add BYTES to the contribution of STORAGE. */
void tutti_storage_charge (TuttiStorage *storage, gsize bytes);
/* The storages alive in this process; MAPPED: those that are not on the heap. Each argument may be NULL. */
void tutti_storage_get_usage (gsize *bytes, guint *storages, guint *mapped);
/* Vectors begin, or cease, to use STORAGE. */
void tutti_storage_count (TuttiStorage *storage, gboolean used);

/* --- using memory again (storage-pool.c) --------------------------------------------------------------------------------- */
extern TuttiLock tutti_storage_guard; /* of the lists here, and of the tables of loans; held for a few look-ups only */
void tutti_storage_lock (void);
void tutti_storage_unlock (void);
/* The number of forks between the first process and this one. */
guint tutti_storage_get_fork_count (void);
/* A kept storage for SIZE bytes, with one reference; NULL: there is none. */
TuttiStorage *tutti_storage_take_kept (gsize size);
/* The size of a new storage for SIZE bytes, rounded up so that vectors of other sizes can reuse it. */
gsize tutti_storage_class (gsize size);
/* The last reference to STORAGE is gone: keep it for reuse, or free its memory. */
void tutti_storage_retire (TuttiStorage *storage);
/* STORAGE must never be reused: processes that we do not know may see it. */
void tutti_storage_forbid_reuse (TuttiStorage *storage);
/* With the lock held. A lease ends: the other side of one connection cannot see STORAGE any more. */
void tutti_storage_end_lease_locked (TuttiStorage *storage);
/* With the lock held. A connection forgets STORAGE, which may free the struct. */
void tutti_storage_drop_holder_locked (TuttiStorage *storage);
/* Changes when the memory of a storage that connections refer to is freed. */
guint tutti_storage_get_epoch (void);
/* Free the memory of STORAGE, and the struct (storage.c). */
void tutti_storage_dispose (TuttiStorage *storage);

/* Is FD a memfd that can neither shrink nor lose its seals? FALSE also for files. */
gboolean tutti_descriptor_is_sealed (int fd);

/* Largest vector that is put into an arena now. */
gsize tutti_arena_get_slot_limit (void);
/* A slot of SIZE bytes (> 0, <= the slot limit): its storage, with a reference, and where it starts there. */
TuttiStorage *tutti_arena_take (gsize size, gsize *start, GError **error);
void tutti_arena_drop (TuttiStorage *arena); /* give back a reference */
void tutti_arena_follow_forks (void);

/* A vector over a part of STORAGE, whose reference it takes. */
TuttiVector *tutti_vector_new_in_storage (TuttiStorage *storage, gsize start, gsize size);
TuttiStorage *tutti_vector_get_storage (TuttiVector *vector); /* owned by VECTOR */
void tutti_vector_set_read_only (TuttiVector *vector); /* by agreement: the memory is not protected */
/* Can the descriptor of VECTOR be sent to a peer that trusts nothing, and do we own the contents? */
gboolean tutti_vector_is_own_sealed (TuttiVector *vector);

/* The table of address ranges (vector-table.c). An entry is valid until it is removed. */
typedef struct _TuttiRange TuttiRange;
TuttiRange *tutti_range_add (gconstpointer start, gsize size);
void tutti_range_remove (TuttiRange *range); /* NULL is fine */
void tutti_range_follow_forks (void);
void tutti_range_set_protected (TuttiRange *range, gboolean protected);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiStorage, tutti_storage_unref)
