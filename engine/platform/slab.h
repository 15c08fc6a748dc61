/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Memory for objects of one size of which there may be millions, such as tasks.
 *
 * What malloc gives back to the system when a job's tasks have ended it faults in again, page by page, for the next ones, and on some
 * virtual machines the fault of a page takes longer than ten tasks. Here memory stays, ready to be taken by the system when that is short
 * of memory. Each thread has some free objects of its own, so that most calls take no lock.
 *
 * Builds with AddressSanitizer use malloc, to see what is used after it was freed. */
#pragma once
#include <glib.h>

typedef struct _TtiSlabChunk TtiSlabChunk;

/* One size of objects: a static variable. */
typedef struct
{
  gsize size;              /* of an object, in bytes: a multiple of 16, at most 4096 */
  GPrivate own;            /* of the thread: its free objects */
  TtiSlabChunk *open;      /* those with free objects, the ones in use first; under a lock */
} TtiSlab;

#define TTI_SLAB_INIT(object_size) { .size = ((object_size) + 15) / 16 * 16, .own = G_PRIVATE_INIT (tti_slab_thread_ends) }

/* An object, whose contents are arbitrary. Like g_malloc () it ends the program if there is no memory. From any thread. */
gpointer tti_slab_alloc (TtiSlab *slab);
void tti_slab_free (TtiSlab *slab, gpointer object); /* from any thread */

/* Let copies of this process use all slabs: to be called by those who protect locks under which objects are made or freed, before they
 * do (platform/fork.h). Any number of times. */
void tti_slab_protect (void);

void tti_slab_thread_ends (gpointer own); /* for TTI_SLAB_INIT */
