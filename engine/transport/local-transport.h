/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The transport between a master and a worker of its machine: with mailboxes; for tests and for measuring a stream of bytes, if
 * $TUTTI_TRANSPORT is "stream" in the environment of both, as if the worker were elsewhere. */
#pragma once
#include "transport/transport.h"

/* FD is a socket of the type tti_local_transport_get_socket_type (). */
TtiTransport *tti_local_transport_new (int fd, gboolean trusted);
int tti_local_transport_get_socket_type (void);
gboolean tti_local_transport_shares_memory (void);
