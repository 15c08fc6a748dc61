/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "support/buffered-transport.h"
#include "transport/transport-private.h"
#include <errno.h>

typedef struct
{
  TuttiTransport base;
  TuttiTransport *stream;
  GQueue ahead; /* of TuttiMessage: they were read before they were asked for */
} BufferedTransport;

typedef struct
{
  GSource source;
  BufferedTransport *transport;
  TuttiLock *lock;
  gpointer tag;
  GIOCondition events;
} BufferedSource;

enum { MOST_AHEAD = 64 };

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

/* The stream has the message from here on; what is queued stands for what it has not sent. */
static TuttiOutgoing *
buffered_prepare (TuttiTransport *transport, const TuttiMessage *message, GError **error)
{
  BufferedTransport *self = (BufferedTransport *) transport;

  return tutti_transport_send (self->stream, message, error) ? g_new0 (TuttiOutgoing, 1) : NULL;
}

static gboolean
stream_is_full (BufferedTransport *self)
{
  return (tutti_transport_get_events (self->stream) & G_IO_OUT) != 0;
}

static TuttiPushed
buffered_push (TuttiTransport *transport, G_GNUC_UNUSED TuttiOutgoing *outgoing)
{
  BufferedTransport *self = (BufferedTransport *) transport;

  if (tutti_transport_flush (self->stream, NULL))
    return stream_is_full (self) ? TUTTI_PUSHED_LATER : TUTTI_PUSHED_ALL;
  errno = EPIPE;
  return TUTTI_PUSHED_GONE;
}

static void
buffered_outgoing_free (TuttiOutgoing *outgoing)
{
  g_free (outgoing);
}

static void
message_free (gpointer message)
{
  tutti_message_clear (message);
  g_free (message);
}

static TuttiReceived
buffered_receive (TuttiTransport *transport, TuttiMessage *message, GError **error)
{
  BufferedTransport *self = (BufferedTransport *) transport;
  TuttiMessage next;

  /* An error is repeated by the stream, behind all that had come before. */
  while (self->ahead.length < MOST_AHEAD && tutti_transport_receive (self->stream, &next, NULL) == TUTTI_RECEIVED_MESSAGE)
    g_queue_push_tail (&self->ahead, g_memdup2 (&next, sizeof next));
  g_autofree TuttiMessage *first = g_queue_pop_head (&self->ahead);

  if (first == NULL)
    return tutti_transport_receive (self->stream, message, error);
  *message = *first;
  return TUTTI_RECEIVED_MESSAGE;
}

static void
buffered_clear (TuttiTransport *transport)
{
  g_queue_clear_full (&((BufferedTransport *) transport)->ahead, message_free);
}

static void
buffered_close (TuttiTransport *transport)
{
  tutti_transport_free (((BufferedTransport *) transport)->stream);
}

/* --- the source -------------------------------------------------------------------------------------------------------------- */

static void
source_lock (BufferedSource *self)
{
  if (self->lock != NULL)
    tutti_lock_take (self->lock);
}

static void
source_unlock (BufferedSource *self)
{
  if (self->lock != NULL)
    tutti_lock_release (self->lock);
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
      GIOCondition events = (GIOCondition) tutti_transport_get_events (self->transport->stream);

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
buffered_create_source (TuttiTransport *transport, TuttiLock *lock)
{
  static GSourceFuncs funcs = { .prepare = source_prepare, .check = source_check, .dispatch = source_dispatch };
  BufferedSource *self = (BufferedSource *) g_source_new (&funcs, sizeof (BufferedSource));

  self->transport = (BufferedTransport *) transport;
  self->lock = lock;
  self->events = G_IO_IN;
  self->tag = g_source_add_unix_fd (&self->source, tutti_transport_get_fd (self->transport->stream), self->events);
  return &self->source;
}

TuttiTransport *
buffered_transport_new (int fd, gboolean trusted)
{
  static const TuttiTransportOps ops = {
    .prepare = buffered_prepare, .push = buffered_push, .outgoing_free = buffered_outgoing_free, .receive = buffered_receive,
    .clear = buffered_clear, .create_source = buffered_create_source, .close = buffered_close,
  };
  TuttiTransport *transport = tutti_transport_alloc (sizeof (BufferedTransport), &ops, -1, trusted);

  ((BufferedTransport *) transport)->stream = tutti_stream_transport_new (fd, trusted);
  return transport;
}
