/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tutti-worker: the program of worker processes. The watcher starts it with its control socket as descriptor 3 and a pidfd of the
 * master as 4. Guile is loaded only if the first argument names the extension that contains it (--scheme FILE): a worker for C
 * operators stays a small C program. */
#include "module/task-handler.h"
#include "platform/fd.h"
#include "platform/process-title.h"
#include "platform/process-tree.h"
#include "process/base-state-saver.h"
#include "process/start-state.h"
#include "process/termination.h"
#include "process/watcher-protocol.h"
#include "process/worker-loop.h"
#include "process/worker-orphans.h"
#include "process/worker-template.h"
#include "process/worker-title.h"
#include "programs/tutti-worker-replay.h"
#include "transport/local-transport.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  const TtiHandler *(*get_handler) (gboolean for_template);
  void (*start) (void);
} Scheme;

/* Load the handlers from the extension FILE. FALSE, with a message, on error. */
static gboolean
load_scheme (const char *file, Scheme *scheme)
{
  void *extension = dlopen (file, RTLD_NOW | RTLD_GLOBAL);

  *scheme = (Scheme){ NULL, NULL };
  if (extension != NULL)
    {
      *(void **) &scheme->get_handler = dlsym (extension, "tti_guile_worker_handler");
      *(void **) &scheme->start = dlsym (extension, "tti_guile_worker_start");
    }
  if (scheme->get_handler != NULL && scheme->start != NULL)
    return TRUE;
  fprintf (stderr, "tutti-worker: cannot load %s: %s\n", file, dlerror ());
  return FALSE;
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
  const TtiHandler *handlers[TTI_N_HANDLERS] = { [TTI_HANDLER_ECHO] = &tti_echo_handler,
                                               [TTI_HANDLER_MODULE] = &tti_module_handler };
  gboolean template = tti_worker_template_wanted ();
  Scheme scheme = { NULL, NULL };
  /* A title takes the place of the arguments. */
  g_autofree char *extension = argc == 3 && strcmp (argv[1], "--scheme") == 0 ? g_strdup (argv[2]) : NULL;

  (void) tti_base_install (&tti_base_saver);
  if (argc == 3 && strcmp (argv[1], "--capsule") == 0)
    {
      setvbuf (stdout, NULL, _IOLBF, 0);
      return tti_worker_replay (argv[2]);
    }
  tti_process_title_prepare (argc, argv);
  if (template)
    tti_helper_title_enter ("tutti-template", TTI_WORKER_FD_MASTER);
  else
    tti_worker_title_enter ();
  /* Programs that tasks start must not inherit our descriptors. */
  fcntl (TTI_WORKER_FD_CONTROL, F_SETFD, FD_CLOEXEC);
  fcntl (TTI_WORKER_FD_MASTER, F_SETFD, FD_CLOEXEC);
  tti_fd_open_standard (); /* if that fails, nothing better can be done, and no error can be reported */
  if (!template && generation_from_environment () == 0)
    {
      fprintf (stderr, "tutti-worker is started by Tutti, not by hand. To run a script: tutti run SCRIPT\n");
      return EXIT_FAILURE;
    }
  /* Complete lines appear even if their writer is killed right after. */
  setvbuf (stdout, NULL, _IOLBF, 0);
  setvbuf (stderr, NULL, _IOLBF, 0);
  /* Before there are other threads, and before files are looked up. */
  if (!template && !tti_start_state_enter ())
    return EXIT_FAILURE;
  tti_termination_heed_parent_only ();
  if (extension != NULL)
    {
      if (load_scheme (extension, &scheme))
        handlers[TTI_HANDLER_SCHEME] = scheme.get_handler (template);
      if (handlers[TTI_HANDLER_SCHEME] == NULL)
        return EXIT_FAILURE;
    }
  if (template)
    {
      tti_worker_template_serve ();
      if (!tti_start_state_enter ())
        return EXIT_FAILURE;
    }
  /* From here on each worker acts for itself, whether it was started or forked. Processes that its tasks leave behind become its
   * children, and when it ends those of the watcher. */
  tti_process_become_subreaper (NULL);
  tti_worker_orphans_start ();
  if (scheme.start != NULL)
    scheme.start ();
  else
    tti_base_begin (TRUE);
  g_autoptr (TtiTransport) transport = tti_local_transport_new (TTI_WORKER_FD_CONTROL, TRUE);

  return tti_worker_loop_run (transport, TTI_WORKER_FD_MASTER, generation_from_environment (), handlers,
                              handlers[TTI_HANDLER_SCHEME] != NULL ? handlers[TTI_HANDLER_SCHEME] : &tti_module_handler);
}
