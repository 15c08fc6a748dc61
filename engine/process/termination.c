/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "process/termination.h"
#include <signal.h>
#include <unistd.h>

static void
terminate (int signal_number, siginfo_t *info, G_GNUC_UNUSED void *context)
{
  if (info->si_code <= 0 && info->si_pid != getppid ())
    return;
  signal (signal_number, SIG_DFL);
  raise (signal_number); /* when this handler returns */
}

void
tti_termination_heed_parent_only (void)
{
  /* What runs goes on where it was, as if nothing had come. */
  struct sigaction action = { .sa_sigaction = terminate, .sa_flags = SA_SIGINFO | SA_RESTART }, before;

  if (tti_termination_is_shared () && sigaction (SIGTERM, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction (SIGTERM, &action, NULL);
}
