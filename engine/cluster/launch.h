/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Commands that start agents on other machines: srun, ssh, or what users have. They run under a guard and a watcher of their own, so they
 * end with this process, whatever happens to it; and when a command has ended, nothing is left here of what it had started: a command has
 * to live as long as its agents.
 *
 * All is called in the thread that runs the context, or when it does not run; all events come there. */
#pragma once
#include <gio/gio.h>

typedef struct _TtiLaunches TtiLaunches;
typedef struct _TtiLaunch TtiLaunch;

typedef struct
{
  /* The command has written TEXT, without its newline, and made valid UTF-8; long lines come in pieces. */
  void (*line) (TtiLaunch *launch, gboolean is_error, const char *text, gpointer data);
  /* It has ended, once: STATUS, or -1 and SIGNAL. REASON, if not NULL, says why it could not be started, or what has ended it. All its
   * lines have come before. */
  void (*ended) (TtiLaunch *launch, int status, int signal, const char *reason, gpointer data);
} TtiLaunchEvents;

/* Launches in CONTEXT, by PROGRAM, the path of tutti-watcher; it is started when it is needed. */
TtiLaunches *tti_launches_new (const char *program, GMainContext *context);

/* End all commands, and wait until they are gone; no event comes any more. What tti_launch_start () has returned must be freed before. NULL
 * is fine. */
void tti_launches_free (TtiLaunches *launches);

/* Start the program ARGV[0], which is looked for in the PATH, with this process's environment and folder, and INPUT as its standard input,
 * which then ends. INPUT may be secret. EVENTS must outlive the launch, which is freed with tti_launch_free (). Errors: TUTTI_ERROR_SPAWN
 * if there is no such program, or no watcher. */
TtiLaunch *tti_launch_start (TtiLaunches *launches, const char *const *argv, const char *input, const TtiLaunchEvents *events,
                             gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* SIGTERM for the command; if it lives for GRACE milliseconds more, SIGKILL for it and all below it. Then ended comes, as always. */
void tti_launch_end (TtiLaunch *launch, int grace);

/* What it has written last, twenty lines at most, each with its newline, in the order in which they came. To be freed. */
char *tti_launch_get_output (TtiLaunch *launch);

/* Kill the command, if it runs, and forget it: no event comes any more. Also from an event. NULL is fine. */
void tti_launch_free (TtiLaunch *launch);
