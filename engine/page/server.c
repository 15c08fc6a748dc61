/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/server.h"
#include "page/client.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, SUPERVISION_MS = 250, MOST_REFUSED = 64 };

struct _TtiPageServer
{
  SoupServer *soup;
  GPtrArray *sources;   /* of GSource: one for each listener, which it owns */
  GSource *supervision;
  GHashTable *clients;  /* name -> TtiPageClient, owned */
  char *token;
  guint16 port;
  TtiPageAnswer answer;
  gpointer data;
};

/* --- answers ----------------------------------------------------------------------------------------------------------------- */

void
tti_page_answer_text (SoupServerMessage *message, guint status, const char *text)
{
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  gsize length = strlen (line);

  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "text/plain; charset=utf-8", SOUP_MEMORY_TAKE, g_steal_pointer (&line), length);
}

void
tti_page_answer_bytes (SoupServerMessage *message, const char *type, GBytes *bytes)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_message_headers_replace (headers, "Content-Type", type);
  soup_message_body_append_bytes (soup_server_message_get_response_body (message), bytes);
}

/* Headers for all answers. */
static void
set_headers (SoupServerMessage *message)
{
  static const char *const fields[][2] = {
    { "Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                                 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "DENY" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cache-Control", "no-store" },
    { "Connection", "close" },
  };
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    soup_message_headers_replace (headers, fields[i][0], fields[i][1]);
}

/* --- who may ask ------------------------------------------------------------------------------------------------------------- */

/* Is it this machine's loopback interface that the client means? Any port: another one may lead here, through ssh. */
static gboolean
is_host_ours (SoupServerMessage *message)
{
  static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };
  const char *host = soup_message_headers_get_one (soup_server_message_get_request_headers (message), "Host");

  for (guint i = 0; host != NULL && i < G_N_ELEMENTS (names); i++)
    {
      gsize length = strlen (names[i]);

      if (g_ascii_strncasecmp (host, names[i], length) == 0
          && (host[length] == '\0' || (host[length] == ':' && strspn (host + length + 1, "0123456789") == strlen (host + length + 1))))
        return TRUE;
    }
  return FALSE;
}

/* The time that it takes does not tell how much of it is right. */
static gboolean
is_token_right (const TtiPageServer *server, const char *given)
{
  gsize length = strlen (server->token);
  guchar difference = 0;

  if (given == NULL || strlen (given) != length)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    difference |= (guchar) (given[i] ^ server->token[i]);
  return difference == 0;
}

/* Answer with a refusal, if MESSAGE is to be refused. */
static gboolean
refuse (TtiPageServer *server, SoupServerMessage *message, GHashTable *query)
{
  const char *method = soup_server_message_get_method (message);
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);

  if (!is_host_ours (message))
    tti_page_answer_text (message, SOUP_STATUS_FORBIDDEN, "this page has no other name than 127.0.0.1 or localhost");
  else if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0)
    {
      tti_page_answer_text (message, SOUP_STATUS_METHOD_NOT_ALLOWED, "this page can only be read: GET and HEAD");
      soup_message_headers_replace (soup_server_message_get_response_headers (message), "Allow", "GET, HEAD");
    }
  else if (!is_token_right (server, query != NULL ? g_hash_table_lookup (query, "token") : NULL))
    tti_page_answer_text (message, SOUP_STATUS_FORBIDDEN,
                          "the token is missing or wrong: use the whole address that the job has written to its standard error");
  else if (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CHUNKED
           || soup_message_headers_get_content_length (headers) != 0)
    tti_page_answer_text (message, SOUP_STATUS_BAD_REQUEST, "a request has no contents here");
  else
    return FALSE;
  return TRUE;
}

static TtiPageClient *
find_client (TtiPageServer *server, SoupServerMessage *message)
{
  GSocketAddress *name = soup_server_message_get_remote_address (message);

  return name != NULL ? g_hash_table_lookup (server->clients, name) : NULL;
}

/* A request's head is complete. What is refused is refused now: its body is not waited for. */
static void
handle_early (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer data)
{
  (void) soup;
  (void) path;
  /* Nobody needs what it sends. */
  soup_message_body_set_accumulate (soup_server_message_get_request_body (message), FALSE);
  set_headers (message);
  (void) refuse (data, message, query);
}

static void
handle (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer data)
{
  TtiPageServer *server = data;
  TtiPageClient *client = find_client (server, message);

  (void) soup;
  set_headers (message);
  if (client == NULL || client->refused != 0)
    tti_page_answer_text (message, SOUP_STATUS_SERVICE_UNAVAILABLE, "the connection was given up");
  else
    {
      client->answered = TRUE;
      client->moved = g_get_monotonic_time ();
      tti_page_client_set_message (client, message);
      if (!refuse (server, message, query))
        server->answer (message, path, server->data);
    }
}

/* --- connections ------------------------------------------------------------------------------------------------------------- */

static gboolean
supervise (gpointer data)
{
  TtiPageServer *server = data;
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer client;

  g_hash_table_iter_init (&iter, server->clients);
  while (g_hash_table_iter_next (&iter, NULL, &client))
    if (!tti_page_client_look (client, now))
      g_hash_table_iter_remove (&iter);
  return G_SOURCE_CONTINUE;
}

static void
take_connection (TtiPageServer *server, GSocket *socket)
{
  if (g_hash_table_size (server->clients) >= TTI_PAGE_MOST_CLIENTS)
    (void) supervise (server); /* some may have gone */
  guint n = g_hash_table_size (server->clients);
  g_autoptr (GSocketConnection) connection = g_socket_connection_factory_create_connection (socket);
  g_autoptr (GSocketAddress) local = g_socket_get_local_address (socket, NULL);
  TtiPageClient *client = local != NULL && n < TTI_PAGE_MOST_CLIENTS + MOST_REFUSED ? tti_page_client_new (socket) : NULL;

  if (client == NULL)
    return; /* it has gone, or is cut */
  g_hash_table_insert (server->clients, client->name, client);
  if (n >= TTI_PAGE_MOST_CLIENTS)
    tti_page_client_refuse (client, SOUP_STATUS_SERVICE_UNAVAILABLE, "too many look at this page; come again later");
  else
    soup_server_accept_iostream (server->soup, G_IO_STREAM (connection), local, client->name, NULL);
}

static gboolean
accept_some (GSocket *listener, GIOCondition condition, gpointer data)
{
  (void) condition;
  for (int i = 0; i < 32; i++)
    {
      int fd = tti_fd_accept (g_socket_get_fd (listener));
      g_autoptr (GSocket) socket = fd >= 0 ? g_socket_new_from_fd (fd, NULL) : NULL;

      if (socket != NULL)
        take_connection (data, socket);
      else if (fd >= 0)
        close (fd);
      else
        break;
    }
  return G_SOURCE_CONTINUE;
}

static void
request_ended (SoupServer *soup, SoupServerMessage *message, gpointer data)
{
  TtiPageServer *server = data;
  TtiPageClient *client = find_client (server, message);

  (void) soup;
  /* The rest of the answer may be on its way to the peer still: the socket is SoupServer's to close, and supervision notices that. */
  if (client == NULL)
    return;
  client->answered = TRUE;
  tti_page_client_set_message (client, NULL);
}

/* --- listening --------------------------------------------------------------------------------------------------------------- */

static GSocket *
listen_at (const char *host, guint16 port, GError **error)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, port);
  g_autoptr (GSocket) socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);

  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  g_socket_set_listen_backlog (socket, BACKLOG);
  if (!g_socket_bind (socket, address, TRUE, error) || !g_socket_listen (socket, error))
    return NULL;
  return g_steal_pointer (&socket);
}

static void
add_listener (TtiPageServer *server, GSocket *listener)
{
  GSource *source = g_socket_create_source (listener, G_IO_IN, NULL);

  g_source_set_static_name (source, "[tutti] page listener");
  g_source_set_callback (source, G_SOURCE_FUNC (accept_some), server, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  g_ptr_array_add (server->sources, source);
}

static gboolean
listen_everywhere (TtiPageServer *server, guint16 port, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GSocket) socket = listen_at ("127.0.0.1", port, &problem);
  g_autoptr (GSocketAddress) bound = socket != NULL ? g_socket_get_local_address (socket, &problem) : NULL;

  if (bound == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "cannot listen at port %u of 127.0.0.1: %s", port, problem->message);
      return FALSE;
    }
  server->port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  add_listener (server, socket);
  g_autoptr (GSocket) six = listen_at ("::1", server->port, NULL);

  if (six != NULL)
    add_listener (server, six);
  return TRUE;
}

static void
destroy_source (gpointer source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

TtiPageServer *
tti_page_server_new (guint16 port, const char *token, TtiPageAnswer answer, gpointer data, GError **error)
{
  TtiPageServer *server = g_new0 (TtiPageServer, 1);

  server->sources = g_ptr_array_new_with_free_func (destroy_source);
  server->clients = g_hash_table_new_full (NULL, NULL, NULL, tti_page_client_free);
  server->token = g_strdup (token);
  server->answer = answer;
  server->data = data;
  server->soup = soup_server_new ("server-header", "Tutti", NULL);
  soup_server_add_early_handler (server->soup, NULL, handle_early, server, NULL);
  soup_server_add_handler (server->soup, NULL, handle, server, NULL);
  g_signal_connect (server->soup, "request-finished", G_CALLBACK (request_ended), server);
  g_signal_connect (server->soup, "request-aborted", G_CALLBACK (request_ended), server);
  server->supervision = g_timeout_source_new (SUPERVISION_MS);
  g_source_set_static_name (server->supervision, "[tutti] page supervision");
  g_source_set_callback (server->supervision, supervise, server, NULL);
  g_source_attach (server->supervision, g_main_context_get_thread_default ());
  if (listen_everywhere (server, port, error))
    return server;
  tti_page_server_free (server);
  return NULL;
}

void
tti_page_server_close (TtiPageServer *server)
{
  g_ptr_array_set_size (server->sources, 0);
}

void
tti_page_server_free (TtiPageServer *server)
{
  if (server == NULL)
    return;
  tti_page_server_close (server);
  destroy_source (server->supervision);
  g_ptr_array_unref (server->sources);
  g_hash_table_unref (server->clients);
  soup_server_disconnect (server->soup);
  g_object_unref (server->soup);
  g_free (server->token);
  g_free (server);
}

guint16
tti_page_server_get_port (const TtiPageServer *server)
{
  return server->port;
}

guint
tti_page_server_count_clients (const TtiPageServer *server)
{
  return g_hash_table_size (server->clients);
}
