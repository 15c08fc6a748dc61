/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tasks that workers of an agent have been sent, those that the master wants back, and what of their values stays here. */
#include "cluster/router-private.h"
#include "platform/error.h"
#include "platform/processors.h"
#include <signal.h>
#include <string.h>

enum
{
  MOST_FORGOTTEN = 256,       /* ended tasks at the front of the list */
  MOST_IN_MAILBOX = 48,       /* tasks, */
  MOST_BYTES = 32 * 1024,     /* and bytes of their messages */
  MESSAGE_BYTES = 128,        /* about what a message has beside its payload, */
  VECTOR_BYTES = 64           /* and each vector of that that travels by itself */
};

/* The master chooses the numbers of what it sends: it never comes that far. */
#define OUR_NUMBERS (G_GUINT64_CONSTANT (1) << 63)

/* --- messages on their way to a worker ---------------------------------------------------------------------------------------- */

guint
tti_router_count_tasks (const TtiRouterWorker *worker)
{
  return worker->tasks->len - worker->first;
}

/* What cannot be handed to its worker for want of memory is tried elsewhere: the worker ends. */
static void
hand_over_locked (TtiRouter *self, TtiRouterWorker *worker, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&self->lock);
  g_autoptr (GError) error = NULL;

  /* A thread of this process counts as well. */
  if (worker->transport != NULL && message->kind == TTI_MESSAGE_TASK)
    tti_transport_set_crowded (worker->transport, self->n_busy + 1 > tti_processors ());
  if (worker->transport == NULL || tti_transport_send (worker->transport, message, &error))
    {
      if (worker->transport_watch != NULL)
        tti_watch_set_writing (self->watches, worker->transport_watch, (tti_transport_get_events (worker->transport) & G_IO_OUT) != 0);
      return;
    }
  if (g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
    return; /* its exit follows */
  g_autofree char *text = g_strdup_printf ("the inputs of task %" G_GUINT64_FORMAT " cannot be handed to its worker, which is ended: %s",
                                           message->id, error->message);

  tti_router_say (self, TTI_SAY_TELL, 0, 0, text);
  tti_node_signal (self->local, worker->generation, SIGKILL, 0);
}

static gsize
size_of (const TtiMessage *message)
{
  gsize size = MESSAGE_BYTES;

  if (message->payload != NULL)
    size += tti_payload_get_n_bytes (message->payload) + VECTOR_BYTES * tti_payload_get_n_vectors (message->payload);
  return size;
}

/* What a mailbox has no room for cannot be taken back, once it was sent: so no more tasks are in it than have room. */
static gboolean
fits (const TtiRouterWorker *worker, gsize size)
{
  guint n = tti_router_count_tasks (worker) - worker->n_waiting;

  return n == 0 || (n < MOST_IN_MAILBOX && worker->n_bytes + size <= MOST_BYTES);
}

/* The first task of WORKER that waits is handed over, with SIZE bytes. */
static void
note_handed_over (TtiRouterWorker *worker, gsize size)
{
  TtiRouterTask *task = &g_array_index (worker->tasks, TtiRouterTask, worker->tasks->len - worker->n_waiting);

  task->ticket = worker->transport != NULL ? tti_transport_get_ticket (worker->transport) : 0;
  task->size = size;
  worker->n_bytes += size;
  worker->n_waiting--;
}

/* FALSE: MESSAGE has to wait. */
static gboolean
try_locked (TtiRouter *self, TtiRouterWorker *worker, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gboolean is_task = message->kind == TTI_MESSAGE_TASK;
  gsize size = is_task ? size_of (message) : 0;

  if (is_task && !fits (worker, size))
    return FALSE;
  hand_over_locked (self, worker, message);
  if (is_task)
    note_handed_over (worker, size);
  return TRUE;
}

void
tti_router_pass_locked (TtiRouter *router, TtiRouterWorker *worker, const TtiMessage *message, guint64 stays)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const TtiRouterTask task = { .id = message->id, .stays = stays };

  if (message->kind == TTI_MESSAGE_TASK)
    {
      router->n_busy += tti_router_count_tasks (worker) == 0 ? 1 : 0;
      g_array_append_val (worker->tasks, task);
      worker->n_waiting++;
    }
  if (g_queue_is_empty (&worker->waiting) && try_locked (router, worker, message))
    return;
  TtiMessage *copy = g_memdup2 (message, sizeof *message);

  if (copy->payload != NULL)
    tti_payload_ref (copy->payload);
  g_queue_push_tail (&worker->waiting, copy);
}

static void
message_free (gpointer message)
{
  tti_message_clear (message);
  g_free (message);
}

void
tti_router_feed_locked (TtiRouter *router, TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const TtiMessage *message;

  while ((message = g_queue_peek_head (&worker->waiting)) != NULL && try_locked (router, worker, message))
    message_free (g_queue_pop_head (&worker->waiting));
}

void
tti_router_forget_waiting (TtiRouterWorker *worker)
{
  g_queue_clear_full (&worker->waiting, message_free);
}

/* --- tasks ------------------------------------------------------------------------------------------------------------------- */

/* Where task ID is in the list of WORKER, or G_MAXUINT. Most are answered in order, and taken back from the end. */
static guint
find_task (const TtiRouterWorker *worker, guint64 id, gboolean from_end)
{
  guint n = tti_router_count_tasks (worker);

  for (guint i = 0; i < n; i++)
    {
      guint at = from_end ? worker->tasks->len - 1 - i : worker->first + i;

      if (g_array_index (worker->tasks, TtiRouterTask, at).id == id)
        return at;
    }
  return G_MAXUINT;
}

static void
remove_task_locked (TtiRouter *self, TtiRouterWorker *worker, guint at)
{
  TTI_ASSERT_LOCKED (&self->lock);
  worker->n_bytes -= g_array_index (worker->tasks, TtiRouterTask, at).size;
  if (at == worker->first)
    worker->first++;
  else
    g_array_remove_index (worker->tasks, at);
  guint n = tti_router_count_tasks (worker);

  self->n_busy -= n == 0 ? 1 : 0;
  if (n == 0 || worker->first > MOST_FORGOTTEN)
    {
      g_array_remove_range (worker->tasks, 0, worker->first);
      worker->first = 0;
    }
}

/* What stays is to be used by several workers here: one alone does as well to send it. */
static gboolean
has_others_locked (TtiRouter *self, const TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&self->lock);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (value != worker && ((TtiRouterWorker *) value)->transport != NULL)
      return TRUE;
  return FALSE;
}

guint64
tti_router_end_task_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id)
{
  TTI_ASSERT_LOCKED (&router->lock);
  guint at = find_task (worker, id, FALSE);

  /* It cannot have answered what waits here, whatever it says. */
  if (at == G_MAXUINT || at >= worker->tasks->len - worker->n_waiting)
    return 0;
  guint64 stays = g_array_index (worker->tasks, TtiRouterTask, at).stays;

  remove_task_locked (router, worker, at);
  return stays > 0 && has_others_locked (router, worker) ? stays : 0;
}

guint64
tti_router_keep_value_locked (TtiRouter *router, TtiRouterWorker *worker, TtiVector *vector)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const TtiLinkFrame frame = { .kind = TTI_SAY_STAYS, .worker = worker->generation, .id = ++router->last_number | OUR_NUMBERS,
                               .detail = tti_vector_get_size (vector) };

  g_hash_table_insert (router->vectors, g_memdup2 (&frame.id, sizeof frame.id), tti_vector_ref (vector));
  tti_link_send (router->link, &frame, NULL);
  return frame.id;
}

/* The message of task ID waits here for WORKER: it does not any more. */
static void
drop_waiting (TtiRouterWorker *worker, guint64 id)
{
  for (GList *l = worker->waiting.tail; l != NULL; l = l->prev)
    {
      const TtiMessage *message = l->data;

      if (message->kind != TTI_MESSAGE_TASK || message->id != id)
        continue;
      message_free (l->data);
      g_queue_delete_link (&worker->waiting, l);
      worker->n_waiting--;
      return;
    }
}

/* FALSE: WORKER has begun task ID, or has answered it. */
static gboolean
take_back_locked (TtiRouter *self, TtiRouterWorker *worker, guint64 id)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint at = find_task (worker, id, TRUE);

  if (at == G_MAXUINT || worker->transport == NULL)
    return FALSE;
  if (at >= worker->tasks->len - worker->n_waiting)
    drop_waiting (worker, id);
  else if (!tti_transport_recall (worker->transport, g_array_index (worker->tasks, TtiRouterTask, at).ticket))
    return FALSE;
  remove_task_locked (self, worker, at);
  tti_router_forget_rooms_locked (self, worker, id);
  return TRUE;
}

gboolean
tti_router_recall (TtiRouter *router, guint64 generation, GBytes *bytes, GError **error)
{
  gsize size = 0;
  const guint8 *ids = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;
  g_autoptr (GByteArray) returned = g_byte_array_new ();

  if (size % sizeof (guint64) != 0)
    return tti_link_refuse (error, "numbers of tasks that cannot be", size);
  tti_lock_take (&router->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (router, generation);

  for (gsize i = 0; worker != NULL && i < size; i += sizeof (guint64))
    {
      guint64 id;

      memcpy (&id, ids + i, sizeof id);
      if (take_back_locked (router, worker, id))
        g_byte_array_append (returned, ids + i, sizeof id);
    }
  if (worker != NULL)
    tti_router_feed_locked (router, worker); /* a message that waited behind what was taken back */
  if (returned->len > 0)
    {
      g_autoptr (GBytes) all = g_byte_array_free_to_bytes (g_steal_pointer (&returned));

      /* Under the lock, so that it comes in order with answers. */
      tti_link_send (router->link, &(TtiLinkFrame){ .kind = TTI_SAY_RETURNED, .worker = generation }, all);
    }
  tti_lock_release (&router->lock);
  return TRUE;
}
