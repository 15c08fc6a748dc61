/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared vectors: memory that can be sent to another process without copying its contents.
 *
 * A vector is a counted reference to a run of bytes in some storage. Three kinds of storage, by size:
 *   up to TTI_INLINE_LIMIT      heap memory; travels by value (a page table entry costs more than the copy)
 *   up to 1 MiB                   a page-aligned slot in an arena, one memfd for many vectors: descriptors are finite.
 *                                 Slots are not handed out twice; an arena goes when its last vector goes
 *   above                         a memfd of its own
 * When the last vector of a memfd is gone and nobody can see its contents any more, it is kept for reuse: see storage-pool.c. When
 * many storages are alive (256), arenas grow so that the number of descriptors stays bounded. All functions may be called from any
 * thread. Contents are the caller's business. */
#pragma once
#include <glib.h>

#define TTI_INLINE_LIMIT (16 * 1024)

typedef enum
{
  TTI_TRAVEL_SHARED, /* the other side sees this memory, read-only */
  TTI_TRAVEL_COPY,   /* the other side may write; its writes are private (copy on write) */
  TTI_TRAVEL_WRITE   /* the other side, a worker, writes its results here for the sender */
} TtiTravel;

typedef struct _TtiVector TtiVector;

/* A new vector of SIZE bytes, zero-filled, writable here. */
TtiVector *tti_vector_new (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same with undefined contents, for callers that overwrite all of them at once. */
TtiVector *tti_vector_new_to_fill (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for callers who are promised SIZE bytes by somebody whom they do not trust, or that other processes write in parallel: pages are
 * taken as they are written. */
TtiVector *tti_vector_new_to_receive (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* SIZE (> 0) zero bytes in memory that is private to this process, in pages of their own. After writing them once the caller can
 * protect them for good: a write then raises SIGSEGV, and tti_vector_find () knows the address. */
TtiVector *tti_vector_new_to_protect (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_vector_protect (TtiVector *vector);

/* The first SIZE bytes of VECTOR as another, writable vector, copied on write. VECTOR, which has a descriptor, must not be written
 * to meanwhile. */
TtiVector *tti_vector_copy_on_write (TtiVector *vector, gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A vector over COUNT bytes of the file PATH from OFFSET (any offset), mapped read-only, or read-write (changes reach the file)
 * if WRITABLE. Errors name the path, the size found and the size wanted. */
TtiVector *tti_vector_open_file (const char *path, goffset offset, gssize count, gboolean writable, GError **error);

/* A vector over SIZE bytes of the memfd FD from OFFSET, mapped as MODE; FD stays the caller's. An error (TUTTI_ERROR_PROTOCOL) if
 * the file is smaller than offset + size, or if REQUIRE_SEALED and it could shrink. */
#include "platform/memory.h"
TtiVector *tti_vector_adopt (int fd, goffset offset, gsize size, TtiMapMode mode, gboolean require_sealed, GError **error);

/* From now on the bytes of VECTOR, at the same address and with the same protection, are this process's own: nobody else's writes show in
 * them. To be called before the answer of the task that has received VECTOR is sent; its sender may then write to its memory, and is no
 * longer asked to leave it. What was written before has reached whoever shares the memory; what is written afterwards does not, and
 * VECTOR, when it is sent, travels as a copy. So keep what is written for others (TTI_TRAVEL_WRITE) after it was written. Other vectors
 * in the same pages are kept with it. No thread of this process may write to these pages meanwhile. Nothing needs to be done for
 * memory that nobody else writes to (copies of this process made by fork () share it as ever). FALSE: there is no memory
 * (TUTTI_ERROR_SHORTAGE or _SYSTEM), or what others will write in these pages would get lost (TUTTI_ERROR_ARGUMENT): a destination of
 * tasks that have not ended, slices of one that lie in the same page, and parts of a page of a writable file. VECTOR is then as before. */
gboolean tti_vector_keep_contents (TtiVector *vector, GError **error);

/* Bytes START to START + SIZE of VECTOR as a vector that keeps its storage alive. */
TtiVector *tti_vector_slice (TtiVector *vector, gsize start, gsize size);

TtiVector *tti_vector_ref (TtiVector *vector);
void tti_vector_unref (TtiVector *vector); /* NULL is fine */

/* Its first byte, how many bytes it has, and whether they may be written to here. */
gpointer tti_vector_get_data (TtiVector *vector);
gsize tti_vector_get_size (TtiVector *vector);
gboolean tti_vector_is_writable (TtiVector *vector);
gboolean tti_vector_is_received (TtiVector *vector);   /* made by tti_vector_adopt () */

/* The descriptor and offset by which another process can map VECTOR; -1 for heap storage. The descriptor is the storage's
 * own: read-only, valid while the vector lives. */
int tti_vector_get_descriptor (TtiVector *vector, goffset *offset);

/* The description of the vector that contains ADDRESS, for messages ("shared vector of 1000 bytes"), NULL if no living vector
 * contains ADDRESS. Async-signal-safe: it tells which input a crashing task wrote to. On success *SIZE is the vector's size. */
gboolean tti_vector_find (gconstpointer address, gsize *size);

/* Borrowing: while a task that can see VECTOR is unfinished, the vector (and every slice that shares its bytes) is borrowed, and
 * writers must check this first. Counted per vector, not per slice or arena. */
void tti_vector_borrow (TtiVector *vector);
void tti_vector_give_back (TtiVector *vector);
gboolean tti_vector_is_borrowed (TtiVector *vector);
/* The number of the time, without a break until now, for which VECTOR is borrowed; 0: it is not. While that is the same, so are its
 * contents. */
guint64 tti_vector_get_borrow (TtiVector *vector);
/* To find mistakes: from now on the pages of a vector, except those that it shares with others, are read-only here while it is
 * borrowed. */
void tti_vector_protect_borrowed (void);
/* Is ADDRESS in a vector that is read-only for that reason? Returns the size of the vector and the index of the byte as well.
 * Async-signal-safe. */
gboolean tti_vector_find_protected (gconstpointer address, gsize *size, gsize *offset);

/* Let other processes write into VECTOR, made by tti_vector_new_to_fill () or _to_receive (): it and its slices travel as TTI_TRAVEL_WRITE
 * until this is revoked. Whoever answers a task with a value has written all of the vectors that came so, and nothing beside them: send
 * each worker the slice that is its part, as only the contents of that may come back. */
void tti_vector_set_destination (TtiVector *vector, gboolean destination);
gboolean tti_vector_is_destination (TtiVector *vector);

/* VECTOR is a copy that was made to be sent to several: it travels as TTI_TRAVEL_COPY. */
void tti_vector_set_copy (TtiVector *vector);
gboolean tti_vector_is_copy (TtiVector *vector);

/* Copies of this process made by fork () see its vectors, and make their own in memory that is not shared with it. Called
 * automatically when the first vector is made; modules that register locks of their own for forks (platform/fork.h) call it before
 * that. */
void tti_vector_follow_forks (void);

/* Bytes and storages alive in this process now. */
void tti_vector_get_usage (gsize *bytes, guint *storages);

/* Memory without vectors, which is kept for reuse. */
typedef struct
{
  gsize bytes;        /* kept */
  gsize leased_bytes; /* the part that cannot be reused before workers release it */
  gsize limit;        /* the limit on kept memory: an eighth of the machine's memory, at most 1 GiB, or $TUTTI_KEPT_MEMORY */
  guint64 hits;       /* vectors and arenas that were made of kept memory */
  guint64 misses;     /* ... of new memory */
} TtiKept;

void tti_vector_get_kept (TtiKept *kept);          /* for reports */
gboolean tti_vector_is_kept (gsize size);          /* is there kept memory for a vector of SIZE bytes? */
void tti_vector_set_kept_limit (gsize bytes);      /* memory that exceeds it is freed at once */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiVector, tti_vector_unref)
