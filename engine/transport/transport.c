/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The part of a transport that does not depend on the medium: the queue, and remembering that the transport has failed. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/transport-private.h"
#include <errno.h>
#include <poll.h>

TuttiTransport *
tutti_transport_alloc (gsize size, const TuttiTransportOps *ops, int fd, gboolean trusted)
{
  TuttiTransport *transport = g_malloc0 (size);

  transport->ops = ops;
  transport->fd = fd;
  transport->trusted = trusted;
  g_queue_init (&transport->outgoing);
  return transport;
}

static void
queue_clear (TuttiTransport *transport)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&transport->outgoing)) != NULL)
    transport->ops->outgoing_free (link->data);
}

void
tutti_transport_free (TuttiTransport *transport)
{
  if (transport == NULL)
    return;
  queue_clear (transport);
  transport->ops->clear (transport);
  if (transport->ops->close != NULL)
    transport->ops->close (transport);
  tutti_leases_close (transport->leases);
  tutti_fd_clear (&transport->fd);
  g_clear_error (&transport->receive_error);
  g_free (transport);
}

static gboolean
transport_is_gone (TuttiTransport *transport, GError **error)
{
  if (transport->gone)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the other side is gone: nothing can be sent");
  return transport->gone;
}

/* Sending has failed with errno: the other side is gone. */
static gboolean
transport_lost (TuttiTransport *transport, GError **error)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "cannot send to the other side: %s; %u messages were not sent or not completely",
               g_strerror (errno), MAX (1, transport->outgoing.length));
  transport->gone = TRUE;
  queue_clear (transport);
  return FALSE;
}

gboolean
tutti_transport_flush (TuttiTransport *transport, GError **error)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  if (transport_is_gone (transport, error))
    return FALSE;
  while (!g_queue_is_empty (&transport->outgoing))
    {
      TuttiOutgoing *outgoing = g_queue_peek_head (&transport->outgoing);

      switch (transport->ops->push (transport, outgoing))
        {
        case TUTTI_PUSHED_LATER:
          return TRUE;
        case TUTTI_PUSHED_ALL:
          g_queue_unlink (&transport->outgoing, &outgoing->link);
          transport->ops->outgoing_free (outgoing);
          break;
        case TUTTI_PUSHED_GONE:
          return transport_lost (transport, error);
        }
    }
  return TRUE;
}

static gboolean
transport_put (TuttiTransport *transport, const TuttiMessage *message, GError **error)
{
  if (transport->ops->push_at_once != NULL && g_queue_is_empty (&transport->outgoing))
    switch (transport->ops->push_at_once (transport, message))
      {
      case TUTTI_PUSHED_ALL:
        return TRUE;
      case TUTTI_PUSHED_GONE:
        return transport_lost (transport, error);
      case TUTTI_PUSHED_LATER:
        break;
      }
  TuttiOutgoing *outgoing = transport->ops->prepare (transport, message, error);

  if (outgoing == NULL)
    return FALSE;
  outgoing->link.data = outgoing;
  g_queue_push_tail_link (&transport->outgoing, &outgoing->link);
  /* If others are queued, wait for POLLOUT like them; an attempt to send would cost a system call per message. */
  return transport->outgoing.length > 1 || tutti_transport_flush (transport, error);
}

gboolean
tutti_transport_send_news (TuttiTransport *transport, guint64 generation, GError **error)
{
  TuttiLeaseNews news;

  g_return_val_if_fail (transport != NULL, FALSE);
  if (transport_is_gone (transport, error))
    return FALSE;
  while (transport->leases != NULL && tutti_leases_take_news (transport->leases, &news))
    {
      TuttiMessage lease = { .kind = TUTTI_MESSAGE_LEASE, .attempt = news.kind, .generation = generation, .id = news.id,
                            .detail = news.count };

      if (!transport_put (transport, &lease, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
tutti_transport_send (TuttiTransport *transport, const TuttiMessage *message, GError **error)
{
  g_return_val_if_fail (transport != NULL && message != NULL, FALSE);
  g_return_val_if_fail (message->kind >= TUTTI_MESSAGE_HELLO && message->kind <= TUTTI_MESSAGE_LAST, FALSE);
  return tutti_transport_send_news (transport, message->generation, error) && transport_put (transport, message, error);
}

/* Messages between the two transports themselves. */
static gboolean
lease_heard (TuttiTransport *transport, const TuttiMessage *message, GError **error)
{
  TuttiLeaseNews news = { .kind = (TuttiLeaseNewsKind) message->attempt, .id = message->id, .count = message->detail };

  if (transport->leases == NULL || message->payload != NULL || news.kind < TUTTI_LEASE_RELEASE || news.kind > TUTTI_LEASE_FORGET)
    return tutti_protocol_error (error, "invalid news of a loan (kind %u)", message->attempt);
  tutti_leases_hear (transport->leases, &news);
  return TRUE;
}

/* The number of lease messages that one call processes: the other side must not be able to keep it busy for ever. */
enum { NEWS_AT_ONCE = 256 };

static TuttiReceived
receive_next (TuttiTransport *transport, TuttiMessage *message, GError **error)
{
  for (guint n = 0; n < NEWS_AT_ONCE; n++)
    {
      TuttiReceived received = transport->ops->receive (transport, message, error);

      if (received != TUTTI_RECEIVED_MESSAGE || message->kind != TUTTI_MESSAGE_LEASE)
        return received;
      gboolean ok = lease_heard (transport, message, error);

      tutti_message_clear (message);
      if (!ok)
        return TUTTI_RECEIVED_ERROR;
    }
  return TUTTI_RECEIVED_NOTHING; /* others have their turn before the rest */
}

TuttiReceived
tutti_transport_receive (TuttiTransport *transport, TuttiMessage *message, GError **error)
{
  g_return_val_if_fail (transport != NULL && message != NULL, TUTTI_RECEIVED_ERROR);
  *message = (TuttiMessage) { 0 };
  if (transport->ended && transport->receive_error == NULL)
    return TUTTI_RECEIVED_END;
  TuttiReceived received = TUTTI_RECEIVED_ERROR;

  if (!transport->ended)
    received = receive_next (transport, message, &transport->receive_error);
  g_assert ((received == TUTTI_RECEIVED_ERROR) == (transport->receive_error != NULL));
  if (!transport->ended && (received == TUTTI_RECEIVED_ERROR || received == TUTTI_RECEIVED_END))
    {
      transport->ended = TRUE;
      transport->ops->clear (transport);
    }
  /* After an error a message is lost and nothing can be trusted: repeat the error at every call. */
  if (received == TUTTI_RECEIVED_ERROR)
    g_propagate_error (error, g_error_copy (transport->receive_error));
  return received;
}

int
tutti_transport_get_fd (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, -1);
  return transport->fd;
}

short
tutti_transport_get_events (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, 0);
  return POLLIN | (g_queue_is_empty (&transport->outgoing) ? 0 : POLLOUT);
}

gboolean
tutti_transport_has_message (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return !transport->ended && transport->ops->has_message != NULL && transport->ops->has_message (transport);
}

gboolean
tutti_transport_park (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return transport->ended || transport->ops->park == NULL || transport->ops->park (transport, TRUE);
}

void
tutti_transport_unpark (TuttiTransport *transport)
{
  g_return_if_fail (transport != NULL);
  if (!transport->ended && transport->ops->park != NULL)
    transport->ops->park (transport, FALSE);
}

void
tutti_transport_set_crowded (TuttiTransport *transport, gboolean crowded)
{
  g_return_if_fail (transport != NULL);
  if (transport->ops->set_crowded != NULL)
    transport->ops->set_crowded (transport, crowded);
}

gboolean
tutti_transport_is_crowded (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return transport->ops->is_crowded != NULL && transport->ops->is_crowded (transport);
}

guint32
tutti_transport_get_ticket (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, 0);
  return transport->ops->get_ticket != NULL ? transport->ops->get_ticket (transport) : 0;
}

gboolean
tutti_transport_recall (TuttiTransport *transport, guint32 ticket)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return ticket != 0 && transport->ops->recall != NULL && transport->ops->recall (transport, ticket);
}

TuttiParts *
tutti_transport_get_parts (TuttiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, NULL);
  return transport->ops->get_parts != NULL ? transport->ops->get_parts (transport) : NULL;
}
