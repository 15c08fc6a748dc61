/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Copying and populating in parts: all bytes, nothing beside them, and no page faults afterwards. */
#include "platform/fd.h"
#include "platform/memory-speed.h"
#include "platform/memory.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define LARGE ((gsize) 2 << 20)

static guint8
byte_at (gsize i)
{
  return (guint8) (i * 7 + i / 251);
}

/* SIZE bytes from offset FROM to offset TO of other memory. */
static void
check_copy (gsize size, gsize from, gsize to)
{
  g_autofree guint8 *source = g_malloc (from + size + 1), *target = g_malloc (to + size + 64);

  for (gsize i = 0; i < size; i++)
    source[from + i] = byte_at (i);
  memset (target, 0xee, to + size + 64);
  tti_memory_copy (target + to, source + from, size);
  for (gsize i = 0; i < to; i++)
    g_assert_cmpint (target[i], ==, 0xee);
  for (gsize i = 0; i < size; i++)
    if (target[to + i] != byte_at (i))
      g_error ("byte %zu of %zu is wrong", i, size);
  for (gsize i = 0; i < 64; i++)
    g_assert_cmpint (target[to + size + i], ==, 0xee);
}

static void
test_copy (void)
{
  const gsize sizes[] = { 0, 1, 4095, LARGE, 2 * LARGE - 1, 2 * LARGE, 2 * LARGE + 63, 8 * LARGE + 1, 9 * LARGE + 4097 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize shift = 0; shift < 24; shift += 7)
      check_copy (sizes[i], shift, 3 * shift);
}

static void
test_copy_alone (void)
{
  tti_memory_set_threads (1);
  check_copy (9 * LARGE + 5, 3, 11);
  tti_memory_set_threads (2);
}

static gsize
pages_of (gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  return (size + page - 1) / page;
}

/* How many of the pages of SIZE bytes at ADDRESS are in the page table of this process (bit 63 of an entry of /proc/self/pagemap; bit 62:
 * swapped). Page faults cannot be counted instead, since sanitizers take some for their own memory. */
static gsize
pages_present (gconstpointer address, gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), n = pages_of (size), present = 0;
  tti_autofd int fd = open ("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  g_autofree guint64 *entries = g_new (guint64, n);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pread (fd, entries, n * sizeof *entries, (off_t) ((guintptr) address / page * sizeof *entries)), ==,
                   (gssize) (n * sizeof *entries));
  for (gsize i = 0; i < n; i++)
    present += entries[i] >> 62 != 0;
  return present;
}

/* Kernels before Linux 5.14 refuse MADV_POPULATE_WRITE. */
static gboolean
can_populate (void)
{
  gpointer memory = tti_memory_map_anonymous (LARGE, NULL);
  gboolean can = madvise (memory, LARGE, MADV_POPULATE_WRITE) == 0;

  tti_memory_unmap (memory, LARGE);
  return can;
}

static void
test_populate (void)
{
  const gsize sizes[] = { LARGE, 8 * LARGE + 5000, 17 * LARGE };

  if (!can_populate ())
    {
      g_test_skip ("this kernel populates nothing in advance");
      return;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      tti_autofd int fd = tti_memory_open ("test", sizes[i], NULL);
      guint8 *shared = tti_memory_map (fd, 0, sizes[i], TTI_MAP_SHARED, NULL), *private = tti_memory_map_anonymous (sizes[i], NULL);

      shared[5] = 9;
      g_assert_cmpuint (pages_present (private, sizes[i]), ==, 0);
      tti_memory_populate (shared + 100, sizes[i] - 100);
      tti_memory_populate (private, sizes[i]);
      g_assert_cmpint (shared[5], ==, 9);
      g_assert_cmpuint (pages_present (shared, sizes[i]), ==, pages_of (sizes[i]));
      g_assert_cmpuint (pages_present (private, sizes[i]), ==, pages_of (sizes[i]));
      tti_memory_unmap (shared, sizes[i]);
      tti_memory_unmap (private, sizes[i]);
    }
}

/* What cannot be written to stays as it is, and nothing ends. */
static void
test_populate_refused (void)
{
  tti_autofd int fd = tti_memory_open ("test", LARGE, NULL);
  guint8 *seen = tti_memory_map (fd, 0, LARGE, TTI_MAP_READ_ONLY, NULL);

  tti_memory_populate (seen, LARGE);
  tti_memory_populate (seen, 0);
  g_assert_cmpint (seen[LARGE - 1], ==, 0);
  tti_memory_unmap (seen, LARGE);
}

/* Parts of 2 MiB of a file are where a huge page could be. */
static void
test_alignment (void)
{
  tti_autofd int fd = tti_memory_open ("test", 4 * LARGE, NULL);
  const gsize offsets[] = { 0, 4096, LARGE - 4096, LARGE };

  for (gsize i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      gsize size = 4 * LARGE - offsets[i] - 100;
      guint8 *map = tti_memory_map (fd, (goffset) offsets[i], size, TTI_MAP_SHARED, NULL);

      g_assert_cmpuint ((guintptr) map % LARGE, ==, offsets[i] % LARGE);
      map[0] = map[size - 1] = 1;
      tti_memory_want_large_pages (map, size);
      memset (map, 2, size);
      tti_memory_unmap (map, size);
    }
}

static void
test_speed (void)
{
  TtiMemorySpeed private, shared;

  g_assert_true (tti_memory_measure (&private, &shared, NULL));
  g_assert_cmpfloat (private.touch, >, 0);
  g_assert_cmpfloat (private.copy, >, 0);
  g_assert_cmpfloat (shared.touch, >, 0);
  g_assert_cmpfloat (shared.copy, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/copy", test_copy);
  g_test_add_func ("/memory/copy/alone", test_copy_alone);
  g_test_add_func ("/memory/populate", test_populate);
  g_test_add_func ("/memory/populate/refused", test_populate_refused);
  g_test_add_func ("/memory/alignment", test_alignment);
  g_test_add_func ("/memory/speed", test_speed);
  return g_test_run ();
}
