/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The part of a transport that does not depend on the medium: the queue, and remembering that the transport has failed. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/away.h"
#include "transport/transport-private.h"
#include <errno.h>
#include <poll.h>

TtiTransport *
tti_transport_alloc (gsize size, const TtiTransportOps *ops, int fd, gboolean trusted)
{
  TtiTransport *transport = g_malloc0 (size);

  transport->ops = ops;
  transport->fd = fd;
  transport->trusted = trusted;
  g_queue_init (&transport->outgoing);
  return transport;
}

static void
queue_clear (TtiTransport *transport)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&transport->outgoing)) != NULL)
    transport->ops->outgoing_free (link->data);
}

void
tti_transport_free (TtiTransport *transport)
{
  if (transport == NULL)
    return;
  queue_clear (transport);
  transport->ops->clear (transport);
  if (transport->ops->close != NULL)
    transport->ops->close (transport);
  tti_leases_close (transport->leases);
  tti_fd_clear (&transport->fd);
  g_clear_error (&transport->receive_error);
  g_free (transport);
}

static gboolean
transport_is_gone (TtiTransport *transport, GError **error)
{
  if (transport->gone)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the other side is gone: nothing can be sent");
  return transport->gone;
}

/* Sending has failed with errno: the other side is gone. */
static gboolean
transport_lost (TtiTransport *transport, GError **error)
{
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "cannot send to the other side: %s; %u messages were not sent or not completely",
               g_strerror (errno), MAX (1, transport->outgoing.length));
  transport->gone = TRUE;
  queue_clear (transport);
  return FALSE;
}

gboolean
tti_transport_flush (TtiTransport *transport, GError **error)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  if (transport_is_gone (transport, error))
    return FALSE;
  while (!g_queue_is_empty (&transport->outgoing))
    {
      TtiOutgoing *outgoing = g_queue_peek_head (&transport->outgoing);

      switch (transport->ops->push (transport, outgoing))
        {
        case TTI_PUSHED_LATER:
          return TRUE;
        case TTI_PUSHED_ALL:
          g_queue_unlink (&transport->outgoing, &outgoing->link);
          transport->ops->outgoing_free (outgoing);
          break;
        case TTI_PUSHED_GONE:
          return transport_lost (transport, error);
        }
    }
  return TRUE;
}

/* Are the contents of all vectors in MESSAGE here? */
static gboolean
contents_are_here (const TtiMessage *message, GError **error)
{
  guint n = message->payload != NULL ? tti_payload_get_n_vectors (message->payload) : 0;

  for (guint i = 0; i < n; i++)
    if (tti_vector_get_home (tti_payload_get_vector (message->payload, i, NULL), NULL) != NULL)
      return tti_vector_refuse_to_send (tti_payload_get_vector (message->payload, i, NULL), error);
  return TRUE;
}

static gboolean
transport_put (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  if (!transport->ops->leads_home && !contents_are_here (message, error))
    return FALSE;
  if (transport->ops->push_at_once != NULL && g_queue_is_empty (&transport->outgoing))
    switch (transport->ops->push_at_once (transport, message))
      {
      case TTI_PUSHED_ALL:
        return TRUE;
      case TTI_PUSHED_GONE:
        return transport_lost (transport, error);
      case TTI_PUSHED_LATER:
        break;
      }
  TtiOutgoing *outgoing = transport->ops->prepare (transport, message, error);

  if (outgoing == NULL)
    return FALSE;
  outgoing->link.data = outgoing;
  g_queue_push_tail_link (&transport->outgoing, &outgoing->link);
  /* If others are queued, wait for POLLOUT like them; an attempt to send would cost a system call per message. */
  return transport->outgoing.length > 1 || tti_transport_flush (transport, error);
}

gboolean
tti_transport_send_news (TtiTransport *transport, guint64 generation, GError **error)
{
  TtiLeaseNews news;

  g_return_val_if_fail (transport != NULL, FALSE);
  if (transport_is_gone (transport, error))
    return FALSE;
  while (transport->leases != NULL && tti_leases_take_news (transport->leases, &news))
    {
      TtiMessage lease = { .kind = TTI_MESSAGE_LEASE, .attempt = news.kind, .generation = generation, .id = news.id,
                          .detail = news.count };

      if (!transport_put (transport, &lease, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
tti_transport_send (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  g_return_val_if_fail (transport != NULL && message != NULL, FALSE);
  g_return_val_if_fail (message->kind >= TTI_MESSAGE_HELLO && message->kind <= TTI_MESSAGE_LAST, FALSE);
  return tti_transport_send_news (transport, message->generation, error) && transport_put (transport, message, error);
}

/* Messages between the two transports themselves. */
static gboolean
lease_heard (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  TtiLeaseNews news = { .kind = (TtiLeaseNewsKind) message->attempt, .id = message->id, .count = message->detail };

  if (transport->leases == NULL || message->payload != NULL || news.kind < TTI_LEASE_RELEASE || news.kind > TTI_LEASE_FORGET)
    return tti_protocol_error (error, "invalid news of a loan (kind %u)", message->attempt);
  tti_leases_hear (transport->leases, &news);
  return TRUE;
}

/* The number of lease messages that one call processes: the other side must not be able to keep it busy for ever. */
enum { NEWS_AT_ONCE = 256 };

static TtiReceived
receive_next (TtiTransport *transport, TtiMessage *message, GError **error)
{
  for (guint n = 0; n < NEWS_AT_ONCE; n++)
    {
      TtiReceived received = transport->ops->receive (transport, message, error);

      if (received != TTI_RECEIVED_MESSAGE || message->kind != TTI_MESSAGE_LEASE)
        return received;
      gboolean ok = lease_heard (transport, message, error);

      tti_message_clear (message);
      if (!ok)
        return TTI_RECEIVED_ERROR;
    }
  return TTI_RECEIVED_NOTHING; /* others have their turn before the rest */
}

TtiReceived
tti_transport_receive (TtiTransport *transport, TtiMessage *message, GError **error)
{
  g_return_val_if_fail (transport != NULL && message != NULL, TTI_RECEIVED_ERROR);
  *message = (TtiMessage) { 0 };
  if (transport->ended && transport->receive_error == NULL)
    return TTI_RECEIVED_END;
  TtiReceived received = TTI_RECEIVED_ERROR;

  if (!transport->ended)
    received = receive_next (transport, message, &transport->receive_error);
  g_assert ((received == TTI_RECEIVED_ERROR) == (transport->receive_error != NULL));
  if (!transport->ended && (received == TTI_RECEIVED_ERROR || received == TTI_RECEIVED_END))
    {
      transport->ended = TRUE;
      transport->ops->clear (transport);
    }
  /* After an error a message is lost and nothing can be trusted: repeat the error at every call. */
  if (received == TTI_RECEIVED_ERROR)
    g_propagate_error (error, g_error_copy (transport->receive_error));
  return received;
}

int
tti_transport_get_fd (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, -1);
  return transport->fd;
}

short
tti_transport_get_events (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, 0);
  return POLLIN | (g_queue_is_empty (&transport->outgoing) ? 0 : POLLOUT);
}

gboolean
tti_transport_has_message (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return !transport->ended && transport->ops->has_message != NULL && transport->ops->has_message (transport);
}

gboolean
tti_transport_park (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return transport->ended || transport->ops->park == NULL || transport->ops->park (transport, TRUE);
}

void
tti_transport_unpark (TtiTransport *transport)
{
  g_return_if_fail (transport != NULL);
  if (!transport->ended && transport->ops->park != NULL)
    transport->ops->park (transport, FALSE);
}

void
tti_transport_set_crowded (TtiTransport *transport, gboolean crowded)
{
  g_return_if_fail (transport != NULL);
  if (transport->ops->set_crowded != NULL)
    transport->ops->set_crowded (transport, crowded);
}

gboolean
tti_transport_is_crowded (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return transport->ops->is_crowded != NULL && transport->ops->is_crowded (transport);
}

guint32
tti_transport_get_ticket (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, 0);
  return transport->ops->get_ticket != NULL ? transport->ops->get_ticket (transport) : 0;
}

gint64
tti_transport_get_round_trip (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, 0);
  return transport->ops->get_round_trip != NULL ? transport->ops->get_round_trip (transport) : 0;
}

gboolean
tti_transport_ask_back (TtiTransport *transport, const guint64 *ids, guint n)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  if (transport->ops->ask_back == NULL)
    return FALSE;
  if (n > 0)
    transport->ops->ask_back (transport, ids, n);
  return TRUE;
}

gboolean
tti_transport_recall (TtiTransport *transport, guint32 ticket)
{
  g_return_val_if_fail (transport != NULL, FALSE);
  return ticket != 0 && transport->ops->recall != NULL && transport->ops->recall (transport, ticket);
}

TtiProbe *
tti_transport_get_probe (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, NULL);
  return transport->ops->get_probe != NULL ? transport->ops->get_probe (transport) : NULL;
}

gboolean
tti_transport_probe (TtiTransport *transport)
{
  TtiProbe *probe = tti_transport_get_probe (transport);

  if (probe != NULL)
    tti_probe_send (probe);
  else if (transport->ops->send_probe != NULL)
    transport->ops->send_probe (transport);
  else
    return FALSE;
  return TRUE;
}

TtiParts *
tti_transport_get_parts (TtiTransport *transport)
{
  g_return_val_if_fail (transport != NULL, NULL);
  return transport->ops->get_parts != NULL ? transport->ops->get_parts (transport) : NULL;
}

void
tti_transport_forget (TtiTransport *transport, guint64 id)
{
  g_return_if_fail (transport != NULL);
  if (transport->ops->forget != NULL)
    transport->ops->forget (transport, id);
}
