/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "process/watcher-urgency.h"
#include "platform/urgency.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

/* Processor time without any sleep; to end a thousand processes takes a tenth of that. */
#define MOST_TIME G_TIME_SPAN_SECOND

static gboolean begun;
static TtiScheduling ordinary;
static struct rlimit ordinary_limit;
static volatile sig_atomic_t spent; /* it has computed for too long */

/* SIGXCPU: all that is called is a system call. */
static void
give_up (G_GNUC_UNUSED int signal)
{
  int saved_errno = errno;

  spent = 1;
  tti_urgency_end (&ordinary);
  errno = saved_errno;
}

static void
hear_of_the_limit (void)
{
  struct sigaction action = { .sa_handler = give_up, .sa_flags = SA_RESTART };
  sigset_t signal;

  sigaction (SIGXCPU, &action, NULL);
  sigemptyset (&signal);
  sigaddset (&signal, SIGXCPU);
  sigprocmask (SIG_UNBLOCK, &signal, NULL);
}

void
tti_watcher_urgency_begin (void)
{
  if (getrlimit (RLIMIT_RTTIME, &ordinary_limit) < 0)
    return;
  begun = TRUE;
  hear_of_the_limit ();
  tti_watcher_urgency_resume ();
}

void
tti_watcher_urgency_pause (void)
{
  int saved_errno = errno;

  if (begun)
    {
      tti_urgency_end (&ordinary);
      setrlimit (RLIMIT_RTTIME, &ordinary_limit);
    }
  errno = saved_errno;
}

void
tti_watcher_urgency_resume (void)
{
  int saved_errno = errno;

  if (begun && !spent)
    {
      struct rlimit limit = { MIN ((rlim_t) MOST_TIME, ordinary_limit.rlim_max), ordinary_limit.rlim_max };

      if (limit.rlim_cur < ordinary_limit.rlim_cur)
        setrlimit (RLIMIT_RTTIME, &limit);
      ordinary = tti_urgency_begin ();
    }
  errno = saved_errno;
}
