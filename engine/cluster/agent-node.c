/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A node elsewhere: what is asked of it, and what is told of it. */
#include "cluster/agent-node-private.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PROGRAM = 16 << 20, LINGER_MS = 500 };

/* --- what it has ------------------------------------------------------------------------------------------------------------- */

TtiAgentWorker *
tti_agent_find_worker_locked (TtiAgentNode *self, guint64 generation)
{
  TTI_ASSERT_LOCKED (&self->lock);
  return g_hash_table_lookup (self->workers, &generation);
}

void
tti_agent_unuse_locked (TtiAgentNode *self, GArray *numbers)
{
  TTI_ASSERT_LOCKED (&self->lock);
  for (guint i = 0; numbers != NULL && i < numbers->len; i++)
    tti_shipments_unuse (self->shipments, g_array_index (numbers, guint64, i));
  if (numbers != NULL)
    g_array_unref (numbers);
}

static void
send_drop (guint64 number, gpointer user_data)
{
  TtiAgentNode *self = user_data;

  tti_agent_forgo_locked (self, number);
  if (self->link != NULL)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_DROP, .id = number }, NULL);
}

void
tti_agent_drop_kept_locked (TtiAgentNode *self, TtiAgentKept *kept)
{
  TTI_ASSERT_LOCKED (&self->lock);
  if (--kept->users > 0)
    return;
  send_drop (kept->number, self);
  tti_agent_unuse_locked (self, g_steal_pointer (&kept->numbers));
  g_hash_table_remove (self->kept, kept->payload);
}

static void
kept_free (gpointer data)
{
  TtiAgentKept *kept = data;

  tti_payload_unref (kept->payload);
  g_clear_pointer (&kept->numbers, g_array_unref);
  g_free (kept);
}

static void
destination_free (gpointer data)
{
  TtiAgentDestination *destination = data;

  tti_vector_unref (destination->vector);
  g_free (destination);
}

/* --- workers ----------------------------------------------------------------------------------------------------------------- */

static void
worker_free (gpointer data)
{
  TtiAgentWorker *worker = data;

  if (worker->transport != NULL)
    tti_agent_transport_end_locked (worker->transport);
  tti_fd_clear (&worker->fds[0]);
  tti_fd_clear (&worker->fds[1]);
  g_hash_table_unref (worker->tasks);
  g_hash_table_unref (worker->leaving);
  g_hash_table_unref (worker->holds);
  g_free (worker->cpus);
  g_free (worker->gpus);
  g_free (worker);
}

static TtiAgentWorker *
worker_new (guint64 generation)
{
  TtiAgentWorker *worker = g_new0 (TtiAgentWorker, 1);

  worker->generation = generation;
  worker->fds[0] = worker->fds[1] = -1;
  worker->tasks = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_array_unref);
  worker->leaving = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  worker->holds = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  return worker;
}

void
tti_agent_remove_worker_locked (TtiAgentNode *self, guint64 generation)
{
  TTI_ASSERT_LOCKED (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  GHashTableIter iter;
  gpointer value;

  if (worker == NULL)
    return;
  tti_agent_forget_destinations_locked (self, generation, 0);
  g_hash_table_iter_init (&iter, worker->tasks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      tti_agent_unuse_locked (self, g_array_ref (value));
      g_hash_table_iter_remove (&iter);
    }
  g_hash_table_iter_init (&iter, worker->holds);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    tti_agent_drop_kept_locked (self, value);
  g_hash_table_remove (self->workers, &generation);
}

void
tti_agent_forget_all_locked (TtiAgentNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  self->probe = 0;
  self->probed_at = 0;
  g_atomic_int_set (&self->round_trip, 0);
  g_hash_table_remove_all (self->workers);
  g_hash_table_remove_all (self->kept);
  g_hash_table_remove_all (self->destinations);
  g_hash_table_remove_all (self->offers);
  tti_shipments_free (self->shipments);
  self->shipments = tti_shipments_new (send_drop, self);
}

/* --- operations -------------------------------------------------------------------------------------------------------------- */

static GVariant *
strings_to_variant (const char *const *strings, gsize *size)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aay"));
  for (guint i = 0; strings[i] != NULL; i++)
    {
      g_variant_builder_add_value (&builder, g_variant_new_bytestring (strings[i]));
      *size += strlen (strings[i]) + 1;
    }
  return g_variant_builder_end (&builder);
}

/* The path of the folder that PROGRAM is to start in, "" if it is not known. */
static char *
folder_path (const TtiNodeProgram *program)
{
  g_autofree char *link = program->folder != NULL ? g_strdup_printf ("/proc/self/fd/%d", *program->folder) : NULL;
  char *path = link != NULL ? g_file_read_link (link, NULL) : NULL;

  return path != NULL ? path : g_strdup ("");
}

static GBytes *
program_to_bytes (const TtiNodeProgram *program, GError **error)
{
  gsize size = 0;
  g_autofree char *folder = folder_path (program);
  GVariant *argv = strings_to_variant (program->argv, &size), *envp = strings_to_variant (program->envp, &size);
  g_autoptr (GVariant) variant
    = g_variant_ref_sink (g_variant_new ("(@ay@aay@aayu@aytuut)", g_variant_new_bytestring (program->program), argv, envp, program->n_own,
                                         g_variant_new_bytestring (folder), program->memory_limit, program->n_cpus,
                                         program->n_gpus, program->place));

  if (size <= LONGEST_PROGRAM)
    return g_variant_get_data_as_bytes (variant);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_LIMIT, "arguments and environment have %" G_GSIZE_FORMAT " bytes, more than %d", size,
               LONGEST_PROGRAM);
  return NULL;
}

static gboolean
agent_spawn (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  TtiAgentNode *self = (TtiAgentNode *) node;
  g_autoptr (GBytes) bytes = program_to_bytes (program, error);
  guint64 most = 0;

  *channels = (TtiNodeChannels){ .out_fd = -1, .err_fd = -1 };
  if (bytes == NULL)
    return FALSE;
  TtiAgentWorker *worker = worker_new (generation);
  TtiTransport *transport = tti_agent_transport_new (self, generation, error);
  gboolean opened = transport != NULL && tti_agent_output_open (worker, &channels->out_fd, &channels->err_fd, &most, error);

  tti_lock_take (&self->lock);
  if (opened && self->state != TTI_AGENT_THERE)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "%s is lost, or its agent has ended", self->host);
      if (self->link != NULL && self->state == TTI_AGENT_AWAY)
        tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_WANT }, NULL);
      opened = FALSE;
    }
  if (opened)
    {
      worker->transport = (TtiAgentTransport *) transport;
      g_hash_table_insert (self->workers, &worker->generation, worker);
      tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_SPAWN, .worker = generation, .detail = most }, bytes);
    }
  tti_lock_release (&self->lock);
  channels->transport = transport;
  if (opened)
    return TRUE;
  worker_free (worker);
  g_clear_pointer (&channels->transport, tti_transport_free);
  tti_fd_clear (&channels->out_fd);
  tti_fd_clear (&channels->err_fd);
  return FALSE;
}

static gboolean
agent_signal (TtiNode *node, guint64 generation, int signal, int grace_ms)
{
  TtiAgentNode *self = (TtiAgentNode *) node;
  const TtiLinkFrame frame = { .kind = TTI_SAY_SIGNAL, .worker = generation, .id = (guint64) signal,
                               .detail = grace_ms < 0 ? G_MAXUINT64 : (guint64) grace_ms };

  tti_lock_take (&self->lock);
  gboolean there = self->state == TTI_AGENT_THERE;

  /* A worker that is asked for is behind in the other queue: its signal must not overtake that. */
  if (there && (signal != 0 || grace_ms >= 0) && tti_agent_find_worker_locked (self, generation) != NULL)
    {
      if (tti_agent_find_worker_locked (self, generation)->pid == 0)
        tti_link_send (self->link, &frame, NULL);
      else
        tti_link_send_urgent (self->link, &frame, NULL);
    }
  tti_lock_release (&self->lock);
  return there;
}

static guint
get_state_bits (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  guint state = worker != NULL ? worker->state : 0;

  tti_lock_release (&self->lock);
  return state;
}

static char
agent_get_state (TtiNode *node, guint64 generation)
{
  return (char) (get_state_bits (node, generation) & TTI_STATE_LETTER);
}

static gboolean
agent_is_stopped (TtiNode *node, guint64 generation)
{
  return (get_state_bits (node, generation) & TTI_STATE_STOPPED) != 0;
}

static gboolean
agent_is_stuck (TtiNode *node, guint64 generation)
{
  return (get_state_bits (node, generation) & TTI_STATE_STUCK) != 0;
}

static gboolean
agent_is_gone (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  gboolean gone = tti_agent_find_worker_locked (self, generation) == NULL;

  tti_lock_release (&self->lock);
  return gone;
}

static guint64
agent_get_peak_memory (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  guint64 peak = worker != NULL ? worker->peak_memory : 0;

  tti_lock_release (&self->lock);
  return peak;
}

static char *
agent_describe (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  char *text = worker != NULL && worker->pid > 0 ? g_strdup_printf ("process %d on %s", worker->pid, self->host)
                                                 : g_strdup_printf ("which has no process on %s", self->host);

  tti_lock_release (&self->lock);
  return text;
}

static guint64
agent_get_memory (TtiNode *node)
{
  return ((TtiAgentNode *) node)->memory;
}

static void
agent_stop (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  self->state = TTI_AGENT_CLOSED;
  tti_lock_release (&self->lock);
}

static void
agent_close (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  g_source_destroy (self->teller);
  g_source_destroy (self->drain);
  tti_lock_take (&self->lock);
  TtiLink *link = tti_agent_take_link_locked (self);

  if (link != NULL)
    tti_link_send_urgent (link, &(TtiLinkFrame){ .kind = TTI_SAY_END }, NULL);
  tti_lock_release (&self->lock);
  if (link != NULL)
    tti_link_close (link, LINGER_MS);
  tti_link_free (link);
  tti_lock_take (&self->lock);
  tti_agent_forget_all_locked (self);
  tti_lock_release (&self->lock);
}

static void
agent_free (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_agent_end_digests (self);
  g_source_unref (self->teller);
  g_source_unref (self->drain);
  g_queue_clear_full (&self->events, tti_agent_event_free);
  g_hash_table_unref (self->workers);
  g_hash_table_unref (self->kept);
  g_hash_table_unref (self->destinations);
  g_hash_table_unref (self->offers);
  g_hash_table_unref (self->arrived);
  g_clear_pointer (&self->placed, tti_vector_unref);
  tti_shipments_free (self->shipments);
  if (self->ops != NULL)
    self->ops->freed (self->user_data);
  g_cond_clear (&self->changed);
  tti_lock_clear (&self->lock);
  tti_node_clear (node);
  g_free (self->host);
  g_free (self);
}

static gboolean
ready_dispatch (G_GNUC_UNUSED GSource *source, GSourceFunc callback, gpointer data)
{
  return callback (data);
}

/* A source whose time is set when there is something to do. */
static GSource *
add_source (TtiAgentNode *self, GSourceFunc callback, const char *name)
{
  static GSourceFuncs funcs = { .dispatch = ready_dispatch };
  GSource *source = g_source_new (&funcs, sizeof (GSource));

  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, self, NULL);
  g_source_attach (source, self->node.context);
  return source;
}

TtiNode *
tti_agent_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer data, G_GNUC_UNUSED GError **error)
{
  static const TtiNodeOps ops = {
    .spawn = agent_spawn, .signal = agent_signal, .get_state = agent_get_state, .is_stopped = agent_is_stopped,
    .is_stuck = agent_is_stuck, .is_gone = agent_is_gone, .get_peak_memory = agent_get_peak_memory, .describe = agent_describe,
    .has_room = tti_agent_has_room, .leave_place = tti_agent_leave_place, .lend = tti_agent_lend, .get_cpus = tti_agent_get_cpus,
    .get_gpus = tti_agent_get_gpus, .get_memory = agent_get_memory, .stop = agent_stop, .close = agent_close, .free = agent_free,
  };
  const TtiAgentNodeOptions *options = data;
  TtiAgentNode *self = g_new0 (TtiAgentNode, 1);

  tti_node_init (&self->node, &ops, FALSE, context, events, user_data);
  tti_node_set_name (&self->node, options->host);
  self->host = g_strdup (options->host);
  self->memory = options->memory;
  self->n_cpus = options->n_cpus;
  self->n_gpus = options->n_gpus;
  self->ops = options->ops;
  self->user_data = options->user_data;
  g_cond_init (&self->changed);
  g_queue_init (&self->events);
  self->workers = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, worker_free);
  self->kept = g_hash_table_new_full (NULL, NULL, NULL, kept_free);
  self->destinations = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, destination_free);
  self->offers = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, tti_agent_offer_free);
  self->arrived = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) tti_vector_unref);
  self->shipments = tti_shipments_new (send_drop, self);
  self->teller = add_source (self, tti_agent_on_events, "[tutti] agent");
  self->drain = add_source (self, tti_agent_on_drain, "[tutti] agent's outputs");
  self->link = options->link;
  tti_link_set_owner (self->link, &tti_agent_link_ops, self);
  return &self->node;
}

gboolean
tti_agent_node_come_back (TtiNode *node, TtiLink *link)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  gboolean wanted = self->link == NULL && self->state == TTI_AGENT_AWAY;

  if (wanted)
    {
      self->link = link;
      tti_link_set_owner (link, &tti_agent_link_ops, self);
    }
  tti_lock_release (&self->lock);
  if (wanted)
    tti_agent_queue_event (self, TTI_AGENT_READY, 0, 0, NULL);
  return wanted;
}

void
tti_agent_node_end (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  if (self->link != NULL)
    tti_link_send_urgent (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_END }, NULL);
  tti_lock_release (&self->lock);
}

gboolean
tti_agent_node_is_there (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  gboolean there = self->state == TTI_AGENT_THERE;

  tti_lock_release (&self->lock);
  return there;
}

const char *
tti_agent_node_get_host (TtiNode *node)
{
  return ((TtiAgentNode *) node)->host;
}

guint64
tti_agent_node_get_sent (TtiNode *node)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  guint64 sent = self->link != NULL ? tti_link_get_sent (self->link) : 0;

  tti_lock_release (&self->lock);
  return sent;
}

double
tti_agent_node_measure (TtiNode *node, gsize size, gint64 deadline)
{
  TtiAgentNode *self = (TtiAgentNode *) node;
  g_autofree guint8 *zeros = g_malloc0 (MAX (size, 1));
  g_autoptr (GBytes) contents = size > 0 ? g_bytes_new_take (g_steal_pointer (&zeros), size) : NULL;
  gint64 start = g_get_monotonic_time ();

  tti_lock_take (&self->lock);
  guint64 number = tti_shipments_next (self->shipments);
  TtiLink *link = self->link;

  if (link != NULL && size > 0)
    tti_link_send (link, &(TtiLinkFrame){ .kind = TTI_SAY_CONTENTS, .id = number }, contents);
  if (link != NULL)
    tti_link_send (link, &(TtiLinkFrame){ .kind = TTI_SAY_ECHO, .id = number }, NULL);
  while (link != NULL && self->link == link && self->echoed != number && !tti_link_is_lost (link))
    if (!tti_lock_wait (&self->lock, &self->changed, deadline))
      break;
  gboolean echoed = link != NULL && self->link == link && self->echoed == number;

  if (echoed && size > 0)
    send_drop (number, self);
  tti_lock_release (&self->lock);
  return echoed ? (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC : -1;
}
