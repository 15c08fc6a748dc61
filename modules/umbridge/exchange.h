/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One request to a server of HTTP, and its answer; and the connections that are kept for the next one.
 *
 * An exchange goes on in steps, each of which waits no longer than it is told: so its caller can look in between whether it is still
 * wanted, and nothing needs a thread. GIO makes the connections (names, IPv6, TLS); what goes over them is ours, since that is little: a
 * small answer takes 25 µs, of which most are the server's, and with a session of libsoup 500. Proxies are not used. */
#pragma once
#include "umbridge/answer.h"

typedef struct _TtiHttpHost TtiHttpHost;
typedef struct _TtiHttpExchange TtiHttpExchange;

/* The server of URL, "http://host:port/path" or https; the same for the same URL, in all threads, for the life of the process. NULL
 * (TTI_HTTP_ERROR_ADDRESS) if that is no such URL. */
TtiHttpHost *tti_http_host_find (const char *url, GError **error);

/* Its URL without a slash at the end. */
const char *tti_http_host_get_url (const TtiHttpHost *server);

/* Something went wrong: do without it for a while, which is longer each time, and at least SECONDS. */
void tti_http_host_pause (TtiHttpHost *server, double seconds);

/* It has answered. */
void tti_http_host_praise (TtiHttpHost *server);

/* When it may be asked again, of g_get_monotonic_time (); 0: at any time. */
gint64 tti_http_host_get_pause (TtiHttpHost *server);

/* Take the descriptor CONNECTION, of one without TLS that is not in use, into those that are kept for SERVER. */
void tti_http_host_adopt (TtiHttpHost *server, int connection);

/* Begin to send COUNT bytes of BODY as METHOD to PATH, which begins with a slash, of SERVER. The answer has LIMIT bytes at most. The
 * exchange ends at DEADLINE (g_get_monotonic_time (); -1: never). */
TtiHttpExchange *tti_http_exchange_new (TtiHttpHost *server, const char *method, const char *path, const char *body,
                                        gsize count, gsize limit, gint64 deadline);

/* Go on until the exchange ends, or the time UNTIL. TRUE if it has ended. */
gboolean tti_http_exchange_advance (TtiHttpExchange *exchange, gint64 until);

/* Its answer, which it owns; NULL, and a copy of its error, if there is none. */
const TtiHttpAnswer *tti_http_exchange_get_answer (TtiHttpExchange *exchange, GError **error);

/* The descriptor of its connection if that can serve for another exchange in another process, else -1. It is the exchange's. */
int tti_http_exchange_get_reusable (TtiHttpExchange *exchange);

/* Give it up, or away: with KEEP its connection may serve the next exchange with its server. */
void tti_http_exchange_free (TtiHttpExchange *exchange, gboolean keep);
