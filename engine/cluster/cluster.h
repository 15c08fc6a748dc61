/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The machines of one launcher: agents are invited, commands are run that start them, and each agent that greets becomes a node of the
 * engine.
 *
 * A cluster has an authority of its own, so that its agents belong to it alone; a door that is open while agents are expected; and a
 * thread for the commands. Its nodes belong to the engine, as all do, and stay when it is closed: then their agents are told to end,
 * which is a loss for pools.
 *
 * What happens is told by events, which are taken by whoever wants to know; a wakeup descriptor says that there are some. All functions
 * may be called from any thread. */
#pragma once
#include "pool/engine.h"

typedef struct _TtiCluster TtiCluster;

typedef struct
{
  const char *address;          /* to listen at, digits; NULL: all of this machine's */
  guint lost_after_ms;          /* without an acknowledgement of its kernel a host is lost */
  guint silence_ms;             /* so long an agent may say nothing though its host answers; 0: for ever */
  gboolean allow_different_bits; /* take hosts on which results may differ in the last bits */
  GVariant *facts;              /* of this machine (facts.h); a reference is taken */
} TtiClusterOptions;

typedef enum
{
  TTI_CLUSTER_LINE,      /* a command has written TEXT */
  TTI_CLUSTER_ENDED,     /* a command has ended, with STATUS or by SIGNAL; TEXT: its last lines */
  TTI_CLUSTER_REFUSED,   /* somebody was not let in; TEXT says who and why */
  TTI_CLUSTER_AGENT,     /* a new node, with INDEX and NAME */
  TTI_CLUSTER_DIFFERENT, /* ... on which results may differ: TEXT says why */
  TTI_CLUSTER_LOST,      /* node INDEX, for the reason TEXT */
  TTI_CLUSTER_READY,     /* node INDEX is there again */
  TTI_CLUSTER_DRAINING   /* the host of node INDEX wants its agent to end, for the reason TEXT */
} TtiClusterEventKind;

typedef struct
{
  TtiClusterEventKind kind;
  guint64 launch;
  guint index;
  gboolean is_error;
  int status, signal;
  char *name, *text;
} TtiClusterEvent;

/* Errors: those of credentials and of the listener; TUTTI_ERROR_CLOSED. */
TtiCluster *tti_cluster_new (TtiEngine *engine, const TtiClusterOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Close it, in another thread, and free it: that does not wait. NULL is fine. */
void tti_cluster_free (TtiCluster *cluster);
/* Tell the agents to end, and end the commands, which have GRACE_MS for it. Twice is fine. */
void tti_cluster_close (TtiCluster *cluster, guint grace_ms);

/* Run ARGV, a command that starts N agents, with their invitation on its standard input. Returns the number of the launch; 0 with ERROR. */
guint64 tti_cluster_launch (TtiCluster *cluster, const char *const *argv, guint n, GError **error);
/* Write the invitation for N agents that somebody else starts to the file PATH, which only this user can read, and which must not exist. */
guint64 tti_cluster_write_invitation (TtiCluster *cluster, guint n, const char *path, GError **error);

/* The oldest event; clear it. FALSE: there is none. */
gboolean tti_cluster_take_event (TtiCluster *cluster, TtiClusterEvent *event);
void tti_cluster_event_clear (TtiClusterEvent *event);
int tti_cluster_get_wakeup (TtiCluster *cluster); /* readable when there are events; the cluster's */

guint tti_cluster_get_n_nodes (TtiCluster *cluster);                  /* that have come, also those that are lost */
TtiNode *tti_cluster_get_node (TtiCluster *cluster, guint index);     /* the engine's */
GVariant *tti_cluster_get_facts (TtiCluster *cluster, guint index);   /* a reference: of its machine */
char *tti_cluster_get_difference (TtiCluster *cluster, guint index);  /* to be freed; NULL: none */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiCluster, tti_cluster_free)
