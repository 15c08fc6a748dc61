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

/* Without the right to exceed the system's limit less is given, which is seen later. */
static void
set (GSocket *socket, int level, int option, int value)
{
  setsockopt (g_socket_get_fd (socket), level, option, &value, sizeof value);
}

/* While data is in flight, probes are not sent, and TCP_USER_TIMEOUT alone counts. While nothing is, a probe is sent after each idle
 * second, and the connection ends at the first that finds TCP_USER_TIMEOUT to have passed since something came: so that has to be a little
 * less than a whole number of seconds. */
void
tti_tcp_prepare (GSocket *socket, guint lost_after)
{
  guint timeout = MAX (lost_after, 2000);

  set (socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set (socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set (socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set (socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set (socket, IPPROTO_TCP, TCP_KEEPCNT, (int) (timeout / 1000));
  set (socket, IPPROTO_TCP, TCP_USER_TIMEOUT, (int) (timeout - 100));
}

void
tti_tcp_enlarge (GSocket *socket)
{
  set (socket, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  set (socket, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
}

gsize
tti_tcp_get_window (GSocket *socket)
{
  int size = 0;
  socklen_t length = sizeof size;

  getsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_RCVBUF, &size, &length);
  return (gsize) MAX (size, 0) / 8;
}
