/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* For tests: a node elsewhere whose agent is a thread of this process, at the other end of a pair of sockets. What goes over the link,
 * and what the agent does, is as between machines; TLS and processes of agents are tested on hosts. */
#pragma once
#include "node/node.h"

/* A maker of nodes (pool/engine.h). OPTIONS is not looked at. */
TtiNode *agent_thread_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, gpointer options, GError **error);

/* Kill the watcher of NODE's agent (of all, if there are several); break its link; let an agent come to it again after that. */
void agent_thread_kill_watcher (TtiNode *node);
void agent_thread_cut (TtiNode *node);
void agent_thread_come_back (TtiNode *node);
/* Bytes that NODE's agent has written to the master on the present link. */
guint64 agent_thread_get_answered (TtiNode *node);
