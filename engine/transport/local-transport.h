/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The transport between a master and a worker of its machine: with mailboxes; for tests and for measuring a stream of bytes, if
 * the master has "stream" in $TUTTI_TRANSPORT, as if the worker were elsewhere. */
#pragma once
#include "transport/transport.h"

/* FD is one of a pair of the type that tti_local_transport_get_socket_type () has said in the master. */
TtiTransport *tti_local_transport_new (int fd, gboolean trusted);
int tti_local_transport_get_socket_type (void);
gboolean tti_local_transport_shares_memory (void);
