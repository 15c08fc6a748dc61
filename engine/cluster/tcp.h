/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the kernel is asked for each connection: to send at once, to notice when the other machine no longer answers, and to take a known
 * number of bytes even if the process that should read them is stopped. */
#pragma once
#include <gio/gio.h>

/* Let the kernel end the connection of SOCKET when the other machine's kernel has not acknowledged anything for LOST_AFTER milliseconds
 * (2000 at least): what is in flight, or, if nothing is, a probe each second. A process that is stopped is no reason, as its kernel
 * acknowledges. */
void tti_tcp_prepare (GSocket *socket, guint lost_after);

/* Give SOCKET, which is not connected and does not listen yet, a large receive buffer; connections that a listening socket accepts
 * inherit it. */
void tti_tcp_enlarge (GSocket *socket);

/* How many bytes the peer of SOCKET may send before this side reads, so that the window never closes. Each write to a TLS stream counts as
 * its bytes and TTI_TCP_RECORD more. */
gsize tti_tcp_get_window (GSocket *socket);
#define TTI_TCP_RECORD 1024
