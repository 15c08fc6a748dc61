/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Anonymous shared memory: memfds and their mappings. */
#pragma once
#include <glib.h>

typedef enum
{
  TUTTI_MAP_SHARED,    /* read and write, seen by all who map it */
  TUTTI_MAP_READ_ONLY, /* a write raises SIGSEGV */
  TUTTI_MAP_COPY       /* read and write; what is written here is seen here only (copy on write) */
} TuttiMapMode;

/* A new memfd of SIZE bytes (> 0), zero-filled, close-on-exec, sealed against shrinking and growing. -1 on error. The
 * name is seen in /proc/PID/maps only. */
int tutti_memory_open (const char *name, gsize size, GError **error);

/* How many bytes a memfd may have at most: the limit of file sizes counts for them. */
gsize tutti_memory_get_limit (void);

/* Map SIZE bytes of FD from OFFSET (a multiple of the page size). The descriptor may be closed afterwards. NULL on error. */
gpointer tutti_memory_map (int fd, goffset offset, gsize size, TuttiMapMode mode, GError **error);
/* SIZE zeros that only this process can see. NULL on error. */
gpointer tutti_memory_map_anonymous (gsize size, GError **error);
/* SIZE zeros (whole pages), mapped twice, one right behind the other: first only to be read, then to be written to as well. Unmap both
 * together. */
gpointer tutti_memory_map_twice (gsize size, GError **error);
void tutti_memory_unmap (gpointer address, gsize size);

/* The size of what FD refers to, -1 on error. Never trust a length that came with a descriptor without asking this. */
gssize tutti_memory_size (int fd, GError **error);

/* memcpy () for much: with a second thread where that is quicker, unless that was forbidden (in a worker the other cores have other
 * workers). */
void tutti_memory_copy (gpointer to, gconstpointer from, gsize size);
void tutti_memory_set_copy_threads (guint n);

/* Make an existing mapping read-only, and writable again. */
void tutti_memory_protect (gpointer address, gsize size);
void tutti_memory_unprotect (gpointer address, gsize size);

/* Let SIZE bytes of private memory from ADDRESS on, which are in use, be in pages of 2 MiB, as far as they fill such pages and the system
 * has them: what goes through all of it takes an eighth less time. It costs a copy of the memory. */
void tutti_memory_use_large_pages (gpointer address, gsize size);
