/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "http/server.h"
#include "http/server-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/thread.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How often all clients are looked at, ms. */
enum
{
  SUPERVISION = 250
};

/* Connections that the kernel keeps until they are accepted, and how many are accepted before others have their turn. */
enum
{
  BACKLOG = 1024,
  AT_ONCE = 32
};

void
tti_http_body_free (GByteArray *body, gsize *bytes_held)
{
  if (body == NULL)
    return;
  g_atomic_pointer_add (bytes_held, -(gssize) body->len);
  g_byte_array_unref (body);
}

/* (g_main_context_invoke () would call it here and now, if the thread had not begun.) */
void
tti_http_server_post (TtiHttpServer *server, GSourceFunc function, gpointer data, GDestroyNotify destroy)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, data, destroy);
  g_source_attach (source, server->context);
  g_source_unref (source);
}

/* Accepting. */

static gboolean accept_some (GSocket *listener, GIOCondition condition, gpointer data);

static void
start_accepting (TtiHttpServer *server)
{
  if (server->listener == NULL || server->accepting != NULL)
    return;
  server->accepting = g_socket_create_source (server->listener, G_IO_IN, NULL);
  g_source_set_callback (server->accepting, G_SOURCE_FUNC (accept_some), server, NULL);
  g_source_attach (server->accepting, server->context);
}

static void
stop_accepting (TtiHttpServer *server)
{
  if (server->accepting == NULL)
    return;
  g_source_destroy (server->accepting);
  g_clear_pointer (&server->accepting, g_source_unref);
}

static gboolean
supervise (gpointer data)
{
  TtiHttpServer *server = data;

  tti_http_client_supervise (server);
  start_accepting (server);
  if (g_hash_table_size (server->clients) > 0 || (server->listener != NULL && server->accepting == NULL))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&server->supervision, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
start_supervision (TtiHttpServer *server)
{
  if (server->supervision != NULL)
    return;
  server->supervision = g_timeout_source_new (SUPERVISION);
  g_source_set_callback (server->supervision, supervise, server, NULL);
  g_source_attach (server->supervision, server->context);
}

static gboolean
accept_some (GSocket *listener, GIOCondition condition, gpointer data)
{
  TtiHttpServer *server = data;

  (void) condition;
  start_supervision (server);
  for (int i = 0; i < AT_ONCE; i++)
    {
      g_autoptr (GSocket) socket = NULL;
      int fd = tti_fd_accept (g_socket_get_fd (listener));

      if (fd < 0)
        {
          /* Without descriptors or memory it is tried again when all clients have been looked at. */
          if (tti_errno_is_shortage (errno))
            stop_accepting (server);
          break;
        }
      socket = g_socket_new_from_fd (fd, NULL);
      if (socket == NULL)
        close (fd);
      else
        tti_http_client_accept (server, socket);
    }
  return G_SOURCE_CONTINUE;
}

/* Listening. */

static GSocket *
listen_at (const TtiHttpOptions *options, guint16 *port, GError **error)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (options->address, options->port), bound = NULL;
  g_autoptr (GSocket) socket = NULL;

  if (address == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                   "'%s' is no address to listen at; expected digits, as in 127.0.0.1, 0.0.0.0 or ::1", options->address);
      return NULL;
    }
  socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);
  if (socket == NULL)
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  g_socket_set_listen_backlog (socket, BACKLOG);
  if (!g_socket_bind (socket, address, TRUE, error) || !g_socket_listen (socket, error)
      || (bound = g_socket_get_local_address (socket, error)) == NULL)
    {
      g_prefix_error (error, "cannot listen at %s, port %u: ", options->address, options->port);
      return NULL;
    }
  *port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound));
  return g_steal_pointer (&socket);
}

/* SoupServer ends each connection after one request unless it listens somewhere itself, but it does not accept as it is needed here. So it
 * listens where nobody connects: at a name that the kernel has chosen. */
static GSocket *
listen_nowhere (GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  GSocket *socket = NULL;

  if (fd < 0 || bind (fd, (struct sockaddr *) &address, sizeof (sa_family_t)) < 0 || listen (fd, 1) < 0)
    tti_set_errno (error, errno, "cannot make a socket for a server");
  else
    socket = g_socket_new_from_fd (fd, error);
  if (socket == NULL && fd >= 0)
    close (fd);
  return socket;
}

/* The thread. */

static gpointer
run (gpointer data)
{
  TtiHttpServer *server = data;

  g_main_context_push_thread_default (server->context);
  start_accepting (server);
  g_main_loop_run (server->loop);
  stop_accepting (server);
  if (server->supervision != NULL)
    g_source_destroy (server->supervision);
  g_clear_pointer (&server->supervision, g_source_unref);
  g_hash_table_remove_all (server->clients);
  soup_server_disconnect (server->soup);
  /* SoupServer notices that the connections have ended. */
  while (g_main_context_iteration (server->context, FALSE))
    ;
  g_clear_object (&server->soup);
  g_main_context_pop_thread_default (server->context);
  return NULL;
}

static SoupServer *
make_soup (TtiHttpServer *server, GError **error)
{
  g_autoptr (GSocket) nowhere = listen_nowhere (error);
  SoupServer *soup;
  gboolean listens;

  if (nowhere == NULL)
    return NULL;
  soup = soup_server_new ("server-header", "Tutti ", "raw-paths", TRUE, NULL);
  soup_server_add_handler (soup, NULL, tti_http_request_hand_out, server, NULL);
  g_signal_connect (soup, "request-started", G_CALLBACK (tti_http_client_start_request), server);
  g_main_context_push_thread_default (server->context);
  listens = soup_server_listen_socket (soup, nowhere, 0, error);
  g_main_context_pop_thread_default (server->context);
  if (!listens)
    g_clear_object (&soup);
  return soup;
}

static void
clear (TtiHttpServer *server)
{
  g_clear_object (&server->soup);
  g_clear_object (&server->listener);
  g_hash_table_destroy (server->clients);
  g_main_loop_unref (server->loop);
  g_main_context_unref (server->context);
  g_atomic_rc_box_release (server->bytes_held);
  g_cond_clear (&server->changed);
  tti_lock_clear (&server->lock);
  g_free (server);
}

TtiHttpServer *
tti_http_server_new (const TtiHttpOptions *options, const TtiHttpHandlers *handlers, gpointer data, GError **error)
{
  TtiHttpServer *server;
  guint16 port;
  GSocket *listener = listen_at (options, &port, error);

  if (listener == NULL)
    return NULL;
  server = g_new0 (TtiHttpServer, 1);
  server->options = *options;
  server->handlers = *handlers;
  server->data = data;
  server->port = port;
  server->listener = listener;
  server->context = g_main_context_new ();
  server->loop = g_main_loop_new (server->context, FALSE);
  server->bytes_held = g_atomic_rc_box_new0 (gsize);
  server->clients = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) tti_http_client_free);
  g_cond_init (&server->changed);
  server->soup = make_soup (server, error);
  if (server->soup != NULL)
    server->thread = tti_thread_start ("tutti-http", run, server, error);
  if (server->thread == NULL)
    {
      clear (server);
      return NULL;
    }
  return server;
}

guint16
tti_http_server_get_port (TtiHttpServer *server)
{
  return server->port;
}

void
tti_http_server_get_counts (TtiHttpServer *server, TtiHttpCounts *counts)
{
  tti_lock_take (&server->lock);
  *counts = server->counts;
  tti_lock_release (&server->lock);
}

/* Ending. */

static gboolean
close_listener (gpointer data)
{
  TtiHttpServer *server = data;

  stop_accepting (server);
  if (server->listener != NULL)
    g_socket_close (server->listener, NULL);
  g_clear_object (&server->listener);
  return G_SOURCE_REMOVE;
}

void
tti_http_server_close (TtiHttpServer *server)
{
  gboolean again;

  tti_lock_take (&server->lock);
  again = server->closed;
  server->closed = TRUE;
  tti_lock_release (&server->lock);
  if (!again)
    tti_http_server_post (server, close_listener, server, NULL);
}

gboolean
tti_http_server_drain (TtiHttpServer *server, gint64 duration)
{
  gint64 deadline = g_get_monotonic_time () + duration;
  gboolean done;

  tti_lock_take (&server->lock);
  while (server->n_open > 0 && tti_lock_wait (&server->lock, &server->changed, deadline))
    ;
  done = server->n_open == 0;
  tti_lock_release (&server->lock);
  return done;
}

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (((TtiHttpServer *) data)->loop);
  return G_SOURCE_REMOVE;
}

void
tti_http_server_free (TtiHttpServer *server)
{
  if (server == NULL)
    return;
  tti_http_server_close (server);
  tti_http_server_post (server, quit, server, NULL);
  g_thread_join (server->thread);
  clear (server);
}
