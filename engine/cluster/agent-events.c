/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What has come from an agent and is told to the engine, in the thread of the node's context. */
#include "cluster/agent-node-private.h"
#include "platform/error.h"
#include <string.h>

enum { MOST_TEXT = 4096, TELL_OUTPUT_MS = 20 };

void
tti_agent_event_free (gpointer data)
{
  TtiAgentEvent *event = data;

  g_clear_pointer (&event->bytes, g_bytes_unref);
  g_free (event);
}

void
tti_agent_queue_event (TtiAgentNode *self, guint kind, guint64 generation, guint64 detail, GBytes *bytes)
{
  TtiAgentEvent *event = g_new0 (TtiAgentEvent, 1);

  *event = (TtiAgentEvent){ .kind = kind, .generation = generation, .detail = detail, .bytes = bytes != NULL ? g_bytes_ref (bytes) : NULL };
  tti_lock_take (&self->lock);
  g_queue_push_tail (&self->events, event);
  tti_lock_release (&self->lock);
  g_source_set_ready_time (self->teller, 0);
}

/* A text that has come: bounded, and made one that can be shown. */
static char *
event_text (const TtiAgentEvent *event)
{
  gsize size = 0;
  const char *data = event->bytes != NULL ? g_bytes_get_data (event->bytes, &size) : "";

  return g_utf8_make_valid (data, (gssize) MIN (size, MOST_TEXT));
}

static void
tell_spawned (TtiAgentNode *self, const TtiAgentEvent *event, const char *text)
{
  g_auto (GStrv) lists = g_strsplit (text, "\n", 2);
  int pid = (int) CLAMP (event->detail, 1, G_MAXINT);

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, event->generation);

  if (worker != NULL)
    {
      worker->pid = pid;
      g_clear_pointer (&worker->cpus, g_free); /* an agent that tells it twice is no honest one */
      g_clear_pointer (&worker->gpus, g_free);
      if (lists[0] != NULL && *lists[0] != '\0')
        worker->cpus = g_strdup (lists[0]);
      if (lists[0] != NULL && lists[1] != NULL && *lists[1] != '\0')
        worker->gpus = g_strdup (lists[1]);
    }
  tti_lock_release (&self->lock);
  if (worker != NULL)
    self->node.events->spawned (&self->node, self->node.user_data, event->generation, pid);
}

static void
tell_exited (TtiAgentNode *self, const TtiAgentEvent *event)
{
  g_autoptr (GVariant) variant = g_variant_new_from_bytes (G_VARIANT_TYPE (TTI_SAY_EXIT_TYPE), event->bytes, FALSE);
  g_autoptr (GVariant) normal = g_variant_take_ref (g_variant_get_normal_form (variant));
  g_autoptr (GVariant) detail = NULL;
  TtiWorkerExit exit = { 0 };
  guint32 cause;

  g_variant_get (normal, "(iibtuu@ay)", &exit.status, &exit.signal, &exit.core_dumped, &exit.peak_memory, &cause, &exit.n_left, &detail);
  g_autofree char *text = g_utf8_make_valid (g_variant_get_bytestring (detail), -1);

  exit.cause = (TtiExitCause) MIN (cause, TTI_EXIT_CAUSE_CPU_LIMIT);
  exit.detail = text;
  tti_lock_take (&self->lock);
  gboolean known = tti_agent_find_worker_locked (self, event->generation) != NULL;

  tti_agent_remove_worker_locked (self, event->generation);
  tti_lock_release (&self->lock);
  if (known)
    self->node.events->exited (&self->node, self->node.user_data, event->generation, &exit);
}

/* What the workers do until their agent has noticed is not in our power. */
static void
tell_lost (TtiAgentNode *self, const char *text)
{
  tti_lock_take (&self->lock);
  TtiLink *link = tti_agent_take_link_locked (self);
  gboolean stopped = self->state == TTI_AGENT_CLOSED;

  if (!stopped)
    {
      self->state = TTI_AGENT_AWAY;
      tti_agent_forget_all_locked (self);
    }
  g_cond_broadcast (&self->changed);
  tti_lock_release (&self->lock);
  tti_link_free (link);
  if (stopped)
    return;
  self->node.events->lost (&self->node, self->node.user_data, text);
  self->node.events->settled (&self->node, self->node.user_data);
  if (self->ops != NULL)
    self->ops->lost (&self->node, text, self->user_data);
}

/* The agent is there, but its watcher is gone, and with it all of its workers. */
static void
tell_watcher_lost (TtiAgentNode *self, const char *text)
{
  g_autoptr (GArray) generations = g_array_new (FALSE, FALSE, sizeof (guint64));
  GHashTableIter iter;
  gpointer key;

  tti_lock_take (&self->lock);
  gboolean there = self->state == TTI_AGENT_THERE;

  g_hash_table_iter_init (&iter, self->workers);
  while (there && g_hash_table_iter_next (&iter, &key, NULL))
    g_array_append_vals (generations, key, 1);
  for (guint i = 0; i < generations->len; i++)
    tti_agent_remove_worker_locked (self, g_array_index (generations, guint64, i));
  if (there)
    self->state = TTI_AGENT_AWAY;
  tti_lock_release (&self->lock);
  if (there)
    self->node.events->lost (&self->node, self->node.user_data, text);
}

static void
tell_ready (TtiAgentNode *self)
{
  tti_lock_take (&self->lock);
  gboolean there = self->link != NULL && self->state != TTI_AGENT_CLOSED;

  if (there)
    self->state = TTI_AGENT_THERE;
  tti_lock_release (&self->lock);
  if (there)
    self->node.events->ready (&self->node, self->node.user_data);
}

static void
tell (TtiAgentNode *self, const TtiAgentEvent *event)
{
  const TtiNodeEvents *to = self->node.events;
  g_autofree char *text = event_text (event), *line = NULL;
  g_autoptr (GError) error = NULL;

  switch (event->kind)
    {
    case TTI_SAY_SPAWNED:
      tell_spawned (self, event, text);
      break;
    case TTI_SAY_FAILED:
      line = g_strdup_printf ("%s: %s", self->host, text);
      tti_lock_take (&self->lock);
      tti_agent_remove_worker_locked (self, event->generation);
      tti_lock_release (&self->lock);
      to->failed (&self->node, self->node.user_data, event->generation, (int) MIN (event->detail, G_MAXINT), line);
      break;
    case TTI_SAY_GONE:
      to->gone (&self->node, self->node.user_data, event->generation);
      break;
    case TTI_SAY_EXITED:
      if (event->bytes != NULL)
        tell_exited (self, event);
      break;
    case TTI_SAY_STOPPED:
      to->stopped (&self->node, self->node.user_data, event->generation, (int) MIN (event->detail, 64));
      break;
    case TTI_AGENT_LOST:
      tell_lost (self, text);
      break;
    case TTI_SAY_NODE_LOST:
      tell_watcher_lost (self, text);
      break;
    case TTI_SAY_NODE_SETTLED:
      to->settled (&self->node, self->node.user_data);
      break;
    case TTI_SAY_NODE_READY:
    case TTI_AGENT_READY:
      tell_ready (self);
      break;
    case TTI_SAY_NODE_HOPELESS:
      error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: %s", self->host, text);
      to->hopeless (&self->node, self->node.user_data, error);
      break;
    case TTI_SAY_DRAINING:
      to->draining (&self->node, self->node.user_data, text);
      if (self->ops != NULL)
        self->ops->draining (&self->node, text, self->user_data);
      break;
    default:
      line = g_strdup_printf ("%s: %s", self->host, text);
      to->message (&self->node, self->node.user_data, line);
      break;
    }
}

void
tti_agent_node_give_up (TtiNode *node, const char *reason)
{
  TtiAgentNode *self = (TtiAgentNode *) node;
  g_autoptr (GBytes) text = g_bytes_new (reason, strlen (reason));

  tti_lock_take (&self->lock);
  gboolean waits = self->link == NULL && self->state == TTI_AGENT_AWAY;

  tti_lock_release (&self->lock);
  if (waits) /* an agent that comes now is told of after this */
    tti_agent_queue_event (self, TTI_SAY_NODE_HOPELESS, 0, 0, text);
}

gboolean
tti_agent_on_events (gpointer data)
{
  TtiAgentNode *self = data;

  /* Under the lock, which whoever queued an event has had: this thread may never have seen what made the node. */
  tti_lock_take (&self->lock);
  g_source_set_ready_time (self->teller, -1);
  tti_lock_release (&self->lock);
  for (;;)
    {
      tti_lock_take (&self->lock);
      TtiAgentEvent *event = g_queue_pop_head (&self->events);

      tti_lock_release (&self->lock);
      if (event == NULL)
        return G_SOURCE_CONTINUE;
      tell (self, event);
      tti_agent_event_free (event);
    }
}

gboolean
tti_agent_on_drain (gpointer data)
{
  TtiAgentNode *self = data;

  tti_lock_take (&self->lock);
  g_source_set_ready_time (self->drain, -1);
  gboolean more = tti_agent_output_tell_locked (self);

  tti_lock_release (&self->lock);
  if (more)
    g_source_set_ready_time (self->drain, g_get_monotonic_time () + TELL_OUTPUT_MS * G_TIME_SPAN_MILLISECOND);
  return G_SOURCE_CONTINUE;
}
