/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Anonymous shared memory: memfds and their mappings. */
#pragma once
#include <glib.h>

typedef enum
{
  TTI_MAP_SHARED,    /* read and write, visible to all who map it */
  TTI_MAP_READ_ONLY, /* a write raises SIGSEGV */
  TTI_MAP_COPY       /* read and write; writes are private to this process (copy on write) */
} TtiMapMode;

/* A new memfd of SIZE bytes (> 0), zero-filled, close-on-exec, sealed against shrinking and growing. -1 on error. NAME appears in
 * /proc/PID/maps only. */
int tti_memory_open (const char *name, gsize size, GError **error);

/* The maximal size of a memfd in bytes: the limit on file sizes applies to memfds. */
gsize tti_memory_get_limit (void);

/* Map SIZE bytes of FD from OFFSET (a multiple of the page size). The descriptor may be closed afterwards. NULL on error. */
gpointer tti_memory_map (int fd, goffset offset, gsize size, TtiMapMode mode, GError **error);
/* SIZE zero bytes of memory that is private to this process. NULL on error. */
gpointer tti_memory_map_anonymous (gsize size, GError **error);
/* SIZE bytes (> 0) that can only be read, and are zeros: they never take memory. */
gpointer tti_memory_map_zeros (gsize size, GError **error);
/* SIZE zero bytes (whole pages), mapped twice in adjacent places: first read-only, then writable. Unmap both together. */
gpointer tti_memory_map_twice (gsize size, GError **error);
void tti_memory_unmap (gpointer address, gsize size);

/* The size of the file that FD refers to, -1 on error. Always check a length that came with a descriptor against it. */
gssize tti_memory_size (int fd, GError **error);

/* memcpy () for large sizes, past the caches where that is faster. A second thread helps if there is a processor for it, unless that was
 * forbidden. */
void tti_memory_copy (gpointer to, gconstpointer from, gsize size);

/* Make all pages of SIZE bytes of writable memory at ADDRESS, whose contents stay, before somebody writes to them: a page fault for each
 * costs more. Several threads do it if it is large. A hint: where the system cannot do it (Linux before 5.14), pages come as ever. */
void tti_memory_populate (gpointer address, gsize size);

/* How many threads copy or populate at most: 2 at first; in a worker 1, as other workers use the other processors. */
void tti_memory_set_threads (guint n);

/* Make an existing mapping read-only, and writable again. */
void tti_memory_protect (gpointer address, gsize size);
void tti_memory_unprotect (gpointer address, gsize size);

/* Move SIZE bytes (whole pages) of private memory from FROM to TO, into the place of what is mapped there: other threads see there what
 * was before or what is then, nothing between. WRITABLE: not read-only. FALSE: nothing was moved. */
gboolean tti_memory_move (gpointer from, gsize size, gpointer to, gboolean writable, GError **error);
/* Replace what is mapped at ADDRESS by pages that cannot be accessed and need no memory. */
void tti_memory_drop (gpointer address, gsize size);

/* Put SIZE bytes of private memory in use at ADDRESS into pages of 2 MiB, as far as they fill such pages and the system supports
 * them: code that goes through all of the memory then takes an eighth less time. This copies the memory once. */
void tti_memory_use_large_pages (gpointer address, gsize size);

/* Let new pages of MAP, a mapping of SIZE bytes of private memory or of a memfd, be of 2 MiB, as far as it fills such pages and the system
 * allows it: their first touch then takes a tenth of the time. Nothing is copied. */
void tti_memory_want_large_pages (gpointer map, gsize size);
