/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's templates: one for each combination of program, arguments and environment with recent requests. Each is a process
 * that has loaded what its workers need and is forked for each of them (worker-template.h).
 *
 * Templates only save time: if one fails, the requests that it has not answered are returned. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <glib.h>
#include <poll.h>
#include <signal.h>

#define TUTTI_WATCHER_MAX_TEMPLATES 4u

typedef struct _TuttiWatcherTemplates TuttiWatcherTemplates;

/* The answer to the request for worker GENERATION: it is process PID, or (PID 0) will not be made. */
typedef void (*TuttiTemplateAnswer) (guint64 generation, pid_t pid, gpointer user_data);

/* MASTER_FD as for workers, must stay open. MAX_FDS: the soft limit on descriptors that workers get. */
TuttiWatcherTemplates *tutti_watcher_templates_new (int master_fd, guint64 max_fds, TuttiTemplateAnswer answer, gpointer user_data);
void tutti_watcher_templates_free (TuttiWatcherTemplates *templates);

/* Ask for the worker of PARCEL (a SPAWN with STRINGS), which stays the caller's; start a template if there is none yet. FALSE:
 * there can be none. Otherwise there will be one answer, never from within this function. */
gboolean tutti_watcher_templates_ask (TuttiWatcherTemplates *templates, const TuttiWatcherStrings *strings, const TuttiWatchParcel *parcel);

/* Is the child PID, not reaped yet, a template? */
gboolean tutti_watcher_templates_have (TuttiWatcherTemplates *templates, pid_t pid);
/* Process the result of waitid () for a child that may be a template. A stopped template gets no requests, and is killed if it
 * stays stopped. */
void tutti_watcher_templates_note (TuttiWatcherTemplates *templates, const siginfo_t *info);

/* Add the templates' sockets to a poll set, and process what they have received. Call the latter also whenever an unknown child is
 * found, as its template may have reported it. */
void tutti_watcher_templates_fill (TuttiWatcherTemplates *templates, struct pollfd fds[TUTTI_WATCHER_MAX_TEMPLATES]);
void tutti_watcher_templates_listen (TuttiWatcherTemplates *templates);

/* When tick () has something to do (monotonic, µs), -1 if never; NOW is the time. It gives up templates that do not answer, or stay
 * stopped. */
gint64 tutti_watcher_templates_get_deadline (TuttiWatcherTemplates *templates);
void tutti_watcher_templates_tick (TuttiWatcherTemplates *templates, gint64 now);

/* Cancel the request for worker GENERATION, if there is one: it gets no answer, and the worker is ended if it is made all the same. */
void tutti_watcher_templates_forget (TuttiWatcherTemplates *templates, guint64 generation);

/* SIGKILL them all. */
void tutti_watcher_templates_kill (TuttiWatcherTemplates *templates);
