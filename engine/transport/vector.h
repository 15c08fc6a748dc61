/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared vectors: memory that another process can be given without copying its contents.
 *
 * A vector is a counted reference to a run of bytes in some storage. Three kinds of storage, by size:
 *   up to TUTTI_INLINE_LIMIT      heap memory; travels by value (a page table entry costs more than the copy)
 *   up to 1 MiB                   a page-aligned slot in an arena, one memfd for many vectors: descriptors are finite.
 *                                 Slots are not handed out twice; an arena goes when its last vector goes
 *   above                         a memfd of its own
 * A memfd whose last vector is gone is kept for others, when nobody can see its old contents any more: see storage-pool.c.
 * When many storages are alive (256), arenas grow so that the number of descriptors stays bounded. All functions may be called
 * from any thread. Contents are the caller's business. */
#pragma once
#include <glib.h>

#define TUTTI_INLINE_LIMIT (16 * 1024)

typedef enum
{
  TUTTI_TRAVEL_SHARED, /* the other side sees this memory, read-only */
  TUTTI_TRAVEL_COPY,   /* the other side may write; what it writes is its own (copy on write) */
  TUTTI_TRAVEL_WRITE   /* the other side, a worker, writes here what the sender will read */
} TuttiTravel;

typedef struct _TuttiVector TuttiVector;

/* A new vector of SIZE bytes, zero-filled, writable here. */
TuttiVector *tutti_vector_new (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, but its contents may be anything: for whoever writes all of them at once. */
TuttiVector *tutti_vector_new_to_fill (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* SIZE (> 0) zeros in memory that only this process can see, in pages of their own; what is written there once can be protected for good:
 * a write then raises SIGSEGV, and tutti_vector_find () knows the address. */
TuttiVector *tutti_vector_new_to_protect (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tutti_vector_protect (TuttiVector *vector);

/* The first SIZE bytes of VECTOR as another vector, writable: what is written to it is its own. VECTOR, which has a descriptor, is not
 * to be written to meanwhile. */
TuttiVector *tutti_vector_copy_on_write (TuttiVector *vector, gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A vector over COUNT bytes of the file PATH from OFFSET (any offset), mapped read-only, or read-write (changes reach the file)
 * if WRITABLE. Errors name the path, the size found and the size wanted. */
TuttiVector *tutti_vector_open_file (const char *path, goffset offset, gssize count, gboolean writable, GError **error);

/* A vector over SIZE bytes of the memfd FD from OFFSET, mapped as MODE; FD stays the caller's. Refused (TUTTI_ERROR_PROTOCOL)
 * if the descriptor is smaller than offset + size, or could be shrunk under us and REQUIRE_SEALED. */
#include "platform/memory.h"
TuttiVector *tutti_vector_adopt (int fd, goffset offset, gsize size, TuttiMapMode mode, gboolean require_sealed, GError **error);

/* Bytes START to START + SIZE of VECTOR as a vector that keeps its storage alive. */
TuttiVector *tutti_vector_slice (TuttiVector *vector, gsize start, gsize size);

TuttiVector *tutti_vector_ref (TuttiVector *vector);
void tutti_vector_unref (TuttiVector *vector); /* NULL is fine */

/* Its first byte, how many bytes it has, and whether they may be written to here. */
gpointer tutti_vector_get_data (TuttiVector *vector);
gsize tutti_vector_get_size (TuttiVector *vector);
gboolean tutti_vector_is_writable (TuttiVector *vector);
gboolean tutti_vector_is_received (TuttiVector *vector);   /* made by tutti_vector_adopt () */

/* The descriptor and offset by which another process can map VECTOR; -1 for heap storage. The descriptor is the storage's
 * own: read-only, valid while the vector lives. */
int tutti_vector_get_descriptor (TuttiVector *vector, goffset *offset);

/* How a vector over ADDRESS is called in messages ("shared vector of 1000 bytes"), NULL if no living vector contains
 * ADDRESS. Async-signal-safe: it answers which input a crashing task wrote to. On success *SIZE is the vector's size. */
gboolean tutti_vector_find (gconstpointer address, gsize *size);

/* Borrowing: while a task that can see VECTOR is unfinished, the vector (and every slice that shares its bytes) is borrowed, and
 * whoever wants to write into it asks first. Counted per vector as made, not per slice or arena. */
void tutti_vector_borrow (TuttiVector *vector);
void tutti_vector_give_back (TuttiVector *vector);
gboolean tutti_vector_is_borrowed (TuttiVector *vector);
/* For finding mistakes: from now on the pages of a vector, if it has any of its own, are read-only here while it is borrowed. */
void tutti_vector_protect_borrowed (void);
/* Is ADDRESS in a vector that is read-only for that reason? How many bytes the vector has, and which of them it is. Async-signal-safe. */
gboolean tutti_vector_find_protected (gconstpointer address, gsize *size, gsize *offset);

/* Other processes write into VECTOR, made by tutti_vector_new_to_fill (): it travels as TUTTI_TRAVEL_WRITE, until this is taken back. */
void tutti_vector_set_destination (TuttiVector *vector, gboolean destination);
gboolean tutti_vector_is_destination (TuttiVector *vector);

/* Copies of this process made by fork () see its vectors, and make their own in memory that is not shared with it. Called by itself when
 * the first vector is made; by others who take locks of theirs at a fork (platform/fork.h) before theirs. */
void tutti_vector_follow_forks (void);

/* Bytes and storages alive in this process now. */
void tutti_vector_get_usage (gsize *bytes, guint *storages);

/* Memory without vectors, which is kept for the next ones. */
typedef struct
{
  gsize bytes;      /* kept */
  gsize lent_bytes; /* of these, those that cannot be used before a worker has let go of them */
  gsize limit;      /* at most so much is kept: an eighth of the machine's memory, at most 1 GiB, or $TUTTI_KEPT_MEMORY */
  guint64 hits;     /* vectors and arenas that were made of kept memory */
  guint64 misses;   /* ... of new memory */
} TuttiKept;

void tutti_vector_get_kept (TuttiKept *kept);        /* for reports */
void tutti_vector_set_kept_limit (gsize bytes);      /* what is over it is given up at once */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiVector, tutti_vector_unref)
