/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "support/agent-thread.h"
#include "cluster/agent-node.h"
#include "cluster/router.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WINDOW = 256 * 1024 };

/* An agent: its thread ends with its link. */
typedef struct
{
  TtiLink *link;
  int fd;           /* of its end of the link, to cut that: the thread frees the link */
  GMainContext *context;
  GMutex lock;
  GCond changed;
  gboolean there;
  GThread *thread;
} Agent;

static GMutex agents_lock;
static GHashTable *agents; /* TtiNode -> Agent, of those that were made here */

static TtiLink *
link_over (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, &error);
  const TtiLinkOptions options = { .window = WINDOW, .socket = socket, .peer = "the other side" };

  g_assert_no_error (error);
  return tti_link_new (G_IO_STREAM (g_socket_connection_factory_create_connection (socket)), &options);
}

static gpointer
agent_run (gpointer data)
{
  Agent *agent = data;
  g_autofree char *watcher = g_build_filename (g_getenv ("TUTTI_LIBEXECDIR"), "tutti-watcher", NULL), *reason = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (TtiRouter) router = tti_router_new (watcher, agent->context, agent->link, &error);

  g_assert_no_error (error);
  tti_router_attend (router);
  tti_link_start (agent->link, &error);
  g_assert_no_error (error);
  g_mutex_lock (&agent->lock);
  agent->there = TRUE;
  g_cond_broadcast (&agent->changed);
  g_mutex_unlock (&agent->lock);
  while (!tti_router_is_over (router, &reason))
    {
      g_assert_null (reason);
      g_main_context_iteration (agent->context, TRUE);
    }
  return NULL;
}

/* Start an agent; returns the master's link to it, which is not started. */
static TtiLink *
agent_start (Agent *agent)
{
  int fds[2];

  g_assert_true (tti_fd_socket_pair (SOCK_STREAM, fds, NULL));
  agent->fd = fcntl (fds[1], F_DUPFD_CLOEXEC, 0);
  g_assert_cmpint (agent->fd, >=, 0);
  agent->link = link_over (fds[1]);
  agent->context = g_main_context_new ();
  agent->there = FALSE;
  agent->thread = g_thread_new ("agent", agent_run, agent);
  g_mutex_lock (&agent->lock);
  while (!agent->there)
    g_cond_wait (&agent->changed, &agent->lock);
  g_mutex_unlock (&agent->lock);
  return link_over (fds[0]);
}

static void
agent_end (Agent *agent)
{
  g_clear_pointer (&agent->thread, g_thread_join);
  g_clear_pointer (&agent->context, g_main_context_unref);
  tti_fd_clear (&agent->fd);
}

static Agent *
find_agent (TtiNode *node)
{
  g_mutex_lock (&agents_lock);
  Agent *agent = g_hash_table_lookup (agents, node);

  g_mutex_unlock (&agents_lock);
  g_assert_nonnull (agent);
  return agent;
}

/* The operations of a node, but for the end of its agent's thread. */
static TtiNodeOps ops;
static const TtiNodeOps *usual;

static void
close_node (TtiNode *node)
{
  usual->close (node);
  agent_end (find_agent (node));
}

static void
free_node (TtiNode *node)
{
  g_mutex_lock (&agents_lock);
  g_hash_table_remove (agents, node);
  if (g_hash_table_size (agents) == 0)
    g_clear_pointer (&agents, g_hash_table_unref);
  g_mutex_unlock (&agents_lock);
  usual->free (node);
}

TtiNode *
agent_thread_node_new (GMainContext *context, const TtiNodeEvents *events, gpointer user_data, G_GNUC_UNUSED gpointer options,
                       GError **error)
{
  Agent *agent = g_new0 (Agent, 1);
  TtiLink *link = agent_start (agent);
  TtiAgentNodeOptions wanted = { .host = "host", .link = link };
  TtiNode *node = tti_agent_node_new (context, events, user_data, &wanted, error);

  g_assert_nonnull (node);
  g_mutex_lock (&agents_lock);
  if (usual == NULL)
    {
      usual = node->ops;
      ops = *usual;
      ops.close = close_node;
      ops.free = free_node;
    }
  node->ops = &ops;
  if (agents == NULL)
    agents = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_hash_table_insert (agents, node, agent);
  g_mutex_unlock (&agents_lock);
  g_assert_true (tti_link_start (link, error));
  return node;
}

void
agent_thread_kill_watcher (G_GNUC_UNUSED TtiNode *node)
{
  g_autoptr (GArray) guards = tti_process_children (getpid ());

  for (guint i = 0; i < guards->len; i++)
    {
      g_autoptr (GArray) watchers = tti_process_children (g_array_index (guards, pid_t, i));

      if (watchers->len > 0)
        kill (g_array_index (watchers, pid_t, 0), SIGKILL);
    }
}

void
agent_thread_cut (TtiNode *node)
{
  g_assert_cmpint (shutdown (find_agent (node)->fd, SHUT_RDWR), ==, 0);
}

void
agent_thread_come_back (TtiNode *node)
{
  Agent *agent = find_agent (node);

  agent_end (agent);
  TtiLink *link = agent_start (agent);

  while (!tti_agent_node_come_back (node, link)) /* it may not have heard of the loss yet */
    g_thread_yield ();
  g_assert_true (tti_link_start (link, NULL));
}

guint64
agent_thread_get_answered (TtiNode *node)
{
  return tti_link_get_sent (find_agent (node)->link);
}
