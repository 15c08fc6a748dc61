/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How vectors travel beside packets.
 *
 * Out: up to TUTTI_INLINE_LIMIT bytes by value; what has a descriptor that the other side can take, by that, each descriptor once;
 * the rest in a copy that has one. A worker's end gives away only memory that is its own and sealed: a file could be shrunk, and the
 * master's input, given back as a result, would be one memory under two names.
 *
 * In: a worker maps what one descriptor brings in one piece, read-only or copy-on-write, and keeps no descriptor. A master
 * copies what would fit into an arena, so that neither descriptors nor the sender's later writes matter, and maps what is larger. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/transport-private.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- out ----------------------------------------------------------------------------------------------------------------- */
guint32
tutti_attached_add (TuttiAttached *attached, TuttiVector *vector, guint64 *offset)
{
  goffset start;
  int fd = tutti_vector_get_descriptor (vector, &start);

  if (attached->numbers == NULL)
    {
      attached->numbers = g_hash_table_new (NULL, NULL);
      attached->fds = g_array_new (FALSE, FALSE, sizeof fd);
    }
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (attached->numbers, GINT_TO_POINTER (fd)));

  if (number == 0)
    {
      g_array_append_val (attached->fds, fd);
      number = attached->fds->len;
      g_hash_table_insert (attached->numbers, GINT_TO_POINTER (fd), GUINT_TO_POINTER (number));
    }
  *offset = (guint64) start;
  return number - 1;
}

/* VECTOR, or a copy that can be given away, owned by ATTACHED. */
static TuttiVector *
vector_to_share (TuttiAttached *attached, TuttiVector *vector, gboolean trusted, GError **error)
{
  if (trusted ? tutti_vector_is_own_sealed (vector) : tutti_vector_get_descriptor (vector, NULL) >= 0)
    return vector;
  gsize size = tutti_vector_get_size (vector);
  TuttiVector *copy = tutti_vector_new_to_fill (size, error);

  if (copy == NULL)
    return NULL;
  memcpy (tutti_vector_get_data (copy), tutti_vector_get_data (vector), size);
  g_ptr_array_add (attached->keep, copy);
  return copy;
}

gboolean
tutti_attached_init (TuttiAttached *attached, TuttiFrame *frame, TuttiPayload *payload, gboolean trusted, GError **error)
{
  *attached = (TuttiAttached) { .keep = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_vector_unref),
                                .table = g_new0 (TuttiAttachment, frame->n_vectors) };
  for (guint i = 0; i < frame->n_vectors; i++)
    {
      TuttiTravel travel;
      TuttiVector *vector = tutti_payload_get_vector (payload, i, &travel);
      TuttiAttachment *attachment = &attached->table[i];

      attachment->size = tutti_vector_get_size (vector);
      attachment->travel = (guint8) travel;
      attachment->descriptor = TUTTI_BY_VALUE;
      if (attachment->size <= TUTTI_INLINE_LIMIT)
        {
          frame->n_contents += attachment->size;
          continue;
        }
      vector = vector_to_share (attached, vector, trusted, error);
      if (vector == NULL)
        return FALSE;
      attachment->descriptor = tutti_attached_add (attached, vector, &attachment->offset);
    }
  return TRUE;
}

void
tutti_attached_clear (TuttiAttached *attached)
{
  g_clear_pointer (&attached->fds, g_array_unref);
  g_clear_pointer (&attached->keep, g_ptr_array_unref);
  g_clear_pointer (&attached->numbers, g_hash_table_unref);
  g_clear_pointer (&attached->table, g_free);
}

/* --- in ------------------------------------------------------------------------------------------------------------------ */
typedef struct
{
  int fd;
  guint64 size;
  gboolean used;
  struct
  {
    guint64 start, end;    /* what vectors of one TuttiTravel want of it; start == end: nothing */
    TuttiStorage *storage; /* mapped for all of them, when the first is made */
  } spans[2];
} Arrival;

typedef struct
{
  const TuttiFrame *frame;
  gboolean trusted;
  const guint8 *near_body;  /* NULL: it is in body_fd */
  int body_fd;
  guint64 position;         /* in the body, or in body_fd */
  guint64 copied;           /* bytes of vectors so far */
  Arrival *arrivals;
  TuttiAttachment *table;
  GPtrArray *vectors;
  GArray *travels;
} Incoming;

static void
incoming_clear (Incoming *in)
{
  for (guint i = 0; i < in->frame->n_descriptors && in->arrivals != NULL; i++)
    for (guint travel = 0; travel < 2; travel++)
      tutti_storage_unref (in->arrivals[i].spans[travel].storage);
  g_free (in->arrivals);
  g_free (in->table);
  g_clear_pointer (&in->vectors, g_ptr_array_unref);
  g_clear_pointer (&in->travels, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Incoming, incoming_clear)

/* SIZE bytes of FD from OFFSET into private memory, where its sender cannot change them any more. */
static gboolean
memory_read (int fd, guint64 offset, gpointer to, gsize size, GError **error)
{
  for (gsize done = 0; done < size;)
    {
      gssize n = pread (fd, (guint8 *) to + done, size - done, (goffset) (offset + done));

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        {
          tutti_set_errno (error, errno, "cannot read %" G_GSIZE_FORMAT " bytes of received memory", size);
          return FALSE;
        }
      if (n == 0)
        return tutti_protocol_error (error, "memory ends after %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes", done, size);
      done += (gsize) n;
    }
  return TRUE;
}

/* The next SIZE bytes of the body, whose length was checked. */
static gboolean
body_read (Incoming *in, gpointer to, gsize size, GError **error)
{
  gboolean ok = TRUE;

  if (in->near_body == NULL)
    ok = memory_read (in->body_fd, in->position, to, size, error);
  else if (size > 0)
    memcpy (to, in->near_body + in->position, size);
  in->position += size;
  return ok;
}

/* The next SIZE bytes of the body in memory of their own; NULL with ERROR set. */
static gpointer
body_read_new (Incoming *in, gsize size, GError **error)
{
  g_autofree guint8 *data = g_try_malloc (MAX (size, 1));

  if (data == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "no memory for a message of %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  return body_read (in, data, size, error) ? g_steal_pointer (&data) : NULL;
}

/* Look at what came, before anything is believed about it. */
static gboolean
arrivals_init (Incoming *in, const int *fds, GError **error)
{
  in->arrivals = g_new0 (Arrival, in->frame->n_descriptors);
  for (guint i = 0; i < in->frame->n_descriptors; i++)
    {
      gssize size = tutti_memory_size (fds[i], NULL);

      if (size < 0)
        return tutti_protocol_error (error, "descriptor %u is not memory", i);
      if (!in->trusted && !tutti_descriptor_is_sealed (fds[i]))
        return tutti_protocol_error (error, "descriptor %u (%" G_GSSIZE_FORMAT " bytes) is not sealed: its sender could shrink it",
                                     i, size);
      in->arrivals[i].fd = fds[i];
      in->arrivals[i].size = (guint64) size;
    }
  return TRUE;
}

static gboolean
arrival_has (Arrival *arrival, guint64 offset, guint64 size, GError **error)
{
  arrival->used = TRUE;
  return (offset <= arrival->size && size <= arrival->size - offset)
         || tutti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes from offset %" G_GUINT64_FORMAT " of a memory of %"
                                  G_GUINT64_FORMAT " bytes", size, offset, arrival->size);
}

/* The bytes of the body that come before the vectors. Sizes cannot overflow: the frame was checked against the limits. */
static guint64
body_size (const TuttiFrame *frame)
{
  return frame->n_vectors * sizeof (TuttiAttachment) + frame->n_bytes + frame->n_contents;
}

static gboolean
body_init (Incoming *in, GError **error)
{
  struct stat status;

  if (in->near_body != NULL)
    return TRUE;
  Arrival *arrival = &in->arrivals[in->frame->body_descriptor];
  guint64 size = body_size (in->frame);

  in->body_fd = arrival->fd;
  in->position = in->frame->body_offset;
  if (!arrival_has (arrival, in->frame->body_offset, size, error))
    return FALSE;
  /* A memory of 64 GiB without a single page costs its sender nothing, but us 64 GiB to read. */
  return (fstat (arrival->fd, &status) == 0 && (guint64) status.st_blocks * 512 >= size)
         || tutti_protocol_error (error, "a body of %" G_GUINT64_FORMAT " bytes in a memory that is mostly holes", size);
}

/* Check the attachment and add it to what will be mapped of its descriptor. */
static gboolean
attachment_note (Incoming *in, const TuttiAttachment *attachment, guint64 *contents_left, GError **error)
{
  if (!tutti_attachment_check (attachment, TUTTI_INLINE_LIMIT, contents_left, error))
    return FALSE;
  if (attachment->descriptor == TUTTI_BY_VALUE)
    return TRUE;
  if (attachment->descriptor >= in->frame->n_descriptors)
    return tutti_protocol_error (error, "a vector in descriptor %u of %u", attachment->descriptor, in->frame->n_descriptors);
  Arrival *arrival = &in->arrivals[attachment->descriptor];

  if (!arrival_has (arrival, attachment->offset, attachment->size, error))
    return FALSE;
  guint64 end = attachment->offset + attachment->size;
  guint64 *span_start = &arrival->spans[attachment->travel].start, *span_end = &arrival->spans[attachment->travel].end;

  if (attachment->size > 0 && *span_start == *span_end)
    *span_start = attachment->offset;
  *span_start = attachment->size > 0 ? MIN (*span_start, attachment->offset) : *span_start;
  *span_end = attachment->size > 0 ? MAX (*span_end, end) : *span_end;
  return TRUE;
}

static gboolean
table_init (Incoming *in, GError **error)
{
  guint64 contents_left = in->frame->n_contents;

  in->table = body_read_new (in, in->frame->n_vectors * sizeof (TuttiAttachment), error);
  if (in->table == NULL)
    return FALSE;
  for (guint i = 0; i < in->frame->n_vectors; i++)
    if (!attachment_note (in, &in->table[i], &contents_left, error))
      return FALSE;
  if (contents_left > 0)
    return tutti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes belong to no vector", contents_left);
  for (guint i = 0; i < in->frame->n_descriptors; i++)
    if (!in->arrivals[i].used)
      return tutti_protocol_error (error, "descriptor %u of %u is not used", i, in->frame->n_descriptors);
  return TRUE;
}

/* A vector of this process with the contents of ATTACHMENT. */
static TuttiVector *
vector_copied (Incoming *in, const TuttiAttachment *attachment, GError **error)
{
  if (attachment->size > TUTTI_MESSAGE_MAX_BYTES - in->copied)
    {
      tutti_protocol_error (error, "vectors of more than %" G_GUINT64_FORMAT " bytes", TUTTI_MESSAGE_MAX_BYTES);
      return NULL;
    }
  in->copied += attachment->size;
  g_autoptr (TuttiVector) vector = tutti_vector_new_to_fill ((gsize) attachment->size, error);

  if (vector == NULL)
    return NULL;
  gpointer data = tutti_vector_get_data (vector);

  if (attachment->descriptor == TUTTI_BY_VALUE
        ? !body_read (in, data, attachment->size, error)
        : !memory_read (in->arrivals[attachment->descriptor].fd, attachment->offset, data, attachment->size, error))
    return NULL;
  tutti_vector_arrived (vector, (TuttiTravel) attachment->travel, in->trusted);
  return g_steal_pointer (&vector);
}

/* In a worker: a part of what is mapped of the descriptor. */
static TuttiVector *
vector_in_span (Arrival *arrival, const TuttiAttachment *attachment, GError **error)
{
  TuttiMapMode mode = attachment->travel == TUTTI_TRAVEL_COPY ? TUTTI_MAP_COPY : TUTTI_MAP_READ_ONLY;
  guint64 start = arrival->spans[attachment->travel].start;
  TuttiStorage **storage = &arrival->spans[attachment->travel].storage;

  if (*storage == NULL)
    *storage = tutti_storage_adopt (arrival->fd, (goffset) start, arrival->spans[attachment->travel].end - start, mode, FALSE,
                                    FALSE, error);
  if (*storage == NULL)
    return NULL;
  return tutti_vector_new_in_storage (tutti_storage_ref (*storage), attachment->offset - start, attachment->size);
}

static TuttiVector *
vector_receive (Incoming *in, const TuttiAttachment *attachment, GError **error)
{
  if (attachment->descriptor == TUTTI_BY_VALUE || attachment->size == 0)
    return vector_copied (in, attachment, error);
  Arrival *arrival = &in->arrivals[attachment->descriptor];

  if (in->trusted)
    return vector_in_span (arrival, attachment, error);
  if (attachment->size <= tutti_arena_get_slot_limit ())
    return vector_copied (in, attachment, error);
  return tutti_vector_adopt (arrival->fd, (goffset) attachment->offset, attachment->size,
                             attachment->travel == TUTTI_TRAVEL_COPY ? TUTTI_MAP_COPY : TUTTI_MAP_SHARED, TRUE, error);
}

static gboolean
vectors_receive (Incoming *in, GError **error)
{
  if (in->frame->n_vectors == 0)
    return TRUE;
  in->vectors = g_ptr_array_new_full (in->frame->n_vectors, (GDestroyNotify) tutti_vector_unref);
  in->travels = g_array_new (FALSE, FALSE, 1);
  for (guint i = 0; i < in->frame->n_vectors; i++)
    {
      TuttiVector *vector = vector_receive (in, &in->table[i], error);

      if (vector == NULL)
        return FALSE;
      g_ptr_array_add (in->vectors, vector);
      g_array_append_val (in->travels, in->table[i].travel);
    }
  return TRUE;
}

gboolean
tutti_attached_receive (const TuttiFrame *frame, const guint8 *near_body, const int *fds, gboolean trusted,
                        TuttiMessage *message, GError **error)
{
  g_auto (Incoming) in = { .frame = frame, .trusted = trusted, .near_body = near_body };
  gpointer data = NULL;

  if (!frame->has_payload)
    return tutti_frame_to_message (frame, NULL, NULL, NULL, trusted, message, error);
  if (!arrivals_init (&in, fds, error) || !body_init (&in, error) || !table_init (&in, error)
      || (data = body_read_new (&in, frame->n_bytes, error)) == NULL)
    return FALSE;
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, frame->n_bytes);

  return vectors_receive (&in, error)
         && tutti_frame_to_message (frame, g_steal_pointer (&bytes), g_steal_pointer (&in.vectors), g_steal_pointer (&in.travels),
                                    trusted, message, error);
}
