/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Files under vectors. Somebody may make one shorter while it is mapped: then whoever touches what is gone gets SIGBUS, and dies. Nothing
 * can be done about that in general, but it can be known before a vector is sent, and told in programs of ours. */
#pragma once
#include <glib.h>

/* FD is mapped at START, SIZE bytes; nothing is noted if it is memory that cannot shrink. FORGET it before it is unmapped. */
gboolean tutti_mapped_file_note (int fd, gconstpointer start, gsize size);
void tutti_mapped_file_forget (gconstpointer start);

/* Are SIZE bytes from OFFSET still there in FD, on which a vector is? If not, ERROR (TUTTI_ERROR_SHAPE) names the file. */
gboolean tutti_mapped_file_check (int fd, goffset offset, gsize size, GError **error);

/* In a program of ours: when SIGBUS ends it because of such a file, the vector and the file are named on stderr first. */
void tutti_mapped_file_report_faults (void);
