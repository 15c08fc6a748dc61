/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The guard as the master's child: started, waited for by a thread of its own, never left as a zombie. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TuttiGuardChild TuttiGuardChild;

/* Start PROGRAM --guard with CONTROL_FD (which stays the caller's) as the watcher's end of the control socket, and a new mark in its
 * environment. NULL with TUTTI_ERROR_SPAWN. */
TuttiGuardChild *tutti_guard_child_new (const char *program, int control_fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The mark that all processes below the guard have; see process-mark.h. */
const char *tutti_guard_child_get_mark (TuttiGuardChild *guard);

/* From now on a thread waits for the guard; when it is gone, GONE is called with USER_DATA in that thread, once. A
 * guard that stays stopped is killed. */
void tutti_guard_child_start (TuttiGuardChild *guard, void (*gone) (gpointer user_data), gpointer user_data);

/* The guard's pid, its pidfd (which stays the child's), sending it SIGKILL, and SIGCONT. */
pid_t tutti_guard_child_get_pid (TuttiGuardChild *guard);
int tutti_guard_child_get_pidfd (TuttiGuardChild *guard);
void tutti_guard_child_kill (TuttiGuardChild *guard);
void tutti_guard_child_continue (TuttiGuardChild *guard);

/* Wait until the guard has ended and is reaped, or DEADLINE (monotonic, µs). Works without the thread, too. */
gboolean tutti_guard_child_await (TuttiGuardChild *guard, gint64 deadline);

/* How the guard ended, as text: "exited with status 3". To be freed. */
char *tutti_guard_child_describe (TuttiGuardChild *guard);

/* Does not end the guard. If the guard is not gone yet, its thread goes on and reaps it later. NULL is fine. */
void tutti_guard_child_unref (TuttiGuardChild *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiGuardChild, tutti_guard_child_unref)
