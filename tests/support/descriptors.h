/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many descriptors this process has, for tests that nothing is left open. The one that it takes to count them is among them. */
#pragma once
#include <glib.h>

static inline guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}
