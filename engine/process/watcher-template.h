/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher's templates: one for each program, arguments and environment of which workers were wanted lately. Each is a process that
 * has loaded what its workers need and is copied for each of them (worker-template.h).
 *
 * Templates save time, and nothing depends on them: whatever becomes of one, the workers that it has not made are given back. */
#pragma once
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <glib.h>
#include <poll.h>
#include <signal.h>

#define TUTTI_WATCHER_MAX_TEMPLATES 4u

typedef struct _TuttiWatcherTemplates TuttiWatcherTemplates;

/* The worker GENERATION was asked for: it is process PID, or (PID 0) will not be made. */
typedef void (*TuttiTemplateAnswer) (guint64 generation, pid_t pid, gpointer user_data);

/* MASTER_FD as for workers, must stay open. MAX_FDS: the soft limit of descriptors that workers get. */
TuttiWatcherTemplates *tutti_watcher_templates_new (int master_fd, guint64 max_fds, TuttiTemplateAnswer answer, gpointer user_data);
void tutti_watcher_templates_free (TuttiWatcherTemplates *templates);

/* Ask for the worker of PARCEL (a SPAWN with STRINGS), which stays the caller's; start a template if there is none yet. FALSE: none can
 * be had. Otherwise there will be one answer, never from within this function. */
gboolean tutti_watcher_templates_ask (TuttiWatcherTemplates *templates, const TuttiWatcherStrings *strings, const TuttiWatchParcel *parcel);

/* Is the child PID, not reaped yet, a template? */
gboolean tutti_watcher_templates_have (TuttiWatcherTemplates *templates, pid_t pid);
/* What waitid () tells of a child, perhaps of a template. One that is stopped is asked for nothing, and killed if it stays so. */
void tutti_watcher_templates_note (TuttiWatcherTemplates *templates, const siginfo_t *info);

/* What to wait for, and what to do when something of it has come; the latter also whenever an unknown child is found, as its
 * template may have told of it. */
void tutti_watcher_templates_fill (TuttiWatcherTemplates *templates, struct pollfd fds[TUTTI_WATCHER_MAX_TEMPLATES]);
void tutti_watcher_templates_listen (TuttiWatcherTemplates *templates);

/* When tick () has something to do (monotonic, µs), -1 if never; NOW is the time. It gives up templates that keep silent, or stay
 * stopped. */
gint64 tutti_watcher_templates_get_deadline (TuttiWatcherTemplates *templates);
void tutti_watcher_templates_tick (TuttiWatcherTemplates *templates, gint64 now);

/* Nobody wants worker GENERATION any more, if it was asked for: it is not answered, and ended if it is made all the same. */
void tutti_watcher_templates_forget (TuttiWatcherTemplates *templates, guint64 generation);

/* SIGKILL them all. */
void tutti_watcher_templates_kill (TuttiWatcherTemplates *templates);
