/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Descriptors: their owner closes them, and no program inherits one by accident. */
#pragma once
#include <glib.h>
#include <glib/gstdio.h>

/* Close *FD if it is open and set it to -1. */
void tti_fd_clear (int *fd);

/* A local descriptor that is closed when it goes out of scope; give it away with g_steal_fd (). */
#define tti_autofd __attribute__ ((cleanup (tti_fd_clear)))

/* Open /dev/null where one of the descriptors 0 to 2 is closed; otherwise the next file to be opened would get its number, and
 * would be read as input or written to as output. To be called at the start of a program. FALSE and errno if it cannot be opened. */
gboolean tti_fd_open_standard (void);

/* The standard output and error are /dev/null from now on: for a process that outlives the one whose they are. Whoever reads these to their
 * end is not to wait for it. */
void tti_fd_leave_output (void);

/* A pair of connected AF_UNIX sockets of TYPE (SOCK_SEQPACKET or SOCK_STREAM), close-on-exec and non-blocking. */
gboolean tti_fd_socket_pair (int type, int fds[2], GError **error);

/* A pipe, close-on-exec; the read end (fds[0]) is non-blocking. */
gboolean tti_fd_pipe (int fds[2], GError **error);

/* The next connection of LISTENER, a socket, as a non-blocking descriptor that is not in the way of select () in the program around; -1 and
 * errno if there is none. */
int tti_fd_accept (int listener);

/* A wakeup descriptor, an eventfd: tti_fd_wake () makes it readable, tti_fd_drain () unreadable again; neither ever blocks.
 * -1 on error. */
int tti_fd_open_wakeup (GError **error);
void tti_fd_wake (int wakeup);
void tti_fd_drain (int fd); /* a wakeup descriptor or a timer */

/* A timer that makes its descriptor readable at WHEN (g_get_monotonic_time ()), until it is drained or set again. -1 on error. */
int tti_fd_open_timer (GError **error);
void tti_fd_set_timer (int timer, gint64 when);

/* A read-only descriptor of the file that FD refers to (a memfd), through which nobody can write. -1 on error. */
int tti_fd_reopen_read_only (int fd, GError **error);

/* Wait until FD is ready for EVENTS (POLLIN, POLLOUT) or DEADLINE (g_get_monotonic_time (), -1: for ever) has passed.
 * EINTR is handled. TRUE if ready (a hang-up counts as ready). */
gboolean tti_fd_wait (int fd, short events, gint64 deadline);
