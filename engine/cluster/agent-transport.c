/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The transport of a worker elsewhere: its messages go over the link of the node, which all workers there share.
 *
 * What comes is put into an inbox by the link's reader. Whoever polls looks at the number of messages there, which costs nothing; whoever
 * parks is woken by a descriptor. */
#include "cluster/agent-node-private.h"
#include "cluster/message-bytes.h"
#include "platform/fd.h"
#include "process/worker-protocol.h"
#include "transport/transport-private.h"
#include <errno.h>

enum { PROBE_US = G_USEC_PER_SEC };

struct _TtiAgentTransport
{
  TtiTransport base;      /* its descriptor is a wakeup */
  TtiAgentNode *node;
  guint64 generation;
  GQueue inbox;           /* of TtiMessage, under the node's lock */
  gboolean at_end;        /* likewise: nothing more comes */
  gint n_waiting;         /* atomic: messages in the inbox, and its end */
  gint parked;            /* atomic */
};

typedef struct
{
  TtiOutgoing base;
  GBytes *bytes;
  TtiMessageKind kind;
  guint64 id;
  guint64 number;          /* HOLD: of what is kept, */
  guint64 detail;          /* and for which place */
  guint64 stays;           /* TASK: of its value, see protocol.h */
} AgentOutgoing;

static void
message_free (gpointer data)
{
  tti_message_clear (data);
  g_free (data);
}

/* --- out --------------------------------------------------------------------------------------------------------------------- */

typedef struct
{
  TtiAgentNode *node;
  GArray *numbers;         /* of the vectors that are used */
  guint64 generation, task;
} Naming;

/* The number of a destination: the agent makes room for it, and its contents come back. */
static guint64
name_destination_locked (Naming *naming, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&naming->node->lock);
  TtiAgentNode *node = naming->node;
  TtiAgentDestination *destination = g_new (TtiAgentDestination, 1);

  *destination = (TtiAgentDestination){ .number = tti_shipments_next (node->shipments), .generation = naming->generation,
                                          .task = naming->task, .vector = tti_vector_ref (vector) };
  g_hash_table_insert (node->destinations, &destination->number, destination);
  tti_link_send (node->link, &(TtiLinkFrame){ .kind = TTI_SAY_ROOM, .id = destination->number, .detail = tti_vector_get_size (vector) },
                 NULL);
  return destination->number;
}

static guint64
name_vector (TtiVector *vector, TtiTravel travel, gpointer user_data, GError **error)
{
  Naming *naming = user_data;
  TtiAgentNode *node = naming->node;
  guint64 there;
  TtiHome *home = tti_vector_get_home (vector, &there);
  gboolean fresh;

  if (home != NULL && home == node->home && there != 0)
    return there;
  if (home != NULL)
    return tti_vector_refuse_to_send (vector, error);

  if (travel == TTI_TRAVEL_WRITE)
    return name_destination_locked (naming, vector);
  guint64 number = tti_shipments_use (node->shipments, vector, &fresh);

  g_array_append_val (naming->numbers, number);
  if (fresh && !tti_agent_offer_file_locked (node, number, vector))
    tti_agent_send_vector_locked (node, number, vector);
  return number;
}

/* What MESSAGE is on the wire; its vectors are on their way. NULL with ERROR. */
static GBytes *
encode_locked (TtiAgentNode *node, const TtiMessage *message, GArray *numbers, GError **error)
{
  TTI_ASSERT_LOCKED (&node->lock);
  Naming naming = { node, numbers, message->generation, message->id };

  return tti_message_to_bytes (message, name_vector, &naming, error);
}

/* The payload of a message HOLD, which the agent is given once for all of its workers. */
static TtiAgentKept *
keep_locked (TtiAgentNode *node, const TtiMessage *message, GError **error)
{
  TTI_ASSERT_LOCKED (&node->lock);
  TtiAgentKept *kept = g_hash_table_lookup (node->kept, message->payload);

  if (kept != NULL)
    return kept;
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GBytes) bytes = encode_locked (node, message, numbers, error);

  if (bytes == NULL)
    {
      tti_agent_unuse_locked (node, g_steal_pointer (&numbers));
      return NULL;
    }
  kept = g_new (TtiAgentKept, 1);
  *kept = (TtiAgentKept){ .number = tti_shipments_next (node->shipments), .payload = tti_payload_ref (message->payload),
                            .numbers = g_steal_pointer (&numbers) };
  g_hash_table_insert (node->kept, kept->payload, kept);
  tti_link_send (node->link, &(TtiLinkFrame){ .kind = TTI_SAY_KEEP, .id = kept->number }, bytes);
  return kept;
}

static gboolean
prepare_hold_locked (TtiAgentNode *node, TtiAgentWorker *worker, const TtiMessage *message, AgentOutgoing *out, GError **error)
{
  TTI_ASSERT_LOCKED (&node->lock);
  TtiAgentKept *kept = keep_locked (node, message, error);
  guint64 key = tti_held_key (message->id, message->detail);

  if (kept == NULL)
    return FALSE;
  if (g_hash_table_lookup (worker->holds, &key) == NULL)
    {
      kept->users++;
      g_hash_table_insert (worker->holds, g_memdup2 (&key, sizeof key), kept);
    }
  out->number = kept->number;
  return TRUE;
}

/* How long is the way to the agent and back? From time to time that is measured, while there are tasks. */
static void
probe_locked (TtiAgentNode *node)
{
  TTI_ASSERT_LOCKED (&node->lock);
  gint64 now = g_get_monotonic_time ();

  if (node->probe != 0 || (node->probed_at != 0 && now - node->probed_at < PROBE_US))
    return;
  node->probe = tti_shipments_next (node->shipments);
  node->probed_at = now;
  /* Ahead of what waits to be sent: that is no part of the way. */
  tti_link_send_urgent (node->link, &(TtiLinkFrame){ .kind = TTI_SAY_ECHO, .id = node->probe }, NULL);
}

static gboolean
prepare_message_locked (TtiAgentNode *node, TtiAgentWorker *worker, const TtiMessage *message, AgentOutgoing *out, GError **error)
{
  TTI_ASSERT_LOCKED (&node->lock);
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (guint64));
  guint64 key = tti_held_key (message->id, message->detail);
  TtiAgentKept *kept = message->kind == TTI_MESSAGE_DROP ? g_hash_table_lookup (worker->holds, &key) : NULL;

  out->bytes = encode_locked (node, message, numbers, error);
  if (out->bytes == NULL)
    {
      tti_agent_unuse_locked (node, g_steal_pointer (&numbers));
      return FALSE;
    }
  if (kept != NULL)
    {
      g_hash_table_remove (worker->holds, &key);
      tti_agent_drop_kept_locked (node, kept);
    }
  if (message->kind == TTI_MESSAGE_TASK)
    probe_locked (node);
  if (message->kind == TTI_MESSAGE_TASK && message->stays > 0)
    g_hash_table_add (worker->leaving, g_memdup2 (&message->id, sizeof message->id));
  if (numbers->len > 0)
    g_hash_table_insert (worker->tasks, g_memdup2 (&message->id, sizeof message->id), g_steal_pointer (&numbers));
  return TRUE;
}

static TtiOutgoing *
agent_prepare (TtiTransport *transport, const TtiMessage *message, GError **error)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;
  TtiAgentNode *node = self->node;
  AgentOutgoing *out = g_new0 (AgentOutgoing, 1);

  out->kind = message->kind;
  out->id = message->id;
  out->detail = message->detail;
  out->stays = message->stays;
  tti_lock_take (&node->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (node, self->generation);
  gboolean ok = FALSE;

  if (worker == NULL || node->link == NULL)
    ok = TRUE; /* it cannot be pushed */
  else if (message->kind == TTI_MESSAGE_HOLD && message->payload != NULL)
    ok = prepare_hold_locked (node, worker, message, out, error);
  else
    ok = prepare_message_locked (node, worker, message, out, error);
  tti_lock_release (&node->lock);
  if (ok)
    return &out->base;
  g_free (out);
  return NULL;
}

static TtiPushed
agent_push (TtiTransport *transport, TtiOutgoing *outgoing)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;
  AgentOutgoing *out = (AgentOutgoing *) outgoing;
  TtiAgentNode *node = self->node;
  TtiPushed pushed = TTI_PUSHED_ALL;

  g_autoptr (GBytes) place = out->number != 0 && out->detail != 0 ? g_bytes_new (&out->detail, sizeof out->detail) : NULL;

  tti_lock_take (&node->lock);
  if (node->link == NULL || self->at_end || (out->bytes == NULL && out->number == 0))
    pushed = TTI_PUSHED_GONE;
  else if (out->number != 0)
    tti_link_send (node->link, &(TtiLinkFrame){ .kind = TTI_SAY_HOLD, .worker = self->generation, .id = out->id, .detail = out->number },
                   place);
  else
    tti_link_send (node->link, &(TtiLinkFrame){ .kind = TTI_SAY_MESSAGE, .worker = self->generation, .detail = out->stays }, out->bytes);
  tti_lock_release (&node->lock);
  errno = EPIPE;
  return pushed;
}

static void
agent_outgoing_free (TtiOutgoing *outgoing)
{
  AgentOutgoing *out = (AgentOutgoing *) outgoing;

  g_clear_pointer (&out->bytes, g_bytes_unref);
  g_free (out);
}

/* --- in ---------------------------------------------------------------------------------------------------------------------- */

static void
ring (TtiAgentTransport *self)
{
  g_atomic_int_inc (&self->n_waiting);
  if (g_atomic_int_compare_and_exchange (&self->parked, TRUE, FALSE))
    tti_fd_wake (self->base.fd);
}

void
tti_agent_transport_put_locked (TtiAgentTransport *transport, TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&transport->node->lock);
  TtiMessage *mine = g_memdup2 (message, sizeof *message);

  *message = (TtiMessage){ 0 };
  g_queue_push_tail (&transport->inbox, mine);
  ring (transport);
}

void
tti_agent_transport_end_locked (TtiAgentTransport *transport)
{
  TTI_ASSERT_LOCKED (&transport->node->lock);
  if (transport->at_end)
    return;
  transport->at_end = TRUE;
  ring (transport);
}

static TtiReceived
agent_receive (TtiTransport *transport, TtiMessage *message, G_GNUC_UNUSED GError **error)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;
  TtiReceived received = TTI_RECEIVED_MESSAGE;

  if (g_atomic_int_get (&self->n_waiting) == 0)
    {
      tti_fd_drain (self->base.fd);
      if (g_atomic_int_get (&self->n_waiting) == 0)
        return TTI_RECEIVED_NOTHING;
    }
  tti_lock_take (&self->node->lock);
  TtiMessage *next = g_queue_pop_head (&self->inbox);

  if (next == NULL)
    received = self->at_end ? TTI_RECEIVED_END : TTI_RECEIVED_NOTHING;
  tti_lock_release (&self->node->lock);
  if (next == NULL)
    return received;
  *message = *next;
  g_free (next);
  (void) g_atomic_int_add (&self->n_waiting, -1);
  return received;
}

static gboolean
agent_has_message (TtiTransport *transport)
{
  return g_atomic_int_get (&((TtiAgentTransport *) transport)->n_waiting) > 0;
}

static gboolean
agent_park (TtiTransport *transport, gboolean park)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;

  g_atomic_int_set (&self->parked, park);
  if (!park || g_atomic_int_get (&self->n_waiting) == 0)
    return TRUE;
  g_atomic_int_set (&self->parked, FALSE);
  return FALSE;
}

static void
agent_forget (TtiTransport *transport, guint64 id)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;

  tti_lock_take (&self->node->lock);
  tti_agent_forget_destinations_locked (self->node, self->generation, id);
  tti_lock_release (&self->node->lock);
}

static void
agent_clear (TtiTransport *transport)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;

  tti_lock_take (&self->node->lock);
  g_queue_clear_full (&self->inbox, message_free);
  tti_lock_release (&self->node->lock);
}

static gint64
agent_get_round_trip (TtiTransport *transport)
{
  return g_atomic_int_get (&((TtiAgentTransport *) transport)->node->round_trip);
}

static void
agent_ask_back (TtiTransport *transport, const guint64 *ids, guint n)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;
  g_autoptr (GBytes) bytes = g_bytes_new (ids, n * sizeof *ids);

  tti_lock_take (&self->node->lock);
  if (self->node->link != NULL && !self->at_end)
    tti_link_send (self->node->link, &(TtiLinkFrame){ .kind = TTI_SAY_RECALL, .worker = self->generation }, bytes);
  tti_lock_release (&self->node->lock);
}

static void
agent_send_probe (TtiTransport *transport)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;

  tti_lock_take (&self->node->lock);
  if (self->node->link != NULL && !self->at_end)
    tti_link_send_urgent (self->node->link, &(TtiLinkFrame){ .kind = TTI_SAY_PROBE, .worker = self->generation }, NULL);
  tti_lock_release (&self->node->lock);
}

static void
agent_close (TtiTransport *transport)
{
  TtiAgentTransport *self = (TtiAgentTransport *) transport;

  tti_lock_take (&self->node->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self->node, self->generation);

  if (worker != NULL)
    worker->transport = NULL;
  tti_lock_release (&self->node->lock);
}

TtiTransport *
tti_agent_transport_new (TtiAgentNode *node, guint64 generation, GError **error)
{
  static const TtiTransportOps ops = {
    .leads_home = TRUE,
    .prepare = agent_prepare,
    .push = agent_push,
    .outgoing_free = agent_outgoing_free,
    .receive = agent_receive,
    .clear = agent_clear,
    .forget = agent_forget,
    .get_round_trip = agent_get_round_trip,
    .ask_back = agent_ask_back,
    .send_probe = agent_send_probe,
    .has_message = agent_has_message,
    .park = agent_park,
    .close = agent_close,
  };
  int wakeup = tti_fd_open_wakeup (error);

  if (wakeup < 0)
    return NULL;
  TtiAgentTransport *self = (TtiAgentTransport *) tti_transport_alloc (sizeof *self, &ops, wakeup, FALSE);

  self->node = node;
  self->generation = generation;
  self->parked = TRUE;
  g_queue_init (&self->inbox);
  return &self->base;
}
