/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/memory-speed.h"
#include "platform/fd.h"
#include "platform/memory.h"
#include <string.h>
#include <time.h>

enum { SIZE = 8 * 1024 * 1024, ROUNDS = 3 };

static double
seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

/* New memory of SIZE bytes; NULL: there is none. */
static guint8 *
memory_new (gboolean is_shared, GError **error)
{
  if (!is_shared)
    return tti_memory_map_anonymous (SIZE, error);
  tti_autofd int fd = tti_memory_open ("tutti-measured", SIZE, error);
  guint8 *memory = fd >= 0 ? tti_memory_map (fd, 0, SIZE, TTI_MAP_SHARED, error) : NULL;

  if (memory != NULL)
    tti_memory_want_large_pages (memory, SIZE);
  return memory;
}

/* One round: SPEED becomes what is faster. */
static gboolean
measure_once (gboolean is_shared, TtiMemorySpeed *speed, GError **error)
{
  guint8 *from = memory_new (is_shared, error), *to = from != NULL ? memory_new (is_shared, error) : NULL;

  if (to != NULL)
    {
      double start = seconds ();

      memset (from, 1, SIZE);
      memset (to, 2, SIZE);
      double touched = seconds ();

      memcpy (to, from, SIZE);
      double end = seconds ();

      speed->touch = MAX (speed->touch, 2 * SIZE / MAX (touched - start, 1e-9));
      speed->copy = MAX (speed->copy, SIZE / MAX (end - touched, 1e-9));
    }
  tti_memory_unmap (from, SIZE);
  tti_memory_unmap (to, SIZE);
  return to != NULL;
}

gboolean
tti_memory_measure (TtiMemorySpeed *private, TtiMemorySpeed *shared, GError **error)
{
  gboolean ok = TRUE;

  *private = *shared = (TtiMemorySpeed) { .touch = 0 };
  for (guint i = 0; ok && i < ROUNDS; i++)
    ok = measure_once (FALSE, private, error) && measure_once (TRUE, shared, error);
  return ok;
}
