/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Urgent processes: what they start is not, and who computes for too long is not any more. */
#include "platform/urgency.h"
#include "process/watcher-urgency.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESET_ON_FORK = 0x40000000 };

/* Run BODY in a child; it returns the exit status, which is returned. */
static int
in_child (int (*body) (void))
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      alarm (120);
      _exit (body ());
    }
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

static rlim_t
time_limit (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_RTTIME, &limit), ==, 0);
  return limit.rlim_cur;
}

static gboolean
may_be_real_time (void)
{
  TtiScheduling before = tti_urgency_begin ();
  gboolean may = (sched_getscheduler (0) & ~RESET_ON_FORK) == SCHED_RR;

  tti_urgency_end (&before);
  return may;
}

static int
state_of_child (void)
{
  return sched_getscheduler (0) == SCHED_OTHER && getpriority (PRIO_PROCESS, 0) == 3 && time_limit () == RLIM_INFINITY ? 0 : 1;
}

static int
begin_pause_resume (void)
{
  gboolean real_time = may_be_real_time ();

  setpriority (PRIO_PROCESS, 0, 3);
  tti_watcher_urgency_pause (); /* nothing to pause */
  tti_watcher_urgency_resume ();
  g_assert_cmpint (sched_getscheduler (0) & ~RESET_ON_FORK, ==, SCHED_OTHER);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, 3);
  g_assert_true (time_limit () == RLIM_INFINITY);
  tti_watcher_urgency_begin ();
  for (guint i = 0; i < 3; i++)
    {
      if (real_time)
        g_assert_cmpint (sched_getscheduler (0), ==, SCHED_RR | RESET_ON_FORK);
      g_assert_true (time_limit () == G_TIME_SPAN_SECOND);
      /* A child that was started by mistake, without a pause, is no danger: it has the policy of all. */
      g_assert_cmpint (in_child (state_of_child), ==, 1);
      errno = EBUSY;
      tti_watcher_urgency_pause ();
      g_assert_cmpint (errno, ==, EBUSY);
      g_assert_cmpint (in_child (state_of_child), ==, 0);
      tti_watcher_urgency_resume ();
      g_assert_cmpint (errno, ==, EBUSY);
    }
  return 0;
}

static void
test_children (void)
{
  g_assert_cmpint (in_child (begin_pause_resume), ==, 0);
}

static int
compute_too_long (void)
{
  gint64 end = g_get_monotonic_time () + 60 * G_TIME_SPAN_SECOND;

  tti_watcher_urgency_begin ();
  while ((sched_getscheduler (0) & ~RESET_ON_FORK) == SCHED_RR)
    if (g_get_monotonic_time () > end)
      return 1;
  tti_watcher_urgency_pause ();
  tti_watcher_urgency_resume ();
  g_assert_true (time_limit () == RLIM_INFINITY);
  return (sched_getscheduler (0) & ~RESET_ON_FORK) == SCHED_OTHER ? 0 : 2;
}

static void
test_too_long (void)
{
  if (!may_be_real_time ())
    g_test_skip ("real-time priority is not permitted here");
  else
    g_assert_cmpint (in_child (compute_too_long), ==, 0);
}

/* A script that runs at real-time priority itself. */
static int
begin_in_real_time (void)
{
  struct sched_param param = { .sched_priority = 7 };

  if (sched_setscheduler (0, SCHED_FIFO, &param) < 0)
    return 77;
  TtiScheduling before = tti_urgency_begin ();

  g_assert_cmpint (sched_getparam (0, &param), ==, 0);
  g_assert_cmpint (param.sched_priority, ==, 8);
  tti_urgency_end (&before);
  g_assert_cmpint (sched_getparam (0, &param), ==, 0);
  g_assert_cmpint (param.sched_priority, ==, 7);
  return sched_getscheduler (0) == SCHED_FIFO ? 0 : 1;
}

static void
test_real_time (void)
{
  int status = in_child (begin_in_real_time);

  if (status == 77)
    g_test_skip ("real-time priority is not permitted here");
  else
    g_assert_cmpint (status, ==, 0);
}

/* Who reaps is not at real-time priority meanwhile, and is at it again afterwards. */
static int
reap_softly (void)
{
  TtiScheduling ordinary = tti_urgency_begin (), urgent = tti_urgency_soften ();

  g_assert_cmpint (sched_getscheduler (0) & ~RESET_ON_FORK, ==, SCHED_OTHER);
  tti_urgency_end (&urgent);
  g_assert_cmpint (sched_getscheduler (0) & ~RESET_ON_FORK, ==, SCHED_RR);
  tti_urgency_end (&ordinary);
  /* Who is not urgent stays as he is. */
  int policy = sched_getscheduler (0), nice_value = getpriority (PRIO_PROCESS, 0);

  urgent = tti_urgency_soften ();
  g_assert_cmpint (sched_getscheduler (0), ==, policy);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, nice_value);
  tti_urgency_end (&urgent);
  return sched_getscheduler (0) == policy ? 0 : 1;
}

static void
test_reaping (void)
{
  if (!may_be_real_time ())
    g_test_skip ("real-time priority is not permitted here");
  else
    g_assert_cmpint (in_child (reap_softly), ==, 0);
}

/* Whoever lives is left alone. */
static void
test_hasten (void)
{
  int policy = sched_getscheduler (0), nice_value = getpriority (PRIO_PROCESS, 0);

  tti_urgency_hasten (getpid ());
  g_assert_cmpint (sched_getscheduler (0), ==, policy);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, nice_value);
}

/* --- who wakes soon --- */

static guint64
slice (void)
{
  struct { guint32 size, policy; guint64 flags; gint32 nice; guint32 priority; guint64 runtime, deadline, period; } now;

  return syscall (SYS_sched_getattr, 0, &now, sizeof now, 0) == 0 ? now.runtime : 0;
}

static guint64 usual;

static int
child_is_usual (void)
{
  return slice () == usual ? 0 : 1;
}

static int
wake_soon (void)
{
  int policy = sched_getscheduler (0), nice_value;

  setpriority (PRIO_PROCESS, 0, 4);
  nice_value = getpriority (PRIO_PROCESS, 0);
  usual = slice ();
  if (usual == 0)
    return 77;
  tti_urgency_wake_soon ();
  g_assert_cmpuint (slice (), <, usual);
  g_assert_cmpint (sched_getscheduler (0) & ~RESET_ON_FORK, ==, policy);
  g_assert_cmpint (getpriority (PRIO_PROCESS, 0), ==, nice_value);
  return in_child (child_is_usual);
}

/* What is before others already keeps what its children inherit. */
static int
wake_as_before (void)
{
  if (setpriority (PRIO_PROCESS, 0, -3) < 0)
    return 77;
  usual = slice ();
  tti_urgency_wake_soon ();
  g_assert_cmpuint (slice (), ==, usual);
  return sched_getscheduler (0) == SCHED_OTHER ? 0 : 1;
}

static void
test_wake_soon (gconstpointer body)
{
  int status = in_child ((int (*) (void)) body);

  if (status == 77)
    g_test_skip ("this kernel knows no slices, or nice values below 0 are not permitted here");
  else
    g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/urgency/children", test_children);
  g_test_add_func ("/urgency/too-long", test_too_long);
  g_test_add_func ("/urgency/real-time", test_real_time);
  g_test_add_func ("/urgency/reaping", test_reaping);
  g_test_add_func ("/urgency/hasten", test_hasten);
  g_test_add_data_func ("/urgency/wake-soon", (gconstpointer) wake_soon, test_wake_soon);
  g_test_add_data_func ("/urgency/wake-as-before", (gconstpointer) wake_as_before, test_wake_soon);
  return g_test_run ();
}
