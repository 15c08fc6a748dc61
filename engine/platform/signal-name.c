/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Names and usual causes of signals: numbers differ between machines, and mean nothing to most people. */
#include "platform/signal-name.h"
#include <signal.h>
#include <string.h>

/* The cause of SIGNAL if no process has sent it; NULL: there are several, or none. */
static const char *
signal_cause (int signal)
{
  switch (signal)
    {
    case SIGTTIN:
      return "it wanted the terminal, to read from it";
    case SIGTTOU:
      return "it wanted the terminal, to change its settings or to write to it";
    case SIGXCPU:
      return "its limit of processor time was reached, see `ulimit -t'";
    case SIGXFSZ:
      return "the limit of a file's size was reached, see `ulimit -f'";
    case SIGPIPE:
      return "it wrote to a pipe or socket that nobody reads any more";
    case SIGBUS:
      return "a file that was mapped was cut, or memory is short, such as that of /dev/shm";
    case SIGFPE:
      return "an integer was divided by zero, or a trap for floating-point errors was set";
    case SIGILL:
      return "an instruction that this processor does not have";
    case SIGSYS:
      return "a system call that is forbidden here";
    case SIGALRM:
    case SIGVTALRM:
    case SIGPROF:
      return "a timer that it had set itself";
    default:
      return NULL;
    }
}

/* To be freed; NULL: it has no name. */
static char *
signal_name (int signal)
{
  const char *abbreviation = sigabbrev_np (signal);

  if (abbreviation != NULL)
    return g_strconcat ("SIG", abbreviation, NULL);
  if (signal == SIGRTMIN)
    return g_strdup ("SIGRTMIN");
  return signal > SIGRTMIN && signal <= SIGRTMAX ? g_strdup_printf ("SIGRTMIN+%d", signal - SIGRTMIN) : NULL;
}

char *
tti_signal_describe (int signal)
{
  g_autofree char *name = signal_name (signal);
  const char *cause = signal_cause (signal);

  if (name == NULL)
    return g_strdup_printf ("signal %d", signal);
  return g_strdup_printf ("signal %d (%s%s%s)", signal, name, cause != NULL ? ": " : "", cause != NULL ? cause : "");
}
