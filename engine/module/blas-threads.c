/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "module/blas-threads.h"
#include "platform/thread.h"
#include <cblas.h>

enum { MOST_THREADS = 64 };

typedef struct
{
  void (*do_part) (gpointer data, guint part);
  gpointer data;
  guint n_parts, taken; /* TAKEN: atomic */
} Work;

static gpointer
work_run (gpointer user_data)
{
  Work *work = user_data;
  guint part;

  while ((part = __atomic_fetch_add (&work->taken, 1, __ATOMIC_RELAXED)) < work->n_parts)
    work->do_part (work->data, part);
  return NULL;
}

static GMutex one_at_a_time; /* while it is held BLAS may have one thread only for the moment */

guint
tti_blas_threads (void)
{
  g_mutex_lock (&one_at_a_time);
  int allowed = openblas_get_num_threads ();

  g_mutex_unlock (&one_at_a_time);
  return (guint)MAX (1, allowed);
}

void
tti_blas_share (guint n_parts, void (*do_part) (gpointer data, guint part), gpointer data)
{
  Work work = { .do_part = do_part, .data = data, .n_parts = n_parts };
  GThread *helpers[MOST_THREADS];
  guint n = 0;

  g_mutex_lock (&one_at_a_time);
  int allowed = openblas_get_num_threads ();
  guint wanted = MIN (n_parts, (guint)CLAMP (allowed, 1, MOST_THREADS));

  openblas_set_num_threads (1);
  /* With fewer than wanted it only takes longer. */
  while (n + 1 < wanted && (helpers[n] = tti_thread_start ("tutti-blas", work_run, &work, NULL)) != NULL)
    n++;
  work_run (&work);
  while (n > 0)
    g_thread_join (helpers[--n]);
  openblas_set_num_threads (allowed);
  g_mutex_unlock (&one_at_a_time);
}

void
tti_blas_limit_threads (void)
{
  if (g_getenv ("OPENBLAS_NUM_THREADS") == NULL && g_getenv ("OMP_NUM_THREADS") == NULL)
    openblas_set_num_threads (1);
}
