/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What all kinds of nodes have in common, which is their interface. */
#include "node/node.h"
#include "platform/host-name.h"

void
tti_node_init (TtiNode *node, const TtiNodeOps *ops, gboolean shares_memory, GMainContext *context, const TtiNodeEvents *events,
               gpointer user_data)
{
  node->ops = ops;
  node->shares_memory = shares_memory;
  node->context = g_main_context_ref (context);
  node->events = events;
  node->user_data = user_data;
  node->name = tti_host_name ();
}

void
tti_node_set_name (TtiNode *node, const char *name)
{
  node->name = g_intern_string (name);
}

const char *
tti_node_get_name (TtiNode *node)
{
  return node->name;
}

void
tti_node_clear (TtiNode *node)
{
  g_clear_pointer (&node->context, g_main_context_unref);
}

gboolean
tti_node_spawn (TtiNode *node, guint64 generation, const TtiNodeProgram *program, TtiNodeChannels *channels, GError **error)
{
  g_return_val_if_fail (generation != 0 && program->argv[0] != NULL, FALSE);
  return node->ops->spawn (node, generation, program, channels, error);
}

gboolean
tti_node_signal (TtiNode *node, guint64 generation, int signal, int grace_ms)
{
  return node->ops->signal (node, generation, signal, grace_ms);
}

char
tti_node_get_state (TtiNode *node, guint64 generation)
{
  return node->ops->get_state (node, generation);
}

gboolean
tti_node_is_stopped (TtiNode *node, guint64 generation)
{
  return node->ops->is_stopped (node, generation);
}

gboolean
tti_node_is_stuck (TtiNode *node, guint64 generation)
{
  return node->ops->is_stuck (node, generation);
}

gboolean
tti_node_is_gone (TtiNode *node, guint64 generation)
{
  return node->ops->is_gone (node, generation);
}

guint64
tti_node_get_peak_memory (TtiNode *node, guint64 generation)
{
  return node->ops->get_peak_memory (node, generation);
}

char *
tti_node_describe (TtiNode *node, guint64 generation)
{
  return node->ops->describe (node, generation);
}

gboolean
tti_node_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error)
{
  return node->ops->has_room == NULL || node->ops->has_room (node, program, n, error);
}

void
tti_node_leave_place (TtiNode *node, guint64 place)
{
  if (node->ops->leave_place != NULL)
    node->ops->leave_place (node, place);
}

void
tti_node_lend (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit)
{
  if (node->ops->lend != NULL)
    node->ops->lend (node, generation, places, n_places, memory_limit);
}

guint64
tti_node_get_memory (TtiNode *node)
{
  return node->ops->get_memory != NULL ? node->ops->get_memory (node) : 0;
}

char *
tti_node_get_cpus (TtiNode *node, guint64 generation)
{
  return node->ops->get_cpus != NULL ? node->ops->get_cpus (node, generation) : NULL;
}

char *
tti_node_get_gpus (TtiNode *node, guint64 generation)
{
  return node->ops->get_gpus != NULL ? node->ops->get_gpus (node, generation) : NULL;
}

void
tti_node_want (TtiNode *node)
{
  if (node->ops->want != NULL)
    node->ops->want (node);
}

void
tti_node_stop (TtiNode *node)
{
  node->ops->stop (node);
}

void
tti_node_close (TtiNode *node)
{
  if (node->closed)
    return;
  node->closed = TRUE;
  node->ops->stop (node);
  node->ops->close (node);
}

void
tti_node_free (TtiNode *node)
{
  if (node == NULL)
    return;
  tti_node_close (node);
  node->ops->free (node);
}
