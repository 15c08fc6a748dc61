/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-watcher: a small program with two roles, guard and watcher. The engine starts it. */
#include "platform/fd.h"
#include "platform/process-title.h"
#include "process/watcher-loop.h"
#include <glib.h>
#include <string.h>
#include <unistd.h>

/* Without exit handlers, which have nothing to do here: a leak checker is one, and stops the process to search its memory. At that moment
 * the other one of the pair may send SIGCONT, which cancels the stop, and the checker would wait for it for ever. */
G_GNUC_NORETURN static void
end_role (int status)
{
  _exit (status);
}

int
main (int argc, char **argv)
{
  g_autofree char *name = g_strdup (argc > 0 ? argv[0] : "tutti-watcher");

  tti_fd_open_standard (); /* if that fails, nothing better can be done, and no error can be reported */
  tti_process_title_prepare (argc, argv);
  if (argc == 2 && strcmp (argv[1], "--guard") == 0)
    end_role (tti_guard_run (name));
  if (argc == 2 && strcmp (argv[1], "--watcher") == 0)
    end_role (tti_watcher_run ());
  if (argc == 2 && strcmp (argv[1], "--version") == 0)
    {
      g_print ("tutti-watcher %s\n", TUTTI_VERSION);
      return 0;
    }
  g_printerr ("usage: %s --guard | --watcher | --version\n"
              "This program keeps the processes of a Tutti session together. The engine starts it; people do not.\n",
              name);
  return TTI_WATCHER_EXIT_USAGE;
}
