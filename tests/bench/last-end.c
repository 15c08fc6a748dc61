/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* last-end PID OTHER…: kill PID with SIGKILL, and print the time in microseconds after which the last of them all was gone. The pidfds
 * tell the moment without taking part in the race for the processor. */
#include "platform/fd.h"
#include "platform/process-tree.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

int
main (int argc, char **argv)
{
  g_autofree int *pidfds = g_new (int, (gsize) argc);

  if (argc < 2)
    {
      g_printerr ("usage: last-end PID OTHER...\n");
      return EXIT_FAILURE;
    }
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) error = NULL;

      pidfds[i] = tti_process_open ((pid_t) atoi (argv[i]), &error);
      if (pidfds[i] < 0)
        {
          g_printerr ("last-end: %s\n", error->message);
          return EXIT_FAILURE;
        }
    }
  /* Where it may: whoever measures must not be the last to be told. */
  setpriority (PRIO_PROCESS, 0, -10);
  gint64 start = g_get_monotonic_time ();

  tti_process_kill (pidfds[1]);
  for (int i = 1; i < argc; i++)
    if (!tti_fd_wait (pidfds[i], POLLIN, start + 10 * G_TIME_SPAN_SECOND))
      {
        g_printerr ("last-end: process %s lives on\n", argv[i]);
        return EXIT_FAILURE;
      }
  g_print ("%" G_GINT64_FORMAT "\n", g_get_monotonic_time () - start);
  return EXIT_SUCCESS;
}
