/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Messages and their frames: made and checked in one place. */
#include "platform/error.h"
#include "transport/codec-private.h"
#include "transport/transport-private.h"
#include <string.h>

void
tti_message_clear (TtiMessage *message)
{
  g_clear_pointer (&message->payload, tti_payload_unref);
  *message = (TtiMessage) { 0 };
}

gboolean
tti_frame_init (TtiFrame *frame, const TtiMessage *message, GError **error)
{
  *frame = (TtiFrame) { .magic = TTI_FRAME_MAGIC, .version = TTI_FRAME_VERSION, .kind = (guint8) message->kind,
                          .attempt = message->attempt, .generation = message->generation, .id = message->id,
                          .detail = message->detail, .body_descriptor = TTI_BY_VALUE };
  if (message->payload == NULL)
    return TRUE;
  frame->has_payload = 1;
  frame->n_vectors = tti_payload_get_n_vectors (message->payload);
  frame->n_bytes = tti_payload_get_n_bytes (message->payload);
  if (frame->n_bytes <= TTI_MESSAGE_MAX_BYTES && frame->n_vectors <= TTI_MESSAGE_MAX_VECTORS)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT,
               "message %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT " bytes and %u vectors; at most %" G_GUINT64_FORMAT
               " bytes and %u vectors can be sent at once", frame->id, frame->n_bytes, frame->n_vectors,
               TTI_MESSAGE_MAX_BYTES, TTI_MESSAGE_MAX_VECTORS);
  return FALSE;
}

gboolean
tti_protocol_error (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "message refused: %s", what);
  return FALSE;
}

gboolean
tti_frame_check (const TtiFrame *frame, GError **error)
{
  if (frame->magic != TTI_FRAME_MAGIC)
    return tti_protocol_error (error, "it begins with 0x%08x, expected 0x%08x", frame->magic, TTI_FRAME_MAGIC);
  if (frame->version != TTI_FRAME_VERSION)
    return tti_protocol_error (error, "version %u, expected %u: master and worker must be of the same release",
                               frame->version, TTI_FRAME_VERSION);
  if (frame->kind < TTI_MESSAGE_HELLO || frame->kind > TTI_MESSAGE_LEASE || frame->has_payload > 1)
    return tti_protocol_error (error, "unknown kind %u (payload flag %u)", frame->kind, frame->has_payload);
  if (frame->n_bytes > TTI_MESSAGE_MAX_BYTES || frame->n_contents > TTI_MESSAGE_MAX_BYTES
      || frame->n_vectors > TTI_MESSAGE_MAX_VECTORS || frame->n_descriptors > TTI_MESSAGE_MAX_DESCRIPTORS)
    return tti_protocol_error (error, "too large: %" G_GUINT64_FORMAT " bytes, %u vectors (%" G_GUINT64_FORMAT
                               " bytes of them inside), %u descriptors", frame->n_bytes, frame->n_vectors,
                               frame->n_contents, frame->n_descriptors);
  if (!frame->has_payload && (frame->n_bytes != 0 || frame->n_contents != 0 || frame->n_vectors != 0 || frame->n_descriptors != 0))
    return tti_protocol_error (error, "it has no payload, but %" G_GUINT64_FORMAT " bytes, %u vectors, %u descriptors",
                               frame->n_bytes, frame->n_vectors, frame->n_descriptors);
  if (frame->body_descriptor != TTI_BY_VALUE && frame->body_descriptor >= frame->n_descriptors
      && (frame->body_descriptor != TTI_BY_NUMBER || frame->body_storage == 0))
    return tti_protocol_error (error, "body in descriptor %u of %u", frame->body_descriptor, frame->n_descriptors);
  return TRUE;
}

gboolean
tti_attachment_check (const TtiAttachment *attachment, guint64 most_by_value, guint64 *contents_left, GError **error)
{
  if (attachment->travel > TTI_TRAVEL_WRITE)
    return tti_protocol_error (error, "unknown way to travel %u", attachment->travel);
  if (attachment->descriptor != TTI_BY_VALUE)
    return TRUE;
  if (attachment->size > most_by_value || attachment->size > *contents_left)
    return tti_protocol_error (error, "a vector of %" G_GUINT64_FORMAT " bytes inside, at most %" G_GUINT64_FORMAT
                               " of which %" G_GUINT64_FORMAT " are left", attachment->size, most_by_value, *contents_left);
  *contents_left -= attachment->size;
  return TRUE;
}

/* VECTOR was filled here: now give it the access that its sender wants. */
void
tti_vector_arrived (TtiVector *vector, TtiTravel travel, gboolean trusted)
{
  if (!trusted || travel != TTI_TRAVEL_SHARED)
    return;
  tti_vector_set_read_only (vector);
  tti_storage_forbid_reuse (tti_vector_get_storage (vector));
  /* If it has its own pages, protect them like those of a mapped vector; it shares pages on the heap with others. */
  if (tti_vector_get_descriptor (vector, NULL) >= 0)
    tti_memory_protect (tti_vector_get_data (vector), tti_vector_get_size (vector));
}

gboolean
tti_frame_to_message (const TtiFrame *frame, TtiPayload *payload, gboolean trusted, TtiMessage *message, GError **error)
{
  /* A joined payload can be read as many more items than it has bytes: only masters may send one. */
  if (payload != NULL && !trusted && tti_payload_is_joined (payload))
    {
      tti_payload_unref (payload);
      return tti_protocol_error (error, "a joined payload, which only a master may send");
    }
  *message = (TtiMessage) { .kind = (TtiMessageKind) frame->kind, .attempt = frame->attempt,
                              .generation = frame->generation, .id = frame->id, .detail = frame->detail,
                              .payload = payload };
  return TRUE;
}
