/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A server of HTTP/1.1 for programs that compute: requests are handed out and answered later, from any thread, in any order.
 *
 * It has a thread of its own, which only moves bytes. What clients may do is bounded: how many there are, how many bytes they send, and how
 * long they take to send a request or to read an answer. A client that breaks a bound is told so, if it still reads, and its connection
 * ends; one that goes away is noticed. Connections that wait for their next request cost a descriptor and stay, until another client needs
 * the place. */
#pragma once
#include <gio/gio.h>

typedef struct _TtiHttpServer TtiHttpServer;
typedef struct _TtiHttpRequest TtiHttpRequest;

typedef struct
{
  const char *address;   /* to listen at: "127.0.0.1" */
  guint16 port;          /* 0: any that is free */
  guint most_clients;    /* connections at the same time */
  gsize most_bytes;      /* of the body of one request */
  gsize most_bytes_held; /* of the bodies of all requests that have no answer */
  double patience;       /* seconds without progress after which a client is given up */
} TtiHttpOptions;

/* All are called in the server's thread, and must not wait for anything. */
typedef struct
{
  /* There is REQUEST, which is complete; it may be answered at once or later. Take a reference to keep it. */
  void (*handle) (TtiHttpRequest *request, gpointer data);
  /* The client of REQUEST, which was handed out and has no answer, went away. */
  void (*gone) (TtiHttpRequest *request, gpointer data);
  /* The body of the answer for what the server itself refuses. */
  GString *(*describe) (guint status, const char *message, gpointer data);
} TtiHttpHandlers;

/* How many there were until now; those that are open are counted as well. */
typedef struct
{
  guint64 connections, requests, answers, refusals, lost; /* LOST: requests whose client went away before the answer */
  guint clients;                                          /* connections now */
} TtiHttpCounts;

/* Listen and start. HANDLERS are copied. NULL on error: the address is in use, or none of this machine. */
TtiHttpServer *tti_http_server_new (const TtiHttpOptions *options, const TtiHttpHandlers *handlers, gpointer data, GError **error);

/* Where it listens, and what there was until now. */
guint16 tti_http_server_get_port (TtiHttpServer *server);
void tti_http_server_get_counts (TtiHttpServer *server, TtiHttpCounts *counts);

/* Listen no more, and refuse what open connections ask. */
void tti_http_server_close (TtiHttpServer *server);

/* Wait for DURATION (µs) at most until no client waits for an answer or reads one; FALSE: some still do. */
gboolean tti_http_server_drain (TtiHttpServer *server, gint64 duration);

/* Stop and free the server: connections end, handlers are not called any more when this returns, and answers to what was handed out have no
 * effect. NULL is fine. Not from a handler. */
void tti_http_server_free (TtiHttpServer *server);

TtiHttpRequest *tti_http_request_ref (TtiHttpRequest *request);
void tti_http_request_unref (TtiHttpRequest *request);

/* What was asked; all belong to the request. The path has no query. */
const char *tti_http_request_get_method (const TtiHttpRequest *request);
const char *tti_http_request_get_path (const TtiHttpRequest *request);
const GByteArray *tti_http_request_get_body (const TtiHttpRequest *request);

/* Does its client still wait for an answer? */
gboolean tti_http_request_is_open (TtiHttpRequest *request);

/* Forget the body, which nobody needs any more. */
void tti_http_request_drop_body (TtiHttpRequest *request);

/* Answer with STATUS and BODY, which is taken. From any thread; once, later ones have no effect. FALSE if nobody waits for it. With
 * RETRY_AFTER above 0 the client is told to come again after so many seconds. */
gboolean tti_http_request_answer (TtiHttpRequest *request, guint status, GString *body, guint retry_after);
