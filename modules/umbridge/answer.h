/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reading an answer of HTTP/1.1 (RFC 9112) from a server that nobody knows, as its bytes come. It is strict where a mistake could make
 * one answer of another, and bounded: what is too long is refused as soon as that can be told, by its length or by its bytes. */
#pragma once
#include <glib.h>

typedef enum
{
  TTI_HTTP_ERROR_UNREACHABLE, /* there is no connection to be had */
  TTI_HTTP_ERROR_LOST,        /* the connection ended before its answer did */
  TTI_HTTP_ERROR_LATE,        /* a time-out has passed */
  TTI_HTTP_ERROR_ANSWER,      /* what has come is no answer, or not one that was asked for */
  TTI_HTTP_ERROR_ADDRESS /* the address leads to no server: there is no such host, or its certificate is not to be trusted */
} TtiHttpError;

#define TTI_HTTP_ERROR (tti_http_error_quark ())
GQuark tti_http_error_quark (void);

typedef struct _TtiHttpReader TtiHttpReader; /* what has been read so far, and how to go on */

typedef struct
{
  guint status;        /* 200 and so on; 0 until it has come */
  gboolean keep_alive; /* another request may be sent on the same connection */
  double retry_after;  /* seconds; below 0 if nothing was said */
  char *location;      /* where the server sends one to, or NULL */
  GByteArray *body;
  gboolean started;  /* bytes have come */
  gboolean complete; /* all of it is there */
  TtiHttpReader *reader;
} TtiHttpAnswer;

/* An answer whose body has LIMIT bytes at most. */
TtiHttpAnswer *tti_http_answer_new (gsize limit);
void tti_http_answer_free (TtiHttpAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiHttpAnswer, tti_http_answer_free)

/* Take COUNT more bytes that the server has sent. FALSE (TTI_HTTP_ERROR_ANSWER) if they are no part of an answer: then it ends. */
gboolean tti_http_answer_take (TtiHttpAnswer *answer, const char *bytes, gsize count, GError **error);

/* The server has closed the connection. FALSE (TTI_HTTP_ERROR_LOST) if the answer is not complete thereby. */
gboolean tti_http_answer_end (TtiHttpAnswer *answer, GError **error);

/* The beginning of COUNT bytes as text for messages: one line of at most 200 characters, without what a terminal would obey. */
char *tti_http_show (const guint8 *bytes, gsize count);
