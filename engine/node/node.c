/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What all kinds of nodes have in common, which is their interface. */
#include "node/node.h"

void
tutti_node_init (TuttiNode *node, const TuttiNodeOps *ops, gboolean shares_memory, GMainContext *context, const TuttiNodeEvents *events,
                 gpointer user_data)
{
  node->ops = ops;
  node->shares_memory = shares_memory;
  node->context = g_main_context_ref (context);
  node->events = events;
  node->user_data = user_data;
}

void
tutti_node_clear (TuttiNode *node)
{
  g_clear_pointer (&node->context, g_main_context_unref);
}

gboolean
tutti_node_spawn (TuttiNode *node, guint64 generation, const TuttiNodeProgram *program, TuttiNodeChannels *channels, GError **error)
{
  g_return_val_if_fail (generation != 0 && program->argv[0] != NULL, FALSE);
  return node->ops->spawn (node, generation, program, channels, error);
}

gboolean
tutti_node_signal (TuttiNode *node, guint64 generation, int signal, int grace_ms)
{
  return node->ops->signal (node, generation, signal, grace_ms);
}

char
tutti_node_get_state (TuttiNode *node, guint64 generation)
{
  return node->ops->get_state (node, generation);
}

gboolean
tutti_node_is_stopped (TuttiNode *node, guint64 generation)
{
  return node->ops->is_stopped (node, generation);
}

gboolean
tutti_node_is_stuck (TuttiNode *node, guint64 generation)
{
  return node->ops->is_stuck (node, generation);
}

gboolean
tutti_node_is_gone (TuttiNode *node, guint64 generation)
{
  return node->ops->is_gone (node, generation);
}

guint64
tutti_node_get_peak_memory (TuttiNode *node, guint64 generation)
{
  return node->ops->get_peak_memory (node, generation);
}

char *
tutti_node_describe (TuttiNode *node, guint64 generation)
{
  return node->ops->describe (node, generation);
}

void
tutti_node_stop (TuttiNode *node)
{
  node->ops->stop (node);
}

void
tutti_node_close (TuttiNode *node)
{
  if (node->closed)
    return;
  node->closed = TRUE;
  node->ops->stop (node);
  node->ops->close (node);
}

void
tutti_node_free (TuttiNode *node)
{
  if (node == NULL)
    return;
  tutti_node_close (node);
  node->ops->free (node);
}
