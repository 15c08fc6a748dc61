/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Looking at an engine from another process: connecting, and taking its events one by one. Nothing of it waits for the engine, but for the
 * first moment; whoever looks comes back a few times a second. By one thread at a time. */
#pragma once
#include "look/events.h"
#include "look/protocol.h"

typedef struct _TtiViewer TtiViewer;

/* By SOCKET, which is connected to an engine, and which it takes over, also where it fails. Errors: TUTTI_ERROR_PROTOCOL (it is another
 * version's), TUTTI_ERROR_TIMEOUT (nothing has come for two seconds: the process is stopped, perhaps), TUTTI_ERROR_CLOSED (it is at its
 * end, or has too many viewers). */
TtiViewer *tti_viewer_new (int socket, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same by the door of NAME (look/door.h). */
TtiViewer *tti_viewer_connect (const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same by those of N names, which are all given PATIENCE (µs) to answer, together: VIEWERS[i] is NULL, and ERRORS[i] says why, where
 * that fails. Both are the caller's. */
void tti_viewer_connect_all (const char *const *names, guint n, gint64 patience, TtiViewer **viewers, GError **errors);
void tti_viewer_free (TtiViewer *viewer); /* NULL is fine */

/* Leave out what happened before the viewer came: the next event is the first of the present state that the engine shows to it. */
void tti_viewer_skip_past (TtiViewer *viewer);

/* The next event; its contents are the viewer's, until the next call. FALSE: there is none yet; or, with ERROR, what is there is none, and
 * nothing more is to be had. EVENT->n_dropped > 0: so many were lost before it; then ask for a snapshot. */
gboolean tti_viewer_next (TtiViewer *viewer, TtiEvent *event, GError **error);

/* Ask (see TtiLookQuestion) for TASK, or 0. What is asked for comes as events. FALSE: nobody is there any more. */
gboolean tti_viewer_ask (TtiViewer *viewer, TtiLookQuestion question, guint64 task);

/* The next capsule that was sent, after TTI_LOOK_ASK_CAPSULES; *FD is the caller's, and -1 if there is none, for CAPSULE->reason. FALSE:
 * there is none yet. */
gboolean tti_viewer_next_capsule (TtiViewer *viewer, TtiLookCapsule *capsule, int *fd);

/* The engine is at its end, or its process is gone. There may still be events: take them, ask this, and take them once more. */
gboolean tti_viewer_has_ended (TtiViewer *viewer);

int tti_viewer_get_pid (TtiViewer *viewer); /* of the engine's process */
gint64 tti_viewer_get_began (TtiViewer *viewer); /* when the engine was made; wall clock, µs */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiViewer, tti_viewer_free)
