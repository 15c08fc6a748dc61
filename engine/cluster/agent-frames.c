/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What comes from an agent, in the thread of its link's reader. Nothing of it is trusted. */
#include "cluster/agent-node-private.h"
#include "cluster/message-bytes.h"
#include <string.h>

enum
{
  MOST_CONTROL = 16 << 20,
  MOST_ARRIVED = 1 << 20,
  MOST_RETURNED = 1024,             /* more than are ever ahead */
  LONGEST_TRIP_US = G_USEC_PER_SEC, /* what an agent can make us believe */
  SMOOTHING = 4                     /* the mean is over about so many trips */
};

/* --- it begins --------------------------------------------------------------------------------------------------------------- */

static TtiLinkTaking
begin_contents (TtiAgentNode *self, const TtiLinkFrame *frame, gpointer *place, GError **error)
{
  if (frame->size == 0 || frame->size > TTI_MESSAGE_MAX_BYTES || frame->id == 0 || g_hash_table_contains (self->arrived, &frame->id)
      || g_hash_table_size (self->arrived) >= MOST_ARRIVED || self->placed != NULL)
    {
      tti_link_refuse (error, "contents that cannot be", frame->id);
      return TTI_LINK_REFUSE;
    }
  self->placed = tti_vector_new_to_receive ((gsize) frame->size, error);
  if (self->placed == NULL)
    return TTI_LINK_REFUSE;
  *place = tti_vector_get_data (self->placed);
  return TTI_LINK_PLACE;
}

/* Results for a destination go there, unless its task has ended otherwise. */
static TtiLinkTaking
begin_written (TtiAgentNode *self, const TtiLinkFrame *frame, gpointer *place, GError **error)
{
  if (self->placed != NULL)
    {
      tti_link_refuse (error, "results between the parts of other contents", frame->id);
      return TTI_LINK_REFUSE;
    }
  tti_lock_take (&self->lock);
  TtiAgentDestination *destination = g_hash_table_lookup (self->destinations, &frame->id);
  TtiVector *vector = destination != NULL ? tti_vector_ref (destination->vector) : NULL;

  tti_lock_release (&self->lock);
  if (vector == NULL)
    return TTI_LINK_DISCARD;
  if (frame->size != tti_vector_get_size (vector))
    {
      tti_vector_unref (vector);
      tti_link_refuse (error, "results of another size than their destination", frame->size);
      return TTI_LINK_REFUSE;
    }
  self->placed = vector;
  *place = tti_vector_get_data (vector);
  return TTI_LINK_PLACE;
}

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, gpointer *place, gpointer user_data, GError **error)
{
  TtiAgentNode *self = user_data;

  if (frame->kind == TTI_SAY_CONTENTS)
    return begin_contents (self, frame, place, error);
  if (frame->kind == TTI_SAY_WRITTEN)
    return begin_written (self, frame, place, error);
  if (frame->kind == TTI_SAY_MESSAGE || frame->size <= MOST_CONTROL)
    return TTI_LINK_COLLECT;
  tti_link_refuse (error, "too many bytes", frame->size);
  return TTI_LINK_REFUSE;
}

/* --- it has come ------------------------------------------------------------------------------------------------------------- */

static void
contents_arrived (TtiAgentNode *self, const TtiLinkFrame *frame)
{
  g_hash_table_insert (self->arrived, g_memdup2 (&frame->id, sizeof frame->id), g_steal_pointer (&self->placed));
}

static void
results_arrived (TtiAgentNode *self, const TtiLinkFrame *frame)
{
  tti_lock_take (&self->lock);
  g_hash_table_remove (self->destinations, &frame->id);
  tti_lock_release (&self->lock);
  g_clear_pointer (&self->placed, tti_vector_unref);
}

/* Contents have stayed there: an answer will name them. */
static gboolean
stays_arrived (TtiAgentNode *self, const TtiLinkFrame *frame, GError **error)
{
  if (g_hash_table_contains (self->arrived, &frame->id) || g_hash_table_size (self->arrived) >= MOST_ARRIVED)
    return tti_link_refuse (error, "contents that cannot have stayed", frame->id);
  tti_lock_take (&self->lock);
  TtiVector *left = tti_agent_new_left_locked (self, frame->id, frame->detail, error);

  tti_lock_release (&self->lock);
  if (left != NULL)
    g_hash_table_insert (self->arrived, g_memdup2 (&frame->id, sizeof frame->id), left);
  return left != NULL;
}

/* Contents belong to the one message that names them. */
static TtiVector *
take_arrived (guint64 number, guint64 size, G_GNUC_UNUSED TtiTravel travel, gpointer user_data, GError **error)
{
  TtiAgentNode *self = user_data;
  gpointer key, vector;

  if (!g_hash_table_steal_extended (self->arrived, &number, &key, &vector))
    {
      tti_link_refuse (error, "a message names contents that have not come", number);
      return NULL;
    }
  g_free (key);
  if (tti_vector_get_size (vector) == size)
    return vector;
  tti_vector_unref (vector);
  tti_link_refuse (error, "a message names contents of another size", size);
  return NULL;
}

static gboolean
message_arrived (TtiAgentNode *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  TtiMessage message;

  if (!tti_message_from_bytes (&message, bytes, FALSE, take_arrived, self, error))
    return FALSE;
  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, frame->worker);
  gboolean ok = worker == NULL || tti_agent_may_leave_locked (self, worker, &message);

  if (ok && worker != NULL
      && (message.kind == TTI_MESSAGE_RESULT || message.kind == TTI_MESSAGE_EXCEPTION || message.kind == TTI_MESSAGE_FAULT))
    tti_agent_end_task_locked (self, worker, message.id);
  if (ok && worker != NULL && worker->transport != NULL)
    tti_agent_transport_put_locked (worker->transport, &message);
  tti_lock_release (&self->lock);
  guint64 task = message.id;

  tti_message_clear (&message);
  return ok || tti_link_refuse (error, "contents have stayed that were to come, of task", task);
}

static gboolean
output_arrived (TtiAgentNode *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  if (frame->id > 1)
    return tti_link_refuse (error, "output of no stream", frame->id);
  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, frame->worker);
  gboolean ok = worker == NULL || tti_agent_output_put (worker, (guint) frame->id, bytes);

  tti_lock_release (&self->lock);
  if (bytes != NULL)
    g_source_set_ready_time (self->drain, 0);
  return ok || tti_link_refuse (error, "more output than may be under way", frame->size);
}

static void
state_arrived (TtiAgentNode *self, const TtiLinkFrame *frame)
{
  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, frame->worker);

  if (worker != NULL)
    {
      worker->state = (guint) frame->id;
      worker->peak_memory = MAX (worker->peak_memory, frame->detail);
    }
  tti_lock_release (&self->lock);
}

/* What was sent to measure the way has come back. */
static void
note_probe_locked (TtiAgentNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gint taken = (gint) CLAMP (g_get_monotonic_time () - self->probed_at, 1, LONGEST_TRIP_US);
  gint before = g_atomic_int_get (&self->round_trip);

  self->probe = 0;
  g_atomic_int_set (&self->round_trip, before == 0 ? taken : MAX (before + (taken - before) / SMOOTHING, 1));
}

static void
echo_arrived (TtiAgentNode *self, const TtiLinkFrame *frame)
{
  tti_lock_take (&self->lock);
  if (self->probe != 0 && frame->id == self->probe)
    note_probe_locked (self);
  else
    self->echoed = frame->id;
  g_cond_broadcast (&self->changed);
  tti_lock_release (&self->lock);
}

/* Tasks that were asked back. What they use is not used there any more. */
static gboolean
returned_arrived (TtiAgentNode *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  gsize size = 0;
  const guint8 *ids = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;

  if (size % sizeof (guint64) != 0 || size > MOST_RETURNED * sizeof (guint64))
    return tti_link_refuse (error, "numbers of tasks that cannot be", size);
  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, frame->worker);

  for (gsize i = 0; worker != NULL && i < size; i += sizeof (guint64))
    {
      TtiMessage message = { .kind = TTI_MESSAGE_RETURNED, .generation = frame->worker };

      memcpy (&message.id, ids + i, sizeof message.id);
      tti_agent_end_task_locked (self, worker, message.id);
      if (worker->transport != NULL)
        tti_agent_transport_put_locked (worker->transport, &message);
    }
  tti_lock_release (&self->lock);
  return TRUE;
}

static gboolean
on_arrived (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, GError **error)
{
  TtiAgentNode *self = user_data;

  switch (frame->kind)
    {
    case TTI_SAY_CONTENTS:
      contents_arrived (self, frame);
      return TRUE;
    case TTI_SAY_STAYS:
      return stays_arrived (self, frame, error);
    case TTI_SAY_WRITTEN:
      results_arrived (self, frame);
      return TRUE;
    case TTI_SAY_MESSAGE:
      return message_arrived (self, frame, bytes, error);
    case TTI_SAY_OUTPUT:
      return output_arrived (self, frame, bytes, error);
    case TTI_SAY_STATE:
      state_arrived (self, frame);
      return TRUE;
    case TTI_SAY_ECHOED:
      echo_arrived (self, frame);
      return TRUE;
    case TTI_SAY_RETURNED:
      return returned_arrived (self, frame, bytes, error);
    case TTI_SAY_FILE_FOUND:
    case TTI_SAY_FILE_LACKING:
      return tti_agent_file_answered (self, frame, bytes, error);
    case TTI_SAY_SPAWNED:
    case TTI_SAY_FAILED:
    case TTI_SAY_GONE:
    case TTI_SAY_EXITED:
    case TTI_SAY_STOPPED:
    case TTI_SAY_NODE_LOST:
    case TTI_SAY_NODE_SETTLED:
    case TTI_SAY_NODE_READY:
    case TTI_SAY_NODE_HOPELESS:
    case TTI_SAY_DRAINING:
    case TTI_SAY_TELL:
      tti_agent_queue_event (self, frame->kind, frame->worker, frame->detail, bytes);
      return TRUE;
    default:
      return tti_link_refuse (error, "an agent does not say that", frame->kind);
    }
}

static void
on_lost (G_GNUC_UNUSED TtiLink *link, const GError *error, gpointer user_data)
{
  TtiAgentNode *self = user_data;
  g_autoptr (GBytes) reason = g_bytes_new (error->message, strlen (error->message));

  g_clear_pointer (&self->placed, tti_vector_unref);
  g_hash_table_remove_all (self->arrived);
  tti_lock_take (&self->lock);
  g_cond_broadcast (&self->changed);
  tti_lock_release (&self->lock);
  tti_agent_queue_event (self, TTI_AGENT_LOST, 0, 0, reason);
}

const TtiLinkOps tti_agent_link_ops = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };
