/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Locks to take around each fork (). */
#include "platform/fork.h"
#include <pthread.h>

typedef struct
{
  void (*lock) (void);
  void (*unlock) (void);
  void (*own) (void);
} Protection;

enum { MOST = 16 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* serialises registration */
static Protection protections[MOST];
static guint n_protections; /* atomic, and not protected by the lock, as callers that register may hold locks that a fork takes */

/* How many locks the fork () of this thread has taken; more may be registered before it ends. */
static __thread guint n_taken;

static void
fork_begins (void)
{
  n_taken = __atomic_load_n (&n_protections, __ATOMIC_ACQUIRE);
  for (guint i = n_taken; i-- > 0;)
    protections[i].lock ();
}

static void
fork_ends (void)
{
  for (guint i = 0; i < n_taken; i++)
    protections[i].unlock ();
}

static void
fork_ends_in_copy (void)
{
  for (guint i = 0; i < n_taken; i++)
    {
      if (protections[i].own != NULL)
        protections[i].own ();
      protections[i].unlock ();
    }
}

void
tti_fork_protect (void (*lock) (void), void (*unlock) (void), void (*own) (void))
{
  pthread_mutex_lock (&mutex);
  g_assert (n_protections < MOST);
  if (n_protections == 0)
    pthread_atfork (fork_begins, fork_ends, fork_ends_in_copy);
  protections[n_protections] = (Protection) { lock, unlock, own };
  __atomic_store_n (&n_protections, n_protections + 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock (&mutex);
}
