/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-worker: what runs in a worker process. Started by the watcher with its control socket as descriptor 3 and a pidfd of the
 * master as 4. Guile is loaded only if the first argument names the extension that contains it (--scheme FILE): a worker
 * for C operators stays a small C program. */
#include "platform/process-tree.h"
#include "process/watcher-protocol.h"
#include "process/worker-loop.h"
#include "process/worker-orphans.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef const TuttiHandler *(*HandlerGetter) (void);

/* The Scheme handler out of the extension FILE; NULL after saying why. */
static const TuttiHandler *
load_scheme (const char *file)
{
  void *extension = dlopen (file, RTLD_NOW | RTLD_GLOBAL);
  HandlerGetter get = NULL;

  if (extension != NULL)
    *(void **) &get = dlsym (extension, "tutti_guile_worker_handler");
  if (get == NULL)
    {
      fprintf (stderr, "tutti-worker: cannot load %s: %s\n", file, dlerror ());
      return NULL;
    }
  return get ();
}

static guint64
generation_from_environment (void)
{
  const char *text = g_getenv ("TUTTI_GENERATION");

  return text != NULL ? g_ascii_strtoull (text, NULL, 10) : 0;
}

int
main (int argc, char **argv)
{
  const TuttiHandler *handlers[TUTTI_N_HANDLERS] = { [TUTTI_HANDLER_ECHO] = &tutti_echo_handler };
  guint64 generation = generation_from_environment ();

  if (generation == 0)
    {
      fprintf (stderr, "tutti-worker is started by Tutti, not by hand. To run a script: tutti run SCRIPT\n");
      return EXIT_FAILURE;
    }
  /* What its tasks start and leave behind falls to it, and through it to the watcher when it ends. */
  tutti_process_become_subreaper (NULL);
  tutti_worker_orphans_start ();
  /* A line is seen when it is complete, also when its writer is killed right after. */
  setvbuf (stdout, NULL, _IOLBF, 0);
  setvbuf (stderr, NULL, _IOLBF, 0);
  if (argc == 3 && strcmp (argv[1], "--scheme") == 0)
    {
      handlers[TUTTI_HANDLER_SCHEME] = load_scheme (argv[2]);
      if (handlers[TUTTI_HANDLER_SCHEME] == NULL)
        return EXIT_FAILURE;
    }
  g_autoptr (TuttiTransport) transport = tutti_mailbox_transport_new (TUTTI_WORKER_FD_CONTROL, TRUE);

  return tutti_worker_loop_run (transport, TUTTI_WORKER_FD_MASTER, generation, handlers, handlers[TUTTI_HANDLER_SCHEME]);
}
