/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What takes long with much memory: copying it, and making its pages. Both go on in parts, which several threads take one by one, so that
 * none waits for one that has lost its processor. One core cannot use all of the memory's bandwidth, two can nearly; the kernel clears
 * pages as fast as there are threads that ask for them. */
#include "platform/memory.h"
#include "platform/processors.h"
#include "platform/thread.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum
{
  MOST_THREADS = 4,
  PART = 4 * 1024 * 1024,           /* many copies of the time that it takes to start a thread */
  SHARED_FROM = 16 * 1024 * 1024,   /* less is done before another thread has begun */
  STREAMED_FROM = 8 * 1024 * 1024   /* less may be in a cache, for whoever needs it next */
};

static gint threads = 2; /* atomic */

void
tti_memory_set_threads (guint n)
{
  g_atomic_int_set (&threads, (gint) n);
}

typedef struct _Job Job;

struct _Job
{
  void (*work) (const Job *job, gsize start, gsize size);
  guint8 *to;
  const guint8 *from;
  gsize size, taken; /* TAKEN: atomic */
};

static gpointer
job_run (gpointer data)
{
  Job *job = data;
  gsize start;

  while ((start = __atomic_fetch_add (&job->taken, PART, __ATOMIC_RELAXED)) < job->size)
    job->work (job, start, MIN (job->size - start, PART));
  return NULL;
}

/* Do JOB with at most MOST threads. */
static void
job_do (Job *job, guint most)
{
  GThread *helpers[MOST_THREADS];
  guint n = 0, wanted = job->size < SHARED_FROM ? 1 : MIN (most, MIN (tti_processors (), MOST_THREADS));

  while (n + 1 < wanted && (helpers[n] = tti_thread_start ("tutti-memory", job_run, job, NULL)) != NULL)
    n++;
  job_run (job);
  while (n > 0)
    g_thread_join (helpers[--n]);
}

/* --- copying ------------------------------------------------------------------------------------------------------------- */

/* Ordinary stores read what they replace into the cache first; these do not. */
static void
copy_streaming (guint8 *to, const guint8 *from, gsize size)
{
#ifdef __SSE2__
  gsize start = MIN ((16 - (guintptr) to % 16) % 16, size), i = start;

  memcpy (to, from, start);
  for (; i + 64 <= size; i += 64)
    {
      __m128i a = _mm_loadu_si128 ((const __m128i *) (from + i)), b = _mm_loadu_si128 ((const __m128i *) (from + i + 16)),
              c = _mm_loadu_si128 ((const __m128i *) (from + i + 32)), d = _mm_loadu_si128 ((const __m128i *) (from + i + 48));

      _mm_stream_si128 ((__m128i *) (to + i), a);
      _mm_stream_si128 ((__m128i *) (to + i + 16), b);
      _mm_stream_si128 ((__m128i *) (to + i + 32), c);
      _mm_stream_si128 ((__m128i *) (to + i + 48), d);
    }
  memcpy (to + i, from + i, size - i);
  _mm_sfence ();
#else
  memcpy (to, from, size);
#endif
}

static void
copy_part (const Job *job, gsize start, gsize size)
{
  copy_streaming (job->to + start, job->from + start, size);
}

void
tti_memory_copy (gpointer to, gconstpointer from, gsize size)
{
  Job job = { .work = copy_part, .to = to, .from = from, .size = size };

  if (size >= STREAMED_FROM)
    job_do (&job, (guint) g_atomic_int_get (&threads));
  else if (size > 0)
    memcpy (to, from, size);
}

/* --- populating ---------------------------------------------------------------------------------------------------------- */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older ones refuse it */
#endif

static void
populate_part (const Job *job, gsize start, gsize size)
{
  (void) madvise (job->to + start, size, MADV_POPULATE_WRITE);
}

void
tti_memory_populate (gpointer address, gsize size)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE), inside = (guintptr) address % page;
  Job job = { .work = populate_part, .to = (guint8 *) address - inside, .size = size + inside };

  if (size > 0)
    job_do (&job, g_atomic_int_get (&threads) < 2 ? 1 : MOST_THREADS);
}
