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

#define TTI_WATCHER_MAX_TEMPLATES 4u

typedef struct _TtiWatcherTemplates TtiWatcherTemplates;

/* The answer to the request for worker GENERATION: it is process PID, or (PID 0) will not be made. */
typedef void (*TtiTemplateAnswer) (guint64 generation, pid_t pid, gpointer user_data);

/* MASTER_FD as for workers, must stay open. MAX_FDS: the soft limit on descriptors that workers get. */
TtiWatcherTemplates *tti_watcher_templates_new (int master_fd, guint64 max_fds, TtiTemplateAnswer answer, gpointer user_data);
void tti_watcher_templates_free (TtiWatcherTemplates *templates);

/* Ask for the worker of PARCEL (a SPAWN with STRINGS), which stays the caller's; start a template if there is none yet. FALSE:
 * there can be none. Otherwise there will be one answer, never from within this function. */
gboolean tti_watcher_templates_ask (TtiWatcherTemplates *templates, const TtiWatcherStrings *strings, const TtiWatchParcel *parcel);

/* Is the child PID, not reaped yet, a template? */
gboolean tti_watcher_templates_have (TtiWatcherTemplates *templates, pid_t pid);
/* Process the result of waitid () for a child that may be a template. A stopped template gets no requests, and is killed if it
 * stays stopped. */
void tti_watcher_templates_note (TtiWatcherTemplates *templates, const siginfo_t *info);

/* Add the templates' sockets to a poll set, and process what they have received. Call the latter also whenever an unknown child is
 * found, as its template may have reported it. */
void tti_watcher_templates_fill (TtiWatcherTemplates *templates, struct pollfd fds[TTI_WATCHER_MAX_TEMPLATES]);
void tti_watcher_templates_listen (TtiWatcherTemplates *templates);

/* When tick () has something to do (monotonic, µs), -1 if never; NOW is the time. It gives up templates that do not answer, or stay
 * stopped. */
gint64 tti_watcher_templates_get_deadline (TtiWatcherTemplates *templates);
void tti_watcher_templates_tick (TtiWatcherTemplates *templates, gint64 now);

/* Cancel the request for worker GENERATION, if there is one: it gets no answer, and the worker is ended if it is made all the same. */
void tti_watcher_templates_forget (TtiWatcherTemplates *templates, guint64 generation);

/* SIGKILL them all. */
void tti_watcher_templates_kill (TtiWatcherTemplates *templates);
