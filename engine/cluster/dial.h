/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The agent's side: to reach the master. */
#pragma once
#include "cluster/credentials.h"

typedef struct
{
  const char *const *addresses; /* names or digits, tried in this order */
  guint port;
  guint lost_after;             /* for tti_tcp_prepare () */
  gint64 patience;              /* for each address, µs; 0: 5 s */
  const TtiCredentials *credentials; /* of this side */
} TtiDial;

/* Dial the master, and wait until both sides have accepted each other. *CONNECTION, if CONNECTION is not NULL, receives what is below the
 * stream; both are the caller's. On error each address is named, with its reason: TUTTI_ERROR_PROTOCOL if there is somebody, but not the
 * master of this run; TUTTI_ERROR_CANCELLED if CANCELLABLE says so; TUTTI_ERROR_SYSTEM. */
GIOStream *tti_dial (const TtiDial *dial, GCancellable *cancellable, GSocketConnection **connection,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
