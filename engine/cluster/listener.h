/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The master's door: it is open only while agents are expected, and lets in only what belongs to the run.
 *
 * A listener has a thread, which accepts connections, and one for each handshake, of which there are few at a time. Who has said nothing,
 * or not a whole greeting, has no thread, and has to leave when others want the place. Each step may take 5 s. */
#pragma once
#include "cluster/credentials.h"

typedef struct _TtiListener TtiListener;

typedef struct
{
  /* TLS is the stream of a connection that belongs to the run, and CONNECTION what is below; both are the callee's. In one of several
   * threads of the listener's, for which tti_listener_free () waits. */
  void (*accepted) (GIOStream *tls, GSocketConnection *connection, gpointer data);
  /* People should be told: a connection was refused, or several, for the reason in TEXT. Once a second at most, in the listener's thread;
   * also while tti_listener_free () waits. */
  void (*refused) (const char *text, gpointer data);
} TtiListenerEvents;

/* A door at ADDRESS (digits; NULL: all of this machine's) and PORT (0: any that is free), which is closed but nobody else's. CREDENTIALS
 * are those of the master; LOST_AFTER is for tti_tcp_prepare (). EVENTS must outlive the listener. Errors: TUTTI_ERROR_ARGUMENT if ADDRESS
 * is none; TUTTI_ERROR_SYSTEM if it is not of this machine, or the port is in use. */
TtiListener *tti_listener_new (const char *address, guint port, guint lost_after, TtiCredentials *credentials,
                               const TtiListenerEvents *events, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The port, also while it is closed. */
guint tti_listener_get_port (TtiListener *listener);

/* N more connections are expected from now on, each of which is accepted once. With 0, now or when the last has come, the door is closed at
 * once, and what is on its way is dropped. From any thread, also from accepted. FALSE if the port cannot be listened at. */
gboolean tti_listener_expect (TtiListener *listener, guint n, GError **error);

/* Close the door, and wait for the threads, which end at once. NULL is fine. Not from an event. */
void tti_listener_free (TtiListener *listener);
