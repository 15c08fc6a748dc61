/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Arenas: many vectors in one memfd.
 *
 * Slots are handed out from front to back, and none is reused before all are free. A plain pointer, not a reference, refers to the
 * arena that is being filled: like all others it is freed with its last vector. References to arenas are counted down under the
 * lock, so that no thread takes a slot of an arena that is just being freed. */
#include "platform/fork.h"
#include "transport/vector-private.h"
#include <unistd.h>

enum { ARENA_SLOTS = 4 };             /* an arena has room for at least this many of the largest vectors */
enum { MOST_DOUBLINGS = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TtiStorage *filling;
static gsize filled;

gsize
tti_arena_get_slot_limit (void)
{
  guint mapped;

  /* Twice the size for every 256 storages: n bytes of vectors need about 256 log2 (n / 1 GiB) descriptors, not n / 1 MiB. */
  tti_storage_get_usage (NULL, NULL, &mapped);
  return (gsize) TTI_SLOT_LIMIT << MIN (mapped / TTI_STORAGES_FEW, MOST_DOUBLINGS);
}

/* With the lock held: make sure that SIZE bytes fit into the arena that is being filled. */
static gboolean
arena_make_room (gsize size, GError **error)
{
  if (filling != NULL && size <= filling->size - filled)
    return TRUE;
  /* If an arena would exceed the limit on file sizes, make one for this vector alone. */
  gsize wanted = ARENA_SLOTS * MAX (tti_arena_get_slot_limit (), size);
  TtiStorage *arena = tti_storage_new_memory (wanted <= tti_memory_get_limit () ? wanted : size, 0, error);

  if (arena == NULL)
    return FALSE;
  arena->is_arena = TRUE;
  arena->refs = 0;
  filling = arena;
  filled = 0;
  return TRUE;
}

TtiStorage *
tti_arena_take (gsize size, gsize *start, GError **error)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize rounded = (size + page - 1) / page * page;
  TtiStorage *arena = NULL;

  pthread_mutex_lock (&lock);
  if (arena_make_room (rounded, error))
    {
      arena = tti_storage_ref (filling);
      *start = filled;
      filled += rounded;
      tti_storage_charge (arena, rounded);
    }
  pthread_mutex_unlock (&lock);
  return arena;
}

void
tti_arena_drop (TtiStorage *arena)
{
  pthread_mutex_lock (&lock);
  gboolean last = g_atomic_int_dec_and_test (&arena->refs);

  if (last && filling == arena)
    filling = NULL;
  pthread_mutex_unlock (&lock);
  if (last)
    tti_storage_retire (arena);
}

static void
arena_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
arena_unlock (void)
{
  pthread_mutex_unlock (&lock);
}

/* In a forked copy of this process: the free slots belong to the original. */
static void
arena_own (void)
{
  filling = NULL;
}

void
tti_arena_follow_forks (void)
{
  tti_fork_protect (arena_lock, arena_unlock, arena_own);
}
