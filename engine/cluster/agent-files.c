/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Contents of files, which the agent's host may have as well. Of such the agent is told path and size, and not sent the bytes. If there is
 * such a file it answers with the digest of that part of it, which it makes while ours is made, each in a thread of its own; if the two
 * are equal it is told to take its file, else it gets the bytes, as any other contents. Meanwhile it holds back what names them. */
#include "cluster/agent-node-private.h"
#include "cluster/file-digest.h"
#include "transport/file-origin.h"

/* A file that is mapped and has less is sent: that takes less than to ask. */
enum { LEAST_MAPPED = 1 << 20, MOST_DIGESTS = 2 };

/* Contents that the agent was told of, and not given. */
typedef struct
{
  guint64 number;
  TtiVector *vector;
  GBytes *ours, *theirs;   /* digests; NULL: not known */
  gboolean made;           /* OURS is, or could not be, made */
} Offer;

typedef struct
{
  TtiAgentNode *node;
  guint64 number;
  TtiVector *vector;
} DigestJob;

void
tti_agent_offer_free (gpointer data)
{
  Offer *offer = data;

  tti_vector_unref (offer->vector);
  g_clear_pointer (&offer->ours, g_bytes_unref);
  g_clear_pointer (&offer->theirs, g_bytes_unref);
  g_free (offer);
}

static void
unref_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

void
tti_agent_send_vector_locked (TtiAgentNode *self, guint64 number, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&self->lock);
  tti_link_send_contents (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_CONTENTS, .id = number }, tti_vector_get_data (vector),
                          tti_vector_get_size (vector), tti_vector_ref (vector), unref_vector);
}

/* Both sides have said what they know of OFFER, or the agent has no such file (THEIRS is NULL). */
static void
settle_locked (TtiAgentNode *self, Offer *offer)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint64 number = offer->number;
  gboolean same = offer->theirs != NULL && offer->ours != NULL && g_bytes_equal (offer->theirs, offer->ours)
                  && tti_vector_is_as_opened (offer->vector);

  if (self->link != NULL && same)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_TAKE, .id = number }, NULL);
  else if (self->link != NULL)
    tti_agent_send_vector_locked (self, number, offer->vector);
  g_hash_table_remove (self->offers, &number);
}

/* --- our digests ------------------------------------------------------------------------------------------------------------- */

static GBytes *
make_digest (TtiVector *vector, gpointer data)
{
  TtiAgentNode *node = data;
  TtiFileOrigin origin;
  goffset offset;
  int fd = tti_vector_get_descriptor (vector, &offset);

  if (!tti_vector_get_origin (vector, &origin) || origin.is_copy || fd < 0)
    return tti_digest_memory (tti_vector_get_data (vector), tti_vector_get_size (vector), &node->closing);
  return tti_digest_file (fd, (guint64) offset, tti_vector_get_size (vector), &node->closing);
}

static void
run_digest_job (gpointer data, G_GNUC_UNUSED gpointer unused)
{
  g_autofree DigestJob *job = data;
  TtiAgentNode *node = job->node;
  GBytes *digest = g_atomic_int_get (&node->closing) ? NULL : tti_vector_get_digest (job->vector, make_digest, node);

  tti_lock_take (&node->lock);
  Offer *offer = g_hash_table_lookup (node->offers, &job->number);

  /* Numbers begin again with each epoch. */
  if (offer != NULL && offer->vector == job->vector && !offer->made)
    {
      offer->ours = g_steal_pointer (&digest);
      offer->made = TRUE;
      if (offer->theirs != NULL)
        settle_locked (node, offer);
    }
  node->n_digests--;
  g_cond_broadcast (&node->changed);
  tti_lock_release (&node->lock);
  g_clear_pointer (&digest, g_bytes_unref);
  tti_vector_unref (job->vector);
}

static GThreadPool *
get_digest_threads (void)
{
  static GThreadPool *threads;
  static gsize made;

  if (g_once_init_enter (&made))
    {
      threads = g_thread_pool_new (run_digest_job, NULL, MOST_DIGESTS, FALSE, NULL);
      g_once_init_leave (&made, 1);
    }
  return threads;
}

static void
begin_digest_locked (TtiAgentNode *self, Offer *offer)
{
  TTI_ASSERT_LOCKED (&self->lock);
  DigestJob *job = g_new (DigestJob, 1);

  *job = (DigestJob){ self, offer->number, tti_vector_ref (offer->vector) };
  self->n_digests++;
  /* Without a thread it waits in the queue until there is one. */
  (void) g_thread_pool_push (get_digest_threads (), job, NULL);
}

void
tti_agent_end_digests (TtiAgentNode *self)
{
  g_atomic_int_set (&self->closing, TRUE);
  tti_lock_take (&self->lock);
  while (self->n_digests > 0)
    (void) tti_lock_wait (&self->lock, &self->changed, -1);
  tti_lock_release (&self->lock);
}

/* --- offers ------------------------------------------------------------------------------------------------------------------ */

gboolean
tti_agent_offer_file_locked (TtiAgentNode *self, guint64 number, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint64 size = tti_vector_get_size (vector);
  TtiFileOrigin origin;

  if (!tti_vector_get_origin (vector, &origin) || (!origin.is_copy && size < LEAST_MAPPED) || !tti_vector_is_as_opened (vector))
    return FALSE;
  g_autoptr (GVariant) variant
    = g_variant_ref_sink (g_variant_new ("(@ayttb)", g_variant_new_bytestring (origin.path), origin.offset, origin.file_size,
                                         origin.is_copy));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (variant);
  Offer *offer = g_new0 (Offer, 1);

  *offer = (Offer){ .number = number, .vector = tti_vector_ref (vector) };
  g_hash_table_insert (self->offers, &offer->number, offer);
  tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_FILE, .id = number, .detail = size }, bytes);
  begin_digest_locked (self, offer);
  return TRUE;
}

void
tti_agent_forgo_locked (TtiAgentNode *self, guint64 number)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if (g_hash_table_remove (self->offers, &number) && self->link != NULL)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_FORGO, .id = number }, NULL);
}

gboolean
tti_agent_file_answered (TtiAgentNode *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  gboolean found = frame->kind == TTI_SAY_FILE_FOUND;
  gboolean right = found ? bytes != NULL && g_bytes_get_size (bytes) == TTI_FILE_DIGEST_BYTES : bytes == NULL;

  if (!right)
    return tti_link_refuse (error, "a digest of another size", frame->size);
  tti_lock_take (&self->lock);
  Offer *offer = g_hash_table_lookup (self->offers, &frame->id);

  /* What is not offered any more was dropped meanwhile. */
  if (offer != NULL && offer->theirs == NULL && found)
    offer->theirs = g_bytes_ref (bytes);
  if (offer != NULL && (!found || offer->made))
    settle_locked (self, offer);
  tti_lock_release (&self->lock);
  return TRUE;
}
