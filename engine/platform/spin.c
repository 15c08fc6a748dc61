/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Busy-waiting. */
#include "platform/spin.h"
#include "platform/processors.h"
#include <sched.h>
#include <sys/resource.h>

enum
{
  BUDGET_US = 60,       /* about the time that waking up on another processor takes */
  INTERRUPTED_US = 30,  /* a test that took so long was interrupted */
  TESTS_PER_CLOCK = 8,  /* a test takes some 10 ns, reading the clock 25 */
  MOST_SKIPS = 256,
  YIELDING_US = 300
};

static inline void
relax (void)
{
#if defined __x86_64__ || defined __i386__
  __builtin_ia32_pause ();
#elif defined __aarch64__
  __asm__ volatile ("yield");
#endif
}

static gboolean
poll_for (TtiSpinTest test, gpointer data, gint64 budget, gboolean *interrupted)
{
  gint64 now = g_get_monotonic_time (), end = now + budget;

  while (now < end)
    {
      for (guint i = 0; i < TESTS_PER_CLOCK; i++)
        {
          if (test (data))
            return TRUE;
          relax ();
        }
      gint64 before = now;

      now = g_get_monotonic_time ();
      *interrupted = *interrupted || now - before > INTERRUPTED_US;
    }
  return FALSE;
}

/* Was this thread preempted since the last call? If a whole virtual machine was paused, no other process wants the processor, and
 * sleeping would help nobody. */
static gboolean
was_preempted (TtiSpin *spin)
{
  struct rusage usage;
  glong before = spin->preemptions;

  if (getrusage (RUSAGE_THREAD, &usage) < 0)
    return TRUE;
  spin->preemptions = usage.ru_nivcsw;
  return usage.ru_nivcsw != before;
}

gboolean
tti_spin_until (TtiSpin *spin, TtiSpinTest test, gpointer data, gint64 most)
{
  gboolean interrupted = FALSE;

  if (tti_processors () < 2)
    return FALSE;
  if (spin->skips > 0)
    {
      spin->skips--;
      return FALSE;
    }
  gboolean found = poll_for (test, data, MIN (BUDGET_US, most), &interrupted);

  if (interrupted && was_preempted (spin))
    {
      spin->penalty = CLAMP (2 * spin->penalty, 4, MOST_SKIPS);
      spin->skips = spin->penalty;
    }
  else if (found)
    spin->penalty = 0;
  return found;
}

gboolean
tti_yield_until (TtiSpinTest test, gpointer data, gint64 most)
{
  gint64 end = g_get_monotonic_time () + MIN (YIELDING_US, most);

  do
    {
      if (test (data))
        return TRUE;
      sched_yield ();
    }
  while (g_get_monotonic_time () < end);
  return FALSE;
}
