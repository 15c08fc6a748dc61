/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages over a stream of bytes: frame, table, encoded value, and the contents of all vectors.
 *
 * Reading takes exactly what belongs to the message that is being received and never more, so that poll () on the descriptor
 * reports everything that is left. Memory is allocated as bytes arrive, not as they are announced: buffers double, and a vector's
 * memory has no pages before they are written. */
#include "platform/error.h"
#include "transport/transport-private.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { FIRST_CAPACITY = 64 * 1024, PARTS_AT_ONCE = 64 };

typedef enum { STAGE_FRAME, STAGE_TABLE, STAGE_BYTES, STAGE_VECTORS } Stage;

typedef struct
{
  guint8 *data;
  gsize used, capacity, total;
} Growing;

typedef struct
{
  TtiTransport base;
  Stage stage;
  gsize n_frame;            /* bytes of the frame so far */
  TtiFrame frame;
  Growing growing;          /* the table, later the value */
  TtiAttachment *table;
  GBytes *bytes;
  GPtrArray *vectors;       /* complete, except the last */
  GArray *travels;
  gsize n_vector;           /* bytes of the last one so far */
} StreamTransport;

typedef struct
{
  TtiOutgoing base;
  TtiPayload *payload;
  guint part;               /* 0: head, 1: value, from 2: vectors */
  gsize offset;             /* in that */
  gsize n_head;
  guint8 head[];            /* frame and table */
} StreamOutgoing;

/* --- out ----------------------------------------------------------------------------------------------------------------- */
static void
stream_outgoing_free (TtiOutgoing *outgoing)
{
  tti_payload_unref (((StreamOutgoing *) outgoing)->payload);
  g_free (outgoing);
}

static TtiOutgoing *
stream_prepare (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  TtiFrame frame;

  (void) transport;
  if (!tti_frame_init (&frame, message, error))
    return NULL;
  gsize n_head = sizeof frame + frame.n_vectors * sizeof (TtiAttachment);
  StreamOutgoing *out = g_malloc0 (sizeof *out + n_head);

  out->n_head = n_head;
  for (guint i = 0; i < frame.n_vectors; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (message->payload, i, &travel);
      TtiAttachment attachment = { .size = tti_vector_get_size (vector), .descriptor = TTI_BY_VALUE, .travel = (guint8) travel };

      if (travel == TTI_TRAVEL_WRITE)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": the other side of a byte stream "
                       "cannot write into a vector of this process", frame.id);
          stream_outgoing_free (&out->base);
          return NULL;
        }
      frame.n_contents += attachment.size;
      memcpy (out->head + sizeof frame + i * sizeof attachment, &attachment, sizeof attachment);
    }
  if (frame.n_contents > TTI_MESSAGE_MAX_BYTES)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": vectors of %" G_GUINT64_FORMAT
                   " bytes together; at most %" G_GUINT64_FORMAT " can be sent at once", frame.id, frame.n_contents,
                   TTI_MESSAGE_MAX_BYTES);
      stream_outgoing_free (&out->base);
      return NULL;
    }
  memcpy (out->head, &frame, sizeof frame);
  out->payload = message->payload != NULL ? tti_payload_ref (message->payload) : NULL;
  return &out->base;
}

static guint
outgoing_get_n_parts (const StreamOutgoing *out)
{
  return out->payload != NULL ? 2 + tti_payload_get_n_vectors (out->payload) : 1;
}

static struct iovec
outgoing_get_part (StreamOutgoing *out, guint part)
{
  if (part == 0)
    return (struct iovec) { .iov_base = out->head, .iov_len = out->n_head };
  if (part == 1)
    {
      gsize size;
      gconstpointer data = g_bytes_get_data (tti_payload_get_bytes (out->payload), &size);

      return (struct iovec) { .iov_base = (gpointer) data, .iov_len = size };
    }
  TtiVector *vector = tti_payload_get_vector (out->payload, part - 2, NULL);

  return (struct iovec) { .iov_base = tti_vector_get_data (vector), .iov_len = tti_vector_get_size (vector) };
}

/* Another N bytes were sent. */
static void
outgoing_advance (StreamOutgoing *out, gsize n)
{
  guint n_parts = outgoing_get_n_parts (out);

  out->offset += n;
  while (out->part < n_parts)
    {
      gsize size = outgoing_get_part (out, out->part).iov_len;

      if (out->offset < size)
        return;
      out->offset -= size;
      out->part++;
    }
}

static TtiPushed
stream_push (TtiTransport *transport, TtiOutgoing *outgoing)
{
  StreamOutgoing *out = (StreamOutgoing *) outgoing;
  guint n_parts = outgoing_get_n_parts (out);

  while (out->part < n_parts)
    {
      struct iovec parts[PARTS_AT_ONCE];
      guint n = MIN (n_parts - out->part, PARTS_AT_ONCE);

      for (guint i = 0; i < n; i++)
        parts[i] = outgoing_get_part (out, out->part + i);
      parts[0].iov_base = (guint8 *) parts[0].iov_base + out->offset;
      parts[0].iov_len -= out->offset;
      struct msghdr header = { .msg_iov = parts, .msg_iovlen = n };
      gssize sent = sendmsg (transport->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);

      if (sent >= 0)
        outgoing_advance (out, (gsize) sent);
      else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)
        return TTI_PUSHED_LATER;
      else if (errno != EINTR)
        return TTI_PUSHED_GONE;
    }
  return TTI_PUSHED_ALL;
}

/* --- in ------------------------------------------------------------------------------------------------------------------ */
static void
stream_clear (TtiTransport *transport)
{
  StreamTransport *self = (StreamTransport *) transport;

  g_clear_pointer (&self->growing.data, g_free);
  g_clear_pointer (&self->table, g_free);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->vectors, g_ptr_array_unref);
  g_clear_pointer (&self->travels, g_array_unref);
  self->growing = (Growing) { 0 };
  self->stage = STAGE_FRAME;
  self->n_frame = 0;
}

/* Receive up to SIZE bytes into DATA, from *USED on. MESSAGE: *USED has reached SIZE. */
static TtiReceived
stream_fill (StreamTransport *self, guint8 *data, gsize *used, gsize size, GError **error)
{
  while (*used < size)
    {
      gssize n = recv (self->base.fd, data + *used, size - *used, MSG_DONTWAIT);

      if (n > 0)
        *used += (gsize) n;
      else if (n == 0 || errno == ECONNRESET)
        return TTI_RECEIVED_END;
      else if (errno == EAGAIN || errno == EWOULDBLOCK)
        return TTI_RECEIVED_NOTHING;
      else if (errno != EINTR)
        {
          tti_set_errno (error, errno, "cannot receive from descriptor %d", self->base.fd);
          return TTI_RECEIVED_ERROR;
        }
    }
  return TTI_RECEIVED_MESSAGE;
}

static TtiReceived
stream_grow (StreamTransport *self, GError **error)
{
  Growing *growing = &self->growing;

  for (;;)
    {
      TtiReceived received = stream_fill (self, growing->data, &growing->used, growing->capacity, error);

      if (received != TTI_RECEIVED_MESSAGE || growing->used == growing->total)
        return received;
      gsize capacity = MIN (growing->total, MAX (2 * growing->capacity, FIRST_CAPACITY));
      guint8 *data = g_try_realloc (growing->data, capacity);

      if (data == NULL)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "no memory for %" G_GSIZE_FORMAT " of the %" G_GSIZE_FORMAT
                       " bytes of a message", capacity, growing->total);
          return TTI_RECEIVED_ERROR;
        }
      growing->data = data;
      growing->capacity = capacity;
    }
}

static gboolean
stream_frame_arrived (StreamTransport *self, GError **error)
{
  self->growing = (Growing) { .total = self->frame.n_vectors * sizeof (TtiAttachment) };
  self->stage = STAGE_TABLE;
  if (!tti_frame_check (&self->frame, error))
    return FALSE;
  return self->frame.n_descriptors == 0
         || tti_protocol_error (error, "%u descriptors over a stream", self->frame.n_descriptors);
}

static gboolean
stream_table_arrived (StreamTransport *self, GError **error)
{
  guint64 contents_left = self->frame.n_contents;

  self->table = (TtiAttachment *) (gpointer) g_steal_pointer (&self->growing.data);
  self->growing = (Growing) { .total = self->frame.n_bytes };
  self->stage = STAGE_BYTES;
  for (guint i = 0; i < self->frame.n_vectors; i++)
    if (!tti_attachment_check (&self->table[i], TTI_MESSAGE_MAX_BYTES, &contents_left, error))
      return FALSE;
    else if (self->table[i].descriptor != TTI_BY_VALUE)
      return tti_protocol_error (error, "a vector in descriptor %u over a stream", self->table[i].descriptor);
  return contents_left == 0 || tti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes belong to no vector", contents_left);
}

static void
stream_bytes_arrived (StreamTransport *self)
{
  self->bytes = g_bytes_new_take (g_steal_pointer (&self->growing.data), self->growing.used);
  self->stage = STAGE_VECTORS;
  if (self->frame.n_vectors == 0)
    return;
  self->vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  self->travels = g_array_new (FALSE, FALSE, 1);
}

static TtiReceived
stream_receive_vectors (StreamTransport *self, GError **error)
{
  while (self->travels != NULL && self->travels->len < self->frame.n_vectors)
    {
      const TtiAttachment *attachment = &self->table[self->travels->len];

      if (self->vectors->len == self->travels->len)
        {
          TtiVector *fresh = tti_vector_new ((gsize) attachment->size, error);

          if (fresh == NULL)
            return TTI_RECEIVED_ERROR;
          g_ptr_array_add (self->vectors, fresh);
          self->n_vector = 0;
        }
      TtiVector *vector = g_ptr_array_index (self->vectors, self->travels->len);
      TtiReceived received = stream_fill (self, tti_vector_get_data (vector), &self->n_vector, attachment->size, error);

      if (received != TTI_RECEIVED_MESSAGE)
        return received;
      tti_vector_arrived (vector, (TtiTravel) attachment->travel, self->base.trusted);
      g_array_append_val (self->travels, attachment->travel);
    }
  return TTI_RECEIVED_MESSAGE;
}

static gboolean
stream_finish (StreamTransport *self, TtiMessage *message, GError **error)
{
  if (!self->frame.has_payload)
    g_clear_pointer (&self->bytes, g_bytes_unref);
  gboolean ok = tti_frame_to_message (&self->frame, g_steal_pointer (&self->bytes), g_steal_pointer (&self->vectors),
                                      g_steal_pointer (&self->travels), self->base.trusted, message, error);

  stream_clear (&self->base);
  return ok;
}

/* Receive the rest of this stage. MESSAGE: it is complete. */
static TtiReceived
stream_receive_stage (StreamTransport *self, GError **error)
{
  switch (self->stage)
    {
    case STAGE_FRAME:
      return stream_fill (self, (guint8 *) &self->frame, &self->n_frame, sizeof self->frame, error);
    case STAGE_TABLE:
    case STAGE_BYTES:
      return stream_grow (self, error);
    case STAGE_VECTORS:
      return stream_receive_vectors (self, error);
    }
  g_assert_not_reached ();
}

static TtiReceived
stream_receive (TtiTransport *transport, TtiMessage *message, GError **error)
{
  StreamTransport *self = (StreamTransport *) transport;

  for (;;)
    {
      Stage stage = self->stage;
      TtiReceived received = stream_receive_stage (self, error);
      gboolean ok = TRUE;

      if (received != TTI_RECEIVED_MESSAGE)
        return received;
      if (stage == STAGE_FRAME)
        ok = stream_frame_arrived (self, error);
      else if (stage == STAGE_TABLE)
        ok = stream_table_arrived (self, error);
      else if (stage == STAGE_BYTES)
        stream_bytes_arrived (self);
      else
        return stream_finish (self, message, error) ? TTI_RECEIVED_MESSAGE : TTI_RECEIVED_ERROR;
      if (!ok)
        return TTI_RECEIVED_ERROR;
    }
}

TtiTransport *
tti_stream_transport_new (int fd, gboolean trusted)
{
  static const TtiTransportOps ops = {
    .prepare = stream_prepare,
    .push = stream_push,
    .outgoing_free = stream_outgoing_free,
    .receive = stream_receive,
    .clear = stream_clear,
  };

  g_return_val_if_fail (fd >= 0, NULL);
  return tti_transport_alloc (sizeof (StreamTransport), &ops, fd, trusted);
}
