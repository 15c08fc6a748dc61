/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the kernel is asked for each connection: to send at once, to notice when the other machine no longer answers, and to take a known
 * number of bytes even if the process that should read them is stopped. */
#pragma once
#include <gio/gio.h>

/* Let the kernel end the connection of SOCKET (ETIMEDOUT) when nothing has come from the other machine's kernel for about LOST_AFTER
 * milliseconds, 1000 at least. A process that is stopped is no reason, as its kernel acknowledges for it. What was seen with 2000:
 *
 *   this side sends something each 100 ms    noticed 1.6 to 1.7 s after the other machine was lost
 *   each TTI_TCP_PING (250 ms)               1.8 to 2.1 s
 *   each 500 ms                              1.9 to 2.3 s
 *   never                                    1.0 to 2.0 s, since the kernel probes each second, and two that are lost are enough */
void tti_tcp_prepare (GSocket *socket, guint lost_after);
#define TTI_TCP_PING 250 /* ms: who has nothing to say says so */

/* Give SOCKET, which is not connected and does not listen yet, a large receive buffer; connections that a listening socket accepts
 * inherit it. */
void tti_tcp_enlarge (GSocket *socket);

/* How many bytes the peer of SOCKET may send before this side reads, so that the window never closes. Each write to a TLS stream counts as
 * its bytes and TTI_TCP_RECORD more. (Where net.core.rmem_max is 212992, as it often is, 106 kB for who has no CAP_NET_ADMIN.) */
gsize tti_tcp_get_window (GSocket *socket);
#define TTI_TCP_RECORD 1024
