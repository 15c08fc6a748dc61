/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Options of sockets.
 *
 * Why the window must not close: while a receiver's window is closed, the sender's kernel asks from time to time whether it has opened. It
 * is answered, but TCP_USER_TIMEOUT counts that as no progress and ends the connection, although the other machine lives. */
#include "cluster/tcp.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Received bytes that wait to be read. The kernel doubles the number for its own needs. */
enum
{
  RECEIVE_BUFFER = 8 * 1024 * 1024
};

/* Milliseconds: how much later than TCP_USER_TIMEOUT a loss is noticed. */
enum
{
  KERNEL_TIME = 600,
  LEAST_LOST_AFTER = 1000
};

/* Without the right to exceed the system's limit less is given, which is seen later. */
static void
set (GSocket *socket, int level, int option, int value)
{
  setsockopt (g_socket_get_fd (socket), level, option, &value, sizeof value);
}

/* While data is in flight, probes are not sent, and TCP_USER_TIMEOUT alone counts; but the kernel counts from the first time that it has
 * sent something again, 0.2 s after what the peer did not acknowledge, and looks at the end of an interval that has doubled. While nothing
 * is in flight, a probe is sent each second, and the connection ends when it is time for one, the one before was not answered, and
 * TCP_USER_TIMEOUT has passed since something came. */
void
tti_tcp_prepare (GSocket *socket, guint lost_after)
{
  set (socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set (socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set (socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set (socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set (socket, IPPROTO_TCP, TCP_USER_TIMEOUT, (int) (MAX (lost_after, LEAST_LOST_AFTER) - KERNEL_TIME));
}

void
tti_tcp_enlarge (GSocket *socket)
{
  set (socket, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  set (socket, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
}

/* What the system says is twice what was asked for. With segments of 1500 bytes, each in memory of its own, half of it was taken, and all
 * was not; with segments of 64 kB all was. */
gsize
tti_tcp_get_window (GSocket *socket)
{
  int size = 0;
  socklen_t length = sizeof size;

  getsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_RCVBUF, &size, &length);
  return (gsize) MAX (size, 0) / 4;
}
