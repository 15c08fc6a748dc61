/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Digests of contents that two machines may both have: their SHA-256, by GnuTLS, which uses what instructions processors have for
 * that. */
#pragma once
#include "transport/vector.h"

enum { TTI_FILE_DIGEST_BYTES = 32 };

/* Of SIZE bytes at DATA. NULL: GnuTLS cannot, or *ENDED (atomic) became true. */
GBytes *tti_digest_memory (gconstpointer data, gsize size, const gint *ended);
/* Of SIZE bytes of FD from OFFSET, which are read, not mapped: the file may become shorter meanwhile. NULL likewise, or if so. */
GBytes *tti_digest_file (int fd, guint64 offset, guint64 size, const gint *ended);
