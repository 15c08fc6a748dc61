/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the master asks an agent for, in the thread of the link's reader. The master is trusted as any master is; but numbers and sizes
 * are checked. */
#include "cluster/message-bytes.h"
#include "cluster/router-files.h"
#include "platform/error.h"
#include <string.h>

enum { MOST_CONTROL = 32 << 20 };

void
tti_router_say (TtiRouter *router, TtiSay kind, guint64 generation, guint64 detail, const char *text)
{
  g_autoptr (GBytes) bytes = text != NULL ? g_bytes_new (text, strlen (text)) : NULL;

  tti_link_send (router->link, &(TtiLinkFrame){ .kind = (guint16) kind, .worker = generation, .detail = detail }, bytes);
}

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, gpointer *place, gpointer user_data, GError **error)
{
  TtiRouter *self = user_data;

  if (frame->kind == TTI_SAY_MESSAGE || frame->kind == TTI_SAY_KEEP || (frame->kind != TTI_SAY_CONTENTS && frame->size <= MOST_CONTROL))
    return TTI_LINK_COLLECT;
  if (frame->kind != TTI_SAY_CONTENTS || frame->size == 0 || frame->size > TTI_MESSAGE_MAX_BYTES || self->placed != NULL)
    {
      tti_link_refuse (error, "contents that cannot be", frame->size);
      return TTI_LINK_REFUSE;
    }
  self->placed = tti_vector_new_to_receive ((gsize) frame->size, error);
  if (self->placed == NULL)
    return TTI_LINK_REFUSE;
  *place = tti_vector_get_data (self->placed);
  return TTI_LINK_PLACE;
}

/* --- what is kept for workers ------------------------------------------------------------------------------------------------ */

static gboolean
add_vector (TtiRouter *self, guint64 number, TtiVector *vector, GError **error)
{
  tti_lock_take (&self->lock);
  tti_router_file_superseded_locked (self, number);
  gboolean fresh = !g_hash_table_contains (self->vectors, &number);

  if (fresh)
    g_hash_table_insert (self->vectors, g_memdup2 (&number, sizeof number), tti_vector_ref (vector));
  tti_lock_release (&self->lock);
  tti_vector_unref (vector);
  return fresh || tti_link_refuse (error, "a number that is used", number);
}

static gboolean
make_room (TtiRouter *self, const TtiLinkFrame *frame, GError **error)
{
  if (frame->detail == 0 || frame->detail > TTI_MESSAGE_MAX_BYTES)
    return tti_link_refuse (error, "room of that size", frame->detail);
  /* Workers write into memory with a descriptor; a small vector of its own has none. */
  gsize size = (gsize) frame->detail;
  g_autoptr (TtiVector) room = tti_vector_new_to_receive (MAX (size, TTI_INLINE_LIMIT + 1), error);

  if (room == NULL)
    return FALSE;
  TtiVector *vector = tti_vector_slice (room, 0, size);

  tti_vector_set_destination (vector, TRUE);
  return add_vector (self, frame->id, vector, error);
}

static void
drop (TtiRouter *self, guint64 number)
{
  gpointer key, vector = NULL;

  tti_lock_take (&self->lock);
  if (g_hash_table_steal_extended (self->vectors, &number, &key, &vector))
    g_free (key);
  else
    g_hash_table_remove (self->kept, &number);
  tti_lock_release (&self->lock);
  tti_vector_unref (vector); /* it may be long: not under the lock */
}

typedef struct
{
  TtiRouter *router;
  GArray *rooms;        /* the numbers of the destinations that are named */
  gboolean is_pending;  /* it is not known yet whether all contents that are named are here; nothing was done */
  gboolean is_forgone;  /* something is named that does not come, as nobody needs it */
} Finding;

static TtiVector *
find_vector (guint64 number, guint64 size, TtiTravel travel, gpointer user_data, GError **error)
{
  Finding *finding = user_data;
  TtiRouter *self = finding->router;

  tti_lock_take (&self->lock);
  TtiVector *known, *vector = NULL;
  TtiNumberState state = tti_router_find_number_locked (self, number, &known);

  finding->is_pending |= state == TTI_NUMBER_PENDING;
  finding->is_forgone |= state == TTI_NUMBER_FORGONE;
  if (state == TTI_NUMBER_THERE && tti_vector_get_size (known) == size && (travel == TTI_TRAVEL_WRITE) == tti_vector_is_destination (known))
    vector = tti_vector_ref (known);
  tti_lock_release (&self->lock);
  if (vector == NULL)
    tti_link_refuse (error, "a message names contents that are not here", number);
  else if (travel == TTI_TRAVEL_WRITE)
    g_array_append_val (finding->rooms, number);
  return vector;
}

/* The message in BYTES, for which FINDING is kept. FALSE with ERROR, or without, if nothing can be made of it yet or ever. */
static gboolean
read_message (TtiMessage *message, GBytes *bytes, Finding *finding, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (tti_message_from_bytes (message, bytes, TRUE, find_vector, finding, &local))
    return TRUE;
  if (!finding->is_pending && !finding->is_forgone)
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* --- messages for workers ---------------------------------------------------------------------------------------------------- */

static gboolean
pass_message (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, gboolean *is_pending, GError **error)
{
  Finding finding = { .router = self, .rooms = g_array_new (FALSE, FALSE, sizeof (guint64)) };
  g_autoptr (GArray) rooms = finding.rooms;
  TtiMessage message;

  if (!read_message (&message, bytes, &finding, error))
    {
      *is_pending = finding.is_pending;
      return finding.is_pending || finding.is_forgone;
    }
  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, frame->worker);

  if (worker != NULL && rooms->len > 0)
    g_hash_table_insert (worker->rooms, g_memdup2 (&message.id, sizeof message.id), g_array_ref (rooms));
  for (guint i = 0; worker == NULL && i < rooms->len; i++) /* it has ended meanwhile */
    g_hash_table_remove (self->vectors, &g_array_index (rooms, guint64, i));
  if (worker != NULL)
    tti_router_pass_locked (self, worker, &message, frame->detail);
  tti_lock_release (&self->lock);
  tti_message_clear (&message);
  return TRUE;
}

static gboolean
keep (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, gboolean *is_pending, GError **error)
{
  Finding finding = { .router = self, .rooms = g_array_new (FALSE, FALSE, sizeof (guint64)) };
  g_autoptr (GArray) rooms = finding.rooms;
  TtiMessage message = { 0 };
  gboolean read = read_message (&message, bytes, &finding, error);

  *is_pending = finding.is_pending;
  if (!read && !finding.is_forgone)
    return finding.is_pending;
  tti_lock_take (&self->lock);
  if (message.payload != NULL || finding.is_forgone)
    g_hash_table_replace (self->kept, g_memdup2 (&frame->id, sizeof frame->id),
                          message.payload != NULL ? tti_payload_ref (message.payload) : NULL);
  tti_lock_release (&self->lock);
  tti_message_clear (&message);
  return TRUE;
}

static gboolean
hold (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  guint64 detail = 0;

  if (bytes != NULL && g_bytes_get_size (bytes) != sizeof detail)
    return tti_link_refuse (error, "a place of another size", g_bytes_get_size (bytes));
  if (bytes != NULL)
    memcpy (&detail, g_bytes_get_data (bytes, NULL), sizeof detail);
  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, frame->worker);
  gpointer payload = NULL;
  gboolean known = g_hash_table_lookup_extended (self->kept, &frame->detail, NULL, &payload);
  const TtiMessage message = { .kind = TTI_MESSAGE_HOLD, .generation = frame->worker, .id = frame->id, .detail = detail,
                                 .payload = payload };

  if (worker != NULL && payload != NULL)
    tti_router_pass_locked (self, worker, &message, 0);
  tti_lock_release (&self->lock);
  return known || tti_link_refuse (error, "to hold what is not here", frame->detail);
}

/* --- the rest ---------------------------------------------------------------------------------------------------------------- */

static void
pass_signal (TtiRouter *self, const TtiLinkFrame *frame)
{
  int grace = frame->detail == G_MAXUINT64 ? -1 : (int) MIN (frame->detail, G_MAXINT);

  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, frame->worker);

  if (worker != NULL && grace >= 0)
    worker->ending = TRUE;
  tti_lock_release (&self->lock);
  tti_node_signal (self->local, frame->worker, (int) MIN (frame->id, 64), grace);
}

static void
probe (TtiRouter *self, const TtiLinkFrame *frame)
{
  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, frame->worker);

  if (worker != NULL && worker->transport != NULL)
    (void) tti_transport_probe (worker->transport);
  tti_lock_release (&self->lock);
}

static void
lend (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes)
{
  gsize size = 0;
  const guint64 *places = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;

  tti_node_lend (self->local, frame->worker, places, (guint) (size / sizeof *places), frame->detail);
}

static void
output_was_read (TtiRouter *self, const TtiLinkFrame *frame)
{
  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, frame->worker);

  if (worker != NULL && frame->id < 2)
    {
      worker->may_send[frame->id] += frame->detail;
      tti_router_read_outputs_locked (self, worker);
    }
  tti_lock_release (&self->lock);
}

static void
end (TtiRouter *self, const char *reason)
{
  tti_lock_take (&self->lock);
  if (!self->over)
    self->reason = g_strdup (reason);
  self->over = TRUE;
  tti_lock_release (&self->lock);
  g_main_context_wakeup (self->context);
}

/* What names contents, and what has to stay in order with that. */
static gboolean
is_ordered (const TtiLinkFrame *frame)
{
  return frame->kind == TTI_SAY_MESSAGE || frame->kind == TTI_SAY_KEEP || frame->kind == TTI_SAY_HOLD || frame->kind == TTI_SAY_ROOM
         || frame->kind == TTI_SAY_DROP;
}

/* *IS_PENDING: nothing was done, as it is not known yet whether what FRAME names is here. */
static gboolean
do_ordered (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, gboolean *is_pending, GError **error)
{
  switch (frame->kind)
    {
    case TTI_SAY_ROOM:
      return make_room (self, frame, error);
    case TTI_SAY_DROP:
      drop (self, frame->id);
      return TRUE;
    case TTI_SAY_KEEP:
      return keep (self, frame, bytes, is_pending, error);
    case TTI_SAY_HOLD:
      return hold (self, frame, bytes, error);
    default:
      return pass_message (self, frame, bytes, is_pending, error);
    }
}

static gboolean
order_arrived (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  gboolean is_pending = tti_router_holds_back (self);

  if (!is_pending && !do_ordered (self, frame, bytes, &is_pending, error))
    return FALSE;
  if (is_pending)
    tti_router_hold_back (self, frame, bytes);
  return TRUE;
}

/* It may be known now. */
static gboolean
go_on (TtiRouter *self, GError **error)
{
  const TtiHeldBack *first;

  while ((first = tti_router_peek_held_back (self)) != NULL)
    {
      gboolean is_pending = FALSE;

      if (!do_ordered (self, &first->frame, first->bytes, &is_pending, error))
        return FALSE;
      if (is_pending)
        break;
      tti_router_drop_held_back (self);
    }
  return TRUE;
}

/* What is in no order with messages. */
static gboolean
do_at_once (TtiRouter *self, const TtiLinkFrame *frame, GBytes *bytes, GError **error)
{
  switch (frame->kind)
    {
    case TTI_SAY_CONTENTS:
      return add_vector (self, frame->id, g_steal_pointer (&self->placed), error) && go_on (self, error);
    case TTI_SAY_FILE:
      return tti_router_file_asked (self, frame, bytes, error);
    case TTI_SAY_TAKE:
      return tti_router_file_taken (self, frame->id, error) && go_on (self, error);
    case TTI_SAY_FORGO:
      tti_router_file_forgone (self, frame->id);
      return go_on (self, error);
    case TTI_SAY_SPAWN:
      if (frame->worker == 0)
        return tti_link_refuse (error, "a worker without a number", 0);
      tti_router_spawn (self, frame->worker, bytes, frame->detail);
      return TRUE;
    case TTI_SAY_WANT:
      tti_node_want (self->local);
      return TRUE;
    case TTI_SAY_SIGNAL:
      pass_signal (self, frame);
      return TRUE;
    case TTI_SAY_PROBE:
      probe (self, frame);
      return TRUE;
    case TTI_SAY_LEAVE:
      tti_node_leave_place (self->local, frame->id);
      return TRUE;
    case TTI_SAY_LEND:
      lend (self, frame, bytes);
      return TRUE;
    case TTI_SAY_READ:
      output_was_read (self, frame);
      return TRUE;
    case TTI_SAY_ECHO:
      tti_link_send_urgent (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_ECHOED, .id = frame->id }, NULL);
      return TRUE;
    case TTI_SAY_RECALL:
      return tti_router_recall (self, frame->worker, bytes, error);
    case TTI_SAY_END:
      end (self, NULL);
      return TRUE;
    default:
      return tti_link_refuse (error, "a master does not say that", frame->kind);
    }
}

static gboolean
on_arrived (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, GError **error)
{
  return is_ordered (frame) ? order_arrived (user_data, frame, bytes, error) : do_at_once (user_data, frame, bytes, error);
}

static void
on_lost (G_GNUC_UNUSED TtiLink *link, const GError *error, gpointer user_data)
{
  end (user_data, error->message);
}

const TtiLinkOps tti_router_link_ops = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };
