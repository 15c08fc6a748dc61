/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Requests that were handed out, and their way back to the server's thread. */
#include "http/server-private.h"

#define CONTENT_TYPE "application/json"

TtiHttpRequest *
tti_http_request_ref (TtiHttpRequest *request)
{
  g_atomic_ref_count_inc (&request->references);
  return request;
}

void
tti_http_request_unref (TtiHttpRequest *request)
{
  if (!g_atomic_ref_count_dec (&request->references))
    return;
  tti_http_body_free (request->body, request->bytes_held);
  g_atomic_rc_box_release (request->bytes_held);
  if (request->answer != NULL)
    g_string_free (request->answer, TRUE);
  g_free (request->method);
  g_free (request->path);
  tti_lock_clear (&request->lock);
  g_free (request);
}

const char *
tti_http_request_get_method (const TtiHttpRequest *request)
{
  return request->method;
}

const char *
tti_http_request_get_path (const TtiHttpRequest *request)
{
  return request->path;
}

const GByteArray *
tti_http_request_get_body (const TtiHttpRequest *request)
{
  return request->body;
}

void
tti_http_request_drop_body (TtiHttpRequest *request)
{
  tti_http_body_free (g_steal_pointer (&request->body), request->bytes_held);
}

gboolean
tti_http_request_is_open (TtiHttpRequest *request)
{
  gboolean open;

  tti_lock_take (&request->lock);
  open = request->server != NULL;
  tti_lock_release (&request->lock);
  return open;
}

/* Give up MESSAGE, which nobody will answer any more: SoupServer finds that out when it writes. */
static void
let_go (SoupServerMessage *message)
{
  soup_server_message_set_status (message, SOUP_STATUS_SERVICE_UNAVAILABLE, NULL);
  soup_server_message_unpause (message);
  g_object_unref (message);
}

void
tti_http_request_lose (TtiHttpRequest *request)
{
  gboolean open;

  tti_lock_take (&request->lock);
  open = g_steal_pointer (&request->server) != NULL;
  tti_lock_release (&request->lock);
  if (open)
    {
      TtiHttpServer *server = request->client->server;

      tti_lock_take (&server->lock);
      server->counts.lost++;
      tti_lock_release (&server->lock);
      server->handlers.gone (request, server->data);
    }
  request->client = NULL;
  let_go (g_steal_pointer (&request->message));
  tti_http_request_unref (request);
}

static void
fill_answer (SoupServerMessage *message, guint status, GString *body, guint retry_after)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  gsize length = body->len;

  if (retry_after > 0)
    {
      g_autofree char *seconds = g_strdup_printf ("%u", retry_after);

      soup_message_headers_replace (headers, "Retry-After", seconds);
    }
  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, CONTENT_TYPE, SOUP_MEMORY_TAKE, g_string_free (body, FALSE), length);
}

/* In the server's thread: send the answer, if its client is still there. */
static gboolean
deliver (gpointer data)
{
  TtiHttpRequest *request = data;
  TtiHttpClient *client = request->client;
  SoupServerMessage *message;

  if (client == NULL)
    return G_SOURCE_REMOVE;
  message = g_steal_pointer (&request->message);
  request->client = NULL;
  client->request = NULL;
  fill_answer (message, request->status, g_steal_pointer (&request->answer), request->retry_after);
  tti_http_client_set_state (client, CLIENT_WRITING);
  soup_server_message_unpause (message);
  g_object_unref (message);
  tti_http_request_unref (request);
  return G_SOURCE_REMOVE;
}

gboolean
tti_http_request_answer (TtiHttpRequest *request, guint status, GString *body, guint retry_after)
{
  TtiHttpServer *server;

  tti_lock_take (&request->lock);
  server = g_steal_pointer (&request->server);
  if (server != NULL)
    {
      request->answer = g_steal_pointer (&body);
      request->status = status;
      request->retry_after = retry_after;
      /* Under the lock: the server is freed only when none of its requests is open. */
      tti_lock_take (&server->lock);
      server->counts.answers++;
      tti_lock_release (&server->lock);
      tti_http_server_post (server, deliver, tti_http_request_ref (request), (GDestroyNotify) tti_http_request_unref);
    }
  tti_lock_release (&request->lock);
  if (body != NULL)
    g_string_free (body, TRUE);
  return server != NULL;
}

static void
refuse (TtiHttpServer *server, SoupServerMessage *message, guint status, const char *text)
{
  fill_answer (message, status, server->handlers.describe (status, text, server->data), 1);
}

void
tti_http_request_hand_out (SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer data)
{
  TtiHttpServer *server = data;
  TtiHttpClient *client = tti_http_client_find (server, message);
  TtiHttpRequest *request;
  gboolean closed;

  (void) soup;
  (void) query;
  tti_lock_take (&server->lock);
  server->counts.requests++;
  closed = server->closed;
  tti_lock_release (&server->lock);
  if (client == NULL || client->state == CLIENT_REFUSED || closed)
    {
      refuse (server, message, SOUP_STATUS_SERVICE_UNAVAILABLE, "this server is being stopped");
      return;
    }
  request = g_new0 (TtiHttpRequest, 1);
  g_atomic_ref_count_init (&request->references);
  request->client = client;
  request->message = g_object_ref (message);
  request->method = g_strdup (soup_server_message_get_method (message));
  request->path = g_strdup (path);
  request->body = client->body != NULL ? g_steal_pointer (&client->body) : g_byte_array_new ();
  request->bytes_held = g_atomic_rc_box_acquire (server->bytes_held);
  request->server = server;
  client->request = request;
  tti_http_client_set_state (client, CLIENT_WAITING);
  soup_server_message_pause (message);
  tti_http_request_ref (request);
  server->handlers.handle (request, server->data);
  tti_http_request_unref (request);
}
