/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/parts.h"

enum { BEGUN_SHIFT = TTI_PARTS_BITS, TAG_SHIFT = 2 * TTI_PARTS_BITS };

/* If a worker begins another task while the master reads the word, the numbers of the two tasks never differ by so much. */
static guint64
tag_of (guint64 id)
{
  return id & ((G_GUINT64_CONSTANT (1) << (64 - TAG_SHIFT)) - 1);
}

static guint
begun_of (guint64 word)
{
  return word >> BEGUN_SHIFT & TTI_PARTS_MOST;
}

static guint
limit_of (guint64 word)
{
  return word & TTI_PARTS_MOST;
}

void
tti_parts_begin (TtiParts *parts, guint64 id, guint n)
{
  g_return_if_fail (n > 0 && n <= TTI_PARTS_MOST);
  atomic_store_explicit (&parts->word, tag_of (id) << TAG_SHIFT | G_GUINT64_CONSTANT (1) << BEGUN_SHIFT | n, memory_order_relaxed);
}

void
tti_parts_end (TtiParts *parts)
{
  atomic_store_explicit (&parts->word, 0, memory_order_relaxed);
}

guint
tti_parts_get_begun (TtiParts *parts, guint64 id)
{
  guint64 word = atomic_load_explicit (&parts->word, memory_order_relaxed);

  return word >> TAG_SHIFT == tag_of (id) ? begun_of (word) : 0;
}

guint
tti_parts_get_all (TtiParts *parts, guint64 id)
{
  guint64 word = atomic_load_explicit (&parts->word, memory_order_relaxed);

  return word >> TAG_SHIFT == tag_of (id) ? (guint) (word & TTI_PARTS_MOST) : 0;
}

guint
tti_parts_withhold (TtiParts *parts, guint64 id, guint keep)
{
  uint64_t word = atomic_load_explicit (&parts->word, memory_order_relaxed), changed;

  do
    {
      if (word >> TAG_SHIFT != tag_of (id) || begun_of (word) == 0)
        return 0;
      guint64 limit = MIN ((guint64) begun_of (word) + keep, limit_of (word));

      changed = (word & ~(uint64_t) TTI_PARTS_MOST) | limit;
    }
  while (!atomic_compare_exchange_weak_explicit (&parts->word, &word, changed, memory_order_relaxed, memory_order_relaxed));
  return limit_of (changed);
}
