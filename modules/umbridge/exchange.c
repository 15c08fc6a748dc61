/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/fd.h"
#include "umbridge/host-private.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#define CONNECT_TIME (30 * G_TIME_SPAN_SECOND) /* where the caller sets no limit */

/* After how many seconds of silence a peer is asked whether it is still there, how often, and how many times: so a request ends two minutes
 * after the other machine has vanished, however long a model may compute. */
enum
{
  QUIET_TIME = 60,
  PROBE_TIME = 10,
  MOST_PROBES = 6
};

typedef enum
{
  CONNECTING,
  SENDING,
  RECEIVING,
  ENDED
} Stage;

struct _TtiHttpExchange
{
  TtiHttpHost *server;
  GString *request;
  gsize sent;
  gsize limit;
  gint64 deadline, connect_deadline;
  Stage stage;
  GSocketConnection *connection;
  gboolean reused; /* the connection has served others before */
  TtiHttpAnswer *answer;
  GError *error;
  /* While there is no connection: */
  GMainContext *context;
  GSource *timer;
  GCancellable *cancellable;
  gboolean connecting;
};

TtiHttpExchange *
tti_http_exchange_new (TtiHttpHost *server, const char *method, const char *path, const char *body, gsize count,
                       gsize limit, gint64 deadline)
{
  TtiHttpExchange *exchange = g_new0 (TtiHttpExchange, 1);

  exchange->server = server;
  exchange->limit = limit;
  exchange->deadline = deadline;
  exchange->request = g_string_sized_new (count + 512);
  g_string_append_printf (exchange->request, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", method,
                          server->path, path, server->authority);
  if (count > 0)
    g_string_append_printf (exchange->request,
                            "Content-Type: application/json\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n", count);
  g_string_append (exchange->request, "\r\n");
  g_string_append_len (exchange->request, body, (gssize) count);
  exchange->answer = tti_http_answer_new (limit);
  exchange->connection = tti_http_host_take_connection (server);
  exchange->reused = exchange->connection != NULL;
  exchange->stage = exchange->reused ? SENDING : CONNECTING;
  return exchange;
}

static void
fail (TtiHttpExchange *exchange, GError *error)
{
  exchange->error = error;
  exchange->stage = ENDED;
}

/*** Connecting. ***/

/* What GIO says of a connection that could not be made, in our codes. */
static GError *
connection_error (const TtiHttpHost *server, GError *reason)
{
  gboolean wrong = g_error_matches (reason, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND)
                   || reason->domain == G_TLS_ERROR || g_error_matches (reason, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  GError *error = g_error_new (TTI_HTTP_ERROR, wrong ? TTI_HTTP_ERROR_ADDRESS : TTI_HTTP_ERROR_UNREACHABLE,
                               "there is no connection to %s: %s", server->authority, reason->message);

  g_error_free (reason);
  return error;
}

static void
set_options (GSocketConnection *connection)
{
  GSocket *socket = g_socket_connection_get_socket (connection);

  /* A small request must not wait until an earlier one is acknowledged. */
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, NULL);
  g_socket_set_keepalive (socket, TRUE);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPIDLE, QUIET_TIME, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_TIME, NULL);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_KEEPCNT, MOST_PROBES, NULL);
}

/* Where nobody listens on a port of those that clients are given, the kernel may give a client that very port, and connect it with
 * itself. */
static gboolean
is_own_peer (GSocketConnection *connection)
{
  g_autoptr (GSocketAddress) ours = g_socket_connection_get_local_address (connection, NULL);
  g_autoptr (GSocketAddress) theirs = g_socket_connection_get_remote_address (connection, NULL);

  if (!G_IS_INET_SOCKET_ADDRESS (ours) || !G_IS_INET_SOCKET_ADDRESS (theirs))
    return FALSE;
  return g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (ours))
           == g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (theirs))
         && g_inet_address_equal (g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (ours)),
                                  g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (theirs)));
}

static void
connected (GObject *client, GAsyncResult *result, gpointer data)
{
  TtiHttpExchange *exchange = data;
  GError *error = NULL;

  exchange->connecting = FALSE;
  exchange->connection = g_socket_client_connect_to_host_finish (G_SOCKET_CLIENT (client), result, &error);
  if (exchange->connection != NULL && is_own_peer (exchange->connection))
    {
      tti_http_close (g_steal_pointer (&exchange->connection));
      g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED, "nobody listens");
    }
  if (exchange->connection != NULL)
    {
      set_options (exchange->connection);
      exchange->stage = SENDING;
    }
  else if (exchange->error == NULL)
    fail (exchange, connection_error (exchange->server, error));
  else
    g_error_free (error);
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc function G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  g_source_set_ready_time (source, -1);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_functions = { .dispatch = timer_dispatch };

static void
start_connecting (TtiHttpExchange *exchange)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  exchange->connecting = TRUE;
  exchange->connect_deadline = g_get_monotonic_time () + CONNECT_TIME;
  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_set_tls (client, exchange->server->tls);
  g_autofree char *host = strchr (exchange->server->host, ':') != NULL
                            ? g_strdup_printf ("[%s]", exchange->server->host)
                            : g_strdup (exchange->server->host);
  g_socket_client_connect_to_host_async (client, host, exchange->server->port, exchange->cancellable, connected,
                                         exchange);
}

static void
advance_connecting (TtiHttpExchange *exchange, gint64 until)
{
  if (exchange->context == NULL)
    {
      exchange->context = g_main_context_new ();
      exchange->timer = g_source_new (&timer_functions, sizeof (GSource));
      g_source_attach (exchange->timer, exchange->context);
      exchange->cancellable = g_cancellable_new ();
    }
  g_main_context_push_thread_default (exchange->context);
  if (!exchange->connecting)
    start_connecting (exchange);
  until = MIN (until, exchange->connect_deadline);
  g_source_set_ready_time (exchange->timer, until);
  do
    g_main_context_iteration (exchange->context, TRUE);
  while (exchange->connecting && g_get_monotonic_time () < until);
  g_main_context_pop_thread_default (exchange->context);
  if (exchange->connecting && g_get_monotonic_time () >= exchange->connect_deadline)
    fail (exchange, g_error_new (TTI_HTTP_ERROR, TTI_HTTP_ERROR_UNREACHABLE, "there is no connection to %s after %d s",
                                 exchange->server->authority, (int) (CONNECT_TIME / G_TIME_SPAN_SECOND)));
}

/* Nothing may come back to EXCHANGE, which ends. */
static void
stop_connecting (TtiHttpExchange *exchange)
{
  if (exchange->context == NULL)
    return;
  if (exchange->connecting)
    {
      if (exchange->error == NULL)
        exchange->error = g_error_new_literal (TTI_HTTP_ERROR, TTI_HTTP_ERROR_LATE, "given up");
      g_main_context_push_thread_default (exchange->context);
      g_cancellable_cancel (exchange->cancellable);
      while (exchange->connecting)
        g_main_context_iteration (exchange->context, TRUE);
      g_main_context_pop_thread_default (exchange->context);
    }
  g_source_destroy (exchange->timer);
  g_source_unref (exchange->timer);
  g_object_unref (exchange->cancellable);
  g_main_context_unref (exchange->context);
}

/*** Over the connection. ***/

static int
get_descriptor (TtiHttpExchange *exchange)
{
  return g_socket_get_fd (g_socket_connection_get_socket (exchange->connection));
}

/* The connection is lost. A server may close one that is kept at any time, also while a request is on its way: that was not tried. */
static void
lose (TtiHttpExchange *exchange, GError *error)
{
  if (!exchange->reused || exchange->answer->started)
    {
      fail (exchange, error);
      return;
    }
  g_error_free (error);
  tti_http_close (exchange->connection);
  exchange->connection = tti_http_host_take_connection (exchange->server);
  exchange->stage = exchange->connection != NULL ? SENDING : CONNECTING;
  exchange->reused = exchange->connection != NULL;
  exchange->sent = 0;
}

static void
lose_for (TtiHttpExchange *exchange, GError *reason)
{
  GError *error = g_error_new (TTI_HTTP_ERROR, TTI_HTTP_ERROR_LOST, "the connection to %s was lost: %s",
                               exchange->server->authority, reason->message);

  g_error_free (reason);
  lose (exchange, error);
}

static void
send_more (TtiHttpExchange *exchange, gint64 until)
{
  GOutputStream *stream = g_io_stream_get_output_stream (G_IO_STREAM (exchange->connection));
  GError *error = NULL;
  gssize n = g_pollable_output_stream_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (stream),
                                                         exchange->request->str + exchange->sent,
                                                         exchange->request->len - exchange->sent, NULL, &error);

  if (n >= 0)
    {
      exchange->sent += (gsize) n;
      if (exchange->sent == exchange->request->len)
        exchange->stage = RECEIVING;
      return;
    }
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      g_error_free (error);
      /* A server that refuses a request may answer before it has all of it, and read no more. */
      struct pollfd poll_fd = { .fd = get_descriptor (exchange), .events = POLLIN | POLLOUT };
      gint64 left = until - g_get_monotonic_time ();

      if (left > 0 && poll (&poll_fd, 1, (int) (left / 1000 + 1)) > 0
          && (poll_fd.revents & (POLLIN | POLLOUT)) == POLLIN)
        exchange->stage = RECEIVING;
      return;
    }
  /* It may have answered before it closed. */
  if (g_socket_condition_check (g_socket_connection_get_socket (exchange->connection), G_IO_IN) & G_IO_IN)
    {
      g_error_free (error);
      exchange->stage = RECEIVING;
      return;
    }
  lose_for (exchange, error);
}

static void
receive_more (TtiHttpExchange *exchange, gint64 until)
{
  char buffer[65536];
  GInputStream *stream = g_io_stream_get_input_stream (G_IO_STREAM (exchange->connection));
  GError *error = NULL;
  gssize n
    = g_pollable_input_stream_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), buffer, sizeof buffer, NULL, &error);

  if (n > 0)
    {
      if (!tti_http_answer_take (exchange->answer, buffer, (gsize) n, &error))
        fail (exchange, error);
    }
  else if (n == 0)
    {
      if (!tti_http_answer_end (exchange->answer, &error))
        lose (exchange, error);
    }
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      g_error_free (error);
      tti_fd_wait (get_descriptor (exchange), POLLIN, until);
    }
  else
    lose_for (exchange, error);
  if (exchange->stage == RECEIVING && exchange->answer->complete)
    exchange->stage = ENDED;
}

gboolean
tti_http_exchange_advance (TtiHttpExchange *exchange, gint64 until)
{
  if (exchange->deadline >= 0)
    until = MIN (until, exchange->deadline);
  do
    switch (exchange->stage)
      {
      case CONNECTING:
        advance_connecting (exchange, until);
        break;
      case SENDING:
        send_more (exchange, until);
        break;
      case RECEIVING:
        receive_more (exchange, until);
        break;
      case ENDED:
        break;
      }
  while (exchange->stage != ENDED && g_get_monotonic_time () < until);
  if (exchange->stage != ENDED && exchange->deadline >= 0 && g_get_monotonic_time () >= exchange->deadline)
    {
      const char *doing = exchange->stage == CONNECTING ? "there was no connection"
                          : exchange->stage == SENDING  ? "the server did not read the request"
                          : exchange->answer->started   ? "the answer was not complete"
                                                        : "there was no answer";

      fail (exchange, g_error_new (TTI_HTTP_ERROR, TTI_HTTP_ERROR_LATE, "%s in time", doing));
    }
  return exchange->stage == ENDED;
}

const TtiHttpAnswer *
tti_http_exchange_get_answer (TtiHttpExchange *exchange, GError **error)
{
  if (exchange->error == NULL)
    return exchange->answer;
  if (error != NULL)
    *error = g_error_copy (exchange->error);
  return NULL;
}

static gboolean
is_reusable (TtiHttpExchange *exchange)
{
  return exchange->connection != NULL && exchange->stage == ENDED && exchange->error == NULL
         && exchange->answer->keep_alive && exchange->sent == exchange->request->len;
}

int
tti_http_exchange_get_reusable (TtiHttpExchange *exchange)
{
  return is_reusable (exchange) && !exchange->server->tls ? get_descriptor (exchange) : -1;
}

void
tti_http_exchange_free (TtiHttpExchange *exchange, gboolean keep)
{
  if (exchange == NULL)
    return;
  stop_connecting (exchange);
  if (keep && is_reusable (exchange))
    tti_http_host_keep_connection (exchange->server, exchange->connection);
  else
    tti_http_close (exchange->connection);
  tti_http_answer_free (exchange->answer);
  g_string_free (exchange->request, TRUE);
  g_clear_error (&exchange->error);
  g_free (exchange);
}
