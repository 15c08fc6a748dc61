/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Connections between the two sides of a run: TLS 1.3, and each side has seen that the other belongs to the same run. */
#pragma once
#include "cluster/credentials.h"

/* Make a TLS connection of CONNECTION, and wait until both sides have accepted each other; how long is the caller's to say, by CANCELLABLE.
 * CREDENTIALS are those of this side. The stream owns the connection, and closes it; its end needs no farewell of TLS, since what is sent
 * through it says where it ends. NULL on error, and the connection is closed: TUTTI_ERROR_PROTOCOL if the peer is none of this run, and the
 * message says what it is instead, and from which address; TUTTI_ERROR_CLOSED if it went away; TUTTI_ERROR_CANCELLED;
 * TUTTI_ERROR_SYSTEM. */
GIOStream *tti_tls_open (GSocketConnection *connection, const TtiCredentials *credentials, gboolean is_server, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What a client has sent through SOCKET until now is the beginning of a greeting: how many bytes have to be there until it is complete?
 * 0: it is, or is none; then tti_tls_open () does not wait for it. */
gsize tti_tls_get_wanted (GSocket *socket);

/* For messages: "10.0.0.7, port 4711", the address of the peer. To be freed. */
char *tti_tls_describe_peer (GSocketConnection *connection);
