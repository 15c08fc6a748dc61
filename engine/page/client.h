/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One connection of the page's server. SoupServer reads and writes; whether the other side keeps to the bounds is seen from outside, by
 * what the kernel counts. */
#pragma once
#include <libsoup/soup.h>

typedef struct
{
  GSocket *socket;
  GSocketAddress *name;  /* of the peer: this object is what SoupServer knows of the connection */
  gint64 since;          /* when it came, µs */
  gint64 moved;          /* when the peer has last read something */
  guint64 acknowledged;  /* bytes, at that time */
  gboolean answered;     /* its request was complete */
  SoupServerMessage *message; /* its request, while it is being answered; NULL: there is none */
  gint64 refused;        /* when it was told that it is; 0: it was not */
} TtiPageClient;

/* SOCKET, which is open. NULL: it has gone. */
TtiPageClient *tti_page_client_new (GSocket *socket);
void tti_page_client_free (gpointer client); /* ends the connection, and the answer */
/* Its request is MESSAGE; NULL: no longer. */
void tti_page_client_set_message (TtiPageClient *client, SoupServerMessage *message);

/* Tell CLIENT, past SoupServer, that it gets no answer, and why. */
void tti_page_client_refuse (TtiPageClient *client, guint status, const char *text);

/* Look whether CLIENT keeps to the bounds, at NOW; refuse it if it does not. FALSE: it is over. */
gboolean tti_page_client_look (TtiPageClient *client, gint64 now);
