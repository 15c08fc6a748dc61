/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the parts of a cluster share: its life, nodes and events (cluster.c), the commands that start
 * agents (cluster-commands.c), and who comes to its door (cluster-greeting.c). */
#pragma once
#include "cluster/agent-node.h"
#include "cluster/cluster.h"
#include "cluster/listener.h"
#include "cluster/tls.h"
#include "platform/lock.h"

/* Agents that were invited together. */
typedef struct
{
  guint64 number;
  guint n_missing;   /* that have not come */
} TtiClusterLaunch;

typedef struct
{
  TtiNode *node;
  char *host;
  GVariant *facts;
  char *difference;  /* NULL: none */
} TtiClusterMember;

typedef struct _TtiClusterCommands TtiClusterCommands; /* of cluster-commands.c */

struct _TtiCluster
{
  gatomicrefcount refs;       /* of its memory */
  TtiEngine *engine;          /* NULL: closed */
  guint lost_after, silence;  /* ms */
  gboolean allow_different_bits;
  GVariant *facts;
  TtiAuthority *authority;
  char *run;
  TtiListener *listener;
  int wakeup;
  TtiClusterCommands *commands;

  TtiLock lock;                 /* of what follows; no lock of an engine or a node is taken under it */
  GCond changed;                /* N_COMING */
  gboolean closed;
  guint n_coming;               /* agents that are being let in, for which the engine must be there */
  guint64 last_launch;
  GPtrArray *launches;          /* of TtiClusterLaunch */
  GPtrArray *members;           /* of TtiClusterMember, in the order in which they came */
  GPtrArray *candidates;        /* of TtiLink, owned: those that have not been answered, and those that were refused */
  GQueue events;                /* of TtiClusterEvent */
};

/* --- cluster.c --------------------------------------------------------------------------------------------------------------- */
/* Queue EVENT, whose texts are taken over. */
void tti_cluster_tell (TtiCluster *cluster, TtiClusterEvent event);
/* References of its memory, which its nodes have as well. */
TtiCluster *tti_cluster_hold (TtiCluster *cluster);
void tti_cluster_release (TtiCluster *cluster);
gboolean tti_cluster_expect (TtiCluster *cluster, GError **error); /* keep the door open for those who are missing */

/* The command of launch NUMBER has ended: nobody is missing of those that it should have started. */
void tti_cluster_forget_launch (TtiCluster *cluster, guint64 number);

/* --- cluster-commands.c ------------------------------------------------------------------------------------------------------ */
TtiClusterCommands *tti_cluster_commands_new (GError **error);
/* Run ARGV, which starts the agents of launch NUMBER, with INPUT as its standard input. */
gboolean tti_cluster_commands_start (TtiCluster *cluster, guint64 number, const char *const *argv, const char *input, GError **error);
/* End them, with GRACE_MS; after that none can be started. Waits. Twice is fine. */
void tti_cluster_commands_end (TtiClusterCommands *commands, guint grace_ms);
void tti_cluster_commands_free (TtiClusterCommands *commands); /* after that; NULL is fine */

/* --- cluster-greeting.c ------------------------------------------------------------------------------------------------------ */
extern const TtiListenerEvents tti_cluster_door;
