/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "cluster/message-bytes.h"
#include "platform/error.h"
#include "transport/transport-private.h"
#include <string.h>

/* Complete the table: which vectors are inside, and the numbers of the others. */
static gboolean
fill_table (TtiAttachment *table, TtiFrame *frame, TtiPayload *payload, TtiNumberOf number_of, gpointer user_data, GError **error)
{
  for (guint i = 0; i < frame->n_vectors; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel);

      table[i] = (TtiAttachment){ .size = tti_vector_get_size (vector), .travel = (guint8) travel, .descriptor = TTI_BY_VALUE };
      if (table[i].size <= TTI_INLINE_LIMIT && travel != TTI_TRAVEL_WRITE)
        {
          frame->n_contents += table[i].size;
          continue;
        }
      table[i].descriptor = TTI_BY_NUMBER;
      table[i].storage = number_of (vector, travel, user_data, error);
      if (table[i].storage == 0)
        return FALSE;
    }
  return TRUE;
}

GBytes *
tti_message_to_bytes (const TtiMessage *message, TtiNumberOf number_of, gpointer user_data, GError **error)
{
  TtiFrame frame;

  if (!tti_frame_init (&frame, message, error))
    return NULL;
  g_autofree TtiAttachment *table = g_new (TtiAttachment, frame.n_vectors);

  if (!fill_table (table, &frame, message->payload, number_of, user_data, error))
    return NULL;
  gsize n_table = frame.n_vectors * sizeof *table, n_bytes = 0;
  gconstpointer bytes = frame.has_payload ? tti_payload_get_data (message->payload, &n_bytes) : NULL;
  gsize size = sizeof frame + n_table + n_bytes + frame.n_contents;
  guint8 *all = g_try_malloc (size), *to = all;

  if (all == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "no memory for a message of %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  to = (guint8 *) mempcpy (to, &frame, sizeof frame);
  to = n_table > 0 ? (guint8 *) mempcpy (to, table, n_table) : to;
  to = n_bytes > 0 ? (guint8 *) mempcpy (to, bytes, n_bytes) : to;
  for (guint i = 0; i < frame.n_vectors; i++)
    if (table[i].descriptor == TTI_BY_VALUE && table[i].size > 0)
      to = (guint8 *) mempcpy (to, tti_vector_get_data (tti_payload_get_vector (message->payload, i, NULL)), table[i].size);
  return g_bytes_new_take (all, size);
}

typedef struct
{
  const guint8 *at;
  gsize left;
} Rest;

static const guint8 *
take (Rest *rest, gsize size)
{
  const guint8 *bytes = rest->at;

  rest->at += size;
  rest->left -= size;
  return bytes;
}

static TtiVector *
vector_from_value (Rest *rest, gsize size, TtiTravel travel, gboolean trusted, GError **error)
{
  TtiVector *vector = tti_vector_new (size, error);

  if (vector == NULL)
    return NULL;
  if (size > 0)
    memcpy (tti_vector_get_data (vector), take (rest, size), size);
  tti_vector_arrived (vector, travel, trusted);
  return vector;
}

/* The vectors of TABLE, the contents of the short ones from REST. */
static gboolean
read_vectors (const TtiAttachment *table, const TtiFrame *frame, Rest *rest, gboolean trusted, TtiVectorOf vector_of, gpointer user_data,
              GPtrArray *vectors, GArray *travels, GError **error)
{
  guint64 contents_left = frame->n_contents;

  for (guint i = 0; i < frame->n_vectors; i++)
    {
      const TtiAttachment *attachment = &table[i];
      TtiTravel travel = (TtiTravel) attachment->travel;

      if (!tti_attachment_check (attachment, TTI_INLINE_LIMIT, &contents_left, error))
        return FALSE;
      if (travel == TTI_TRAVEL_WRITE && (!trusted || attachment->descriptor == TTI_BY_VALUE))
        return tti_protocol_error (error, "memory to write to, which only a master may send");
      if (attachment->descriptor != TTI_BY_VALUE && attachment->descriptor != TTI_BY_NUMBER)
        return tti_protocol_error (error, "a vector in descriptor %u over a link", attachment->descriptor);
      TtiVector *vector = attachment->descriptor == TTI_BY_VALUE
                            ? vector_from_value (rest, (gsize) attachment->size, travel, trusted, error)
                            : vector_of (attachment->storage, attachment->size, travel, user_data, error);

      if (vector == NULL)
        return FALSE;
      g_ptr_array_add (vectors, vector);
      g_array_append_val (travels, attachment->travel);
    }
  return contents_left == 0 || tti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes belong to no vector", contents_left);
}

gboolean
tti_message_from_bytes (TtiMessage *message, GBytes *bytes, gboolean trusted, TtiVectorOf vector_of, gpointer user_data, GError **error)
{
  Rest rest = { 0 };
  TtiFrame frame;

  *message = (TtiMessage){ 0 };
  if (bytes != NULL)
    rest.at = g_bytes_get_data (bytes, &rest.left);
  if (rest.left < sizeof frame)
    return tti_protocol_error (error, "%" G_GSIZE_FORMAT " bytes are no message", rest.left);
  memcpy (&frame, take (&rest, sizeof frame), sizeof frame);
  if (!tti_frame_check (&frame, error))
    return FALSE;
  guint64 n_table = frame.n_vectors * sizeof (TtiAttachment), expected = n_table + frame.n_bytes + frame.n_contents;

  if (expected != rest.left || frame.n_descriptors > 0 || frame.body_descriptor != TTI_BY_VALUE || frame.kind > TTI_MESSAGE_LAST)
    return tti_protocol_error (error, "a message of kind %u with %" G_GSIZE_FORMAT " bytes of body, expected %"
                               G_GUINT64_FORMAT, frame.kind, rest.left, expected);
  g_autofree TtiAttachment *table = n_table > 0 ? g_memdup2 (take (&rest, (gsize) n_table), (gsize) n_table) : NULL;
  g_autoptr (GBytes) value = NULL;
  g_autoptr (GPtrArray) vectors = NULL;
  g_autoptr (GArray) travels = NULL;

  if (frame.has_payload)
    value = g_bytes_new_from_bytes (bytes, sizeof frame + (gsize) n_table, (gsize) frame.n_bytes);
  take (&rest, (gsize) frame.n_bytes);
  if (frame.n_vectors > 0)
    {
      vectors = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref);
      travels = g_array_new (FALSE, FALSE, 1);
    }
  if (!read_vectors (table, &frame, &rest, trusted, vector_of, user_data, vectors, travels, error))
    return FALSE;
  TtiPayload *payload = value != NULL ? tti_payload_new (g_steal_pointer (&value), g_steal_pointer (&vectors), g_steal_pointer (&travels))
                                      : NULL;

  return tti_frame_to_message (&frame, payload, trusted, message, error);
}
