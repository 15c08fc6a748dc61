/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages as packets of an AF_UNIX SEQPACKET socket.
 *
 * A message is one packet: frame and body. A body that would make the packet longer than 16 KiB is in shared memory instead, like a
 * vector, and the receiver copies it from there before looking at it. Descriptors go with the packet, at most 250 (the kernel takes
 * 253); the rest follows immediately in packets of kind TTI_FRAME_MORE, each with as many as fit. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include "transport/packet-private.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* How many storages of a master, and of a worker, the other side remembers: a master has many workers, and each storage costs it a
 * descriptor. */
enum { MASTER_LEASES = 64, WORKER_LEASES = 4 };

enum { PACKET_DESCRIPTORS = 250, KERNEL_DESCRIPTORS = 253 };

/* --- out ----------------------------------------------------------------------------------------------------------------- */
void
tti_packet_outgoing_free (TtiOutgoing *outgoing)
{
  TtiPacketOutgoing *out = (TtiPacketOutgoing *) outgoing;

  tti_attached_clear (&out->attached);
  tti_payload_unref (out->payload);
  g_free (out);
}

static guint8 *
append (guint8 *to, gconstpointer data, gsize size)
{
  if (size > 0)
    memcpy (to, data, size);
  return to + size;
}

static void
body_write (guint8 *to, const TtiFrame *frame, const TtiAttached *attached, TtiPayload *payload)
{
  gsize n_bytes;
  gconstpointer bytes = tti_payload_get_data (payload, &n_bytes);

  to = append (to, attached->table, frame->n_vectors * sizeof (TtiAttachment));
  to = append (to, bytes, n_bytes);
  for (guint i = 0; i < frame->n_vectors; i++)
    if (attached->table[i].descriptor == TTI_BY_VALUE)
      to = append (to, tti_vector_get_data (tti_payload_get_vector (payload, i, NULL)), attached->table[i].size);
}

/* Put the body into shared memory, for a packet that would be too long. */
static gboolean
body_put_outside (TtiFrame *frame, TtiAttached *attached, TtiPayload *payload, TtiTransport *transport, gsize size,
                  GError **error)
{
  TtiVector *body = tti_vector_new_to_fill (MAX (size, TTI_INLINE_LIMIT + 1), error);

  if (body == NULL)
    return FALSE;
  g_ptr_array_add (attached->keep, body);
  body_write (tti_vector_get_data (body), frame, attached, payload);
  frame->body_descriptor = tti_attached_add (attached, transport, body, &frame->body_offset, &frame->body_storage);
  return TRUE;
}

static gboolean
frame_set_descriptors (TtiFrame *frame, const TtiAttached *attached, GError **error)
{
  frame->n_descriptors = attached->fds != NULL ? attached->fds->len : 0;
  if (frame->n_descriptors <= TTI_MESSAGE_MAX_DESCRIPTORS)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": its %u vectors need %u descriptors; at most %u "
               "can be sent at once", frame->id, frame->n_vectors, frame->n_descriptors, TTI_MESSAGE_MAX_DESCRIPTORS);
  return FALSE;
}

TtiOutgoing *
tti_packet_prepare (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  TtiAttached attached = { 0 };
  TtiFrame frame;
  TtiPayload *payload = message->payload;

  if (!tti_frame_init (&frame, message, error)
      || (payload != NULL && !tti_attached_init (&attached, &frame, payload, transport, error)))
    goto failed;
  gsize n_body = frame.n_vectors * sizeof (TtiAttachment) + frame.n_bytes + frame.n_contents;
  gboolean outside = sizeof frame + n_body > TTI_PACKET_MAX;

  if ((outside && !body_put_outside (&frame, &attached, payload, transport, n_body, error))
      || !frame_set_descriptors (&frame, &attached, error))
    goto failed;
  tti_attached_grant_leases (&attached, transport);
  gsize n_bytes = sizeof frame + (outside ? 0 : n_body);
  TtiPacketOutgoing *out = g_malloc (sizeof *out + n_bytes);

  *out = (TtiPacketOutgoing) { .frame = frame, .attached = attached, .n_bytes = n_bytes };
  append (out->bytes, &frame, sizeof frame);
  if (payload != NULL && !outside)
    body_write (out->bytes + sizeof frame, &frame, &attached, payload);
  /* A queue of small messages keeps no other memory alive. */
  out->payload = out->attached.fds != NULL ? tti_payload_ref (payload) : NULL;
  if (out->attached.fds == NULL)
    tti_attached_clear (&out->attached);
  return &out->base;

failed:
  tti_attached_clear (&attached);
  return NULL;
}

/* Send one packet with descriptors FIRST to FIRST + N; errno as sendmsg sets it. */
gboolean
tti_packet_send (int fd, gconstpointer bytes, gsize n_bytes, const int *fds, guint n)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (PACKET_DESCRIPTORS * sizeof (int))]; } control;
  struct iovec part = { .iov_base = (gpointer) bytes, .iov_len = n_bytes };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };

  if (n > 0)
    {
      memset (&control, 0, CMSG_SPACE (n * sizeof (int)));
      header.msg_control = &control;
      header.msg_controllen = CMSG_SPACE (n * sizeof (int));
      *CMSG_FIRSTHDR (&header) = (struct cmsghdr) { .cmsg_len = CMSG_LEN (n * sizeof (int)), .cmsg_level = SOL_SOCKET,
                                                    .cmsg_type = SCM_RIGHTS };
      memcpy (CMSG_DATA (CMSG_FIRSTHDR (&header)), fds, n * sizeof (int));
    }
  gssize sent;

  /* There may be no more descriptors in flight than may be open. */
  if (n > 0)
    tti_fd_begin_opening ();
  do
    sent = sendmsg (fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (n > 0)
    tti_fd_end_opening ();
  return sent >= 0;
}

/* ENOBUFS and ETOOMANYREFS (too many descriptors of this user are in flight) pass when somebody receives; so may ENOMEM. */
gboolean
tti_packet_errno_passes (void)
{
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS || errno == ENOMEM;
}

TtiPushed
tti_packet_push (TtiTransport *transport, TtiOutgoing *outgoing)
{
  TtiPacketOutgoing *out = (TtiPacketOutgoing *) outgoing;

  while (!out->begun || out->n_sent < out->frame.n_descriptors)
    {
      guint n = MIN (out->frame.n_descriptors - out->n_sent, PACKET_DESCRIPTORS);
      TtiFrame more = { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = TTI_FRAME_MORE,
                          .id = out->frame.id, .n_descriptors = n };
      const int *fds = n > 0 ? &g_array_index (out->attached.fds, int, out->n_sent) : NULL;

      if (!tti_packet_send (transport->fd, out->begun ? (gconstpointer) &more : out->bytes, out->begun ? sizeof more : out->n_bytes,
                            fds, n))
        return tti_packet_errno_passes () ? TTI_PUSHED_LATER : TTI_PUSHED_GONE;
      out->begun = TRUE;
      out->n_sent += n;
    }
  return TTI_PUSHED_ALL;
}

/* --- in ------------------------------------------------------------------------------------------------------------------ */
void
tti_packet_forget (TtiPacketTransport *self)
{
  for (guint i = 0; self->fds != NULL && i < self->fds->len; i++)
    tti_fd_clear (&g_array_index (self->fds, int, i));
  if (self->fds != NULL)
    g_array_set_size (self->fds, 0);
  self->begun = FALSE;
}

void
tti_packet_clear (TtiTransport *transport)
{
  TtiPacketTransport *self = (TtiPacketTransport *) transport;

  tti_packet_forget (self);
  g_clear_pointer (&self->fds, g_array_unref);
}

/* From here on we own the descriptors that came with the packet, even if the packet is invalid. */
static guint
packet_take_descriptors (TtiPacketTransport *self, struct msghdr *header)
{
  guint before = self->fds->len;

  for (struct cmsghdr *part = CMSG_FIRSTHDR (header); part != NULL; part = CMSG_NXTHDR (header, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
      g_array_append_vals (self->fds, CMSG_DATA (part), (guint) ((part->cmsg_len - CMSG_LEN (0)) / sizeof (int)));
  return self->fds->len - before;
}

/* Receive one packet into the buffer. *N_FDS descriptors came with it. */
TtiReceived
tti_packet_receive_one (TtiPacketTransport *self, gsize *n_bytes, guint *n_fds, GError **error)
{
  union { struct cmsghdr align; guint8 bytes[CMSG_SPACE (KERNEL_DESCRIPTORS * sizeof (int))]; } control;
  struct iovec part = { .iov_base = self->buffer, .iov_len = sizeof self->buffer };
  struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  gboolean reset = FALSE;
  gssize n;

  /* If the other side closed without having received everything, ECONNRESET comes first, once, and then the packets that it had
   * sent. */
  tti_fd_begin_opening ();
  while ((n = recvmsg (self->base.fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0
         && (errno == EINTR || (errno == ECONNRESET && !reset)))
    reset = reset || errno == ECONNRESET;
  tti_fd_end_opening ();
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return TTI_RECEIVED_NOTHING;
  if (n < 0 && errno == ECONNRESET)
    return TTI_RECEIVED_END;
  if (n < 0)
    {
      tti_set_errno (error, errno, "cannot receive from descriptor %d", self->base.fd);
      return TTI_RECEIVED_ERROR;
    }
  *n_fds = packet_take_descriptors (self, &header);
  *n_bytes = (gsize) n;
  if (header.msg_flags & MSG_CTRUNC)
    {
      tti_set_errno (error, EMFILE, "only %u descriptors of a packet could be received (see 'ulimit -n')", *n_fds);
      return TTI_RECEIVED_ERROR;
    }
  if (header.msg_flags & MSG_TRUNC)
    {
      tti_protocol_error (error, "a packet of more than %d bytes", TTI_PACKET_MAX);
      return TTI_RECEIVED_ERROR;
    }
  return n > 0 ? TTI_RECEIVED_MESSAGE : TTI_RECEIVED_END;
}

/* The first packet of a message, N_BYTES long. */
static gboolean
packet_begin (TtiPacketTransport *self, gsize n_bytes, GError **error)
{
  TtiFrame *frame = &self->frame;

  if (n_bytes < sizeof *frame)
    return tti_protocol_error (error, "a packet of %" G_GSIZE_FORMAT " bytes, expected at least %" G_GSIZE_FORMAT, n_bytes,
                               sizeof *frame);
  memcpy (frame, self->buffer, sizeof *frame);
  if (!tti_frame_check (frame, error))
    return FALSE;
  gsize near_size = n_bytes - sizeof *frame;
  guint64 expected = frame->n_vectors * sizeof (TtiAttachment) + frame->n_bytes + frame->n_contents;

  if (frame->body_descriptor != TTI_BY_VALUE)
    expected = 0;
  return near_size == expected || tti_protocol_error (error, "a packet with %" G_GSIZE_FORMAT " bytes of body, expected %"
                                                      G_GUINT64_FORMAT, near_size, expected);
}

static gboolean
packet_continue (TtiPacketTransport *self, gsize n_bytes, GError **error)
{
  TtiFrame more = { 0 };

  memcpy (&more, self->buffer, MIN (n_bytes, sizeof more));
  return (n_bytes == sizeof more && more.magic == TTI_FRAME_MAGIC && more.kind == TTI_FRAME_MORE && more.id == self->frame.id)
         || tti_protocol_error (error, "a packet of %" G_GSIZE_FORMAT " bytes and kind %u where descriptors of message %"
                                G_GUINT64_FORMAT " were expected", n_bytes, more.kind, self->frame.id);
}

/* A packet with N_FDS descriptors has arrived. *COMPLETE: the message has all its packets. */
gboolean
tti_packet_arrived (TtiPacketTransport *self, gsize n_bytes, guint n_fds, gboolean *complete, GError **error)
{
  if (self->begun ? !packet_continue (self, n_bytes, error) : !packet_begin (self, n_bytes, error))
    return FALSE;
  guint expected = MIN (self->frame.n_descriptors - (self->fds->len - n_fds), PACKET_DESCRIPTORS);

  if (n_fds != expected)
    return tti_protocol_error (error, "a packet with %u descriptors, expected %u", n_fds, expected);
  *complete = self->fds->len == self->frame.n_descriptors;
  self->begun = TRUE;
  return TRUE;
}

gboolean
tti_packet_finish (TtiPacketTransport *self, TtiMessage *message, GError **error)
{
  gboolean inside = self->frame.body_descriptor == TTI_BY_VALUE;
  gboolean ok = tti_attached_receive (&self->frame, inside ? self->buffer + sizeof self->frame : NULL,
                                      (const int *) (gpointer) self->fds->data, &self->base, message, error);

  tti_packet_forget (self);
  return ok;
}

static TtiReceived
packet_receive (TtiTransport *transport, TtiMessage *message, GError **error)
{
  TtiPacketTransport *self = (TtiPacketTransport *) transport;
  gboolean complete = FALSE;

  while (!complete)
    {
      gsize n_bytes;
      guint n_fds;
      TtiReceived received = tti_packet_receive_one (self, &n_bytes, &n_fds, error);

      if (received != TTI_RECEIVED_MESSAGE)
        return received;
      if (!tti_packet_arrived (self, n_bytes, n_fds, &complete, error))
        return TTI_RECEIVED_ERROR;
    }
  return tti_packet_finish (self, message, error) ? TTI_RECEIVED_MESSAGE : TTI_RECEIVED_ERROR;
}

TtiPacketTransport *
tti_packet_alloc (gsize size, const TtiTransportOps *ops, int fd, gboolean trusted)
{
  TtiPacketTransport *self = (TtiPacketTransport *) tti_transport_alloc (size, ops, fd, trusted);

  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->base.leases = tti_leases_new (trusted ? WORKER_LEASES : MASTER_LEASES);
  return self;
}

TtiTransport *
tti_packet_transport_new (int fd, gboolean trusted)
{
  static const TtiTransportOps ops = {
    .prepare = tti_packet_prepare,
    .push = tti_packet_push,
    .outgoing_free = tti_packet_outgoing_free,
    .receive = packet_receive,
    .clear = tti_packet_clear,
  };

  g_return_val_if_fail (fd >= 0, NULL);
  return &tti_packet_alloc (sizeof (TtiPacketTransport), &ops, fd, trusted)->base;
}
