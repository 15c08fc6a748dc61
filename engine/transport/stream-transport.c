/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages over a stream of bytes: frame, table, encoded value, and the contents of all vectors. Of a vector that a task is to write into
 * only the size goes there, and the contents come with the answer, behind the vectors of that (destinations.h).
 *
 * Reading takes exactly what belongs to the message that is being received and never more, so that poll () on the descriptor
 * reports everything that is left. Memory is allocated as bytes arrive, not as they are announced: buffers double, and a vector's
 * memory has no pages before they are written. */
#include "platform/error.h"
#include "transport/destinations.h"
#include "transport/transport-private.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { FIRST_CAPACITY = 64 * 1024, PARTS_AT_ONCE = 64, DISCARDED_AT_ONCE = 16 * 1024 };

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
  GPtrArray *vectors;       /* of the payload: complete, except the last */
  GArray *travels;
  guint n_arrived;          /* complete ones, destinations included */
  gsize n_vector;           /* bytes of the next one so far */
  TtiDestinations *destinations;
  guint n_written;          /* attachments, the last ones, with the contents of destinations */
  GPtrArray *written;       /* where these go; NULL: nowhere */
} StreamTransport;

typedef struct
{
  TtiOutgoing base;
  TtiPayload *payload;
  GPtrArray *written;       /* vectors that the task has written into, behind those of the payload; NULL: none */
  guint part;               /* 0: head, 1: value, from 2: vectors */
  gsize offset;             /* in that */
  gsize n_head;
  guint8 head[];            /* frame and table */
} StreamOutgoing;

/* --- out ----------------------------------------------------------------------------------------------------------------- */
static void
stream_outgoing_free (TtiOutgoing *outgoing)
{
  StreamOutgoing *out = (StreamOutgoing *) outgoing;

  tti_payload_unref (out->payload);
  g_clear_pointer (&out->written, g_ptr_array_unref);
  g_free (out);
}

/* The vectors whose contents go with MESSAGE, which a worker sends: those into which the task has written. NULL: none. */
static GPtrArray *
take_written (StreamTransport *self, const TtiMessage *message)
{
  if (!self->base.trusted || (message->kind != TTI_MESSAGE_RESULT && message->kind != TTI_MESSAGE_EXCEPTION))
    return NULL;
  g_autoptr (GPtrArray) written = tti_destinations_take (self->destinations, message->id, message->attempt);

  return message->kind == TTI_MESSAGE_RESULT && message->payload != NULL ? g_steal_pointer (&written) : NULL;
}

/* Write the table of FRAME for MESSAGE and OUT's vectors behind its own, and count their contents. */
static gboolean
table_fill (StreamOutgoing *out, TtiFrame *frame, const TtiMessage *message, gboolean may_write, GError **error)
{
  guint n_own = message->payload != NULL ? tti_payload_get_n_vectors (message->payload) : 0;

  for (guint i = 0; i < frame->n_vectors; i++)
    {
      TtiTravel travel = TTI_TRAVEL_WRITE;
      TtiVector *vector = i < n_own ? tti_payload_get_vector (message->payload, i, &travel) : g_ptr_array_index (out->written, i - n_own);
      TtiAttachment attachment = { .size = tti_vector_get_size (vector), .descriptor = TTI_BY_VALUE, .travel = (guint8) travel };

      if (i < n_own && travel == TTI_TRAVEL_WRITE)
        {
          attachment.descriptor = TTI_BY_SIZE;
          if (!may_write)
            {
              g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": the other side of a byte stream can "
                           "write into a vector of this process only if it is a worker that is given a task", frame->id);
              return FALSE;
            }
        }
      else
        frame->n_contents += attachment.size;
      memcpy (out->head + sizeof *frame + i * sizeof attachment, &attachment, sizeof attachment);
    }
  if (frame->n_contents <= TTI_MESSAGE_MAX_BYTES)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": vectors of %" G_GUINT64_FORMAT
               " bytes together; at most %" G_GUINT64_FORMAT " can be sent at once", frame->id, frame->n_contents,
               TTI_MESSAGE_MAX_BYTES);
  return FALSE;
}

static TtiOutgoing *
stream_prepare (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  StreamTransport *self = (StreamTransport *) transport;
  gboolean is_task = !transport->trusted && message->kind == TTI_MESSAGE_TASK;
  TtiFrame frame;

  g_autoptr (GPtrArray) written = take_written (self, message);
  if (!tti_frame_init (&frame, message, error))
    return NULL;
  frame.n_vectors += written != NULL ? written->len : 0;
  gsize n_head = sizeof frame + frame.n_vectors * sizeof (TtiAttachment);
  StreamOutgoing *out = g_malloc0 (sizeof *out + n_head);

  out->n_head = n_head;
  out->written = g_steal_pointer (&written);
  if (!table_fill (out, &frame, message, is_task, error))
    {
      stream_outgoing_free (&out->base);
      return NULL;
    }
  memcpy (out->head, &frame, sizeof frame);
  out->payload = message->payload != NULL ? tti_payload_ref (message->payload) : NULL;
  if (is_task)
    tti_destinations_note (self->destinations, message);
  return &out->base;
}

static guint
outgoing_get_n_parts (const StreamOutgoing *out)
{
  if (out->payload == NULL)
    return 1;
  return 2 + tti_payload_get_n_vectors (out->payload) + (out->written != NULL ? out->written->len : 0);
}

static struct iovec
outgoing_get_part (StreamOutgoing *out, guint part)
{
  if (part == 0)
    return (struct iovec) { .iov_base = out->head, .iov_len = out->n_head };
  if (part == 1)
    {
      gsize size;
      gconstpointer data = tti_payload_get_data (out->payload, &size);

      return (struct iovec) { .iov_base = (gpointer) data, .iov_len = size };
    }
  guint i = part - 2, n_own = tti_payload_get_n_vectors (out->payload);
  TtiTravel travel = TTI_TRAVEL_SHARED;
  TtiVector *vector = i < n_own ? tti_payload_get_vector (out->payload, i, &travel) : g_ptr_array_index (out->written, i - n_own);

  return (struct iovec) { .iov_base = tti_vector_get_data (vector),
                          .iov_len = travel == TTI_TRAVEL_WRITE ? 0 : tti_vector_get_size (vector) };
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
  g_clear_pointer (&self->written, g_ptr_array_unref);
  self->growing = (Growing) { 0 };
  self->stage = STAGE_FRAME;
  self->n_frame = 0;
  self->n_arrived = self->n_written = 0;
  self->n_vector = 0;
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

/* Is ATTACHMENT one that can come over a stream with what has come before it? NEW_BYTES: of vectors that are made to be written into. */
static gboolean
stream_attachment_check (StreamTransport *self, const TtiAttachment *attachment, guint64 *contents_left, guint64 *new_bytes, GError **error)
{
  gboolean is_write = attachment->travel == TTI_TRAVEL_WRITE, by_value = attachment->descriptor == TTI_BY_VALUE;

  if (!tti_attachment_check (attachment, TTI_MESSAGE_MAX_BYTES, contents_left, error))
    return FALSE;
  if (!by_value && (!is_write || attachment->descriptor != TTI_BY_SIZE))
    return tti_protocol_error (error, "a vector in descriptor %u over a stream", attachment->descriptor);
  if (is_write && by_value)
    {
      self->n_written++;
      return (!self->base.trusted && self->frame.kind == TTI_MESSAGE_RESULT)
             || tti_protocol_error (error, "contents of destinations, which come only with a worker's result");
    }
  if (self->n_written > 0)
    return tti_protocol_error (error, "a vector behind the contents of destinations");
  if (!is_write)
    return TRUE;
  if (!self->base.trusted || self->frame.kind != TTI_MESSAGE_TASK)
    return tti_protocol_error (error, "a vector to write into, which only a master may send, with a task");
  if (attachment->size > TTI_MESSAGE_MAX_BYTES - *new_bytes)
    return tti_protocol_error (error, "vectors to write into of more than %" G_GUINT64_FORMAT " bytes", TTI_MESSAGE_MAX_BYTES);
  *new_bytes += attachment->size;
  return TRUE;
}

/* The answer to a task is coming: the task is forgotten, and its vectors get the contents that come with a result. Contents for a task
 * that is not known any more go nowhere. */
static gboolean
stream_answer_arrived (StreamTransport *self, GError **error)
{
  if (self->base.trusted || (self->frame.kind != TTI_MESSAGE_RESULT && self->frame.kind != TTI_MESSAGE_EXCEPTION))
    return TRUE;
  self->written = tti_destinations_take (self->destinations, self->frame.id, self->frame.attempt);
  if (self->frame.kind == TTI_MESSAGE_EXCEPTION || !self->frame.has_payload)
    g_clear_pointer (&self->written, g_ptr_array_unref);
  return self->written == NULL
         || tti_destinations_check (self->written, self->table + (self->frame.n_vectors - self->n_written), self->n_written, error);
}

static gboolean
stream_table_arrived (StreamTransport *self, GError **error)
{
  guint64 contents_left = self->frame.n_contents, new_bytes = 0;

  self->table = (TtiAttachment *) (gpointer) g_steal_pointer (&self->growing.data);
  self->growing = (Growing) { .total = self->frame.n_bytes };
  self->stage = STAGE_BYTES;
  for (guint i = 0; i < self->frame.n_vectors; i++)
    if (!stream_attachment_check (self, &self->table[i], &contents_left, &new_bytes, error))
      return FALSE;
  if (contents_left > 0)
    return tti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes belong to no vector", contents_left);
  return stream_answer_arrived (self, error);
}

static void
stream_bytes_arrived (StreamTransport *self)
{
  self->bytes = g_bytes_new_take (g_steal_pointer (&self->growing.data), self->growing.used);
  self->stage = STAGE_VECTORS;
  if (self->frame.n_vectors == self->n_written)
    return;
  self->vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
  self->travels = g_array_new (FALSE, FALSE, 1);
}

/* Receive the vector of ATTACHMENT, the next one of the payload. */
static TtiReceived
stream_receive_vector (StreamTransport *self, const TtiAttachment *attachment, GError **error)
{
  if (self->vectors->len == self->travels->len)
    {
      TtiVector *fresh = tti_vector_new ((gsize) attachment->size, error);

      if (fresh == NULL)
        return TTI_RECEIVED_ERROR;
      g_ptr_array_add (self->vectors, fresh);
    }
  TtiVector *vector = g_ptr_array_index (self->vectors, self->travels->len);
  TtiReceived received = attachment->descriptor == TTI_BY_SIZE ? TTI_RECEIVED_MESSAGE
    : stream_fill (self, tti_vector_get_data (vector), &self->n_vector, attachment->size, error);

  if (received != TTI_RECEIVED_MESSAGE)
    return received;
  tti_vector_arrived (vector, (TtiTravel) attachment->travel, self->base.trusted);
  g_array_append_val (self->travels, attachment->travel);
  return TTI_RECEIVED_MESSAGE;
}

/* Receive the contents of destination number I, SIZE bytes. */
static TtiReceived
stream_receive_written (StreamTransport *self, guint i, gsize size, GError **error)
{
  guint8 discarded[DISCARDED_AT_ONCE];
  TtiReceived received = TTI_RECEIVED_MESSAGE;

  if (self->written != NULL)
    return stream_fill (self, tti_vector_get_data (g_ptr_array_index (self->written, i)), &self->n_vector, size, error);
  while (received == TTI_RECEIVED_MESSAGE && self->n_vector < size)
    {
      gsize n = 0;

      received = stream_fill (self, discarded, &n, MIN (size - self->n_vector, sizeof discarded), error);
      self->n_vector += n;
    }
  return received;
}

static TtiReceived
stream_receive_vectors (StreamTransport *self, GError **error)
{
  guint n_own = self->frame.n_vectors - self->n_written;

  for (; self->n_arrived < self->frame.n_vectors; self->n_arrived++, self->n_vector = 0)
    {
      const TtiAttachment *attachment = &self->table[self->n_arrived];
      TtiReceived received = self->n_arrived < n_own ? stream_receive_vector (self, attachment, error)
        : stream_receive_written (self, self->n_arrived - n_own, attachment->size, error);

      if (received != TTI_RECEIVED_MESSAGE)
        return received;
    }
  return TTI_RECEIVED_MESSAGE;
}

static gboolean
stream_finish (StreamTransport *self, TtiMessage *message, GError **error)
{
  TtiPayload *payload = self->frame.has_payload ? tti_payload_new (g_steal_pointer (&self->bytes), g_steal_pointer (&self->vectors),
                                                                   g_steal_pointer (&self->travels)) : NULL;
  gboolean ok = tti_frame_to_message (&self->frame, payload, self->base.trusted, message, error);

  if (ok && self->base.trusted && message->kind == TTI_MESSAGE_TASK)
    tti_destinations_note (self->destinations, message);
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

static void
stream_forget (TtiTransport *transport, guint64 id)
{
  StreamTransport *self = (StreamTransport *) transport;

  tti_destinations_forget (self->destinations, id);
  /* Its answer is perhaps just coming. */
  if (self->stage > STAGE_TABLE && self->frame.id == id)
    g_clear_pointer (&self->written, g_ptr_array_unref);
}

static void
stream_close (TtiTransport *transport)
{
  tti_destinations_free (((StreamTransport *) transport)->destinations);
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
    .forget = stream_forget,
    .close = stream_close,
  };

  g_return_val_if_fail (fd >= 0, NULL);
  TtiTransport *transport = tti_transport_alloc (sizeof (StreamTransport), &ops, fd, trusted);

  ((StreamTransport *) transport)->destinations = tti_destinations_new ();
  return transport;
}
