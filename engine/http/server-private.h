/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the server share. Everything belongs to the server's thread, but for what is said to be under the lock or atomic. */
#pragma once
#include "http/server.h"
#include "platform/lock.h"
#include <libsoup/soup.h>

typedef struct _TtiHttpClient TtiHttpClient;

struct _TtiHttpServer
{
  TtiHttpOptions options;
  TtiHttpHandlers handlers;
  gpointer data;
  guint16 port;
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
  SoupServer *soup;
  GSocket *listener;    /* NULL: closed */
  GSource *accepting;   /* NULL: closed, or for a moment */
  GSource *supervision; /* looks at all clients from time to time */
  GHashTable *clients;  /* from the name of each to TtiHttpClient */
  guint n_refused;      /* of these, those that are only left to read why */
  gsize *bytes_held;    /* atomic; requests that are left keep it */
  TtiLock lock;
  GCond changed;
  guint n_open;         /* under the lock: requests without answer, and answers on their way */
  gboolean closed;      /* under the lock */
  TtiHttpCounts counts; /* under the lock */
};

typedef enum
{
  CLIENT_IDLE,    /* between two requests */
  CLIENT_READING, /* a request has begun */
  CLIENT_WAITING, /* it was handed out */
  CLIENT_WRITING, /* the answer is being sent */
  CLIENT_REFUSED  /* it was told why, and nothing it sends counts */
} TtiHttpClientState;

struct _TtiHttpClient
{
  TtiHttpServer *server;
  GSocket *socket;
  GSocketAddress *name; /* of the peer: this object is what SoupServer knows of the connection */
  TtiHttpClientState state;
  gint64 since;            /* when the state began, µs */
  gint64 progress;         /* when bytes have moved last */
  guint64 start, last;     /* bytes, as the kernel counts them in the direction of the state: at its beginning, and at PROGRESS */
  GByteArray *body;        /* of the request that is being read */
  TtiHttpRequest *request; /* that was handed out */
  GSource *hangup;         /* while WAITING */
};

struct _TtiHttpRequest
{
  gatomicrefcount references;
  TtiHttpClient *client;      /* the server's thread: NULL when it has gone */
  SoupServerMessage *message; /* the server's thread */
  char *method, *path;
  GByteArray *body;
  gsize *bytes_held;
  TtiLock lock;
  TtiHttpServer *server; /* under the lock: NULL when it was answered, or its client has gone */
  GString *answer;       /* under the lock */
  guint status, retry_after;
};

/* client.c */

/* Take the connection SOCKET, which is open. */
void tti_http_client_accept (TtiHttpServer *server, GSocket *socket);
void tti_http_client_free (TtiHttpClient *client);
void tti_http_client_set_state (TtiHttpClient *client, TtiHttpClientState state);
/* The client that has sent MESSAGE; NULL if it has gone. */
TtiHttpClient *tti_http_client_find (TtiHttpServer *server, SoupServerMessage *message);
/* Look at all clients: who takes too long? */
void tti_http_client_supervise (TtiHttpServer *server);
/* The next request of a connection begins; SoupServer's handler "request-started". */
void tti_http_client_start_request (SoupServer *soup, SoupServerMessage *message, TtiHttpServer *server);

/* request.c */

/* A request is complete; SoupServer's handler. */
void tti_http_request_hand_out (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer server);
/* The client has gone. */
void tti_http_request_lose (TtiHttpRequest *request);

/* server.c */

/* Let the server's thread call FUNCTION with DATA, soon. */
void tti_http_server_post (TtiHttpServer *server, GSourceFunc function, gpointer data, GDestroyNotify destroy);
/* Forget BODY, whose bytes are counted in BYTES_HELD; NULL is fine. */
void tti_http_body_free (GByteArray *body, gsize *bytes_held);
