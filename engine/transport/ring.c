/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Rings. The counters HEAD and TAIL only grow, and wrap at 2^32; an entry's place is its count modulo the number of entries.
 *
 * Parking: the taker marks itself as parked and then checks the ring once more; the putter puts and then checks whether the taker
 * is parked. Both have a full fence in between, so at least one of them sees what the other did, and no wakeup is lost. */
#include "transport/ring.h"
#include <stdatomic.h>
#include <string.h>

G_STATIC_ASSERT ((TTI_RING_ENTRIES & (TTI_RING_ENTRIES - 1)) == 0);

enum { CACHE_LINE = 64, BYTES_ALIGNMENT = 16 };
enum { ENTRY_FULL = 1, ENTRY_TAKEN, ENTRY_RECALLED };

/* The word of an offer has the message's number in its upper half and one of the same three states in the lower. */
G_STATIC_ASSERT ((TTI_RING_OFFERS & (TTI_RING_OFFERS - 1)) == 0);

typedef struct
{
  atomic_uint state;
  guint32 sequence, offset, size;
} Entry;

struct _TtiRingMemory
{
  _Alignas (CACHE_LINE) atomic_uint tail; /* written by the putter */
  atomic_uint elsewhere, closed, crowded;
  _Alignas (CACHE_LINE) atomic_uint head; /* written by the taker */
  _Alignas (CACHE_LINE) atomic_uint parked;
  _Alignas (CACHE_LINE) atomic_uint_least64_t offers[TTI_RING_OFFERS];
  _Alignas (CACHE_LINE) Entry entries[TTI_RING_ENTRIES];
  _Alignas (CACHE_LINE) guint8 bytes[TTI_RING_BYTES];
};

gsize
tti_ring_memory_size (void)
{
  return sizeof (TtiRingMemory);
}

static inline guint
place_of (guint32 count)
{
  return count % TTI_RING_ENTRIES;
}

/* --- putting ------------------------------------------------------------------------------------------------------------- */

/* The offset where SIZE contiguous bytes fit; -1: there is none. */
static gint64
find_room (TtiRingPutter *ring, guint32 size)
{
  if (ring->head == ring->tail)
    return size <= TTI_RING_BYTES ? 0 : -1; /* start at the beginning, to reuse the same few pages */
  guint32 oldest = ring->starts[place_of (ring->head)];

  if (ring->write > oldest)
    {
      if (size <= TTI_RING_BYTES - ring->write)
        return ring->write;
      return size < oldest ? 0 : -1;
    }
  return ring->write < oldest && size < oldest - ring->write ? (gint64) ring->write : -1;
}

gboolean
tti_ring_put (TtiRingPutter *ring, guint32 sequence, gconstpointer first, gsize first_size, gconstpointer second,
              gsize second_size)
{
  TtiRingMemory *memory = ring->memory;
  guint32 head = atomic_load_explicit (&memory->head, memory_order_acquire);
  gsize size = first_size + second_size, rounded = (size + BYTES_ALIGNMENT - 1) / BYTES_ALIGNMENT * BYTES_ALIGNMENT;

  /* If a taker claims to have taken more than was put, ignore the ring: its messages then go the other way. */
  if (head - ring->head <= ring->tail - ring->head)
    ring->head = head;
  if (ring->tail - ring->head >= TTI_RING_ENTRIES || size > TTI_RING_BYTES)
    return FALSE;
  gint64 offset = find_room (ring, (guint32) rounded);

  if (offset < 0)
    return FALSE;
  guint place = place_of (ring->tail);
  Entry *entry = &memory->entries[place];

  memcpy (memory->bytes + offset, first, first_size);
  if (second_size > 0)
    memcpy (memory->bytes + offset + first_size, second, second_size);
  ring->starts[place] = (guint32) offset;
  ring->sequences[place] = sequence;
  ring->write = (guint32) (offset + (gint64) rounded);
  entry->sequence = sequence;
  entry->offset = (guint32) offset;
  entry->size = (guint32) size;
  atomic_store_explicit (&entry->state, ENTRY_FULL, memory_order_relaxed);
  atomic_store_explicit (&memory->tail, ++ring->tail, memory_order_release);
  return TRUE;
}

static inline guint64
offer_word (guint32 sequence, guint state)
{
  return (guint64) sequence << 32 | state;
}

gboolean
tti_ring_offer_elsewhere (TtiRingPutter *ring, guint32 sequence)
{
  atomic_uint_least64_t *offer = &ring->memory->offers[sequence % TTI_RING_OFFERS];

  /* The word of a recalled message that has not arrived yet must stay; any other message whose word is overwritten only loses the
   * possibility of a recall. */
  if ((guint32) atomic_load (offer) == ENTRY_RECALLED)
    return FALSE;
  atomic_store (offer, offer_word (sequence, ENTRY_FULL));
  return TRUE;
}

static gboolean
offer_recall (TtiRingPutter *ring, guint32 sequence)
{
  guint64 full = offer_word (sequence, ENTRY_FULL);

  return atomic_compare_exchange_strong (&ring->memory->offers[sequence % TTI_RING_OFFERS], &full,
                                         offer_word (sequence, ENTRY_RECALLED));
}

void
tti_ring_put_elsewhere (TtiRingPutter *ring)
{
  atomic_fetch_add_explicit (&ring->memory->elsewhere, 1, memory_order_release);
}

gboolean
tti_ring_must_wake (TtiRingPutter *ring)
{
  atomic_thread_fence (memory_order_seq_cst);
  return atomic_load_explicit (&ring->memory->parked, memory_order_relaxed) != 0
         && atomic_exchange_explicit (&ring->memory->parked, 0, memory_order_acq_rel) != 0;
}

gboolean
tti_ring_recall (TtiRingPutter *ring, guint32 sequence)
{
  for (guint32 count = ring->tail; count != ring->head; count--)
    if (ring->sequences[place_of (count - 1)] == sequence)
      {
        guint full = ENTRY_FULL;

        return atomic_compare_exchange_strong (&ring->memory->entries[place_of (count - 1)].state, &full, ENTRY_RECALLED);
      }
  return offer_recall (ring, sequence);
}

void
tti_ring_set_crowded (TtiRingPutter *ring, gboolean crowded)
{
  if (atomic_load_explicit (&ring->memory->crowded, memory_order_relaxed) != (guint) crowded)
    atomic_store_explicit (&ring->memory->crowded, (guint) crowded, memory_order_relaxed);
}

void
tti_ring_close (TtiRingPutter *ring)
{
  atomic_store (&ring->memory->closed, 1);
}

/* --- taking -------------------------------------------------------------------------------------------------------------- */
TtiTaken
tti_ring_take (TtiRingTaker *ring, guint32 expected, gpointer buffer, gsize capacity, gsize *size)
{
  TtiRingMemory *memory = ring->memory;
  guint32 filled = atomic_load_explicit (&memory->tail, memory_order_acquire) - ring->head;
  Entry *entry = &memory->entries[place_of (ring->head)];
  guint32 offset, length;
  guint full = ENTRY_FULL;

  if (filled == 0)
    return TTI_TAKEN_NOTHING;
  if (filled > TTI_RING_ENTRIES)
    return TTI_TAKEN_BROKEN;
  if (entry->sequence != expected)
    return TTI_TAKEN_OTHER;
  gboolean taken = atomic_compare_exchange_strong (&entry->state, &full, ENTRY_TAKEN);

  if (!taken && full != ENTRY_RECALLED)
    return TTI_TAKEN_BROKEN;
  /* Read each once: they may change meanwhile. */
  offset = *(volatile guint32 *) &entry->offset;
  length = *(volatile guint32 *) &entry->size;
  if (length > capacity || offset > TTI_RING_BYTES || length > TTI_RING_BYTES - offset)
    return TTI_TAKEN_BROKEN;
  memcpy (buffer, memory->bytes + offset, length);
  *size = length;
  atomic_store_explicit (&memory->head, ++ring->head, memory_order_release);
  return taken ? TTI_TAKEN : TTI_TAKEN_RECALLED;
}

gboolean
tti_ring_accept_elsewhere (TtiRingTaker *ring, guint32 sequence)
{
  atomic_uint_least64_t *offer = &ring->memory->offers[sequence % TTI_RING_OFFERS];
  guint64 word = offer_word (sequence, ENTRY_FULL);

  if (atomic_compare_exchange_strong (offer, &word, offer_word (sequence, ENTRY_TAKEN)) || word != offer_word (sequence, ENTRY_RECALLED))
    return TRUE; /* accepted, or never offered: in either case it was not recalled */
  atomic_store (offer, offer_word (sequence, ENTRY_TAKEN));
  return FALSE;
}

gboolean
tti_ring_is_filled (const TtiRingTaker *ring)
{
  return atomic_load_explicit (&ring->memory->tail, memory_order_acquire) != ring->head;
}

guint32
tti_ring_get_elsewhere (const TtiRingTaker *ring)
{
  return atomic_load_explicit (&ring->memory->elsewhere, memory_order_acquire);
}

void
tti_ring_park (TtiRingTaker *ring)
{
  atomic_store_explicit (&ring->memory->parked, 1, memory_order_relaxed);
  atomic_thread_fence (memory_order_seq_cst);
}

void
tti_ring_unpark (TtiRingTaker *ring)
{
  atomic_store_explicit (&ring->memory->parked, 0, memory_order_relaxed);
}

gboolean
tti_ring_is_parked (const TtiRingTaker *ring)
{
  return atomic_load_explicit (&ring->memory->parked, memory_order_relaxed) != 0;
}

gboolean
tti_ring_is_closed (const TtiRingTaker *ring)
{
  return atomic_load_explicit (&ring->memory->closed, memory_order_acquire) != 0;
}

gboolean
tti_ring_is_crowded (const TtiRingTaker *ring)
{
  return atomic_load_explicit (&ring->memory->crowded, memory_order_relaxed) != 0;
}
