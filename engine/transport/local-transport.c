/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "transport/local-transport.h"
#include <sys/socket.h>

gboolean
tti_local_transport_shares_memory (void)
{
  return g_strcmp0 (g_getenv ("TUTTI_TRANSPORT"), "stream") != 0;
}

int
tti_local_transport_get_socket_type (void)
{
  return tti_local_transport_shares_memory () ? SOCK_SEQPACKET : SOCK_STREAM;
}

TtiTransport *
tti_local_transport_new (int fd, gboolean trusted)
{
  int type = SOCK_SEQPACKET;
  socklen_t size = sizeof type;

  /* The worker's environment may be another one than the master's, the socket is the same. */
  (void) getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size);
  return type == SOCK_STREAM ? tti_stream_transport_new (fd, trusted) : tti_mailbox_transport_new (fd, trusted);
}
