/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Who comes to the door of a cluster: a connection that belongs to the run greets, is answered, and becomes a node, or that of a host
 * that was lost. */
#include "cluster/cluster-private.h"
#include "cluster/facts.h"
#include "cluster/protocol.h"
#include "cluster/tcp.h"
#include "platform/error.h"
#include <string.h>

enum { MOST_FACTS = 1 << 20 };

/* --- nodes ------------------------------------------------------------------------------------------------------------------- */

static guint
find_node (TtiCluster *self, TtiNode *node)
{
  guint index = 0;

  tti_lock_take (&self->lock);
  while (index < self->members->len && ((TtiClusterMember *) g_ptr_array_index (self->members, index))->node != node)
    index++;
  tti_lock_release (&self->lock);
  return index;
}

static void
on_node_lost (TtiNode *node, const char *reason, gpointer user_data)
{
  tti_cluster_tell (user_data, (TtiClusterEvent){ .kind = TTI_CLUSTER_LOST, .index = find_node (user_data, node),
                                                    .name = g_strdup (tti_agent_node_get_host (node)), .text = g_strdup (reason) });
}

static void
on_node_draining (TtiNode *node, const char *reason, gpointer user_data)
{
  tti_cluster_tell (user_data, (TtiClusterEvent){ .kind = TTI_CLUSTER_DRAINING, .index = find_node (user_data, node),
                                                    .name = g_strdup (tti_agent_node_get_host (node)), .text = g_strdup (reason) });
}

static void
on_node_freed (gpointer user_data)
{
  tti_cluster_release (user_data);
}

static const TtiAgentNodeOps node_ops = { .lost = on_node_lost, .draining = on_node_draining, .freed = on_node_freed };

/* --- greeting ---------------------------------------------------------------------------------------------------------------- */

/* What an agent says of itself. */
typedef struct
{
  GVariant *facts;
  char *host, *difference;
} Greeting;

static void
greeting_clear (Greeting *greeting)
{
  g_clear_pointer (&greeting->facts, g_variant_unref);
  g_clear_pointer (&greeting->host, g_free);
  g_clear_pointer (&greeting->difference, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Greeting, greeting_clear)

static gboolean
refuse (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, text);
  return FALSE;
}

/* May the agent that says FRAME and BYTES come in? */
static gboolean
read_greeting (TtiCluster *self, const TtiLinkFrame *frame, GBytes *bytes, Greeting *greeting, GError **error)
{
  const char *host = NULL;
  gboolean bits_differ = FALSE;

  if (frame->id != TTI_CLUSTER_PROTOCOL || bytes == NULL)
    return refuse (error, "it speaks version %" G_GUINT64_FORMAT " of the protocol, not %u: install the same version of Tutti there",
                   frame->id, TTI_CLUSTER_PROTOCOL);
  g_autoptr (GVariant) facts = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));

  greeting->facts = g_variant_take_ref (g_variant_get_normal_form (facts));
  if (!g_variant_lookup (greeting->facts, "host", "&s", &host) || *host == '\0')
    return refuse (error, "it does not say which host it is");
  greeting->host = g_strndup (host, 255);
  greeting->difference = tti_facts_compare (self->facts, greeting->facts, &bits_differ);
  if (greeting->difference == NULL || (bits_differ && self->allow_different_bits))
    return TRUE;
  return refuse (error, "%s: %s", greeting->host, greeting->difference);
}

/* One of those that were invited with NUMBER has come: until tti_cluster_close () has waited for it, the engine is there. */
static gboolean
take_place (TtiCluster *self, guint64 number, GError **error)
{
  gboolean found = FALSE;

  tti_lock_take (&self->lock);
  for (guint i = 0; i < self->launches->len && !found && !self->closed; i++)
    {
      TtiClusterLaunch *launch = g_ptr_array_index (self->launches, i);

      found = launch->number == number && launch->n_missing > 0;
      launch->n_missing -= found ? 1 : 0;
    }
  self->n_coming += found ? 1 : 0;
  tti_lock_release (&self->lock);
  return found || refuse (error, "nobody is missing of those that were invited with it");
}

static TtiNode *
find_host (TtiCluster *self, const char *host, guint *index)
{
  TtiNode *node = NULL;

  tti_lock_take (&self->lock);
  for (guint i = 0; i < self->members->len && node == NULL; i++)
    {
      TtiClusterMember *member = g_ptr_array_index (self->members, i);

      if (!g_str_equal (member->host, host) || tti_agent_node_is_there (member->node))
        continue;
      node = member->node;
      *index = i;
    }
  tti_lock_release (&self->lock);
  return node;
}

static guint
add_member (TtiCluster *self, TtiNode *node, Greeting *greeting)
{
  TtiClusterMember *member = g_new0 (TtiClusterMember, 1);

  *member = (TtiClusterMember){ .node = node, .host = g_steal_pointer (&greeting->host), .facts = g_steal_pointer (&greeting->facts),
                                  .difference = g_steal_pointer (&greeting->difference) };
  tti_lock_take (&self->lock);
  guint index = self->members->len;

  g_ptr_array_add (self->members, member);
  tti_lock_release (&self->lock);
  return index;
}

/* LINK is no candidate any more: its node has it. */
static void
release_candidate (TtiCluster *self, TtiLink *link)
{
  guint index;

  tti_lock_take (&self->lock);
  if (g_ptr_array_find (self->candidates, link, &index))
    (void) g_ptr_array_steal_index_fast (self->candidates, index);
  tti_lock_release (&self->lock);
}

static void
end_coming (TtiCluster *self)
{
  tti_lock_take (&self->lock);
  self->n_coming--;
  g_cond_broadcast (&self->changed);
  tti_lock_release (&self->lock);
}

/* Let the agent in: to the node of its host if that was lost, else as a new one. */
static gboolean
let_in (TtiCluster *self, TtiLink *link, Greeting *greeting, GError **error)
{
  g_autofree char *host = g_strdup (greeting->host), *difference = g_strdup (greeting->difference);
  const TtiLinkFrame welcome = { .kind = TTI_SAY_WELCOME };
  guint index = 0;
  TtiNode *node = find_host (self, host, &index);

  tti_link_send_urgent (link, &welcome, NULL);
  if (node != NULL && tti_agent_node_come_back (node, link))
    {
      release_candidate (self, link);
      tti_cluster_tell (self, (TtiClusterEvent){ .kind = TTI_CLUSTER_READY, .index = index, .name = g_steal_pointer (&host) });
      return TRUE;
    }
  TtiAgentNodeOptions options = { .host = host, .link = link, .ops = &node_ops, .user_data = tti_cluster_hold (self) };

  (void) g_variant_lookup (greeting->facts, "memory", "t", &options.memory);
  (void) g_variant_lookup (greeting->facts, "cpus", "u", &options.n_cpus);
  (void) g_variant_lookup (greeting->facts, "gpus", "u", &options.n_gpus);
  node = tti_engine_add_node (self->engine, tti_agent_node_new, &options, error);
  if (node == NULL)
    return FALSE; /* the engine is ending; the reference that was for the node stays until the process has ended, too */
  release_candidate (self, link);
  index = add_member (self, node, greeting);
  tti_cluster_tell (self, (TtiClusterEvent){ .kind = TTI_CLUSTER_AGENT, .index = index, .name = g_strdup (host) });
  if (difference != NULL)
    tti_cluster_tell (self, (TtiClusterEvent){ .kind = TTI_CLUSTER_DIFFERENT, .index = index, .name = g_steal_pointer (&host),
                                                 .text = g_steal_pointer (&difference) });
  return TRUE;
}

static TtiLinkTaking
on_begins (G_GNUC_UNUSED TtiLink *link, const TtiLinkFrame *frame, G_GNUC_UNUSED gpointer *place, G_GNUC_UNUSED gpointer user_data,
           GError **error)
{
  if (frame->kind == TTI_SAY_HELLO && frame->size <= MOST_FACTS)
    return TTI_LINK_COLLECT;
  refuse (error, "it does not greet; got a frame of kind %u", frame->kind);
  return TTI_LINK_REFUSE;
}

static gboolean
on_arrived (TtiLink *link, const TtiLinkFrame *frame, GBytes *bytes, gpointer user_data, G_GNUC_UNUSED GError **error)
{
  TtiCluster *self = user_data;
  g_auto (Greeting) greeting = { 0 };
  g_autoptr (GError) problem = NULL;

  if (read_greeting (self, frame, bytes, &greeting, &problem) && take_place (self, frame->detail, &problem))
    {
      gboolean is_in = let_in (self, link, &greeting, &problem);

      end_coming (self);
      if (is_in)
        {
          (void) tti_cluster_expect (self, NULL);
          return TRUE;
        }
    }
  g_autoptr (GBytes) text = g_bytes_new (problem->message, strlen (problem->message));

  tti_link_send_urgent (link, &(TtiLinkFrame){ .kind = TTI_SAY_REFUSED }, text);
  tti_cluster_tell (self, (TtiClusterEvent){ .kind = TTI_CLUSTER_REFUSED, .launch = frame->detail,
                                               .text = g_strdup_printf ("%s: an agent was refused: %s", tti_link_get_peer (link),
                                                                        problem->message) });
  return TRUE; /* it goes when it has read that */
}

/* A candidate that has gone stays in the list until the cluster is freed: only those with credentials of the run come so far. The door has
 * counted it as one of those that are missing, which may come again. */
static void
on_lost (G_GNUC_UNUSED TtiLink *link, G_GNUC_UNUSED const GError *error, gpointer user_data)
{
  (void) tti_cluster_expect (user_data, NULL);
}

/* --- the door ---------------------------------------------------------------------------------------------------------------- */

static void
on_accepted (GIOStream *tls, GSocketConnection *connection, gpointer data)
{
  static const TtiLinkOps greeting = { .begins = on_begins, .arrived = on_arrived, .lost = on_lost };
  TtiCluster *self = data;
  g_autofree char *peer = tti_tls_describe_peer (connection);
  GSocket *socket = g_socket_connection_get_socket (connection);
  const TtiLinkOptions options = { .window = tti_tcp_get_window (socket), .silence_ms = self->silence, .socket = socket, .peer = peer };
  TtiLink *link = tti_link_new (tls, &options);

  g_object_unref (connection);
  tti_link_set_owner (link, &greeting, self);
  tti_lock_take (&self->lock);
  gboolean closed = self->closed;

  if (!closed)
    g_ptr_array_add (self->candidates, link);
  tti_lock_release (&self->lock);
  if (closed)
    tti_link_free (link);
  else
    (void) tti_link_start (link, NULL); /* if there are no threads for it, the agent will tell that nobody answers */
}

static void
on_refused (const char *text, gpointer data)
{
  tti_cluster_tell (data, (TtiClusterEvent){ .kind = TTI_CLUSTER_REFUSED, .text = g_strdup (text) });
}

const TtiListenerEvents tti_cluster_door = { .accepted = on_accepted, .refused = on_refused };
