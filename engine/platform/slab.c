/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/slab.h"
#include "platform/fork.h"
#include "platform/lock.h"
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
gpointer
tti_slab_alloc (TtiSlab *slab)
{
  return g_malloc (slab->size);
}

void
tti_slab_free (TtiSlab *slab, gpointer object)
{
  (void) slab;
  g_free (object);
}

void
tti_slab_protect (void)
{
}

void
tti_slab_thread_ends (gpointer own)
{
  (void) own;
}
#else
/* Chunks begin at multiples of their size: so an object's address tells its chunk. Their pages are asked for in steps, which takes less
 * time than faults. Large pages take a fifth of it or several times as long, by what the host of a virtual machine has: none are asked
 * for. */
enum { CHUNK = 2 << 20, HEAD = 64, BATCH = 32, STEP = 64 << 10 };

typedef struct _Free Free;
struct _Free
{
  Free *next;
};

struct _TtiSlabChunk
{
  TtiSlabChunk *next, *previous; /* in the list of those with free objects */
  Free *free;                    /* objects that were given back */
  guint8 *fresh;                 /* behind it nothing was used yet, */
  guint8 *present;               /* and behind this there may be no pages */
  guint n_used;                  /* objects that threads have */
};

typedef struct
{
  TtiSlab *slab;
  Free *first;
  guint n;
} Own;

static TtiLock slabs_lock; /* over all but what threads have */

static void
lock_slabs (void)
{
  tti_lock_take (&slabs_lock);
}

static void
unlock_slabs (void)
{
  tti_lock_release (&slabs_lock);
}

void
tti_slab_protect (void)
{
  static gsize done;

  if (g_once_init_enter (&done))
    {
      tti_fork_protect (lock_slabs, unlock_slabs, NULL);
      g_once_init_leave (&done, 1);
    }
}

static void
list_remove (TtiSlab *slab, TtiSlabChunk *chunk)
{
  if (chunk->previous != NULL)
    chunk->previous->next = chunk->next;
  else
    slab->open = chunk->next;
  if (chunk->next != NULL)
    chunk->next->previous = chunk->previous;
  chunk->next = chunk->previous = NULL;
}

static void
list_prepend (TtiSlab *slab, TtiSlabChunk *chunk)
{
  chunk->next = slab->open;
  if (slab->open != NULL)
    slab->open->previous = chunk;
  slab->open = chunk;
}

static void
list_append (TtiSlab *slab, TtiSlabChunk *chunk)
{
  TtiSlabChunk *last = slab->open;

  while (last != NULL && last->next != NULL)
    last = last->next;
  if (last == NULL)
    {
      list_prepend (slab, chunk);
      return;
    }
  last->next = chunk;
  chunk->previous = last;
}

static gboolean
chunk_is_full (const TtiSlab *slab, const TtiSlabChunk *chunk)
{
  return chunk->free == NULL && chunk->fresh + slab->size > (const guint8 *) chunk + CHUNK;
}

static void
chunk_begin (TtiSlabChunk *chunk)
{
  chunk->free = NULL;
  chunk->fresh = (guint8 *) chunk + HEAD;
  chunk->present = (guint8 *) chunk;
}

/* The next object of CHUNK that was never used. */
static Free *
chunk_carve (const TtiSlab *slab, TtiSlabChunk *chunk)
{
  Free *object = (Free *) (gpointer) chunk->fresh;

  chunk->fresh += slab->size;
  if (chunk->fresh > chunk->present)
    {
      (void) madvise (chunk->present, STEP, MADV_POPULATE_WRITE); /* else they fault */
      chunk->present += STEP;
    }
  return object;
}

static TtiSlabChunk *
chunk_new (void)
{
  guint8 *both = mmap (NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (both == MAP_FAILED)
    g_error ("no memory: %d bytes for small objects", CHUNK);
  guint8 *start = (guint8 *) (((guintptr) both + CHUNK - 1) / CHUNK * CHUNK);

  if (start > both)
    munmap (both, (gsize) (start - both));
  munmap (start + CHUNK, (gsize) (both + CHUNK - start));
  TtiSlabChunk *chunk = (TtiSlabChunk *) (gpointer) start;

  chunk_begin (chunk);
  return chunk;
}

/* Give OWN a batch of objects of one chunk. */
static void
own_fill_locked (Own *own)
{
  TTI_ASSERT_LOCKED (&slabs_lock);
  TtiSlab *slab = own->slab;

  if (slab->open == NULL)
    list_prepend (slab, chunk_new ());
  TtiSlabChunk *chunk = slab->open;

  for (own->n = 0; own->n < BATCH && !chunk_is_full (slab, chunk); own->n++)
    {
      Free *object = chunk->free;

      if (object != NULL)
        chunk->free = object->next;
      else
        object = chunk_carve (slab, chunk);
      object->next = own->first;
      own->first = object;
    }
  chunk->n_used += own->n;
  if (chunk_is_full (slab, chunk))
    list_remove (slab, chunk);
}

/* CHUNK has no object that is used: it is used last, and until then the system may have its memory. */
static void
chunk_empty (TtiSlab *slab, TtiSlabChunk *chunk)
{
  const gsize kept = 4096;

  chunk_begin (chunk);
  if (slab->open == chunk && chunk->next == NULL)
    return;
  list_remove (slab, chunk);
  list_append (slab, chunk);
  (void) madvise ((guint8 *) chunk + kept, CHUNK - kept, MADV_FREE);
}

static void
give_back_locked (TtiSlab *slab, Free *object)
{
  TTI_ASSERT_LOCKED (&slabs_lock);
  TtiSlabChunk *chunk = (TtiSlabChunk *) ((guintptr) object / CHUNK * CHUNK);

  if (chunk_is_full (slab, chunk))
    list_prepend (slab, chunk);
  object->next = chunk->free;
  chunk->free = object;
  if (--chunk->n_used == 0)
    chunk_empty (slab, chunk);
}

static void
own_empty (Own *own, guint most)
{
  tti_lock_take (&slabs_lock);
  for (; own->n > most; own->n--)
    {
      Free *object = own->first;

      own->first = object->next;
      give_back_locked (own->slab, object);
    }
  tti_lock_release (&slabs_lock);
}

void
tti_slab_thread_ends (gpointer data)
{
  Own *own = data;

  own_empty (own, 0);
  g_free (own);
}

static Own *
slab_get_own (TtiSlab *slab)
{
  Own *own = g_private_get (&slab->own);

  if (G_UNLIKELY (own == NULL))
    {
      own = g_new0 (Own, 1);
      own->slab = slab;
      g_private_set (&slab->own, own);
      tti_slab_protect ();
    }
  return own;
}

gpointer
tti_slab_alloc (TtiSlab *slab)
{
  Own *own = slab_get_own (slab);

  if (own->n == 0)
    {
      tti_lock_take (&slabs_lock);
      own_fill_locked (own);
      tti_lock_release (&slabs_lock);
    }
  Free *object = own->first;

  own->first = object->next;
  own->n--;
  return object;
}

void
tti_slab_free (TtiSlab *slab, gpointer object)
{
  Own *own = slab_get_own (slab);
  Free *first = object;

  first->next = own->first;
  own->first = first;
  if (++own->n >= 2 * BATCH)
    own_empty (own, BATCH);
}
#endif
