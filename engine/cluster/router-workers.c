/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The workers of an agent: how they are started, what they say, what they write, how they end. */
#include "cluster/message-bytes.h"
#include "cluster/router-private.h"
#include "cluster/worker-environment.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MESSAGES_AT_ONCE = 256, GATHER_US = 100, OUTPUT_AT_ONCE = 64 * 1024, ROUNDS_AT_END = 16 };

void
tti_router_worker_free (gpointer data)
{
  TtiRouterWorker *worker = data;

  g_clear_pointer (&worker->transport, tti_transport_free);
  tti_fd_clear (&worker->fds[0]);
  tti_fd_clear (&worker->fds[1]);
  g_hash_table_unref (worker->rooms);
  tti_router_forget_waiting (worker);
  g_array_unref (worker->tasks);
  g_free (worker);
}

TtiRouterWorker *
tti_router_find_worker_locked (TtiRouter *router, guint64 generation)
{
  TTI_ASSERT_LOCKED (&router->lock);
  return g_hash_table_lookup (router->workers, &generation);
}

/* --- outputs ----------------------------------------------------------------------------------------------------------------- */

/* Read one output; nothing is read that may not be sent. */
static void
read_output_locked (TtiRouter *self, TtiRouterWorker *worker, guint which)
{
  TTI_ASSERT_LOCKED (&self->lock);
  g_autofree guint8 *data = NULL;

  while (worker->fds[which] >= 0 && worker->may_send[which] > 0)
    {
      gsize most = (gsize) MIN (worker->may_send[which], OUTPUT_AT_ONCE);

      if (data == NULL)
        data = g_malloc (OUTPUT_AT_ONCE);
      gssize n = read (worker->fds[which], data, most);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        break;
      const TtiLinkFrame frame = { .kind = TTI_SAY_OUTPUT, .worker = worker->generation, .id = which };
      g_autoptr (GBytes) bytes = n > 0 ? g_bytes_new (data, (gsize) n) : NULL;

      tti_link_send (self->link, &frame, bytes);
      worker->may_send[which] -= n > 0 ? (guint64) n : 0;
      if (n <= 0)
        {
          tti_watch_remove (self->watches, &worker->watches[which]);
          tti_fd_clear (&worker->fds[which]);
        }
    }
  /* A pipe that may not be read would be reported for ever. */
  if (worker->may_send[which] == 0)
    tti_watch_remove (self->watches, &worker->watches[which]);
  else if (worker->fds[which] >= 0 && worker->watches[which] == NULL)
    worker->watches[which] = tti_watch_add (self->watches, worker->fds[which], worker, NULL);
}

void
tti_router_read_outputs_locked (TtiRouter *router, TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&router->lock);
  read_output_locked (router, worker, 0);
  read_output_locked (router, worker, 1);
}

/* --- states ------------------------------------------------------------------------------------------------------------------ */

/* Tell the master what has changed of WORKER. */
static void
tell_state_locked (TtiRouter *self, TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&self->lock);
  guint state = (guint8) tti_node_get_state (self->local, worker->generation);
  guint64 peak = tti_node_get_peak_memory (self->local, worker->generation);

  worker->stopped = tti_node_is_stopped (self->local, worker->generation);
  state |= worker->stopped ? TTI_STATE_STOPPED : 0;
  state |= worker->ending && tti_node_is_stuck (self->local, worker->generation) ? TTI_STATE_STUCK : 0;
  if (state == worker->state && peak <= worker->peak_memory + worker->peak_memory / 16)
    return;
  worker->state = state;
  worker->peak_memory = MAX (peak, worker->peak_memory);
  tti_link_send_urgent (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_STATE, .worker = worker->generation, .id = state,
                                                     .detail = worker->peak_memory }, NULL);
}

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

static void
unref_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

typedef struct
{
  TtiRouter *router;
  TtiRouterWorker *worker;
  guint64 stays; /* vectors with so many bytes stay here; 0: none */
} Sending;

/* Contents go to the master in front of the message that names them. */
static guint64
send_vector (TtiVector *vector, G_GNUC_UNUSED TtiTravel travel, gpointer user_data, G_GNUC_UNUSED GError **error)
{
  const Sending *sending = user_data;
  TtiRouter *self = sending->router;

  if (sending->stays > 0 && tti_vector_get_size (vector) >= sending->stays)
    return tti_router_keep_value_locked (self, sending->worker, vector);
  const TtiLinkFrame frame = { .kind = TTI_SAY_CONTENTS, .id = ++self->last_number };

  tti_link_send_contents (self->link, &frame, tti_vector_get_data (vector), tti_vector_get_size (vector), tti_vector_ref (vector),
                          unref_vector);
  return frame.id;
}

/* The task of an answer has ended: what it has written goes to the master, if it succeeded. */
static void
send_results_locked (TtiRouter *self, TtiRouterWorker *worker, const TtiMessage *answer)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gpointer key, value;

  if (!g_hash_table_steal_extended (worker->rooms, &answer->id, &key, &value))
    return;
  g_autoptr (GArray) rooms = value;

  g_free (key);
  for (guint i = 0; i < rooms->len; i++)
    {
      guint64 number = g_array_index (rooms, guint64, i);
      TtiVector *vector = g_hash_table_lookup (self->vectors, &number);

      if (vector == NULL)
        continue;
      tti_vector_set_destination (vector, FALSE);
      if (answer->kind == TTI_MESSAGE_RESULT)
        tti_link_send_contents (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_WRITTEN, .worker = worker->generation, .id = number },
                                tti_vector_get_data (vector), tti_vector_get_size (vector), tti_vector_ref (vector), unref_vector);
      g_hash_table_remove (self->vectors, &number);
    }
}

void
tti_router_forget_rooms_locked (TtiRouter *router, TtiRouterWorker *worker, guint64 id)
{
  TTI_ASSERT_LOCKED (&router->lock);
  const GArray *rooms = g_hash_table_lookup (worker->rooms, &id);

  for (guint i = 0; rooms != NULL && i < rooms->len; i++)
    g_hash_table_remove (router->vectors, &g_array_index (rooms, guint64, i));
  g_hash_table_remove (worker->rooms, &id);
}

static void
pass_on_locked (TtiRouter *self, TtiRouterWorker *worker, const TtiMessage *message)
{
  TTI_ASSERT_LOCKED (&self->lock);
  Sending sending = { self, worker, 0 };
  gboolean answer = message->kind == TTI_MESSAGE_RESULT || message->kind == TTI_MESSAGE_EXCEPTION || message->kind == TTI_MESSAGE_FAULT;
  g_autoptr (GError) error = NULL;

  if (answer)
    {
      send_results_locked (self, worker, message);
      guint64 stays = tti_router_end_task_locked (self, worker, message->id);

      sending.stays = message->kind == TTI_MESSAGE_RESULT ? stays : 0;
    }
  else if (message->kind == TTI_MESSAGE_HELLO)
    tell_state_locked (self, worker);
  g_autoptr (GBytes) bytes = tti_message_to_bytes (message, send_vector, &sending, &error);

  if (bytes != NULL)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_MESSAGE, .worker = worker->generation }, bytes);
  else
    {
      tti_router_say (self, TTI_SAY_TELL, 0, 0, error->message);
      tti_node_signal (self->local, worker->generation, 9, 0);
    }
}

/* The connection of WORKER is at its end; its exit follows. */
static void
close_transport_locked (TtiRouter *self, TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&self->lock);
  tti_watch_remove (self->watches, &worker->transport_watch);
  g_clear_pointer (&worker->transport, tti_transport_free);
}

/* Receive what WORKER has said, MESSAGES_AT_ONCE at most. */
static void
receive_locked (TtiRouter *self, TtiRouterWorker *worker, GArray *messages)
{
  TTI_ASSERT_LOCKED (&self->lock);
  while (worker->transport != NULL && messages->len < MESSAGES_AT_ONCE)
    {
      g_autoptr (GError) error = NULL;
      TtiMessage message;

      switch (tti_transport_receive (worker->transport, &message, &error))
        {
        case TTI_RECEIVED_MESSAGE:
          g_array_append_val (messages, message);
          break;
        case TTI_RECEIVED_NOTHING:
          return;
        case TTI_RECEIVED_END:
          close_transport_locked (self, worker);
          return;
        case TTI_RECEIVED_ERROR:
          tti_router_say (self, TTI_SAY_TELL, 0, 0, error->message);
          close_transport_locked (self, worker);
          tti_node_signal (self->local, worker->generation, 9, 0);
          return;
        }
    }
}

/* Pass on what WORKER has said; what it had written before each answer comes before it. FALSE: it had said nothing. */
static gboolean
take_messages_locked (TtiRouter *self, TtiRouterWorker *worker)
{
  TTI_ASSERT_LOCKED (&self->lock);
  GArray *messages = self->messages;

  receive_locked (self, worker, messages);
  guint n = messages->len;

  if (n > 0)
    tti_router_read_outputs_locked (self, worker);
  for (guint i = 0; i < n; i++)
    {
      TtiMessage *message = &g_array_index (messages, TtiMessage, i);

      pass_on_locked (self, worker, message);
      tti_message_clear (message);
    }
  g_array_set_size (messages, 0);
  if (n > 0)
    tti_router_feed_locked (self, worker);
  return n > 0;
}

gboolean
tti_router_park_locked (TtiRouter *router)
{
  TTI_ASSERT_LOCKED (&router->lock);
  GHashTableIter iter;
  gpointer value;
  gboolean parked = TRUE;

  g_hash_table_iter_init (&iter, router->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((TtiRouterWorker *) value)->transport != NULL)
      parked = tti_transport_park (((TtiRouterWorker *) value)->transport) && parked;
  return parked;
}

/* Take what is in mailboxes, whose workers need not wake this thread now. *HUNGRY: a worker has answered all that it was asked. FALSE:
 * there was nothing. */
static gboolean
look_into_mailboxes_locked (TtiRouter *self, gboolean *hungry)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gboolean some = FALSE;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiRouterWorker *worker = value;

      if (worker->transport == NULL)
        continue;
      tti_transport_unpark (worker->transport);
      if (!tti_transport_has_message (worker->transport) || !take_messages_locked (self, worker))
        continue;
      some = TRUE;
      *hungry = *hungry || tti_router_count_tasks (worker) == 0;
    }
  return some;
}

/* A worker has answered. To wake this thread costs it more than a small task takes, and to send an answer as much. So while all that have
 * answered are at their next tasks, their answers are gathered for a moment. */
static void
gather (TtiRouter *self)
{
  gint64 end = g_get_monotonic_time () + GATHER_US;
  gboolean hungry = FALSE;

  while (!hungry && g_get_monotonic_time () < end)
    {
      tti_lock_take (&self->lock);
      (void) look_into_mailboxes_locked (self, &hungry);
      tti_lock_release (&self->lock);
      if (!hungry)
        sched_yield ();
    }
}

void
tti_router_take_messages (TtiRouter *router)
{
  gboolean hungry = FALSE;

  tti_link_hold (router->link);
  tti_lock_take (&router->lock);
  gboolean some = look_into_mailboxes_locked (router, &hungry);

  tti_lock_release (&router->lock);
  if (some && !hungry)
    gather (router);
  tti_link_go (router->link);
}

/* The connection of WORKER has something. TRUE: it has answered, but not all that it was asked. */
static gboolean
transport_watched_locked (TtiRouter *self, TtiRouterWorker *worker, guint32 events)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if ((events & EPOLLOUT) != 0)
    {
      (void) tti_transport_flush (worker->transport, NULL);
      tti_watch_set_writing (self->watches, worker->transport_watch, (tti_transport_get_events (worker->transport) & G_IO_OUT) != 0);
    }
  return take_messages_locked (self, worker) && tti_router_count_tasks (worker) > 0;
}

void
tti_router_on_watch (guint64 number, guint32 events, gpointer user_data)
{
  TtiRouter *self = user_data;
  gboolean more = FALSE;
  gpointer data;

  tti_link_hold (self->link);
  tti_lock_take (&self->lock);
  TtiWatch *watch = tti_watch_find (self->watches, number, &data);
  TtiRouterWorker *worker = watch != NULL ? data : NULL;

  if (worker != NULL && watch == worker->transport_watch)
    more = transport_watched_locked (self, worker, events);
  else if (worker != NULL)
    read_output_locked (self, worker, watch == worker->watches[1]);
  tti_lock_release (&self->lock);
  if (more)
    gather (self);
  tti_link_go (self->link);
}

/* --- starting ---------------------------------------------------------------------------------------------------------------- */

static gboolean
watch_locked (TtiRouter *self, TtiRouterWorker *worker, GError **error)
{
  TTI_ASSERT_LOCKED (&self->lock);
  worker->transport_watch = tti_watch_add (self->watches, tti_transport_get_fd (worker->transport), worker, error);
  for (guint i = 0; i < 2 && worker->transport_watch != NULL; i++)
    if ((worker->watches[i] = tti_watch_add (self->watches, worker->fds[i], worker, error)) == NULL)
      return FALSE;
  return worker->transport_watch != NULL;
}

/* Under the lock, so that no event of the worker comes before it is known. */
static gboolean
start_locked (TtiRouter *self, guint64 generation, const TtiNodeProgram *program, guint64 most, GError **error)
{
  TTI_ASSERT_LOCKED (&self->lock);
  TtiNodeChannels channels;

  if (!tti_node_spawn (self->local, generation, program, &channels, error))
    return FALSE;
  TtiRouterWorker *worker = g_new0 (TtiRouterWorker, 1);

  *worker = (TtiRouterWorker){ .generation = generation, .transport = channels.transport, .fds = { channels.out_fd, channels.err_fd },
                                 .may_send = { most, most } };
  worker->rooms = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_array_unref);
  worker->tasks = g_array_new (FALSE, FALSE, sizeof (TtiRouterTask));
  g_queue_init (&worker->waiting);
  g_hash_table_insert (self->workers, &worker->generation, worker);
  if (watch_locked (self, worker, error))
    return TRUE;
  tti_node_signal (self->local, generation, 9, 0);
  return TRUE; /* its exit will be told */
}

void
tti_router_spawn (TtiRouter *router, guint64 generation, GBytes *bytes, guint64 most)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiWorkerProgram) program = tti_worker_program_new (bytes, &error);

  if (program != NULL)
    {
      tti_lock_take (&router->lock);
      (void) start_locked (router, generation, &program->program, most, &error);
      tti_lock_release (&router->lock);
      g_main_context_wakeup (router->context); /* its mailbox is to be parked */
    }
  if (error != NULL)
    tti_router_say (router, TTI_SAY_FAILED, generation, g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE) ? EAGAIN : EINVAL,
                    error->message);
}

/* --- what the node reports --------------------------------------------------------------------------------------------------- */

static void
on_spawned (TtiNode *node, gpointer user_data, guint64 generation, int pid)
{
  g_autofree char *cpus = tti_node_get_cpus (node, generation), *gpus = tti_node_get_gpus (node, generation);
  g_autofree char *places = g_strdup_printf ("%s\n%s", cpus != NULL ? cpus : "", gpus != NULL ? gpus : "");
  TtiRouter *self = user_data;

  /* Its process is known from now on, but it may have said hello before. */
  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, generation);

  if (worker != NULL)
    tell_state_locked (self, worker);
  tti_lock_release (&self->lock);
  tti_router_say (user_data, TTI_SAY_SPAWNED, generation, (guint64) pid, places);
}

static void
remove_locked (TtiRouter *self, guint64 generation)
{
  TTI_ASSERT_LOCKED (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, generation);
  GHashTableIter iter;
  gpointer value;

  if (worker == NULL)
    return;
  for (guint n = 0; n < ROUNDS_AT_END && worker->transport != NULL; n++)
    (void) take_messages_locked (self, worker);
  tti_router_read_outputs_locked (self, worker);
  close_transport_locked (self, worker);
  tti_watch_remove (self->watches, &worker->watches[0]);
  tti_watch_remove (self->watches, &worker->watches[1]);
  g_hash_table_iter_init (&iter, worker->rooms);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    for (guint i = 0; i < ((GArray *) value)->len; i++)
      g_hash_table_remove (self->vectors, &g_array_index ((GArray *) value, guint64, i));
  g_hash_table_remove (self->workers, &generation);
  self->n_busy -= tti_router_count_tasks (worker) > 0 ? 1 : 0;
  tti_router_worker_free (worker);
}

static void
on_failed (G_GNUC_UNUSED TtiNode *node, gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TtiRouter *self = user_data;

  tti_lock_take (&self->lock);
  remove_locked (self, generation);
  tti_lock_release (&self->lock);
  tti_router_say (self, TTI_SAY_FAILED, generation, (guint64) saved_errno, message);
}

static void
on_gone (G_GNUC_UNUSED TtiNode *node, gpointer user_data, guint64 generation)
{
  tti_router_say (user_data, TTI_SAY_GONE, generation, 0, NULL);
}

static void
on_exited (G_GNUC_UNUSED TtiNode *node, gpointer user_data, guint64 generation, const TtiWorkerExit *exit)
{
  TtiRouter *self = user_data;
  g_autoptr (GVariant) variant
    = g_variant_ref_sink (g_variant_new ("(iibtuu@ay)", exit->status, exit->signal, exit->core_dumped, exit->peak_memory,
                                         (guint32) exit->cause, exit->n_left, g_variant_new_bytestring (exit->detail)));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (variant);

  tti_lock_take (&self->lock);
  remove_locked (self, generation);
  tti_lock_release (&self->lock);
  tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_EXITED, .worker = generation }, bytes);
}

static void
on_stopped (TtiNode *node, gpointer user_data, guint64 generation, int signal)
{
  TtiRouter *self = user_data;

  tti_lock_take (&self->lock);
  TtiRouterWorker *worker = tti_router_find_worker_locked (self, generation);

  if (worker != NULL)
    worker->stopped = TRUE;
  tti_lock_release (&self->lock);
  (void) tti_router_on_states (self); /* whoever hears that it was stopped asks whether it is */
  (void) node;
  tti_router_say (self, TTI_SAY_STOPPED, generation, (guint64) signal, NULL);
}

static void
on_lost (G_GNUC_UNUSED TtiNode *node, gpointer user_data, const char *reason)
{
  TtiRouter *self = user_data;
  GHashTableIter iter;
  gpointer key;

  tti_lock_take (&self->lock);
  for (;;)
    {
      g_hash_table_iter_init (&iter, self->workers);
      if (!g_hash_table_iter_next (&iter, &key, NULL))
        break;
      remove_locked (self, *(guint64 *) key);
    }
  tti_lock_release (&self->lock);
  tti_router_say (self, TTI_SAY_NODE_LOST, 0, 0, reason);
}

static void
on_settled (G_GNUC_UNUSED TtiNode *node, gpointer user_data)
{
  tti_router_say (user_data, TTI_SAY_NODE_SETTLED, 0, 0, NULL);
}

static void
on_ready (G_GNUC_UNUSED TtiNode *node, gpointer user_data)
{
  tti_router_say (user_data, TTI_SAY_NODE_READY, 0, 0, NULL);
}

static void
on_draining (G_GNUC_UNUSED TtiNode *node, gpointer user_data, const char *reason)
{
  tti_router_drain (user_data, reason);
}

static void
on_hopeless (G_GNUC_UNUSED TtiNode *node, gpointer user_data, const GError *error)
{
  tti_router_say (user_data, TTI_SAY_NODE_HOPELESS, 0, 0, error->message);
}

static void
on_message (G_GNUC_UNUSED TtiNode *node, gpointer user_data, const char *message)
{
  tti_router_say (user_data, TTI_SAY_TELL, 0, 0, message);
}

const TtiNodeEvents tti_router_node_events = {
  .spawned = on_spawned, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_stopped, .lost = on_lost,
  .settled = on_settled, .ready = on_ready, .draining = on_draining, .hopeless = on_hopeless, .message = on_message,
};

/* --- what is known of them --------------------------------------------------------------------------------------------------- */

/* Only those are looked at of which the master may want to know. */
gboolean
tti_router_on_states (gpointer data)
{
  TtiRouter *self = data;
  GHashTableIter iter;
  gpointer value;

  tti_lock_take (&self->lock);
  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiRouterWorker *worker = value;

      if (tti_router_count_tasks (worker) > 0 || worker->stopped || worker->ending)
        tell_state_locked (self, worker);
    }
  tti_lock_release (&self->lock);
  return G_SOURCE_CONTINUE;
}
