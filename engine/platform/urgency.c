/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sched_setattr (2), which libc does not have: of one thread, without a change of the process. */
#include "platform/urgency.h"
#include "platform/process-state.h"
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RESET_ON_FORK = 1, LEAST_NICE = -20 };

/* A thread of this nice value gets ten times the share of one that computes, which still has its turn within some 30 ms. */
enum { SOFT_NICE = -10 };

#define SHORT_SLICE 100000 /* ns: the shortest that the kernel grants */

/* The kernel's struct sched_attr, in its first version. */
typedef struct
{
  guint32 size, policy;
  guint64 flags;
  gint32 nice;
  guint32 priority;
  guint64 runtime, deadline, period;
} Attributes;

G_STATIC_ASSERT (sizeof (Attributes) == 48);

/* TID 0: the calling thread. */
static gboolean
scheduling_get (pid_t tid, TtiScheduling *scheduling)
{
  Attributes now = { 0 };

  *scheduling = (TtiScheduling){ .valid = syscall (SYS_sched_getattr, tid, &now, sizeof now, 0) == 0 };
  if (!scheduling->valid)
    return FALSE;
  scheduling->policy = now.policy;
  scheduling->flags = now.flags;
  scheduling->nice = now.nice;
  scheduling->priority = now.priority;
  scheduling->runtime = now.policy == SCHED_OTHER || now.policy == SCHED_BATCH ? now.runtime : 0;
  return TRUE;
}

static gboolean
scheduling_set (pid_t tid, const TtiScheduling *scheduling)
{
  Attributes wanted = { .size = sizeof wanted, .policy = scheduling->policy, .flags = scheduling->flags & RESET_ON_FORK,
                        .nice = scheduling->nice, .priority = scheduling->priority, .runtime = scheduling->runtime };

  return syscall (SYS_sched_setattr, tid, &wanted, 0) == 0;
}

/* The least nice value that RLIMIT_NICE allows to us. */
static gint32
least_nice_allowed (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_NICE, &limit) == 0 && limit.rlim_cur <= 40 ? 20 - (gint32) limit.rlim_cur : LEAST_NICE;
}

static gboolean
is_real_time (const TtiScheduling *scheduling)
{
  return scheduling->policy == SCHED_FIFO || scheduling->policy == SCHED_RR;
}

/* Let TID, which is scheduled as NOW, have more than its share, NICE or what we may, and a processor soon after it is woken. */
static void
thread_favour (pid_t tid, const TtiScheduling *now, gint32 nice)
{
  TtiScheduling wanted = { .policy = SCHED_OTHER, .flags = RESET_ON_FORK, .nice = nice, .runtime = SHORT_SLICE };

  if (scheduling_set (tid, &wanted))
    return;
  wanted.nice = MIN (now->nice, least_nice_allowed ());
  if (scheduling_set (tid, &wanted))
    return;
  /* Who may not lower the nice value may not leave the policy for idle work either. */
  wanted.policy = is_real_time (now) ? SCHED_OTHER : now->policy;
  wanted.nice = now->nice;
  (void) scheduling_set (tid, &wanted);
}

/* Let TID, which is scheduled as NOW, run before others, as well as we may. */
static void
thread_hurry (pid_t tid, const TtiScheduling *now)
{
  gboolean in_time = is_real_time (now);
  guint32 most = (guint32) sched_get_priority_max (SCHED_RR);
  TtiScheduling wanted = { .policy = SCHED_RR, .flags = RESET_ON_FORK, .priority = (guint32) sched_get_priority_min (SCHED_RR) };

  /* What computes at real-time priority then has that of NOW. */
  if (in_time)
    wanted.priority = MIN (now->priority + 1, most);
  if (!scheduling_set (tid, &wanted) && !in_time)
    thread_favour (tid, now, LEAST_NICE);
}

TtiScheduling
tti_urgency_begin (void)
{
  TtiScheduling before;

  if (scheduling_get (0, &before))
    thread_hurry (0, &before);
  return before;
}

TtiScheduling
tti_urgency_soften (void)
{
  TtiScheduling before;

  /* A script at real-time priority has tasks that are at it, too, and before all others. */
  if (scheduling_get (0, &before) && before.policy == SCHED_RR && before.priority == (guint32) sched_get_priority_min (SCHED_RR))
    thread_favour (0, &before, SOFT_NICE);
  else
    before.valid = FALSE;
  return before;
}

TtiScheduling
tti_urgency_wake_soon (void)
{
  TtiScheduling before;

  if (scheduling_get (0, &before) && before.policy == SCHED_OTHER && before.nice >= 0 && before.runtime != SHORT_SLICE)
    {
      TtiScheduling wanted = before;

      wanted.flags |= RESET_ON_FORK;
      wanted.runtime = SHORT_SLICE;
      (void) scheduling_set (0, &wanted);
    }
  else
    before.valid = FALSE;
  return before;
}

void
tti_urgency_end (const TtiScheduling *before)
{
  TtiScheduling wanted = *before;

  if (!before->valid || scheduling_set (0, &wanted))
    return;
  /* Only the privileged may take the reset at a fork away again. */
  wanted.flags |= RESET_ON_FORK;
  (void) scheduling_set (0, &wanted);
}

void
tti_urgency_hasten (pid_t pid)
{
  char path[40];

  g_snprintf (path, sizeof path, "/proc/%d/task", (int) pid);
  DIR *tasks = opendir (path);

  if (tasks == NULL)
    return;
  for (struct dirent *entry; (entry = readdir (tasks)) != NULL;)
    {
      TtiScheduling now;
      pid_t tid = (pid_t) strtol (entry->d_name, NULL, 10); /* 0 for "." and ".." */

      if (tid <= 0 || !tti_thread_is_ending (dirfd (tasks), entry->d_name) || !scheduling_get (tid, &now))
        continue;
      /* A thread reaps itself: not at real-time priority, see tti_urgency_soften (). */
      if (is_real_time (&now))
        thread_hurry (tid, &now);
      else
        thread_favour (tid, &now, SOFT_NICE);
    }
  closedir (tasks);
}
