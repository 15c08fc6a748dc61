/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Limits of processor time, at which the kernel kills. */
#pragma once
#include <glib.h>
#include <sys/resource.h>

/* Was a process with LIMIT (seconds; -1: none) and USAGE killed because of the limit? If so, TEXT says that. */
gboolean tti_watcher_cpu_explains_kill (gint64 limit, const struct rusage *usage, char *text, gsize size);
