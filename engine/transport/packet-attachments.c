/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How vectors travel beside packets.
 *
 * Out: vectors of up to TTI_INLINE_LIMIT bytes go by value, unless they are to be written into; vectors with a descriptor that the other
 * side can accept go by that, each descriptor once; others go as a copy that has one; and if the other side knows the number of a
 * storage, by that number alone (leases.h). A worker's end gives away only memory that is its own and sealed: a file could be shrunk,
 * and the master's input, given back as a result, would be one memory under two names.
 *
 * In: a worker maps a storage once for all messages, read-only or, if it is to write its results there, writable; it maps vectors
 * that are copied on write one by one; and files, which have no number, in one piece for each message, without keeping the
 * descriptor. A master copies vectors that would fit into an arena, so that neither descriptors nor the sender's later writes
 * matter, and maps larger ones. */
#include "platform/error.h"
#include "platform/fd.h"
#include "transport/transport-private.h"
#include "transport/mapped-file.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- out ----------------------------------------------------------------------------------------------------------------- */
guint32
tti_attached_add (TtiAttached *attached, TtiTransport *transport, TtiVector *vector, guint64 *offset, guint64 *storage_id)
{
  goffset start;
  int fd = tti_vector_get_descriptor (vector, &start);
  TtiStorage *storage = tti_vector_get_storage (vector);

  *offset = (guint64) start;
  *storage_id = transport->leases != NULL ? storage->id : 0;
  if (*storage_id == 0)
    tti_storage_expose (storage); /* we would not learn when nobody can see it any more */
  if (attached->numbers == NULL)
    {
      attached->numbers = g_hash_table_new (NULL, NULL);
      attached->leased = g_ptr_array_new ();
    }
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (attached->numbers, storage));

  if (number != 0)
    return number - 1;
  if (*storage_id != 0)
    g_ptr_array_add (attached->leased, storage);
  if (*storage_id != 0 && tti_leases_is_known (transport->leases, storage))
    number = TTI_BY_NUMBER + 1;
  else
    {
      if (attached->fds == NULL)
        attached->fds = g_array_new (FALSE, FALSE, sizeof fd);
      g_array_append_val (attached->fds, fd);
      number = attached->fds->len;
    }
  g_hash_table_insert (attached->numbers, storage, GUINT_TO_POINTER (number));
  return number - 1;
}

void
tti_attached_grant_leases (TtiAttached *attached, TtiTransport *transport)
{
  if (attached->leased != NULL && attached->leased->len > 0)
    tti_leases_grant (transport->leases, attached->leased);
}

/* VECTOR, or a copy that can be given away, owned by ATTACHED. */
static TtiVector *
vector_to_share (TtiAttached *attached, TtiVector *vector, gboolean trusted, GError **error)
{
  const TtiStorage *storage = tti_vector_get_storage (vector);
  gboolean has_descriptor = tti_vector_get_descriptor (vector, NULL) >= 0;

  if (storage->is_file && has_descriptor && !tti_mapped_file_check (storage->fd, storage->file_offset, storage->size, error))
    return NULL;
  if (trusted ? tti_vector_is_own_sealed (vector) : has_descriptor)
    return vector;
  gsize size = tti_vector_get_size (vector);
  TtiVector *copy = tti_vector_new_to_fill (size, error);

  if (copy == NULL)
    return NULL;
  memcpy (tti_vector_get_data (copy), tti_vector_get_data (vector), size);
  g_ptr_array_add (attached->keep, copy);
  return copy;
}

gboolean
tti_attached_init (TtiAttached *attached, TtiFrame *frame, TtiPayload *payload, TtiTransport *transport, GError **error)
{
  *attached = (TtiAttached) { .keep = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_vector_unref),
                                .table = g_new0 (TtiAttachment, frame->n_vectors) };
  for (guint i = 0; i < frame->n_vectors; i++)
    {
      TtiTravel travel;
      TtiVector *vector = tti_payload_get_vector (payload, i, &travel);
      TtiAttachment *attachment = &attached->table[i];

      attachment->size = tti_vector_get_size (vector);
      attachment->travel = (guint8) travel;
      attachment->descriptor = TTI_BY_VALUE;
      /* What the other side writes into a copy would not come back. */
      if (attachment->size <= TTI_INLINE_LIMIT && travel != TTI_TRAVEL_WRITE)
        {
          frame->n_contents += attachment->size;
          continue;
        }
      if (travel == TTI_TRAVEL_WRITE && tti_vector_get_descriptor (vector, NULL) < 0)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "message %" G_GUINT64_FORMAT ": the other side cannot write into a vector "
                       "of %" G_GSIZE_FORMAT " bytes that has no descriptor", frame->id, tti_vector_get_size (vector));
          return FALSE;
        }
      vector = vector_to_share (attached, vector, transport->trusted, error);
      if (vector == NULL)
        return FALSE;
      attachment->descriptor = tti_attached_add (attached, transport, vector, &attachment->offset, &attachment->storage);
    }
  return TRUE;
}

void
tti_attached_clear (TtiAttached *attached)
{
  g_clear_pointer (&attached->fds, g_array_unref);
  g_clear_pointer (&attached->keep, g_ptr_array_unref);
  g_clear_pointer (&attached->numbers, g_hash_table_unref);
  g_clear_pointer (&attached->leased, g_ptr_array_unref);
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
    guint64 start, end;  /* the range that vectors of one TtiTravel need; start == end: none */
    TtiStorage *storage; /* mapped for all of them when the first one is made */
  } spans[3];
  TtiLeased *leased; /* the lease under which it is remembered, in use; NULL: none */
} Arrival;

typedef struct
{
  const TtiFrame *frame;
  gboolean trusted;
  TtiLeases *leases;
  const guint8 *near_body;  /* NULL: it is in body_fd */
  int body_fd;
  guint64 position;         /* in the body, or in body_fd */
  guint64 copied;           /* bytes of vectors so far */
  Arrival *arrivals;        /* one for each descriptor */
  GHashTable *known;        /* number of a storage -> Arrival, for storages that came without a descriptor; NULL: none */
  TtiAttachment *table;
  GPtrArray *vectors;
  GArray *travels;
} Incoming;

static void
arrival_clear (Arrival *arrival)
{
  for (guint travel = 0; travel < G_N_ELEMENTS (arrival->spans); travel++)
    tti_storage_unref (arrival->spans[travel].storage);
  if (arrival->leased != NULL)
    tti_leased_unuse (arrival->leased);
}

static void
arrival_free (gpointer arrival)
{
  arrival_clear (arrival);
  g_free (arrival);
}

static void
incoming_clear (Incoming *in)
{
  for (guint i = 0; i < in->frame->n_descriptors && in->arrivals != NULL; i++)
    arrival_clear (&in->arrivals[i]);
  g_free (in->arrivals);
  g_clear_pointer (&in->known, g_hash_table_unref);
  g_free (in->table);
  g_clear_pointer (&in->vectors, g_ptr_array_unref);
  g_clear_pointer (&in->travels, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Incoming, incoming_clear)

/* Copy SIZE bytes of FD from OFFSET into private memory, where the sender cannot change them any more. */
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
          tti_set_errno (error, errno, "cannot read %" G_GSIZE_FORMAT " bytes of received memory", size);
          return FALSE;
        }
      if (n == 0)
        return tti_protocol_error (error, "memory ends after %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes", done, size);
      done += (gsize) n;
    }
  return TRUE;
}

/* The next SIZE bytes of the body; its length was checked. */
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

/* Check the descriptor before trusting it. */
static gboolean
arrivals_init (Incoming *in, const int *fds, GError **error)
{
  in->arrivals = g_new0 (Arrival, in->frame->n_descriptors);
  for (guint i = 0; i < in->frame->n_descriptors; i++)
    {
      /* In this order: a sealed memfd cannot have another size when it is used. */
      gboolean sealed = tti_descriptor_is_sealed (fds[i]);
      gssize size = tti_memory_size (fds[i], NULL);

      if (size < 0)
        return tti_protocol_error (error, "descriptor %u is not memory", i);
      if (!in->trusted && !sealed)
        return tti_protocol_error (error, "descriptor %u (%" G_GSSIZE_FORMAT " bytes) is not sealed: its sender could shrink it",
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
         || tti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes from offset %" G_GUINT64_FORMAT " of a memory of %"
                                G_GUINT64_FORMAT " bytes", size, offset, arrival->size);
}

/* The arrival that was leased before under number ID. */
static Arrival *
arrival_known (Incoming *in, guint64 id, GError **error)
{
  Arrival *arrival = in->known != NULL ? g_hash_table_lookup (in->known, &id) : NULL;

  if (arrival != NULL)
    return arrival;
  TtiLeased *leased = in->leases != NULL ? tti_leases_find (in->leases, id) : NULL;

  if (leased == NULL)
    {
      tti_protocol_error (error, "storage %" G_GUINT64_FORMAT " was never lent", id);
      return NULL;
    }
  if (in->known == NULL)
    in->known = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, arrival_free);
  arrival = g_new0 (Arrival, 1);
  *arrival = (Arrival) { .fd = tti_leased_get_fd (leased), .size = tti_leased_get_size (leased), .leased = leased };
  tti_leased_received (leased);
  g_hash_table_insert (in->known, g_memdup2 (&id, sizeof id), arrival);
  return arrival;
}

/* The arrival of descriptor NUMBER, which is to be remembered under number ID (0: not at all). */
static Arrival *
arrival_new (Incoming *in, guint32 number, guint64 id, GError **error)
{
  Arrival *arrival = &in->arrivals[number];

  if (id == 0 || in->leases == NULL || arrival->leased != NULL)
    return arrival;
  TtiLeased *other = tti_leases_find (in->leases, id);

  if (other != NULL)
    {
      tti_leased_unuse (other);
      tti_protocol_error (error, "storage %" G_GUINT64_FORMAT " is lent twice", id);
      return NULL;
    }
  arrival->leased = tti_leases_add (in->leases, id, arrival->fd, arrival->size, error);
  if (arrival->leased == NULL)
    return NULL;
  tti_leased_received (arrival->leased);
  return arrival;
}

/* The arrival that DESCRIPTOR and the number of a storage refer to; NULL with ERROR set. */
static Arrival *
arrival_find (Incoming *in, guint32 descriptor, guint64 id, GError **error)
{
  return descriptor == TTI_BY_NUMBER ? arrival_known (in, id, error) : arrival_new (in, descriptor, id, error);
}

/* The bytes of the body that precede the vectors. Sizes cannot overflow: the frame was checked against the limits. */
static guint64
body_size (const TtiFrame *frame)
{
  return frame->n_vectors * sizeof (TtiAttachment) + frame->n_bytes + frame->n_contents;
}

static gboolean
body_init (Incoming *in, GError **error)
{
  struct stat status;

  if (in->near_body != NULL)
    return TRUE;
  Arrival *arrival = arrival_find (in, in->frame->body_descriptor, in->frame->body_storage, error);
  guint64 size = body_size (in->frame);

  if (arrival == NULL)
    return FALSE;
  in->body_fd = arrival->fd;
  in->position = in->frame->body_offset;
  if (!arrival_has (arrival, in->frame->body_offset, size, error))
    return FALSE;
  /* A memfd of 64 GiB without a single page costs its sender nothing, but reading it would cost us 64 GiB. */
  return (fstat (arrival->fd, &status) == 0 && (guint64) status.st_blocks * 512 >= size)
         || tti_protocol_error (error, "a body of %" G_GUINT64_FORMAT " bytes in a memory that is mostly holes", size);
}

/* Check the attachment and add it to what will be mapped of its descriptor. */
static gboolean
attachment_note (Incoming *in, const TtiAttachment *attachment, guint64 *contents_left, GError **error)
{
  if (!tti_attachment_check (attachment, TTI_INLINE_LIMIT, contents_left, error))
    return FALSE;
  if (attachment->travel == TTI_TRAVEL_WRITE && (!in->trusted || attachment->storage == 0))
    return tti_protocol_error (error, "memory to write to, which only a master may send, and which has a number");
  if (attachment->descriptor == TTI_BY_VALUE)
    return TRUE;
  if (attachment->descriptor != TTI_BY_NUMBER && attachment->descriptor >= in->frame->n_descriptors)
    return tti_protocol_error (error, "a vector in descriptor %u of %u", attachment->descriptor, in->frame->n_descriptors);
  Arrival *arrival = arrival_find (in, attachment->descriptor, attachment->storage, error);

  if (arrival == NULL || !arrival_has (arrival, attachment->offset, attachment->size, error))
    return FALSE;
  if (arrival->leased != NULL)
    return TRUE;
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

  in->table = body_read_new (in, in->frame->n_vectors * sizeof (TtiAttachment), error);
  if (in->table == NULL)
    return FALSE;
  for (guint i = 0; i < in->frame->n_vectors; i++)
    if (!attachment_note (in, &in->table[i], &contents_left, error))
      return FALSE;
  if (contents_left > 0)
    return tti_protocol_error (error, "%" G_GUINT64_FORMAT " bytes belong to no vector", contents_left);
  for (guint i = 0; i < in->frame->n_descriptors; i++)
    if (!in->arrivals[i].used)
      return tti_protocol_error (error, "descriptor %u of %u is not used", i, in->frame->n_descriptors);
  return TRUE;
}

/* For an attachment that was checked. */
static Arrival *
arrival_of (Incoming *in, const TtiAttachment *attachment)
{
  return attachment->descriptor == TTI_BY_NUMBER ? g_hash_table_lookup (in->known, &attachment->storage)
                                                   : &in->arrivals[attachment->descriptor];
}

/* A vector of this process with the contents of ATTACHMENT. */
static TtiVector *
vector_copied (Incoming *in, const TtiAttachment *attachment, GError **error)
{
  if (attachment->size > TTI_MESSAGE_MAX_BYTES - in->copied)
    {
      tti_protocol_error (error, "vectors of more than %" G_GUINT64_FORMAT " bytes", TTI_MESSAGE_MAX_BYTES);
      return NULL;
    }
  in->copied += attachment->size;
  g_autoptr (TtiVector) vector = tti_vector_new_to_fill ((gsize) attachment->size, error);

  if (vector == NULL)
    return NULL;
  gpointer data = tti_vector_get_data (vector);

  if (attachment->descriptor == TTI_BY_VALUE
        ? !body_read (in, data, attachment->size, error)
        : !memory_read (arrival_of (in, attachment)->fd, attachment->offset, data, attachment->size, error))
    return NULL;
  tti_vector_arrived (vector, (TtiTravel) attachment->travel, in->trusted);
  return g_steal_pointer (&vector);
}

/* In a worker: a part of the mapping of the descriptor. */
static TtiVector *
vector_in_span (Arrival *arrival, const TtiAttachment *attachment, GError **error)
{
  TtiMapMode mode = attachment->travel == TTI_TRAVEL_COPY ? TTI_MAP_COPY : TTI_MAP_READ_ONLY;
  guint64 start = arrival->spans[attachment->travel].start;
  TtiStorage **storage = &arrival->spans[attachment->travel].storage;

  if (*storage == NULL)
    *storage = tti_storage_adopt (arrival->fd, (goffset) start, arrival->spans[attachment->travel].end - start, mode, FALSE,
                                  FALSE, error);
  if (*storage == NULL)
    return NULL;
  return tti_vector_new_in_storage (tti_storage_ref (*storage), attachment->offset - start, attachment->size);
}

/* How the receiving end maps vectors with this TtiTravel. */
static TtiMapMode
map_mode (TtiTravel travel, gboolean trusted)
{
  switch (travel)
    {
    case TTI_TRAVEL_COPY:
      return TTI_MAP_COPY;
    case TTI_TRAVEL_WRITE:
      return TTI_MAP_SHARED;
    case TTI_TRAVEL_SHARED:
      break;
    }
  return trusted ? TTI_MAP_READ_ONLY : TTI_MAP_SHARED;
}

static TtiVector *
vector_receive (Incoming *in, const TtiAttachment *attachment, GError **error)
{
  if (attachment->descriptor == TTI_BY_VALUE || attachment->size == 0)
    return vector_copied (in, attachment, error);
  Arrival *arrival = arrival_of (in, attachment);
  TtiMapMode mode = map_mode ((TtiTravel) attachment->travel, in->trusted);

  if (!in->trusted && attachment->size <= tti_arena_get_slot_limit ())
    return vector_copied (in, attachment, error);
  if (arrival->leased != NULL)
    return tti_leased_get_vector (arrival->leased, attachment->offset, attachment->size, mode, !in->trusted, error);
  if (in->trusted)
    return vector_in_span (arrival, attachment, error);
  return tti_vector_adopt (arrival->fd, (goffset) attachment->offset, attachment->size, mode, TRUE, error);
}

static gboolean
vectors_receive (Incoming *in, GError **error)
{
  if (in->frame->n_vectors == 0)
    return TRUE;
  in->vectors = g_ptr_array_new_full (in->frame->n_vectors, (GDestroyNotify) tti_vector_unref);
  in->travels = g_array_new (FALSE, FALSE, 1);
  for (guint i = 0; i < in->frame->n_vectors; i++)
    {
      TtiVector *vector = vector_receive (in, &in->table[i], error);

      if (vector == NULL)
        return FALSE;
      g_ptr_array_add (in->vectors, vector);
      g_array_append_val (in->travels, in->table[i].travel);
    }
  return TRUE;
}

gboolean
tti_attached_receive (const TtiFrame *frame, const guint8 *near_body, const int *fds, TtiTransport *transport,
                      TtiMessage *message, GError **error)
{
  gboolean trusted = transport->trusted;
  g_auto (Incoming) in = { .frame = frame, .trusted = trusted, .leases = transport->leases, .near_body = near_body };
  guint8 small[TTI_PAYLOAD_SMALL];
  g_autofree guint8 *large = NULL;

  if (!frame->has_payload)
    return tti_frame_to_message (frame, NULL, trusted, message, error);
  if (!arrivals_init (&in, fds, error) || !body_init (&in, error) || !table_init (&in, error))
    return FALSE;
  if (frame->n_bytes > sizeof small ? (large = body_read_new (&in, frame->n_bytes, error)) == NULL
                                    : !body_read (&in, small, frame->n_bytes, error))
    return FALSE;
  if (!vectors_receive (&in, error))
    return FALSE;
  GPtrArray *vectors = g_steal_pointer (&in.vectors);
  GArray *travels = g_steal_pointer (&in.travels);
  TtiPayload *payload = large != NULL ? tti_payload_new (g_bytes_new_take (g_steal_pointer (&large), frame->n_bytes), vectors, travels)
                                      : tti_payload_new_copy (small, frame->n_bytes, vectors, travels);

  return tti_frame_to_message (frame, payload, trusted, message, error);
}
