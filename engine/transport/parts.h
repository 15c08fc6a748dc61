/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The progress of a worker with a task that has several parts, the items of a map: a word in the memory that both sides share.
 *
 * The worker marks each part that it begins; the master may withhold those that it has not begun. Both are compare-and-swaps on the
 * same word, so that each part is either begun or withheld. The master does not trust what it reads there: it rejects answers with
 * parts that were withheld. */
#pragma once
#include <glib.h>
#include <stdatomic.h>
#include <stdint.h>

enum { TTI_PARTS_BITS = 22 };
#define TTI_PARTS_MOST ((1u << TTI_PARTS_BITS) - 1)

/* Zeroed memory means that there is no task. The upper bits are the lowest ones of the task's number, followed by the number of
 * parts that were begun and the number that may be begun. */
typedef struct
{
  _Alignas (64) _Atomic (uint64_t) word;
} TtiParts;

/* --- the worker ---------------------------------------------------------------------------------------------------------- */

/* Begin task ID with N parts, from 1 to TTI_PARTS_MOST, and its first part. */
void tti_parts_begin (TtiParts *parts, guint64 id, guint n);
void tti_parts_end (TtiParts *parts);

/* Begin the next part. FALSE: it was withheld, or there is none. */
static inline gboolean
tti_parts_next (TtiParts *parts)
{
  uint64_t word = atomic_load_explicit (&parts->word, memory_order_relaxed);

  do
    if ((word >> TTI_PARTS_BITS & TTI_PARTS_MOST) >= (word & TTI_PARTS_MOST))
      return FALSE;
  while (!atomic_compare_exchange_weak_explicit (&parts->word, &word, word + (1u << TTI_PARTS_BITS), memory_order_relaxed,
                                                 memory_order_relaxed));
  return TRUE;
}

/* --- the master ---------------------------------------------------------------------------------------------------------- */

/* How many parts of the task ID were begun; 0: its worker is not running it, or it has no parts. */
guint tti_parts_get_begun (TtiParts *parts, guint64 id);

/* How many parts the task ID has now; 0 as above. */
guint tti_parts_get_all (TtiParts *parts, guint64 id);

/* Withhold all parts of the task ID except those that were begun and KEEP more. Returns the number of parts that it has now; 0 as
 * above. */
guint tti_parts_withhold (TtiParts *parts, guint64 id, guint keep);
