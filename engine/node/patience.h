/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How often, and after which pauses, something is tried again that has failed. */
#pragma once
#include <glib.h>

#define TTI_FIRST_PAUSE_US (50 * 1000)
#define TTI_MOST_DOUBLINGS 6 /* 3.2 s */

/* Are LIMIT events at TIMES (of gint64: ascending, µs) within WINDOW of NOW? Forgets those that are older. */
gboolean tti_limit_is_hit (GArray *times, gint64 now, gint64 window, guint limit);

/* The µs to wait after the Nth attempt in a row for which there was nothing to start with (descriptors, processes, memory); -1: it
 * has lasted since SINCE, too long. */
gint64 tti_shortage_pause (guint n, gint64 since, gint64 now);
