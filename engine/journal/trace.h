/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A run as a trace, for Perfetto (ui.perfetto.dev) and others that read the format of Chrome's traces: pools are processes, workers their
 * threads, tasks complete events, deaths instant ones, and samples counters. */
#pragma once
#include "journal/reader.h"

/* Write RUN, which was from BEGAN to ENDED (µs since 1970; what has not ended lasts until ENDED), to FD as JSON. Memory does not grow with
 * the number of tasks. FALSE with ERROR: it cannot be written. */
gboolean tti_journal_write_trace (TtiJournal *journal, gint64 run, gint64 began, gint64 ended, int fd, GError **error);
