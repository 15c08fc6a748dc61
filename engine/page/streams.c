/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "page/streams.h"

typedef struct
{
  TtiStreams *streams;
  SoupServerMessage *message;
  guint64 version;    /* up to which it was told */
  gboolean sending;   /* it has not taken the last event yet */
} Stream;

struct _TtiStreams
{
  TtiPageState *state;
  GPtrArray *all;     /* of Stream, owned */
  gboolean ending;
  char *text;         /* the event that was made last, or NULL: */
  guint64 from, to;   /* between these versions. Most readers need the same one */
};

static void
stream_free (gpointer data)
{
  Stream *stream = data;

  g_signal_handlers_disconnect_by_data (stream->message, stream);
  g_object_unref (stream->message);
  g_free (stream);
}

TtiStreams *
tti_streams_new (TtiPageState *state)
{
  TtiStreams *streams = g_new0 (TtiStreams, 1);

  streams->state = state;
  streams->all = g_ptr_array_new_with_free_func (stream_free);
  return streams;
}

void
tti_streams_free (TtiStreams *streams)
{
  if (streams == NULL)
    return;
  g_ptr_array_unref (streams->all);
  g_free (streams->text);
  g_free (streams);
}

guint
tti_streams_count (const TtiStreams *streams)
{
  return streams->all->len;
}

static const char *
event_since (TtiStreams *streams, guint64 version)
{
  guint64 now = tti_page_state_version (streams->state);

  if (streams->text == NULL || streams->from != version || streams->to != now)
    {
      g_autofree char *json = tti_page_state_since (streams->state, version);

      g_free (streams->text);
      streams->text = g_strconcat ("data: ", json, "\n\n", NULL);
      streams->from = version;
      streams->to = now;
    }
  return streams->text;
}

static void
append (SoupMessageBody *body, const char *text)
{
  soup_message_body_append (body, SOUP_MEMORY_COPY, text, strlen (text));
}

/* Send what STREAM does not know, if it has taken all else. */
static void
stream_send (Stream *stream)
{
  TtiStreams *streams = stream->streams;
  SoupMessageBody *body = soup_server_message_get_response_body (stream->message);
  gboolean is_behind = stream->version < tti_page_state_version (streams->state);

  if (stream->sending || (!is_behind && !streams->ending))
    return;
  if (is_behind)
    append (body, event_since (streams, stream->version));
  stream->version = tti_page_state_version (streams->state);
  stream->sending = TRUE;
  if (streams->ending)
    soup_message_body_complete (body);
  soup_server_message_unpause (stream->message);
}

static void
wrote_chunk (SoupServerMessage *message, gpointer data)
{
  (void) message;
  ((Stream *) data)->sending = FALSE;
  stream_send (data);
}

static void
finished (SoupServerMessage *message, gpointer data)
{
  Stream *stream = data;

  (void) message;
  g_ptr_array_remove_fast (stream->streams->all, stream);
}

void
tti_streams_add (TtiStreams *streams, SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);
  SoupMessageBody *body = soup_server_message_get_response_body (message);

  if (streams->ending || streams->all->len >= TTI_PAGE_MOST_STREAMS)
    {
      tti_page_answer_text (message, SOUP_STATUS_SERVICE_UNAVAILABLE,
                            streams->ending ? "the job is over" : "too many look at this page; come again later");
      return;
    }
  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_message_headers_replace (headers, "Content-Type", "text/event-stream; charset=utf-8");
  if (soup_server_message_get_method (message) != SOUP_METHOD_GET)
    return;
  Stream *stream = g_new0 (Stream, 1);

  soup_message_headers_set_encoding (headers, soup_server_message_get_http_version (message) == SOUP_HTTP_1_0 ? SOUP_ENCODING_EOF
                                                                                                             : SOUP_ENCODING_CHUNKED);
  soup_message_body_set_accumulate (body, FALSE);
  append (body, "retry: 1000\n");
  append (body, event_since (streams, 0));
  stream->streams = streams;
  stream->message = g_object_ref (message);
  stream->version = tti_page_state_version (streams->state);
  g_signal_connect (message, "wrote-chunk", G_CALLBACK (wrote_chunk), stream);
  g_signal_connect (message, "finished", G_CALLBACK (finished), stream);
  g_ptr_array_add (streams->all, stream);
}

void
tti_streams_send (TtiStreams *streams)
{
  /* To send may end a stream whose reader has gone. */
  for (guint i = streams->all->len; i-- > 0;)
    if (i < streams->all->len)
      stream_send (g_ptr_array_index (streams->all, i));
}

void
tti_streams_end (TtiStreams *streams)
{
  streams->ending = TRUE;
  tti_streams_send (streams);
}
