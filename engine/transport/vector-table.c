/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which vector is at an address? A signal handler asks this at arbitrary moments, so reading takes no lock.
 *
 * Entries live in chunks that are never freed nor moved; chunks are linked by atomic pointers. Writers hold a mutex and make an
 * entry's sequence number odd while they change it; a reader accepts an entry only if the number was even and the same before and
 * after reading. The handler may interrupt a writer of its own thread: then the number of that entry is odd and the reader skips
 * it, which is right, because its vector is being made or freed. */
#include "platform/fork.h"
#include "transport/vector-private.h"

enum { CHUNK_ENTRIES = 1024 };

struct _TtiRange
{
  guint sequence;    /* all three atomic */
  guintptr start;
  guintptr end;      /* == start: free */
  gint protected;    /* atomic */
  TtiRange *next_free;
};

typedef struct _Chunk Chunk;
struct _Chunk
{
  Chunk *next;
  TtiRange entries[CHUNK_ENTRIES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Chunk *chunks;        /* read without the lock */
static TtiRange *free_ranges;

/* With the lock held. */
static void
range_set (TtiRange *range, guintptr start, guintptr end)
{
  guint sequence = __atomic_load_n (&range->sequence, __ATOMIC_RELAXED);

  /* Sequentially consistent throughout: fences would do, but thread checkers do not know them, and this is not a hot path. */
  __atomic_store_n (&range->sequence, sequence + 1, __ATOMIC_SEQ_CST);
  __atomic_store_n (&range->start, start, __ATOMIC_SEQ_CST);
  __atomic_store_n (&range->end, end, __ATOMIC_SEQ_CST);
  __atomic_store_n (&range->sequence, sequence + 2, __ATOMIC_SEQ_CST);
}

/* With the lock held. */
static void
chunk_add (void)
{
  Chunk *chunk = g_new0 (Chunk, 1);

  for (guint i = 0; i < CHUNK_ENTRIES; i++)
    {
      chunk->entries[i].next_free = free_ranges;
      free_ranges = &chunk->entries[i];
    }
  chunk->next = chunks;
  __atomic_store_n (&chunks, chunk, __ATOMIC_RELEASE);
}

TtiRange *
tti_range_add (gconstpointer start, gsize size)
{
  pthread_mutex_lock (&lock);
  if (free_ranges == NULL)
    chunk_add ();
  TtiRange *range = free_ranges;

  free_ranges = range->next_free;
  range_set (range, (guintptr) start, (guintptr) start + size);
  pthread_mutex_unlock (&lock);
  return range;
}

void
tti_range_set_protected (TtiRange *range, gboolean protected)
{
  g_atomic_int_set (&range->protected, protected);
}

gboolean
tti_range_is_protected (TtiRange *range)
{
  return g_atomic_int_get (&range->protected);
}

void
tti_range_remove (TtiRange *range)
{
  if (range == NULL)
    return;
  pthread_mutex_lock (&lock);
  g_atomic_int_set (&range->protected, FALSE);
  range_set (range, 0, 0);
  range->next_free = free_ranges;
  free_ranges = range;
  pthread_mutex_unlock (&lock);
}

/* The size of RANGE if it is a whole entry that contains ADDRESS, else 0. */
static gsize
range_matches (const TtiRange *range, guintptr address)
{
  guint before = __atomic_load_n (&range->sequence, __ATOMIC_SEQ_CST);
  guintptr start = __atomic_load_n (&range->start, __ATOMIC_SEQ_CST);
  guintptr end = __atomic_load_n (&range->end, __ATOMIC_SEQ_CST);
  guint after = __atomic_load_n (&range->sequence, __ATOMIC_SEQ_CST);

  return before == after && before % 2 == 0 && start <= address && address < end ? end - start : 0;
}

gboolean
tti_vector_find (gconstpointer address, gsize *size)
{
  gsize found = 0;

  for (const Chunk *chunk = __atomic_load_n (&chunks, __ATOMIC_ACQUIRE); chunk != NULL; chunk = chunk->next)
    for (guint i = 0; i < CHUNK_ENTRIES; i++)
      {
        gsize here = range_matches (&chunk->entries[i], (guintptr) address);

        /* A slice and its vector both match: the smaller one is more specific. */
        if (here != 0 && (found == 0 || here < found))
          found = here;
      }
  if (found != 0 && size != NULL)
    *size = found;
  return found != 0;
}

gboolean
tti_vector_find_protected (gconstpointer address, gsize *size, gsize *offset)
{
  for (const Chunk *chunk = __atomic_load_n (&chunks, __ATOMIC_ACQUIRE); chunk != NULL; chunk = chunk->next)
    for (guint i = 0; i < CHUNK_ENTRIES; i++)
      {
        const TtiRange *range = &chunk->entries[i];

        *size = range_matches (range, (guintptr) address);
        *offset = (guintptr) address - __atomic_load_n (&range->start, __ATOMIC_SEQ_CST);
        if (*size != 0 && *offset < *size && g_atomic_int_get (&range->protected))
          return TRUE;
      }
  return FALSE;
}

static void
ranges_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
ranges_unlock (void)
{
  pthread_mutex_unlock (&lock);
}

void
tti_range_follow_forks (void)
{
  tti_fork_protect (ranges_lock, ranges_unlock, NULL);
}
