/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Vectors whose contents are a file's: which part of which file, so that whoever is to have them elsewhere can look whether the same file
 * is there. Nothing of it is about slices that were received, or files that are written to. */
#pragma once
#include "transport/vector.h"

typedef struct
{
  const char *path;     /* absolute; the vector's */
  guint64 offset;       /* of the vector's first byte */
  guint64 file_size;    /* of the whole file */
  gboolean is_copy;     /* the vector has what the file was when it was read; else it maps it */
} TtiFileOrigin;

/* A vector with the contents of the regular file PATH. Errors name the path: TUTTI_ERROR_SYSTEM, or what memory cannot be had for. */
TtiVector *tti_vector_read_file (const char *path, GError **error);

/* Where VECTOR, or what it is a slice of, has its contents from. FALSE: from no file, or from one that is mapped to be written to. */
gboolean tti_vector_get_origin (TtiVector *vector, TtiFileOrigin *origin);

/* Is the file of VECTOR, which has an origin, what it was when that was noted? A copy always is. */
gboolean tti_vector_is_as_opened (TtiVector *vector);

/* A number that no other contents of any vector at the same address have: as long as it is the same, so are the contents of VECTOR. 0: they
 * may change at any time. */
guint64 tti_vector_get_version (TtiVector *vector);

/* The digest of VECTOR, which has an origin: what MAKE returns for it (NULL: there is none), which is called once for the same part of
 * the same whole. Others who ask meanwhile wait. */
GBytes *tti_vector_get_digest (TtiVector *vector, GBytes *(*make) (TtiVector *vector, gpointer data), gpointer data);
