/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Servers: their addresses, the connections to them that are not in use, and which of them had better be left alone for a while. */
#include "platform/fd.h"
#include "platform/fork.h"
#include "umbridge/host-private.h"
#include <string.h>

#define FIRST_PAUSE (50 * G_TIME_SPAN_MILLISECOND)
#define MOST_PAUSES 6 /* the last is 3.2 s */
#define MOST_PAUSE 60.0

/* Connections beyond are closed. */
enum
{
  MOST_IDLE = 64
};

static GMutex lock;
static GHashTable *servers; /* by URL; they stay, as few are ever named */

static void
take_lock (void)
{
  g_mutex_lock (&lock);
}

static void
give_lock (void)
{
  g_mutex_unlock (&lock);
}

/* The connections belong to the process that has been copied: what this one sent over them would be answers there. */
static void
own_after_fork (void)
{
  GHashTableIter iter;
  gpointer server;

  if (servers == NULL)
    return;
  g_hash_table_iter_init (&iter, servers);
  while (g_hash_table_iter_next (&iter, NULL, &server))
    g_queue_init (&((TtiHttpHost *) server)->idle);
}

static TtiHttpHost *
refuse (GError **error, const char *url, const char *why)
{
  g_autofree char *shown = tti_http_show ((const guint8 *) url, strlen (url));

  g_set_error (error, TTI_HTTP_ERROR, TTI_HTTP_ERROR_ADDRESS,
               "\"%s\" is no address of a server: %s; expected \"http://host:port\"", shown, why);
  return NULL;
}

static TtiHttpHost *
server_new (const char *url, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_ENCODED_PATH, &reason);

  if (uri == NULL)
    return refuse (error, url, reason->message);
  const char *scheme = g_uri_get_scheme (uri), *host = g_uri_get_host (uri);
  gboolean tls = strcmp (scheme, "https") == 0;

  if (!tls && strcmp (scheme, "http") != 0)
    return refuse (error, url, "it begins neither with http:// nor with https://");
  if (host == NULL || *host == '\0')
    return refuse (error, url, "it names no host");
  if (g_uri_get_userinfo (uri) != NULL || g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL)
    return refuse (error, url, "it has more than host, port and path");
  for (const char *c = url; *c != '\0'; c++)
    if ((guchar)*c <= ' ' || *c == 0x7f)
      return refuse (error, url, "it has a space or a control character");
  TtiHttpHost *server = g_new0 (TtiHttpHost, 1);
  int port = g_uri_get_port (uri);
  const char *path = g_uri_get_path (uri);
  gsize length = strlen (path);

  while (length > 0 && path[length - 1] == '/')
    length--;
  server->tls = tls;
  server->port = port > 0 ? (guint16) port : tls ? 443 : 80;
  server->host = g_strdup (host);
  server->path = g_strndup (path, length);
  server->authority = strchr (host, ':') != NULL ? g_strdup_printf ("[%s]:%u", host, server->port)
                                                 : g_strdup_printf ("%s:%u", host, server->port);
  server->url = g_strdup_printf ("%s://%s%s", scheme, server->authority, server->path);
  g_queue_init (&server->idle);
  return server;
}

static void
server_free (TtiHttpHost *server)
{
  g_free (server->host);
  g_free (server->path);
  g_free (server->authority);
  g_free (server->url);
  g_free (server);
}

TtiHttpHost *
tti_http_host_find (const char *url, GError **error)
{
  static gsize protected = 0;
  TtiHttpHost *made = server_new (url, error), *known;

  if (made == NULL)
    return NULL;
  if (g_once_init_enter (&protected))
    {
      tti_fork_protect (take_lock, give_lock, own_after_fork);
      g_once_init_leave (&protected, 1);
    }
  take_lock ();
  if (servers == NULL)
    servers = g_hash_table_new (g_str_hash, g_str_equal);
  known = g_hash_table_lookup (servers, made->url);
  if (known == NULL)
    g_hash_table_insert (servers, made->url, made);
  give_lock ();
  if (known != NULL)
    server_free (made);
  return known != NULL ? known : made;
}

const char *
tti_http_host_get_url (const TtiHttpHost *server)
{
  return server->url;
}

void
tti_http_host_pause (TtiHttpHost *server, double seconds)
{
  take_lock ();
  gint64 pause = FIRST_PAUSE << server->n_failures;

  if (server->n_failures < MOST_PAUSES)
    server->n_failures++;
  pause = MAX (pause, (gint64) (CLAMP (seconds, 0, MOST_PAUSE) * G_TIME_SPAN_SECOND));
  server->pause = g_get_monotonic_time () + pause;
  give_lock ();
}

void
tti_http_host_praise (TtiHttpHost *server)
{
  take_lock ();
  server->n_failures = 0;
  server->pause = 0;
  give_lock ();
}

gint64
tti_http_host_get_pause (TtiHttpHost *server)
{
  take_lock ();
  gint64 pause = server->pause;

  give_lock ();
  return pause;
}

/* Is nothing to be read from CONNECTION, neither bytes nor its end? */
static gboolean
is_quiet (GSocketConnection *connection)
{
  return g_socket_condition_check (g_socket_connection_get_socket (connection), G_IO_IN | G_IO_HUP | G_IO_ERR) == 0;
}

GSocketConnection *
tti_http_host_take_connection (TtiHttpHost *server)
{
  GSocketConnection *connection;

  do
    {
      take_lock ();
      connection = g_queue_pop_head (&server->idle);
      give_lock ();
      if (connection != NULL && is_quiet (connection))
        return connection;
      tti_http_close (connection);
    }
  while (connection != NULL);
  return NULL;
}

void
tti_http_host_keep_connection (TtiHttpHost *server, GSocketConnection *connection)
{
  take_lock ();
  gboolean room = g_queue_get_length (&server->idle) < MOST_IDLE;

  if (room)
    g_queue_push_head (&server->idle, connection);
  give_lock ();
  if (!room)
    tti_http_close (connection);
}

void
tti_http_host_adopt (TtiHttpHost *server, int connection)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (connection, NULL);

  if (socket == NULL)
    {
      tti_fd_clear (&connection);
      return;
    }
  tti_http_host_keep_connection (server, g_socket_connection_factory_create_connection (socket));
}

void
tti_http_close (GSocketConnection *connection)
{
  if (connection == NULL)
    return;
  /* Not g_io_stream_close (), which with TLS may wait for the server. */
  g_socket_close (g_socket_connection_get_socket (connection), NULL);
  g_object_unref (connection);
}
