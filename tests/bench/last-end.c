/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* last-end N PID…: kill the first N with SIGKILL, and print the time in microseconds after which the last of them all was gone. The pidfds
 * tell the moment without taking part in the race for the processor. */
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "platform/urgency.h"
#include <poll.h>
#include <stdlib.h>

int
main (int argc, char **argv)
{
  g_autofree int *pidfds = g_new (int, (gsize) argc);
  int n = argc > 2 ? atoi (argv[1]) : 0;

  if (n < 1 || n > argc - 2)
    {
      g_printerr ("usage: last-end N PID...\n");
      return EXIT_FAILURE;
    }
  for (int i = 2; i < argc; i++)
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
  (void) tti_urgency_begin ();
  gint64 start = g_get_monotonic_time ();

  for (int i = 0; i < n; i++)
    tti_process_kill (pidfds[2 + i]);
  for (int i = 2; i < argc; i++)
    if (!tti_fd_wait (pidfds[i], POLLIN, start + 10 * G_TIME_SPAN_SECOND))
      {
        g_printerr ("last-end: process %s lives on\n", argv[i]);
        return EXIT_FAILURE;
      }
  g_print ("%" G_GINT64_FORMAT "\n", g_get_monotonic_time () - start);
  return EXIT_SUCCESS;
}
