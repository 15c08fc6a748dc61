/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/client.h"
#include "page/server.h"
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Whoever is refused has so long to read why: were the connection closed at once, the kernel would take back what was sent. */
#define TO_READ_WHY (G_TIME_SPAN_SECOND)

enum
{
  SEND_BUFFER = 64 * 1024, /* bytes; what a slow reader is behind is better made anew than kept */
  ESTABLISHED = 1          /* TCP_ESTABLISHED, which <linux/tcp.h> does not have, and <netinet/tcp.h> lacks what is counted */
};

static struct tcp_info
get_info (GSocket *socket)
{
  struct tcp_info info;
  socklen_t size = sizeof info;

  memset (&info, 0, sizeof info);
  if (!g_socket_is_closed (socket))
    (void) getsockopt (g_socket_get_fd (socket), IPPROTO_TCP, TCP_INFO, &info, &size);
  return info;
}

static gboolean
has_unread (GSocket *socket)
{
  int n = 0;

  return ioctl (g_socket_get_fd (socket), SIOCOUTQ, &n) == 0 && n > 0;
}

TtiPageClient *
tti_page_client_new (GSocket *socket)
{
  g_autoptr (GSocketAddress) remote = g_socket_get_remote_address (socket, NULL);

  if (remote == NULL)
    return NULL;
  TtiPageClient *client = g_new0 (TtiPageClient, 1);

  client->socket = g_object_ref (socket);
  client->name = g_steal_pointer (&remote);
  client->since = client->moved = g_get_monotonic_time ();
  g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, TRUE, NULL);
  g_socket_set_option (socket, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER, NULL);
  return client;
}

void
tti_page_client_set_message (TtiPageClient *client, SoupServerMessage *message)
{
  g_set_object (&client->message, message);
}

void
tti_page_client_free (gpointer data)
{
  TtiPageClient *client = data;
  g_autoptr (SoupServerMessage) message = g_steal_pointer (&client->message);

  if (!g_socket_is_closed (client->socket))
    g_socket_shutdown (client->socket, TRUE, TRUE, NULL);
  /* SoupServer does not look at the socket while it waits for more of an answer: it is to write, and notice. */
  if (message != NULL)
    {
      soup_message_body_complete (soup_server_message_get_response_body (message));
      soup_server_message_unpause (message);
    }
  g_object_unref (client->socket);
  g_object_unref (client->name);
  g_free (client);
}

void
tti_page_client_refuse (TtiPageClient *client, guint status, const char *text)
{
  g_autofree char *answer = g_strdup_printf ("HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                                             "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n%s\n",
                                             status, soup_status_get_phrase (status), strlen (text) + 1, text);

  if (client->refused != 0)
    return;
  g_socket_send (client->socket, answer, strlen (answer), NULL, NULL);
  g_socket_shutdown (client->socket, FALSE, TRUE, NULL);
  client->refused = g_get_monotonic_time ();
}

/* Of one whose request was not complete yet. */
static void
look_at_request (TtiPageClient *client, const struct tcp_info *info, gint64 now)
{
  if (info->tcpi_bytes_received > TTI_PAGE_MOST_REQUEST)
    tti_page_client_refuse (client, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE, "the request is too long");
  else if (now - client->since > TTI_PAGE_REQUEST_MS * (gint64) 1000)
    tti_page_client_refuse (client, SOUP_STATUS_REQUEST_TIMEOUT, "the request has not come in time");
}

gboolean
tti_page_client_look (TtiPageClient *client, gint64 now)
{
  struct tcp_info info = get_info (client->socket);

  if (g_socket_is_closed (client->socket) || (client->refused != 0 && now - client->refused > TO_READ_WHY))
    return FALSE;
  if (client->refused != 0)
    return TRUE;
  if (!client->answered)
    {
      look_at_request (client, &info, now);
      return TRUE;
    }
  if (info.tcpi_bytes_acked != client->acknowledged || !has_unread (client->socket))
    {
      client->acknowledged = info.tcpi_bytes_acked;
      client->moved = now;
    }
  /* No client of ours closes its side while it reads. */
  return info.tcpi_state == ESTABLISHED && now - client->moved < TTI_PAGE_READING_MS * (gint64) 1000;
}
