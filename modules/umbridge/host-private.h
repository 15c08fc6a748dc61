/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What an exchange knows of its server. */
#pragma once
#include "umbridge/exchange.h"
#include <gio/gio.h>

struct _TtiHttpHost
{
  char *url;       /* without a slash at its end */
  char *authority; /* host and port, as requests name them */
  char *host;
  char *path; /* before those of requests: "" or "/models" */
  guint16 port;
  gboolean tls;
  /* Under the lock of all servers. */
  GQueue idle; /* of connections that are not in use */
  guint n_failures;
  gint64 pause;
};

/* A connection that is not in use, and has not ended by what can be seen; NULL if there is none. */
GSocketConnection *tti_http_host_take_connection (TtiHttpHost *server);

/* Keep CONNECTION, over which nothing is on its way, and which the caller gives away, for another time. */
void tti_http_host_keep_connection (TtiHttpHost *server, GSocketConnection *connection);

/* Close CONNECTION, which may be NULL, and drop the caller's reference. */
void tti_http_close (GSocketConnection *connection);
