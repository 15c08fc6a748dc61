/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A ring of messages in shared memory: one process puts, the other takes, and neither enters the kernel.
 *
 * Each side keeps the data that it relies on in private memory, and checks everything that it reads from the shared memory, since
 * the other side may be a worker that writes to arbitrary addresses. It copies messages out before it examines them.
 *
 * The sender numbers messages; some bypass the ring, and the receiver restores the order by the numbers. A message that has not
 * been taken can be recalled: taking and recalling are the same compare-and-swap, and one of the two succeeds. Messages that bypass
 * the ring have a word each, as long as they are few, so that they can be recalled in the same way. */
#pragma once
#include <glib.h>

enum { TTI_RING_ENTRIES = 256, TTI_RING_BYTES = 64 * 1024, TTI_RING_OFFERS = 64 };

typedef struct _TtiRingMemory TtiRingMemory;

/* Zeroed shared memory of this many bytes is an empty ring. */
gsize tti_ring_memory_size (void);

/* One side of a ring; plain memory. */
typedef struct
{
  TtiRingMemory *memory;
  guint32 head, tail;                   /* the putting side knows both; of the taking side, HEAD is its own */
  guint32 write;                        /* where the next message's bytes may go */
  guint32 starts[TTI_RING_ENTRIES];     /* offset and number of each entry as it was put, whatever the */
  guint32 sequences[TTI_RING_ENTRIES];  /* shared memory says now */
} TtiRingPutter;

typedef struct
{
  TtiRingMemory *memory;
  guint32 head;
} TtiRingTaker;

typedef enum
{
  TTI_TAKEN,
  TTI_TAKEN_NOTHING,  /* it is empty */
  TTI_TAKEN_OTHER,    /* the next in it has another number */
  TTI_TAKEN_RECALLED, /* the message with this number, now in the buffer, was recalled */
  TTI_TAKEN_BROKEN    /* invalid: a correct sender never leaves such a state */
} TtiTaken;

/* --- the side that puts -------------------------------------------------------------------------------------------------- */

/* Put the message SEQUENCE, which consists of two parts. FALSE: there is no room now. */
gboolean tti_ring_put (TtiRingPutter *ring, guint32 sequence, gconstpointer first, gsize first_size, gconstpointer second,
                       gsize second_size);
/* The message SEQUENCE will go the other way. TRUE: it can be recalled until the other side accepts it. */
gboolean tti_ring_offer_elsewhere (TtiRingPutter *ring, guint32 sequence);
/* Tell the taker that a message went the other way. */
void tti_ring_put_elsewhere (TtiRingPutter *ring);
/* Is the taker parked, so that it must be woken? To be called after putting; returns TRUE once for each time that it parks. */
gboolean tti_ring_must_wake (TtiRingPutter *ring);
/* Recall the message SEQUENCE. FALSE: it was taken, or is neither in the ring nor offered. */
gboolean tti_ring_recall (TtiRingPutter *ring, guint32 sequence);
/* Tell the taker whether there are more runnable processes than processors: then it should park instead of polling. */
void tti_ring_set_crowded (TtiRingPutter *ring, gboolean crowded);
void tti_ring_close (TtiRingPutter *ring); /* no more will be put */

/* --- the side that takes ------------------------------------------------------------------------------------------------- */

/* Take the next message, if it is the one with the number EXPECTED, into BUFFER. */
TtiTaken tti_ring_take (TtiRingTaker *ring, guint32 expected, gpointer buffer, gsize capacity, gsize *size);
/* Accept the message SEQUENCE, which has come the other way. FALSE: it was recalled. */
gboolean tti_ring_accept_elsewhere (TtiRingTaker *ring, guint32 sequence);
/* Is there anything in it? */
gboolean tti_ring_is_filled (const TtiRingTaker *ring);
/* How many messages have gone the other way. */
guint32 tti_ring_get_elsewhere (const TtiRingTaker *ring);
/* Ask to be woken when something is put. After this, check the ring once more before sleeping. */
void tti_ring_park (TtiRingTaker *ring);
void tti_ring_unpark (TtiRingTaker *ring);
gboolean tti_ring_is_parked (const TtiRingTaker *ring); /* FALSE also once the putter has seen it */
gboolean tti_ring_is_crowded (const TtiRingTaker *ring);
gboolean tti_ring_is_closed (const TtiRingTaker *ring);
