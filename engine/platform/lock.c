/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which thread has a lock, in builds that check it. */
#include "platform/lock.h"

#ifdef TUTTI_CHECK_LOCKS
/* Its address differs from thread to thread, and is the same in the copy of a thread that fork () makes. */
static _Thread_local char this_thread;

void
tti_lock_note_owner (TtiLock *lock, gboolean mine)
{
  __atomic_store_n (&lock->owner, mine ? &this_thread : NULL, __ATOMIC_RELAXED);
}

/* A faulty caller reads the owner while another thread writes it: hence the atomic access. */
void
tti_lock_assert (const TtiLock *lock, const char *function)
{
  if (G_UNLIKELY (__atomic_load_n (&lock->owner, __ATOMIC_RELAXED) != (const void *) &this_thread))
    g_error ("%s was called by a thread that does not hold the lock: take it in the caller", function);
}
#endif
