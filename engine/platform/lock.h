/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A mutex that knows, in builds that check locks, which thread has it.
 *
 * A function whose name ends in _locked expects its caller to hold a lock. It begins with TTI_ASSERT_LOCKED (), which ends the program if
 * the calling thread does not hold that lock. Builds with -DTUTTI_CHECK_LOCKS check this: those for debugging and those with a sanitizer.
 * Other builds have a plain mutex. A lock that is all zeros is ready for use. */
#pragma once
#include <glib.h>

typedef struct
{
  GMutex mutex;
#ifdef TUTTI_CHECK_LOCKS
  const void *owner; /* something that only the thread which has the lock has; NULL: nobody has it */
#endif
} TtiLock;

#ifdef TUTTI_CHECK_LOCKS
void tti_lock_note_owner (TtiLock *lock, gboolean mine); /* the calling thread has just taken LOCK, or is about to give it back */
/* End the program, with a message that names FUNCTION, unless the calling thread has LOCK. */
void tti_lock_assert (const TtiLock *lock, const char *function);
#define TTI_ASSERT_LOCKED(lock) tti_lock_assert ((lock), G_STRFUNC)
#else
#define tti_lock_note_owner(lock, mine) ((void) 0)
#define TTI_ASSERT_LOCKED(lock) ((void) 0)
#endif

static inline void
tti_lock_take (TtiLock *lock)
{
  g_mutex_lock (&lock->mutex);
  tti_lock_note_owner (lock, TRUE);
}

/* FALSE: another thread has it. */
static inline gboolean
tti_lock_try (TtiLock *lock)
{
  gboolean taken = g_mutex_trylock (&lock->mutex);

  if (taken)
    tti_lock_note_owner (lock, TRUE);
  return taken;
}

static inline void
tti_lock_release (TtiLock *lock)
{
  tti_lock_note_owner (lock, FALSE);
  g_mutex_unlock (&lock->mutex);
}

/* Release LOCK, wait for CHANGED until DEADLINE (monotonic, µs; -1: none), and take it again. FALSE: the deadline has passed. */
static inline gboolean
tti_lock_wait (TtiLock *lock, GCond *changed, gint64 deadline)
{
  gboolean in_time = TRUE;

  tti_lock_note_owner (lock, FALSE);
  if (deadline < 0)
    g_cond_wait (changed, &lock->mutex);
  else
    in_time = g_cond_wait_until (changed, &lock->mutex, deadline);
  tti_lock_note_owner (lock, TRUE);
  return in_time;
}

static inline void
tti_lock_clear (TtiLock *lock)
{
  g_mutex_clear (&lock->mutex);
}
