/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Limits for what fails again and again, and growing pauses. */
#include "node/patience.h"

enum { SHORTAGE_LIMIT_US = 10 * G_USEC_PER_SEC };

gboolean
tti_limit_is_hit (GArray *times, gint64 now, gint64 window, guint limit)
{
  while (times->len > 0 && now - g_array_index (times, gint64, 0) > window)
    g_array_remove_index (times, 0);
  return times->len >= limit;
}

gint64
tti_shortage_pause (guint n, gint64 since, gint64 now)
{
  return now - since > SHORTAGE_LIMIT_US ? -1 : (gint64) TTI_FIRST_PAUSE_US << MIN (n, TTI_MOST_DOUBLINGS);
}
