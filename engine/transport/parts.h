/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How far a worker is with a task that has several parts, the items of a map: a word in the memory that both sides share.
 *
 * The worker says of each part that it begins it; the master may withhold those that were not begun. Both are compare-and-swaps on the same
 * word, so that each part is either begun or withheld. The master believes nothing of what it reads there that matters: an answer with
 * parts that were withheld is none. */
#pragma once
#include <glib.h>
#include <stdatomic.h>
#include <stdint.h>

enum { TUTTI_PARTS_BITS = 22 };
#define TUTTI_PARTS_MOST ((1u << TUTTI_PARTS_BITS) - 1)

/* Zeroed memory tells of no task. The upper bits are the lowest of the task's number, then come how many parts were begun, and how many
 * may be. */
typedef struct
{
  _Alignas (64) _Atomic (uint64_t) word;
} TuttiParts;

/* --- the worker ---------------------------------------------------------------------------------------------------------- */

/* The task ID has N parts, from 1 to TUTTI_PARTS_MOST, and the first of them is begun. */
void tutti_parts_begin (TuttiParts *parts, guint64 id, guint n);
void tutti_parts_end (TuttiParts *parts);

/* Begin the next part. FALSE: it was withheld, or there is none. */
static inline gboolean
tutti_parts_next (TuttiParts *parts)
{
  uint64_t word = atomic_load_explicit (&parts->word, memory_order_relaxed);

  do
    if ((word >> TUTTI_PARTS_BITS & TUTTI_PARTS_MOST) >= (word & TUTTI_PARTS_MOST))
      return FALSE;
  while (!atomic_compare_exchange_weak_explicit (&parts->word, &word, word + (1u << TUTTI_PARTS_BITS), memory_order_relaxed,
                                                 memory_order_relaxed));
  return TRUE;
}

/* --- the master ---------------------------------------------------------------------------------------------------------- */

/* How many parts of the task ID were begun; 0: its worker is not at it, or it has none. */
guint tutti_parts_get_begun (TuttiParts *parts, guint64 id);

/* Withhold all parts of the task ID but those that were begun, and KEEP more. Returns how many parts it has now; 0 as above. */
guint tutti_parts_withhold (TuttiParts *parts, guint64 id, guint keep);
