/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "process/file-faults.h"
#include "transport/mapped-file.h"
#include "transport/vector.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* --- in a signal handler ------------------------------------------------------------------------------------------------- */
static void
say (const char *text)
{
  (void) !write (STDERR_FILENO, text, strlen (text));
}

static void
say_number (gsize number)
{
  char digits[24], *first = digits + sizeof digits - 1;

  *first = '\0';
  do
    *--first = (char) ('0' + number % 10);
  while ((number /= 10) > 0);
  say (first);
}

static void
fault_report (int signal_number, siginfo_t *info, void *context)
{
  const char *path;
  gsize size;

  (void) context;
  if (info->si_code > 0 && tti_mapped_file_find (info->si_addr, &path))
    {
      say ("tutti: the file '");
      say (path);
      say ("' was made shorter while a vector");
      if (tti_vector_find (info->si_addr, &size))
        {
          say (" of ");
          say_number (size);
          say (" bytes");
        }
      say (" mapped it (map-f64vector); the removed part cannot be read, and the process ends\n");
    }
  /* Returning runs the instruction again, this time with the default action; a signal that a process has sent has no such
   * instruction. */
  signal (signal_number, SIG_DFL);
  if (info->si_code <= 0)
    raise (signal_number);
}

/* --- installing it --------------------------------------------------------------------------------------------------------- */
void
tti_file_faults_report (void)
{
  struct sigaction action = { .sa_sigaction = fault_report, .sa_flags = SA_SIGINFO | SA_ONSTACK }, before;

  /* Do not replace a handler of the program. */
  if (sigaction (SIGBUS, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
    sigaction (SIGBUS, &action, NULL);
}
