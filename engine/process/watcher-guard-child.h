/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The guard as the master's child: started, waited for by a thread of its own, never left as a zombie. */
#pragma once
#include <glib.h>
#include <sys/types.h>

typedef struct _TtiGuardChild TtiGuardChild;

/* Start PROGRAM --guard with CONTROL_FD (which stays the caller's) as the watcher's end of the control socket, and a new mark in its
 * environment. NULL with TUTTI_ERROR_SPAWN. */
TtiGuardChild *tti_guard_child_new (const char *program, int control_fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The mark that all processes below the guard have; see process-mark.h. */
const char *tti_guard_child_get_mark (TtiGuardChild *guard);

/* From now on a thread waits for the guard; when it is gone, GONE is called with USER_DATA in that thread, once. A
 * guard that stays stopped is killed. */
void tti_guard_child_start (TtiGuardChild *guard, void (*gone) (gpointer user_data), gpointer user_data);

/* The guard's pid, its pidfd (which stays the child's), sending it SIGKILL, and SIGCONT. */
pid_t tti_guard_child_get_pid (TtiGuardChild *guard);
int tti_guard_child_get_pidfd (TtiGuardChild *guard);
void tti_guard_child_kill (TtiGuardChild *guard);
void tti_guard_child_continue (TtiGuardChild *guard);

/* Wait until the guard has ended and is reaped, or DEADLINE (monotonic, µs). Works without the thread, too. */
gboolean tti_guard_child_await (TtiGuardChild *guard, gint64 deadline);

/* How the guard ended, as text: "exited with status 3". To be freed. */
char *tti_guard_child_describe (TtiGuardChild *guard);

/* Does not end the guard. If the guard is not gone yet, its thread goes on and reaps it later. NULL is fine. */
void tti_guard_child_unref (TtiGuardChild *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiGuardChild, tti_guard_child_unref)
