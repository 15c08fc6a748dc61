/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "support/buffered-transport.h"
#include "transport/transport-private.h"
#include <errno.h>

typedef struct
{
  TtiTransport base;
  TtiTransport *stream;
  GQueue ahead; /* of TtiMessage: they were read before they were asked for */
} BufferedTransport;

typedef struct
{
  GSource source;
  BufferedTransport *transport;
  TtiLock *lock;
  gpointer tag;
  GIOCondition events;
} BufferedSource;

enum { MOST_AHEAD = 64 };

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

/* The stream has the message from here on; what is queued stands for what it has not sent. */
static TtiOutgoing *
buffered_prepare (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  BufferedTransport *self = (BufferedTransport *) transport;

  return tti_transport_send (self->stream, message, error) ? g_new0 (TtiOutgoing, 1) : NULL;
}

static gboolean
stream_is_full (BufferedTransport *self)
{
  return (tti_transport_get_events (self->stream) & G_IO_OUT) != 0;
}

static TtiPushed
buffered_push (TtiTransport *transport, G_GNUC_UNUSED TtiOutgoing *outgoing)
{
  BufferedTransport *self = (BufferedTransport *) transport;

  if (tti_transport_flush (self->stream, NULL))
    return stream_is_full (self) ? TTI_PUSHED_LATER : TTI_PUSHED_ALL;
  errno = EPIPE;
  return TTI_PUSHED_GONE;
}

static void
buffered_outgoing_free (TtiOutgoing *outgoing)
{
  g_free (outgoing);
}

static void
message_free (gpointer message)
{
  tti_message_clear (message);
  g_free (message);
}

static TtiReceived
buffered_receive (TtiTransport *transport, TtiMessage *message, GError **error)
{
  BufferedTransport *self = (BufferedTransport *) transport;
  TtiMessage next;

  /* An error is repeated by the stream, behind all that had come before. */
  while (self->ahead.length < MOST_AHEAD && tti_transport_receive (self->stream, &next, NULL) == TTI_RECEIVED_MESSAGE)
    g_queue_push_tail (&self->ahead, g_memdup2 (&next, sizeof next));
  g_autofree TtiMessage *first = g_queue_pop_head (&self->ahead);

  if (first == NULL)
    return tti_transport_receive (self->stream, message, error);
  *message = *first;
  return TTI_RECEIVED_MESSAGE;
}

static void
buffered_clear (TtiTransport *transport)
{
  g_queue_clear_full (&((BufferedTransport *) transport)->ahead, message_free);
}

static void
buffered_forget (TtiTransport *transport, guint64 id)
{
  tti_transport_forget (((BufferedTransport *) transport)->stream, id);
}

static void
buffered_close (TtiTransport *transport)
{
  tti_transport_free (((BufferedTransport *) transport)->stream);
}

/* --- the source -------------------------------------------------------------------------------------------------------------- */

static void
source_lock (BufferedSource *self)
{
  if (self->lock != NULL)
    tti_lock_take (self->lock);
}

static void
source_unlock (BufferedSource *self)
{
  if (self->lock != NULL)
    tti_lock_release (self->lock);
}

static gboolean
source_prepare (GSource *source, gint *timeout)
{
  BufferedSource *self = (BufferedSource *) source;
  gboolean ready = FALSE;

  *timeout = -1;
  source_lock (self);
  if (!g_source_is_destroyed (source))
    {
      GIOCondition events = (GIOCondition) tti_transport_get_events (self->transport->stream);

      /* To set them wakes the main loop. */
      if (events != self->events)
        g_source_modify_unix_fd (source, self->tag, events);
      self->events = events;
      ready = self->transport->ahead.length > 0;
    }
  source_unlock (self);
  return ready;
}

static gboolean
source_check (GSource *source)
{
  return g_source_query_unix_fd (source, ((BufferedSource *) source)->tag) != 0;
}

static gboolean
source_dispatch (G_GNUC_UNUSED GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback (user_data);
}

static GSource *
buffered_create_source (TtiTransport *transport, TtiLock *lock)
{
  static GSourceFuncs funcs = { .prepare = source_prepare, .check = source_check, .dispatch = source_dispatch };
  BufferedSource *self = (BufferedSource *) g_source_new (&funcs, sizeof (BufferedSource));

  self->transport = (BufferedTransport *) transport;
  self->lock = lock;
  self->events = G_IO_IN;
  self->tag = g_source_add_unix_fd (&self->source, tti_transport_get_fd (self->transport->stream), self->events);
  return &self->source;
}

TtiTransport *
buffered_transport_new (int fd, gboolean trusted)
{
  static const TtiTransportOps ops = {
    .prepare = buffered_prepare, .push = buffered_push, .outgoing_free = buffered_outgoing_free, .receive = buffered_receive,
    .clear = buffered_clear, .create_source = buffered_create_source, .forget = buffered_forget, .close = buffered_close,
  };
  TtiTransport *transport = tti_transport_alloc (sizeof (BufferedTransport), &ops, -1, trusted);

  ((BufferedTransport *) transport)->stream = tti_stream_transport_new (fd, trusted);
  return transport;
}
