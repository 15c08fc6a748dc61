/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Busy-waiting. */
#include "platform/spin.h"
#include "platform/processors.h"
#include "platform/urgency.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

enum
{
  BUDGET_US = 60,       /* about the time that waking up on another processor takes */
  INTERRUPTED_US = 30,  /* a test that took so long was interrupted */
  TESTS_PER_CLOCK = 8,  /* a test takes some 10 ns, reading the clock 25 */
  MOST_SKIPS = 256,
  NAPPING_US = 400,
  SHORTEST_NAP_US = 25  /* waking up takes longer */
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
tti_nap_until (TtiSpinTest test, TtiSpinPause pause, gpointer data, gint64 most)
{
  gint64 end = g_get_monotonic_time () + MIN (NAPPING_US, most);
  int slack = prctl (PR_GET_TIMERSLACK, 0, 0, 0, 0);
  TtiScheduling before = tti_urgency_wake_soon ();
  gboolean found;

  /* Otherwise timers are late by 50 µs, so that several expire at once. */
  (void) prctl (PR_SET_TIMERSLACK, 1, 0, 0, 0);
  do
    {
      gint64 wanted = pause (data), left = end - g_get_monotonic_time ();
      const struct timespec time = { .tv_nsec = (glong) MIN (wanted, left) * 1000 };

      if (MIN (wanted, left) < SHORTEST_NAP_US)
        sched_yield ();
      else
        (void) clock_nanosleep (CLOCK_MONOTONIC, 0, &time, NULL);
      found = test (data);
    }
  while (!found && g_get_monotonic_time () < end);
  if (slack > 0)
    (void) prctl (PR_SET_TIMERSLACK, slack, 0, 0, 0);
  tti_urgency_end (&before);
  return found;
}
