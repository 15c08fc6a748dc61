/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The two roles of tutti-watcher, guard and watcher. See watcher-protocol.h. */
#pragma once
#include <glib.h>

/* Their exit statuses. The master learns the guard's only. */
typedef enum
{
  TTI_WATCHER_EXIT_ENDED = 0,   /* the master is gone or closed the control socket; no process is left below */
  TTI_WATCHER_EXIT_USAGE = 2,   /* wrong arguments */
  TTI_WATCHER_EXIT_LEFT = 3,    /* processes that hang in the kernel were still there at the deadline */
  TTI_WATCHER_EXIT_BROKEN = 4,  /* the watcher: a malformed packet; stderr says which */
  TTI_WATCHER_EXIT_KILLED = 5,  /* the guard: the watcher was killed or failed */
  TTI_WATCHER_EXIT_STOPPED = 6, /* the guard: the watcher was stopped */
  TTI_WATCHER_EXIT_ALONE = 7,   /* the watcher: the guard is gone */
  TTI_WATCHER_EXIT_SETUP = 8    /* could not start: stderr says why. Not 1, which any program may exit with */
} TtiWatcherExit;

/* Run as the watcher: descriptors 3, 4 and 5 are as the protocol says. */
TtiWatcherExit tti_watcher_run (void);

/* Run as the guard; NAME is argv[0]. Descriptors 3 and 4 are as the protocol says. */
TtiWatcherExit tti_guard_run (const char *name);

/* Block all signals except those for faults of the program itself and SIGTERM, and receive SIGCHLD through the signalfd that is
 * returned; become a subreaper called NAME in ps. -1 after a message on stderr. */
int tti_watcher_set_up (const char *name);

/* Report on stderr, as NAME, the children that cannot be ended, except those in KNOWN (a set of pids, NULL: none). */
void tti_watcher_report_left (const char *name, GHashTable *known);

/* Discard the pending SIGCHLDs. */
void tti_watcher_drain (int signals);
