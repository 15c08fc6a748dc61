/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One connection. SoupServer reads and writes; whether its peer keeps to the bounds is seen from outside: by what it has sent, and by what
 * the kernel counts. A client that does not is told so past SoupServer, which has not begun to answer then, and reads on until the client
 * has stopped: if the connection was closed at once, the kernel would take back what the client has not read. */
#include "http/server-private.h"
#include "platform/error.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Whoever has sent or taken so many bytes in a second is alive, however long it takes in all. */
enum
{
  LEAST_RATE = 1000
};

/* A client that was refused has so long to read why. */
#define TO_READ_WHY (2 * G_TIME_SPAN_SECOND)

/* A connection that has been idle for less than this may be about to send something: others do not get its place. */
#define LEAST_IDLE G_TIME_SPAN_SECOND

/* At most so many clients are being told that they are refused; others are cut. */
enum
{
  MOST_REFUSED = 64
};

/* How many bytes have come from the peer of SOCKET, or it has acknowledged. */
static guint64
count_bytes (GSocket *socket, gboolean sent)
{
  struct tcp_info info;
  socklen_t size = sizeof info;

  memset (&info, 0, sizeof info);
  if (g_socket_is_closed (socket) || getsockopt (g_socket_get_fd (socket), IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
    return 0;
  return sent ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
}

static gboolean
is_busy (TtiHttpClientState state)
{
  return state == CLIENT_WAITING || state == CLIENT_WRITING;
}

static void
note_busy (TtiHttpServer *server, gboolean before, gboolean after)
{
  if (before == after)
    return;
  tti_lock_take (&server->lock);
  server->n_open += after ? 1 : -1;
  if (!after)
    g_cond_broadcast (&server->changed);
  tti_lock_release (&server->lock);
}

static void
stop_watching (TtiHttpClient *client)
{
  if (client->hangup == NULL)
    return;
  g_source_destroy (client->hangup);
  g_clear_pointer (&client->hangup, g_source_unref);
}

/* End the connection as it is. */
static void
cut (TtiHttpClient *client)
{
  if (!g_socket_is_closed (client->socket))
    g_socket_shutdown (client->socket, TRUE, TRUE, NULL);
}

static gboolean
hung_up (GSocket *socket, GIOCondition condition, gpointer data)
{
  TtiHttpClient *client = data;

  (void) socket;
  (void) condition;
  stop_watching (client);
  cut (client);
  if (client->request != NULL)
    tti_http_request_lose (g_steal_pointer (&client->request));
  return G_SOURCE_REMOVE;
}

/* SoupServer does not look at the socket while a request waits. A peer that says it will send no more has gone. */
static void
watch (TtiHttpClient *client)
{
  client->hangup = g_socket_create_source (client->socket, (GIOCondition) (POLLRDHUP | POLLHUP | POLLERR), NULL);
  g_source_set_callback (client->hangup, G_SOURCE_FUNC (hung_up), client, NULL);
  g_source_attach (client->hangup, client->server->context);
}

void
tti_http_client_set_state (TtiHttpClient *client, TtiHttpClientState state)
{
  TtiHttpServer *server = client->server;

  note_busy (server, is_busy (client->state), is_busy (state));
  server->n_refused += (guint) (state == CLIENT_REFUSED) - (guint) (client->state == CLIENT_REFUSED);
  stop_watching (client);
  client->state = state;
  client->since = client->progress = g_get_monotonic_time ();
  client->start = client->last = count_bytes (client->socket, state == CLIENT_WRITING);
  if (state == CLIENT_WAITING)
    watch (client);
}

/* Tell CLIENT, which has no answer yet, why it gets none. */
static void
refuse (TtiHttpClient *client, guint status, const char *text)
{
  TtiHttpServer *server = client->server;
  GString *body, *answer;

  if (client->state == CLIENT_REFUSED || is_busy (client->state))
    return;
  body = server->handlers.describe (status, text, server->data);
  answer = g_string_new (NULL);
  g_string_append_printf (
    answer, "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %" G_GSIZE_FORMAT "\r\nConnection: close\r\n%s\r\n",
    status, soup_status_get_phrase (status), body->len, status == SOUP_STATUS_SERVICE_UNAVAILABLE ? "Retry-After: 1\r\n" : "");
  g_string_append_len (answer, body->str, (gssize) body->len);
  g_socket_send (client->socket, answer->str, answer->len, NULL, NULL);
  g_socket_shutdown (client->socket, FALSE, TRUE, NULL);
  g_string_free (answer, TRUE);
  g_string_free (body, TRUE);
  tti_http_body_free (g_steal_pointer (&client->body), server->bytes_held);
  tti_http_client_set_state (client, CLIENT_REFUSED);
  tti_lock_take (&server->lock);
  server->counts.refusals++;
  tti_lock_release (&server->lock);
}

/* Reading a request. */

/* Is there room for N more bytes of CLIENT? If not, it is refused. */
static gboolean
check_room (TtiHttpClient *client, guint64 n)
{
  const TtiHttpOptions *options = &client->server->options;
  guint64 own = client->body != NULL ? client->body->len : 0,
          held = (guint64) g_atomic_pointer_get ((gpointer *) client->server->bytes_held);
  g_autofree char *text = NULL;

  if (own + n > options->most_bytes)
    {
      text = g_strdup_printf ("the request has %s%" G_GUINT64_FORMAT " bytes; this server takes %" G_GSIZE_FORMAT,
                              own > 0 ? "at least " : "", own + n, options->most_bytes);
      refuse (client, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE, text);
    }
  else if (held + n > options->most_bytes_held)
    refuse (client, SOUP_STATUS_SERVICE_UNAVAILABLE, "other requests fill the memory that this server has for them; try again later");
  return client->state != CLIENT_REFUSED;
}

TtiHttpClient *
tti_http_client_find (TtiHttpServer *server, SoupServerMessage *message)
{
  return g_hash_table_lookup (server->clients, soup_server_message_get_remote_address (message));
}

static void
got_headers (SoupServerMessage *message, TtiHttpServer *server)
{
  TtiHttpClient *client = tti_http_client_find (server, message);
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  goffset length;

  /* What it sends is kept here, where it is counted. */
  soup_message_body_set_accumulate (soup_server_message_get_request_body (message), FALSE);
  if (client == NULL || client->state == CLIENT_REFUSED)
    return;
  if (client->state == CLIENT_IDLE)
    tti_http_client_set_state (client, CLIENT_READING);
  if (soup_message_headers_get_encoding (headers) != SOUP_ENCODING_CONTENT_LENGTH)
    return;
  length = soup_message_headers_get_content_length (headers);
  if (length >= 0)
    {
      check_room (client, (guint64) length);
      return;
    }
  /* SoupServer would go on with it. */
  refuse (client, SOUP_STATUS_BAD_REQUEST, "the length of the request is negative");
  g_object_unref (soup_server_message_steal_connection (message));
}

static void
got_chunk (SoupServerMessage *message, GBytes *chunk, TtiHttpServer *server)
{
  TtiHttpClient *client = tti_http_client_find (server, message);
  gsize size = g_bytes_get_size (chunk);

  if (client == NULL || client->state != CLIENT_READING || !check_room (client, size))
    return;
  if (client->body == NULL)
    client->body = g_byte_array_new ();
  g_atomic_pointer_add (server->bytes_held, (gssize) size);
  g_byte_array_append (client->body, g_bytes_get_data (chunk, NULL), (guint) size);
}

static void
finished (SoupServerMessage *message, TtiHttpServer *server)
{
  TtiHttpClient *client = tti_http_client_find (server, message);

  if (client != NULL && client->state == CLIENT_WRITING)
    tti_http_client_set_state (client, CLIENT_IDLE);
}

void
tti_http_client_start_request (SoupServer *soup, SoupServerMessage *message, TtiHttpServer *server)
{
  TtiHttpClient *client = tti_http_client_find (server, message);

  (void) soup;
  g_signal_connect (message, "got-headers", G_CALLBACK (got_headers), server);
  g_signal_connect (message, "got-chunk", G_CALLBACK (got_chunk), server);
  g_signal_connect (message, "finished", G_CALLBACK (finished), server);
  if (client != NULL && client->state != CLIENT_REFUSED && client->state != CLIENT_IDLE)
    tti_http_client_set_state (client, CLIENT_IDLE);
}

/* Supervision. */

/* How much longer CLIENT, whose peer has to do something, may take: 0 if it has taken too long. */
static gboolean
is_late (TtiHttpClient *client, gint64 now)
{
  double patience = client->server->options.patience * G_TIME_SPAN_SECOND;
  guint64 bytes = count_bytes (client->socket, client->state == CLIENT_WRITING);

  if (bytes != client->last)
    {
      client->last = bytes;
      client->progress = now;
    }
  return (double) (now - client->progress) > patience
         || (double) (now - client->since) > patience + (double) (bytes - client->start) * G_TIME_SPAN_SECOND / LEAST_RATE;
}

static void
look_at (TtiHttpClient *client, gint64 now)
{
  switch (client->state)
    {
    case CLIENT_IDLE:
      /* A request whose head is not complete. */
      if (count_bytes (client->socket, FALSE) != client->start)
        tti_http_client_set_state (client, CLIENT_READING);
      break;
    case CLIENT_READING:
      if (is_late (client, now))
        refuse (client, SOUP_STATUS_REQUEST_TIMEOUT, "the request came too slowly, or was not complete");
      break;
    case CLIENT_WAITING:
      break;
    case CLIENT_WRITING:
      if (is_late (client, now))
        cut (client);
      break;
    case CLIENT_REFUSED:
      if (now - client->since > TO_READ_WHY)
        cut (client);
      break;
    }
}

void
tti_http_client_supervise (TtiHttpServer *server)
{
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer client;

  g_hash_table_iter_init (&iter, server->clients);
  while (g_hash_table_iter_next (&iter, NULL, &client))
    if (g_socket_is_closed (((TtiHttpClient *) client)->socket))
      g_hash_table_iter_remove (&iter);
    else
      look_at (client, now);
}

/* Coming and going. */

/* Cut the connection that has been idle longest. */
static gboolean
make_place (TtiHttpServer *server)
{
  gint64 first = g_get_monotonic_time () - LEAST_IDLE;
  TtiHttpClient *idle = NULL;
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, server->clients);
  while (g_hash_table_iter_next (&iter, NULL, &data))
    {
      TtiHttpClient *client = data;

      if (client->state == CLIENT_IDLE && client->since < first && count_bytes (client->socket, FALSE) == client->start)
        {
          idle = client;
          first = client->since;
        }
    }
  if (idle == NULL)
    return FALSE;
  cut (idle);
  g_hash_table_remove (server->clients, idle->name);
  return TRUE;
}

static gboolean
has_place (TtiHttpServer *server)
{
  guint most = server->options.most_clients;

  if (g_hash_table_size (server->clients) - server->n_refused < most)
    return TRUE;
  tti_http_client_supervise (server);
  return g_hash_table_size (server->clients) - server->n_refused < most || make_place (server);
}

void
tti_http_client_accept (TtiHttpServer *server, GSocket *socket)
{
  g_autoptr (GSocketConnection) connection = g_socket_connection_factory_create_connection (socket);
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, NULL), remote = g_socket_get_remote_address (socket, NULL);
  gboolean place = has_place (server);
  TtiHttpClient *client;

  if (local == NULL || remote == NULL || (!place && server->n_refused >= MOST_REFUSED))
    return; /* it has gone already, or is cut */
  client = g_new0 (TtiHttpClient, 1);
  client->server = server;
  client->socket = g_object_ref (socket);
  client->name = g_steal_pointer (&remote);
  g_hash_table_insert (server->clients, client->name, client);
  tti_http_client_set_state (client, CLIENT_IDLE);
  client->start = client->last = 0; /* something may have come already */
  tti_lock_take (&server->lock);
  server->counts.connections++;
  server->counts.clients++;
  tti_lock_release (&server->lock);
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
  g_socket_set_keepalive (socket, TRUE);
  if (!place)
    refuse (client, SOUP_STATUS_SERVICE_UNAVAILABLE, "this server has as many clients as it takes; try again later");
  soup_server_accept_iostream (server->soup, G_IO_STREAM (connection), local, client->name, NULL);
}

void
tti_http_client_free (TtiHttpClient *client)
{
  stop_watching (client);
  cut (client);
  if (client->request != NULL)
    tti_http_request_lose (g_steal_pointer (&client->request));
  note_busy (client->server, is_busy (client->state), FALSE);
  tti_lock_take (&client->server->lock);
  client->server->counts.clients--;
  tti_lock_release (&client->server->lock);
  client->server->n_refused -= client->state == CLIENT_REFUSED;
  tti_http_body_free (client->body, client->server->bytes_held);
  g_object_unref (client->socket);
  g_object_unref (client->name);
  g_free (client);
}
