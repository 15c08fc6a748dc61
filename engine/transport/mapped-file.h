/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files mapped by vectors. If somebody truncates a file while it is mapped, access beyond its new end raises SIGBUS, which kills
 * the process. That cannot be prevented in general, but it can be detected before a vector is sent, and reported in Tutti's own
 * programs (process/file-faults.h). */
#pragma once
#include <glib.h>

/* Note that SIZE bytes of FD are mapped at START; nothing is noted if FD is memory that cannot shrink. FORGET it before it is
 * unmapped. */
gboolean tti_mapped_file_note (int fd, gconstpointer start, gsize size);
void tti_mapped_file_forget (gconstpointer start);

/* From now on a fork takes the lock of the list. */
void tti_mapped_file_follow_forks (void);

/* Does FD, which a vector maps, still have SIZE bytes at OFFSET? If not, ERROR (TUTTI_ERROR_SHAPE) names the file. */
gboolean tti_mapped_file_check (int fd, goffset offset, gsize size, GError **error);

/* Is ADDRESS in a file that is mapped? Then *PATH is the file's. For signal handlers too. */
gboolean tti_mapped_file_find (gconstpointer address, const char **path);
