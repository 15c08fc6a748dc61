/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A ring of records in shared memory: one process writes, any number of others read, and nobody waits for anybody. When it is full, the
 * oldest are overwritten; a reader that was too slow for some is told how many.
 *
 * The memory is a page with a TtiEventRingHead, and behind it the ring, whose size is a power of two. A record is a TtiEventRecord and its
 * bytes, padded to 8 bytes. None goes across the end: where one would, the rest is filled by a record of kind 0, or left if it is too short
 * for that. Positions count bytes since the beginning, and so grow for ever. Both sides are of one version of Tutti on one machine.
 *
 * The writer says what it is about to overwrite before it does so, and readers look at that after they have copied: so they notice. Others
 * can map the memory only for reading. */
#pragma once
#include <glib.h>

typedef struct _TtiEventRing TtiEventRing;

/* What stands in front of a record's bytes. */
typedef struct
{
  guint32 size;   /* of its bytes */
  guint32 kind;   /* > 0 */
  guint64 number; /* of the record, from 1 */
  gint64 time;    /* monotonic, µs */
} TtiEventRecord;

/* Bytes of a record; several follow each other. */
typedef struct
{
  gconstpointer data;
  gsize size;
} TtiEventBytes;

/* Longer records are refused, shorter rings not made. */
enum { TTI_EVENT_RING_MOST_BYTES = 64 * 1024, TTI_EVENT_RING_LEAST = 512 * 1024 };

/* --- its writer -------------------------------------------------------------------------------------------------------------- */

/* A ring of SIZE bytes, a power of two. Errors: those of memory (platform/memory.h). */
TtiEventRing *tti_event_ring_new (gsize size, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_event_ring_free (TtiEventRing *ring); /* readers keep what they have mapped. NULL is fine */

/* A descriptor for readers, which cannot be written through; the caller's. -1 with ERROR. */
int tti_event_ring_open (TtiEventRing *ring, GError **error);

/* Append a record of KIND, of the TIME, whose bytes are those of N_BYTES pieces, TTI_EVENT_RING_MOST_BYTES at most. By one thread at a
 * time. */
void tti_event_ring_write (TtiEventRing *ring, guint kind, gint64 time, const TtiEventBytes *bytes, guint n_bytes);

/* Where the next record will be, and its number: for tti_event_ring_reader_seek (). By the thread that writes. */
void tti_event_ring_tell (const TtiEventRing *ring, guint64 *position, guint64 *number);

/* --- a reader ---------------------------------------------------------------------------------------------------------------- */

typedef struct _TtiEventRingReader TtiEventRingReader;

/* Of the ring that FD is of, which stays the caller's; it begins with the oldest record that there is. Errors (TUTTI_ERROR_PROTOCOL): it is
 * none, or of another version. */
TtiEventRingReader *tti_event_ring_reader_new (int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tti_event_ring_reader_free (TtiEventRingReader *reader); /* NULL is fine */

/* The next record; its bytes are the reader's, until the next call. *N_DROPPED: how many before it were overwritten before they were read.
 * FALSE: there is none yet; or, with ERROR, what is there cannot be (then nothing more is to be had). */
gboolean tti_event_ring_reader_next (TtiEventRingReader *reader, TtiEventRecord *record, gconstpointer *bytes, guint64 *n_dropped,
                                     GError **error);

/* Go on with the record NUMBER at POSITION, as its writer has told; older ones are left out. */
void tti_event_ring_reader_seek (TtiEventRingReader *reader, guint64 position, guint64 number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiEventRing, tti_event_ring_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiEventRingReader, tti_event_ring_reader_free)
