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

enum { TUTTI_RING_ENTRIES = 256, TUTTI_RING_BYTES = 64 * 1024, TUTTI_RING_OFFERS = 64 };

typedef struct _TuttiRingMemory TuttiRingMemory;

/* Zeroed shared memory of this many bytes is an empty ring. */
gsize tutti_ring_memory_size (void);

/* One side of a ring; plain memory. */
typedef struct
{
  TuttiRingMemory *memory;
  guint32 head, tail;                     /* the putting side knows both; of the taking side, HEAD is its own */
  guint32 write;                          /* where the next message's bytes may go */
  guint32 starts[TUTTI_RING_ENTRIES];     /* offset and number of each entry as it was put, whatever the */
  guint32 sequences[TUTTI_RING_ENTRIES];  /* shared memory says now */
} TuttiRingPutter;

typedef struct
{
  TuttiRingMemory *memory;
  guint32 head;
} TuttiRingTaker;

typedef enum
{
  TUTTI_TAKEN,
  TUTTI_TAKEN_NOTHING,  /* it is empty */
  TUTTI_TAKEN_OTHER,    /* the next in it has another number */
  TUTTI_TAKEN_RECALLED, /* the message with this number, now in the buffer, was recalled */
  TUTTI_TAKEN_BROKEN    /* invalid: a correct sender never leaves such a state */
} TuttiTaken;

/* --- the side that puts -------------------------------------------------------------------------------------------------- */

/* Put the message SEQUENCE, which consists of two parts. FALSE: there is no room now. */
gboolean tutti_ring_put (TuttiRingPutter *ring, guint32 sequence, gconstpointer first, gsize first_size, gconstpointer second,
                         gsize second_size);
/* The message SEQUENCE will go the other way. TRUE: it can be recalled until the other side accepts it. */
gboolean tutti_ring_offer_elsewhere (TuttiRingPutter *ring, guint32 sequence);
/* Tell the taker that a message went the other way. */
void tutti_ring_put_elsewhere (TuttiRingPutter *ring);
/* Is the taker parked, so that it must be woken? To be called after putting; returns TRUE once for each time that it parks. */
gboolean tutti_ring_must_wake (TuttiRingPutter *ring);
/* Recall the message SEQUENCE. FALSE: it was taken, or is neither in the ring nor offered. */
gboolean tutti_ring_recall (TuttiRingPutter *ring, guint32 sequence);
/* Tell the taker whether there are more runnable processes than processors: then it should park instead of polling. */
void tutti_ring_set_crowded (TuttiRingPutter *ring, gboolean crowded);
void tutti_ring_close (TuttiRingPutter *ring); /* no more will be put */

/* --- the side that takes ------------------------------------------------------------------------------------------------- */

/* Take the next message, if it is the one with the number EXPECTED, into BUFFER. */
TuttiTaken tutti_ring_take (TuttiRingTaker *ring, guint32 expected, gpointer buffer, gsize capacity, gsize *size);
/* Accept the message SEQUENCE, which has come the other way. FALSE: it was recalled. */
gboolean tutti_ring_accept_elsewhere (TuttiRingTaker *ring, guint32 sequence);
/* Is there anything in it? */
gboolean tutti_ring_is_filled (const TuttiRingTaker *ring);
/* How many messages have gone the other way. */
guint32 tutti_ring_get_elsewhere (const TuttiRingTaker *ring);
/* Ask to be woken when something is put. After this, check the ring once more before sleeping. */
void tutti_ring_park (TuttiRingTaker *ring);
void tutti_ring_unpark (TuttiRingTaker *ring);
gboolean tutti_ring_is_parked (const TuttiRingTaker *ring); /* FALSE also once the putter has seen it */
gboolean tutti_ring_is_crowded (const TuttiRingTaker *ring);
gboolean tutti_ring_is_closed (const TuttiRingTaker *ring);
