/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages through the rings of a mailbox, or as packets if they do not fit into one.
 *
 * A mailbox is shared memory with a ring for each direction, a word for the parts of a task, and one for probes; the master sends its
 * descriptor in the first packet. Messages without descriptors go through the ring while there is room in it, all others go over the
 * socket; sequence numbers give the order in which they were sent. An empty packet wakes a side that has parked, so that it is enough to
 * wait for the socket.
 *
 * A master may recall messages that its worker has not taken. A recalled message arrives all the same, because the memory that it
 * leases was counted, and the receiving end drops it. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/memory.h"
#include "transport/packet-private.h"
#include "transport/ring.h"
#include <errno.h>
#include <string.h>

typedef struct
{
  TtiPacketTransport packet;
  gpointer memory;       /* the rings: to the worker, to the master; NULL: there is no mailbox */
  TtiRingPutter out;
  TtiRingTaker in;
  guint32 sent;          /* number of the message that was sent last */
  guint32 expected;      /* of the one that is received next */
  guint32 n_elsewhere;   /* messages that came over the socket */
  gboolean recallable;   /* the last one sent */
  gboolean complete;     /* a message from the socket is complete, but others precede it */
  gboolean ended;        /* the socket */
  guint8 buffer[TTI_PACKET_MAX];
} MailboxTransport;

static guint32
number_after (guint32 number)
{
  return number == G_MAXUINT32 ? 1 : number + 1;
}

static int
mailbox_fd (MailboxTransport *self)
{
  return self->packet.base.fd;
}

/* --- out ----------------------------------------------------------------------------------------------------------------- */

/* Send an empty message to a side that may be asleep. FALSE: it is gone. If there is no room, the messages in the queue will wake
 * it. */
static gboolean
mailbox_wake (MailboxTransport *self)
{
  const TtiFrame frame = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_WAKE };

  return tti_packet_send (mailbox_fd (self), &frame, sizeof frame, NULL, 0) || tti_packet_errno_passes ();
}

/* Put the message of FRAME and BODY into the ring. LATER: the message must go over the socket. */
static TtiPushed
ring_push (MailboxTransport *self, const TtiFrame *frame, gconstpointer body, gsize n_body)
{
  /* A ring accepts messages even if the other side is gone. */
  if (tti_ring_is_closed (&self->in))
    {
      errno = EPIPE;
      return TTI_PUSHED_GONE;
    }
  if (!tti_ring_put (&self->out, frame->sequence, frame, sizeof *frame, body, n_body))
    return TTI_PUSHED_LATER;
  self->sent = frame->sequence;
  self->recallable = TRUE;
  return !tti_ring_must_wake (&self->out) || mailbox_wake (self) ? TTI_PUSHED_ALL : TTI_PUSHED_GONE;
}

/* Most messages are small and have no vectors: they go into the ring without preparation. */
static TtiPushed
mailbox_push_at_once (TtiTransport *transport, const TtiMessage *message)
{
  MailboxTransport *self = (MailboxTransport *) transport;
  TtiPayload *payload = message->payload;
  gsize n_body = 0;
  gconstpointer body = payload != NULL ? tti_payload_get_data (payload, &n_body) : NULL;
  TtiFrame frame;

  if (self->memory == NULL || n_body > TTI_PACKET_MAX - sizeof frame
      || (payload != NULL && tti_payload_get_n_vectors (payload) > 0) || !tti_frame_init (&frame, message, NULL))
    return TTI_PUSHED_LATER;
  frame.sequence = number_after (self->sent);
  return ring_push (self, &frame, body, n_body);
}

static TtiPushed
mailbox_push (TtiTransport *transport, TtiOutgoing *outgoing)
{
  MailboxTransport *self = (MailboxTransport *) transport;
  TtiPacketOutgoing *out = (TtiPacketOutgoing *) outgoing;
  gboolean begun = out->begun;

  if (self->memory == NULL)
    return tti_packet_push (transport, outgoing);
  if (!begun)
    {
      out->frame.sequence = number_after (self->sent);
      memcpy (out->bytes, &out->frame, sizeof out->frame);
    }
  if (!begun && out->frame.n_descriptors == 0)
    {
      TtiPushed pushed = ring_push (self, &out->frame, out->bytes + sizeof out->frame, out->n_bytes - sizeof out->frame);

      if (pushed != TTI_PUSHED_LATER)
        return pushed;
    }
  gboolean offered = !begun && !transport->trusted && tti_ring_offer_elsewhere (&self->out, out->frame.sequence);
  TtiPushed pushed = tti_packet_push (transport, outgoing);

  if (!begun && out->begun)
    {
      self->sent = out->frame.sequence;
      self->recallable = offered;
    }
  if (pushed == TTI_PUSHED_ALL)
    tti_ring_put_elsewhere (&self->out);
  return pushed;
}

/* --- in ------------------------------------------------------------------------------------------------------------------ */

/* Take a message from the ring: its frame and its body are in the buffer. */
static gboolean
ring_finish (MailboxTransport *self, gsize size, TtiMessage *message, GError **error)
{
  TtiFrame frame;

  if (size < sizeof frame)
    return tti_protocol_error (error, "%" G_GSIZE_FORMAT " bytes in the mailbox, expected at least %" G_GSIZE_FORMAT, size,
                               sizeof frame);
  memcpy (&frame, self->buffer, sizeof frame);
  if (!tti_frame_check (&frame, error))
    return FALSE;
  guint64 expected = frame.n_vectors * sizeof (TtiAttachment) + frame.n_bytes + frame.n_contents;

  gboolean inside = frame.body_descriptor == TTI_BY_VALUE;

  if (size - sizeof frame != (inside ? expected : 0) || frame.n_descriptors > 0)
    return tti_protocol_error (error, "%" G_GSIZE_FORMAT " bytes in the mailbox are not what their frame says", size);
  return tti_attached_receive (&frame, inside ? self->buffer + sizeof frame : NULL, NULL, &self->packet.base, message, error);
}

/* The message in the buffer was recalled: count the memory that it leases as received, and drop it. */
static gboolean
ring_drop (MailboxTransport *self, gsize size, GError **error)
{
  TtiMessage message = { 0 };
  TtiFrame frame = { 0 };

  if (!self->packet.base.trusted)
    return tti_protocol_error (error, "a message was recalled, which only a master does");
  memcpy (&frame, self->buffer, MIN (size, sizeof frame));
  if (frame.n_vectors == 0 && frame.body_descriptor == TTI_BY_VALUE)
    return TRUE;
  gboolean ok = ring_finish (self, size, &message, error);

  tti_message_clear (&message);
  return ok;
}

static gboolean
packet_is_wake (MailboxTransport *self, gsize n_bytes, guint n_fds)
{
  TtiFrame frame;

  if (n_bytes != sizeof frame || n_fds > 0)
    return FALSE;
  memcpy (&frame, self->packet.buffer, sizeof frame);
  return frame.magic == TTI_FRAME_MAGIC && frame.kind == TTI_FRAME_WAKE;
}

/* Receive the next packet from the socket. TTI_RECEIVED_MESSAGE: something has changed; try again. */
static TtiReceived
socket_advance (MailboxTransport *self, TtiTaken taken, GError **error)
{
  gsize n_bytes;
  guint n_fds;

  if (self->complete)
    {
      tti_protocol_error (error, "message %u is there, but not message %u", self->packet.frame.sequence, self->expected);
      return TTI_RECEIVED_ERROR;
    }
  TtiReceived received = self->ended ? TTI_RECEIVED_END : tti_packet_receive_one (&self->packet, &n_bytes, &n_fds, error);

  if (received == TTI_RECEIVED_END && !self->ended)
    {
      /* Messages put before the end may have arrived after the ring was checked. */
      self->ended = TRUE;
      return TTI_RECEIVED_MESSAGE;
    }
  if (received == TTI_RECEIVED_NOTHING && taken == TTI_TAKEN_OTHER && !self->packet.begun)
    {
      tti_protocol_error (error, "message %u is missing", self->expected);
      return TTI_RECEIVED_ERROR;
    }
  if (received == TTI_RECEIVED_MESSAGE && (self->packet.begun || !packet_is_wake (self, n_bytes, n_fds))
      && !tti_packet_arrived (&self->packet, n_bytes, n_fds, &self->complete, error))
    return TTI_RECEIVED_ERROR;
  return received;
}

/* The message from the socket is the next one. *DROPPED: it was recalled. */
static gboolean
elsewhere_finish (MailboxTransport *self, TtiMessage *message, gboolean *dropped, GError **error)
{
  *dropped = self->memory != NULL && self->packet.base.trusted && !tti_ring_accept_elsewhere (&self->in, self->expected);
  self->complete = FALSE;
  self->expected = number_after (self->expected);
  self->n_elsewhere++;
  if (!tti_packet_finish (&self->packet, message, error))
    return FALSE;
  if (*dropped)
    {
      tti_message_clear (message);
      *message = (TtiMessage) { 0 };
    }
  return TRUE;
}

/* The number of internal messages that one call processes: the other side must not be able to keep it busy for ever. */
enum { OTHERS_AT_ONCE = 256 };

static TtiReceived
mailbox_receive (TtiTransport *transport, TtiMessage *message, GError **error)
{
  MailboxTransport *self = (MailboxTransport *) transport;
  TtiReceived received = TTI_RECEIVED_MESSAGE;

  for (guint n = 0; received == TTI_RECEIVED_MESSAGE; n++)
    {
      TtiTaken taken = self->memory != NULL ? TTI_TAKEN_OTHER : TTI_TAKEN_NOTHING;
      gsize size;

      if (self->complete && (self->memory == NULL || self->packet.frame.sequence == self->expected))
        {
          gboolean dropped;

          if (!elsewhere_finish (self, message, &dropped, error))
            return TTI_RECEIVED_ERROR;
          if (!dropped)
            return TTI_RECEIVED_MESSAGE;
          continue;
        }
      if (n >= OTHERS_AT_ONCE)
        return TTI_RECEIVED_NOTHING; /* others have their turn; the rest makes the descriptor readable, or is in the ring */
      /* While a message waits for its descriptors nothing that was sent later can be in the ring. */
      if (self->memory != NULL && (!self->packet.begun || self->complete))
        taken = tti_ring_take (&self->in, self->expected, self->buffer, sizeof self->buffer, &size);
      if (taken == TTI_TAKEN_BROKEN)
        return tti_protocol_error (error, "its mailbox is damaged"), TTI_RECEIVED_ERROR;
      if (taken == TTI_TAKEN || taken == TTI_TAKEN_RECALLED)
        self->expected = number_after (self->expected);
      if (taken == TTI_TAKEN)
        return ring_finish (self, size, message, error) ? TTI_RECEIVED_MESSAGE : TTI_RECEIVED_ERROR;
      if (taken == TTI_TAKEN_RECALLED && !ring_drop (self, size, error))
        return TTI_RECEIVED_ERROR;
      if (taken != TTI_TAKEN_RECALLED)
        received = socket_advance (self, taken, error);
    }
  return received;
}

static gboolean
mailbox_has_message (TtiTransport *transport)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  return self->memory != NULL
         && (tti_ring_is_filled (&self->in) || tti_ring_get_elsewhere (&self->in) != self->n_elsewhere);
}

static gboolean
mailbox_park (TtiTransport *transport, gboolean park)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  if (self->memory == NULL)
    return TRUE;
  if (park && !tti_ring_is_parked (&self->in))
    tti_ring_park (&self->in);
  /* Packets on the socket make the descriptor readable anyway. */
  if (park && !tti_ring_is_filled (&self->in))
    return TRUE;
  tti_ring_unpark (&self->in);
  return FALSE;
}

static void
mailbox_set_crowded (TtiTransport *transport, gboolean crowded)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  if (self->memory != NULL)
    tti_ring_set_crowded (&self->out, crowded);
}

static gboolean
mailbox_is_crowded (TtiTransport *transport)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  return self->memory != NULL && tti_ring_is_crowded (&self->in);
}

/* --- tickets ------------------------------------------------------------------------------------------------------------- */
static guint32
mailbox_get_ticket (TtiTransport *transport)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  return self->recallable && g_queue_is_empty (&transport->outgoing) ? self->sent : 0;
}

static gboolean
mailbox_recall (TtiTransport *transport, guint32 ticket)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  return self->memory != NULL && tti_ring_recall (&self->out, ticket);
}

static TtiParts *
mailbox_get_parts (TtiTransport *transport)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  return self->memory != NULL ? (TtiParts *) (gpointer) ((guint8 *) self->memory + 2 * tti_ring_memory_size ()) : NULL;
}

/* It is behind the parts. */
static TtiProbe *
mailbox_get_probe (TtiTransport *transport)
{
  return (TtiProbe *) (gpointer) (mailbox_get_parts (transport) != NULL ? mailbox_get_parts (transport) + 1 : NULL);
}

/* --- making one ---------------------------------------------------------------------------------------------------------- */
static gsize
memory_size (void)
{
  return 2 * tti_ring_memory_size () + sizeof (TtiParts) + sizeof (TtiProbe);
}

static void
mailbox_close (TtiTransport *transport)
{
  MailboxTransport *self = (MailboxTransport *) transport;

  if (self->memory == NULL)
    return;
  tti_ring_close (&self->out);
  tti_memory_unmap (self->memory, memory_size ());
}

static gboolean
mailbox_map (MailboxTransport *self, int memory, gboolean is_worker, GError **error)
{
  gsize size = tti_ring_memory_size ();
  guint8 *rings = tti_memory_map (memory, 0, memory_size (), TTI_MAP_SHARED, error);

  if (rings == NULL)
    return FALSE;
  self->memory = rings;
  self->out.memory = (TtiRingMemory *) (gpointer) (is_worker ? rings + size : rings);
  self->in.memory = (TtiRingMemory *) (gpointer) (is_worker ? rings : rings + size);
  self->expected = 1;
  return TRUE;
}

/* The master's side makes the mailbox. If it has no memory or descriptor left, it tells the worker that there is none. */
static void
mailbox_offer (MailboxTransport *self)
{
  TtiFrame frame = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_MAILBOX };
  g_autoptr (GError) error = NULL;
  gboolean wanted = g_strcmp0 (g_getenv ("TUTTI_MAILBOX"), "no") != 0;
  tti_autofd int memory = wanted ? tti_memory_open ("tutti-mailbox", memory_size (), &error) : -1;

  if (memory >= 0 && mailbox_map (self, memory, FALSE, &error))
    frame.n_descriptors = 1;
  else if (wanted)
    g_debug ("no mailbox: %s", error->message);
  if (tti_packet_send (mailbox_fd (self), &frame, sizeof frame, &memory, frame.n_descriptors) || self->memory == NULL)
    return;
  /* Too many descriptors are in flight. The other side waits for a first packet, and notices soon enough if none comes. */
  tti_memory_unmap (g_steal_pointer (&self->memory), memory_size ());
  frame.n_descriptors = 0;
  (void) tti_packet_send (mailbox_fd (self), &frame, sizeof frame, NULL, 0);
}

static gboolean
mailbox_arrived (MailboxTransport *self, gsize n_bytes, guint n_fds, GError **error)
{
  TtiFrame frame = { 0 };

  memcpy (&frame, self->packet.buffer, MIN (n_bytes, sizeof frame));
  if (n_bytes != sizeof frame || frame.magic != TTI_FRAME_MAGIC || frame.version != TTI_FRAME_VERSION
      || frame.kind != TTI_FRAME_MAILBOX || n_fds > 1)
    return tti_protocol_error (error, "a mailbox was expected before everything else");
  if (n_fds == 0)
    return TRUE;
  int memory = g_array_index (self->packet.fds, int, 0);
  gssize size = tti_memory_size (memory, error);

  if (size < 0)
    return FALSE;
  return size == (gssize) memory_size () ? mailbox_map (self, memory, TRUE, error)
                                         : tti_protocol_error (error, "a mailbox of %" G_GSSIZE_FORMAT " bytes, expected %"
                                                               G_GSIZE_FORMAT, size, memory_size ());
}

/* The worker's side waits for the mailbox. The first receive reports what is wrong with it. */
static void
mailbox_accept (MailboxTransport *self)
{
  TtiTransport *base = &self->packet.base;
  gsize n_bytes;
  guint n_fds;
  TtiReceived received;

  while ((received = tti_packet_receive_one (&self->packet, &n_bytes, &n_fds, &base->receive_error)) == TTI_RECEIVED_NOTHING)
    (void) tti_fd_wait (base->fd, G_IO_IN, -1);
  base->ended = received != TTI_RECEIVED_MESSAGE || !mailbox_arrived (self, n_bytes, n_fds, &base->receive_error);
  tti_packet_forget (&self->packet);
}

TtiTransport *
tti_mailbox_transport_new (int fd, gboolean trusted)
{
  static const TtiTransportOps ops = {
    .prepare = tti_packet_prepare,
    .push = mailbox_push,
    .push_at_once = mailbox_push_at_once,
    .outgoing_free = tti_packet_outgoing_free,
    .receive = mailbox_receive,
    .clear = tti_packet_clear,
    .has_message = mailbox_has_message,
    .park = mailbox_park,
    .set_crowded = mailbox_set_crowded,
    .is_crowded = mailbox_is_crowded,
    .get_ticket = mailbox_get_ticket,
    .recall = mailbox_recall,
    .get_parts = mailbox_get_parts,
    .get_probe = mailbox_get_probe,
    .close = mailbox_close,
  };

  g_return_val_if_fail (fd >= 0, NULL);
  MailboxTransport *self = (MailboxTransport *) tti_packet_alloc (sizeof *self, &ops, fd, trusted);

  if (trusted)
    mailbox_accept (self);
  else
    mailbox_offer (self);
  return &self->packet.base;
}
