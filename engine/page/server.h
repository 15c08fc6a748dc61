/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The server of the page: HTTP on the loopback interface, for who knows the token. It runs in the main context of its thread.
 *
 * What is no GET or HEAD, names another host (a name of somebody else that was made to point here), or has not the token in its query, is
 * refused before anything else is looked at. The token stays in the query and is no cookie: browsers would send cookies to whatever else
 * listens on this machine. Each connection has one request. How many there are, how many bytes they send, and how long they take to do so
 * or to read an answer is bounded. */
#pragma once
#include <libsoup/soup.h>

typedef struct _TtiPageServer TtiPageServer;

enum
{
  TTI_PAGE_MOST_CLIENTS = 160,             /* connections; others are told to come again */
  TTI_PAGE_MOST_STREAMS = 64,              /* of these, those that are sent what changes */
  TTI_PAGE_MOST_REQUEST = 16 * 1024,       /* bytes */
  TTI_PAGE_REQUEST_MS = 5000,              /* within which a request has to be complete */
  TTI_PAGE_READING_MS = 20000              /* within which a client has to read some of what it is sent */
};

/* Answer MESSAGE, a GET or HEAD of PATH by one who may ask: set status and body. Headers that all answers have are there. */
typedef void (*TtiPageAnswer) (SoupServerMessage *message, const char *path, gpointer data);

/* Listen at 127.0.0.1, and ::1 if there is one, at PORT, or, if that is 0, at one that is free. TOKEN: digits and letters. Errors
 * (TUTTI_ERROR_SYSTEM): the port is taken. */
TtiPageServer *tti_page_server_new (guint16 port, const char *token, TtiPageAnswer answer, gpointer data, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;
void tti_page_server_free (TtiPageServer *server); /* all connections end; NULL is fine */
guint16 tti_page_server_get_port (const TtiPageServer *server);

/* Listen no more; connections go on. */
void tti_page_server_close (TtiPageServer *server);
guint tti_page_server_count_clients (const TtiPageServer *server);

/* Set the answer: STATUS with a TEXT for people, a line. */
void tti_page_answer_text (SoupServerMessage *message, guint status, const char *text);
/* The same with BYTES of the media TYPE. */
void tti_page_answer_bytes (SoupServerMessage *message, const char *type, GBytes *bytes);
