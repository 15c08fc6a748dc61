/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A node elsewhere: workers on another machine, which an agent there runs for us.
 *
 * The node lives as long as its engine. Its agent may be lost, and another one come for the same host: each time is an *epoch* of its
 * own, with a link of its own, and what was under way in an earlier one is gone with that link. An agent that is lost ends its workers by
 * itself when it notices; as no memory is shared with them, what they still do harms nobody here.
 *
 * Threads: operations come from any thread, frames in the link's reader, events in the thread of the node's context. */
#pragma once
#include "cluster/link.h"
#include "node/node.h"

/* What the owner of the node, beside the engine, wants to know. All in the thread of the node's context. */
typedef struct
{
  void (*lost) (TtiNode *node, const char *reason, gpointer user_data);   /* after the engine was told */
  void (*draining) (TtiNode *node, const char *reason, gpointer user_data);
  void (*freed) (gpointer user_data); /* the node is: nothing more is told */
} TtiAgentNodeOps;

typedef struct
{
  const char *host;
  guint64 memory;              /* bytes that there are; 0: not known */
  guint n_cpus, n_gpus;        /* that workers may have; N_CPUS 0: neither is known */
  TtiLink *link;               /* the node takes it over, and becomes its owner */
  const TtiAgentNodeOps *ops;
  gpointer user_data;
} TtiAgentNodeOptions;

/* A TtiNodeMaker (pool/engine.h); DATA: a TtiAgentNodeOptions. */
TtiNode *tti_agent_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer data, GError **error);

/* A new agent has come to the host of NODE, which is lost; LINK is taken over. FALSE: it is not lost, or is closed; then LINK stays the
 * caller's. */
gboolean tti_agent_node_come_back (TtiNode *node, TtiLink *link);

/* No agent will come to the host of NODE, for REASON: whoever waits for it is told. Nothing happens if one has come. */
void tti_agent_node_give_up (TtiNode *node, const char *reason);

/* Tell the agent to end; its end is told as a loss. */
void tti_agent_node_end (TtiNode *node);

gboolean tti_agent_node_is_there (TtiNode *node);          /* it can spawn */
const char *tti_agent_node_get_host (TtiNode *node);       /* the name of its machine; the node's */
guint64 tti_agent_node_get_sent (TtiNode *node); /* bytes that were sent to its present agent */

/* Seconds that a round trip takes, after SIZE bytes (0: none) that its agent is to keep for a moment; at most until DEADLINE (monotonic,
 * µs). Negative: it took longer, or the agent was lost. Blocks. */
double tti_agent_node_measure (TtiNode *node, gsize size, gint64 deadline);
