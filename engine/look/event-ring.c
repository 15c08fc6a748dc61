/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/event-ring.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/memory.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC G_GUINT64_CONSTANT (0x5475747469526e67)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

enum { VERSION = 1, HEAD_SIZE = 4096, N_ANCHORS = 64, ALIGNMENT = 8 };

/* ANCHORS: of each N_ANCHORS-th of the ring, where the first record in it begins; a reader that was too slow goes on at one. */
typedef struct
{
  guint64 magic;
  guint64 version;
  guint64 size;
  guint64 reserved; /* atomic: up to here what was there SIZE bytes before may be overwritten */
  guint64 written;  /* atomic: up to here there are records */
  guint64 anchors[N_ANCHORS]; /* atomic */
} TtiEventRingHead;

G_STATIC_ASSERT (sizeof (TtiEventRingHead) <= HEAD_SIZE);

struct _TtiEventRing
{
  int fd;
  TtiEventRingHead *head;
  guint8 *bytes;
  guint64 position; /* where the next record begins */
  guint64 number;
};

/* Nothing that stands behind it is done before what stands in front of it. ThreadSanitizer knows no fences, but read-modify-writes. */
static inline void
fence (void)
{
#ifdef __SANITIZE_THREAD__
  static int word;

  __atomic_fetch_add (&word, 0, __ATOMIC_SEQ_CST);
#else
  __atomic_thread_fence (__ATOMIC_ACQ_REL);
#endif
}

static gsize
padded (gsize size)
{
  return (size + ALIGNMENT - 1) & ~(gsize) (ALIGNMENT - 1);
}

/* --- writing ----------------------------------------------------------------------------------------------------------------- */

TtiEventRing *
tti_event_ring_new (gsize size, GError **error)
{
  g_return_val_if_fail (size >= TTI_EVENT_RING_LEAST && (size & (size - 1)) == 0, NULL);
  tti_autofd int fd = tti_memory_open ("tutti-events", HEAD_SIZE + size, error);
  gpointer memory = fd >= 0 ? tti_memory_map (fd, 0, HEAD_SIZE + size, TTI_MAP_SHARED, error) : NULL;

  if (memory == NULL)
    return NULL;
  /* Nobody else can map it for writing. Kernels before 5.1 lack this; then only the descriptors that others get keep them from it. */
  (void) fcntl (fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
  TtiEventRing *ring = g_new0 (TtiEventRing, 1);

  ring->fd = g_steal_fd (&fd);
  ring->head = memory;
  ring->bytes = (guint8 *) memory + HEAD_SIZE;
  *ring->head = (TtiEventRingHead){ .magic = MAGIC, .version = VERSION, .size = size };
  return ring;
}

void
tti_event_ring_free (TtiEventRing *ring)
{
  if (ring == NULL)
    return;
  tti_memory_unmap (ring->head, HEAD_SIZE + ring->head->size);
  tti_fd_clear (&ring->fd);
  g_free (ring);
}

int
tti_event_ring_open (TtiEventRing *ring, GError **error)
{
  return tti_fd_reopen_read_only (ring->fd, error);
}

/* The record that begins at POSITION, of LENGTH bytes with all that belongs to it, is the first of its part of the ring. */
static void
note_anchors (TtiEventRingHead *head, guint64 position, gsize length)
{
  guint64 part = head->size / N_ANCHORS;

  for (guint64 i = (position + part - 1) / part; i * part < position + length; i++)
    __atomic_store_n (&head->anchors[i % N_ANCHORS], i * part == position ? position : position + length, __ATOMIC_RELAXED);
}

/* The bytes that are left over before a record of LENGTH bytes at POSITION. */
static gsize
gap_before (guint64 size, guint64 position, gsize length)
{
  gsize left = (gsize) (size - (position & (size - 1)));

  return left < length ? left : 0;
}

void
tti_event_ring_write (TtiEventRing *ring, guint kind, gint64 time, const TtiEventBytes *bytes, guint n_bytes)
{
  TtiEventRingHead *head = ring->head;
  TtiEventRecord record = { .kind = kind, .number = ++ring->number, .time = time };

  for (guint i = 0; i < n_bytes; i++)
    record.size += (guint32) bytes[i].size;
  g_return_if_fail (record.size <= TTI_EVENT_RING_MOST_BYTES);
  gsize length = padded (sizeof record + record.size), gap = gap_before (head->size, ring->position, length);
  guint64 end = ring->position + gap + length;

  __atomic_store_n (&head->reserved, end, __ATOMIC_RELAXED);
  fence ();
  if (gap >= sizeof record)
    *(TtiEventRecord *) (ring->bytes + (ring->position & (head->size - 1))) = (TtiEventRecord){ .size = (guint32) (gap - sizeof record) };
  guint8 *at = ring->bytes + ((ring->position + gap) & (head->size - 1));

  memcpy (at, &record, sizeof record);
  at += sizeof record;
  for (guint i = 0; i < n_bytes; i++)
    {
      if (bytes[i].size > 0)
        memcpy (at, bytes[i].data, bytes[i].size);
      at += bytes[i].size;
    }
  note_anchors (head, ring->position, gap + length);
  ring->position = end;
  __atomic_store_n (&head->written, end, __ATOMIC_RELEASE);
}

void
tti_event_ring_tell (const TtiEventRing *ring, guint64 *position, guint64 *number)
{
  *position = ring->position;
  *number = ring->number + 1;
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

struct _TtiEventRingReader
{
  const TtiEventRingHead *head;
  const guint8 *bytes;
  guint64 size;
  guint64 position;
  guint64 number;   /* of the record that was read last */
  guint8 copy[TTI_EVENT_RING_MOST_BYTES];
};

TtiEventRingReader *
tti_event_ring_reader_new (int fd, GError **error)
{
  TtiEventRingHead head;
  struct stat status;

  if (fstat (fd, &status) != 0 || pread (fd, &head, sizeof head, 0) != sizeof head || head.magic != MAGIC || head.version != VERSION
      || head.size < TTI_EVENT_RING_LEAST || (head.size & (head.size - 1)) != 0 || (guint64) status.st_size != HEAD_SIZE + head.size)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "what was opened are no events of this version of Tutti");
      return NULL;
    }
  gpointer memory = tti_memory_map (fd, 0, HEAD_SIZE + head.size, TTI_MAP_READ_ONLY, error);

  if (memory == NULL)
    return NULL;
  TtiEventRingReader *reader = g_new0 (TtiEventRingReader, 1);

  reader->head = memory;
  reader->bytes = (const guint8 *) memory + HEAD_SIZE;
  reader->size = head.size;
  return reader;
}

void
tti_event_ring_reader_free (TtiEventRingReader *reader)
{
  if (reader == NULL)
    return;
  tti_memory_unmap ((gpointer) reader->head, HEAD_SIZE + reader->size);
  g_free (reader);
}

/* Is what was copied from POSITION on what was written there? */
static gboolean
is_still_there (const TtiEventRingReader *reader, guint64 position)
{
  fence ();
  return __atomic_load_n (&reader->head->reserved, __ATOMIC_RELAXED) <= position + reader->size;
}

/* Go on at the oldest record that is sure to stay for a while. */
static void
catch_up (TtiEventRingReader *reader, guint64 written)
{
  guint64 best = written, least = written > reader->size ? written - reader->size + reader->size / 8 : 0;

  for (guint i = 0; i < N_ANCHORS; i++)
    {
      guint64 anchor = __atomic_load_n (&reader->head->anchors[i], __ATOMIC_RELAXED);

      if (anchor >= least && anchor < best)
        best = anchor;
    }
  reader->position = best;
}

/* Copy the record at the reader's position. FALSE: it was overwritten meanwhile. *LENGTH: of all that belongs to it; 0: it cannot be. */
static gboolean
copy_record (TtiEventRingReader *reader, TtiEventRecord *record, gsize *length)
{
  guint64 at = reader->position & (reader->size - 1), left = reader->size - at;

  *record = (TtiEventRecord){ .kind = 0 };
  *length = (gsize) left;
  if (left < sizeof *record)
    return TRUE; /* nothing fits there */
  memcpy (record, reader->bytes + at, sizeof *record);
  if (record->kind == 0)
    return is_still_there (reader, reader->position);
  *length = padded (sizeof *record + (gsize) record->size);
  if (record->size <= TTI_EVENT_RING_MOST_BYTES && *length <= left)
    memcpy (reader->copy, reader->bytes + at + sizeof *record, record->size);
  else
    *length = 0;
  return is_still_there (reader, reader->position);
}

gboolean
tti_event_ring_reader_next (TtiEventRingReader *reader, TtiEventRecord *record, gconstpointer *bytes, guint64 *n_dropped, GError **error)
{
  for (;;)
    {
      guint64 written = __atomic_load_n (&reader->head->written, __ATOMIC_ACQUIRE);
      gsize length = 0;

      if (reader->position == written)
        return FALSE;
      if (!is_still_there (reader, reader->position) || !copy_record (reader, record, &length))
        {
          catch_up (reader, written);
          continue;
        }
      if (length == 0 || reader->position + length > written)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "the events have a record that cannot be");
          return FALSE;
        }
      reader->position += length;
      if (record->kind == 0)
        continue;
      *n_dropped = record->number - reader->number - 1;
      reader->number = record->number;
      *bytes = reader->copy;
      return TRUE;
    }
}

void
tti_event_ring_reader_seek (TtiEventRingReader *reader, guint64 position, guint64 number)
{
  g_return_if_fail (position % ALIGNMENT == 0 && position <= __atomic_load_n (&reader->head->written, __ATOMIC_ACQUIRE) && number > 0);
  reader->position = position;
  reader->number = number - 1;
}
