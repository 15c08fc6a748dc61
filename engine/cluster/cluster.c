/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The life of a cluster, its launches and its events. */
#include "cluster/cluster-private.h"
#include "cluster/addresses.h"
#include "cluster/invitation.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- events ------------------------------------------------------------------------------------------------------------------ */

void
tti_cluster_event_clear (TtiClusterEvent *event)
{
  g_clear_pointer (&event->name, g_free);
  g_clear_pointer (&event->text, g_free);
}

static void
event_free (gpointer event)
{
  tti_cluster_event_clear (event);
  g_free (event);
}

void
tti_cluster_tell (TtiCluster *cluster, TtiClusterEvent event)
{
  tti_lock_take (&cluster->lock);
  g_queue_push_tail (&cluster->events, g_memdup2 (&event, sizeof event));
  tti_lock_release (&cluster->lock);
  tti_fd_wake (cluster->wakeup);
}

gboolean
tti_cluster_take_event (TtiCluster *cluster, TtiClusterEvent *event)
{
  tti_lock_take (&cluster->lock);
  TtiClusterEvent *oldest = g_queue_pop_head (&cluster->events);

  if (cluster->events.length == 0)
    tti_fd_drain (cluster->wakeup);
  tti_lock_release (&cluster->lock);
  if (oldest != NULL)
    *event = *oldest;
  g_free (oldest);
  return oldest != NULL;
}

int
tti_cluster_get_wakeup (TtiCluster *cluster)
{
  return cluster->wakeup;
}

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

static void
member_free (gpointer data)
{
  TtiClusterMember *member = data;

  g_free (member->host);
  g_free (member->difference);
  g_clear_pointer (&member->facts, g_variant_unref);
  g_free (member);
}

static void
cluster_free (TtiCluster *self)
{
  g_ptr_array_unref (self->candidates); /* their threads may use the listener */
  g_clear_pointer (&self->listener, tti_listener_free);
  g_ptr_array_unref (self->launches);
  g_ptr_array_unref (self->members);
  g_queue_clear_full (&self->events, event_free);
  g_clear_pointer (&self->authority, tti_authority_free);
  g_clear_pointer (&self->facts, g_variant_unref);
  tti_cluster_commands_free (self->commands);
  tti_fd_clear (&self->wakeup);
  g_cond_clear (&self->changed);
  tti_lock_clear (&self->lock);
  g_free (self->run);
  g_free (self);
}

static TtiCluster *
cluster_alloc (const TtiClusterOptions *options)
{
  TtiCluster *self = g_new0 (TtiCluster, 1);

  g_atomic_ref_count_init (&self->refs);
  self->lost_after = options->lost_after_ms;
  self->silence = options->silence_ms;
  self->allow_different_bits = options->allow_different_bits;
  self->facts = g_variant_ref (options->facts);
  self->run = g_uuid_string_random ();
  self->launches = g_ptr_array_new_with_free_func (g_free);
  self->members = g_ptr_array_new_with_free_func (member_free);
  self->candidates = g_ptr_array_new_with_free_func ((GDestroyNotify) tti_link_free);
  g_queue_init (&self->events);
  g_cond_init (&self->changed);
  self->wakeup = -1;
  return self;
}

TtiCluster *
tti_cluster_new (TtiEngine *engine, const TtiClusterOptions *options, GError **error)
{
  TtiCluster *self = cluster_alloc (options);
  TtiCredentials *credentials = NULL;

  self->wakeup = tti_fd_open_wakeup (error);
  if (self->wakeup >= 0)
    self->authority = tti_authority_new (error);
  if (self->authority != NULL)
    credentials = tti_authority_issue (self->authority, "master", TRUE, error);
  if (credentials != NULL)
    self->listener = tti_listener_new (options->address, 0, self->lost_after, credentials, &tti_cluster_door, self, error);
  g_clear_pointer (&credentials, tti_credentials_unref);
  if (self->listener != NULL)
    self->commands = tti_cluster_commands_new (error);
  if (self->commands == NULL)
    {
      cluster_free (self);
      return NULL;
    }
  self->engine = tti_engine_ref (engine);
  return self;
}

static void
end_nodes (TtiCluster *self)
{
  g_autoptr (GPtrArray) nodes = g_ptr_array_new ();

  tti_lock_take (&self->lock);
  for (guint i = 0; i < self->members->len; i++)
    g_ptr_array_add (nodes, ((TtiClusterMember *) g_ptr_array_index (self->members, i))->node);
  tti_lock_release (&self->lock);
  for (guint i = 0; i < nodes->len; i++)
    tti_agent_node_end (g_ptr_array_index (nodes, i));
}

void
tti_cluster_close (TtiCluster *cluster, guint grace_ms)
{
  tti_lock_take (&cluster->lock);
  gboolean closed = cluster->closed;

  cluster->closed = TRUE;
  while (!closed && cluster->n_coming > 0)
    (void) tti_lock_wait (&cluster->lock, &cluster->changed, -1);
  tti_lock_release (&cluster->lock);
  if (closed)
    return;
  (void) tti_listener_expect (cluster->listener, 0, NULL);
  if (tti_engine_is_copy (NULL))
    return;
  end_nodes (cluster);
  tti_cluster_commands_end (cluster->commands, grace_ms);
  tti_engine_unref (g_steal_pointer (&cluster->engine));
}

TtiCluster *
tti_cluster_hold (TtiCluster *cluster)
{
  g_atomic_ref_count_inc (&cluster->refs);
  return cluster;
}

void
tti_cluster_release (TtiCluster *cluster)
{
  if (g_atomic_ref_count_dec (&cluster->refs))
    cluster_free (cluster);
}

static gpointer
cluster_end (gpointer data)
{
  tti_cluster_close (data, 0);
  tti_cluster_release (data);
  return NULL;
}

void
tti_cluster_free (TtiCluster *cluster)
{
  if (cluster == NULL || tti_engine_is_copy (NULL))
    return;
  GThread *thread = g_thread_try_new ("tutti-end", cluster_end, cluster, NULL);

  if (thread != NULL)
    g_thread_unref (thread);
}

/* --- launches ---------------------------------------------------------------------------------------------------------------- */

/* Expect N agents more; returns their invitation, to be freed with tti_secret_free (). */
static char *
invite (TtiCluster *self, guint n, guint64 *number, GError **error)
{
  g_autoptr (TtiCredentials) credentials = tti_authority_issue (self->authority, "agent", FALSE, error);
  g_auto (GStrv) addresses = tti_address_candidates ();

  if (credentials == NULL)
    return NULL;
  TtiClusterLaunch *launch = g_new0 (TtiClusterLaunch, 1);

  tti_lock_take (&self->lock);
  launch->number = *number = ++self->last_launch;
  launch->n_missing = n;
  g_ptr_array_add (self->launches, launch);
  tti_lock_release (&self->lock);
  if (!tti_cluster_expect (self, error))
    return NULL;
  const TtiInvitation invitation = { .addresses = addresses, .port = tti_listener_get_port (self->listener), .run = self->run,
                                     .launch = *number, .lost_after = self->lost_after, .silence = self->silence,
                                     .version = (char *) TUTTI_VERSION, .credentials = credentials };

  return tti_invitation_to_text (&invitation);
}

void
tti_cluster_forget_launch (TtiCluster *cluster, guint64 number)
{
  tti_lock_take (&cluster->lock);
  for (guint i = 0; i < cluster->launches->len; i++)
    if (((TtiClusterLaunch *) g_ptr_array_index (cluster->launches, i))->number == number)
      {
        g_ptr_array_remove_index_fast (cluster->launches, i);
        break;
      }
  tti_lock_release (&cluster->lock);
  (void) tti_cluster_expect (cluster, NULL);
}

guint64
tti_cluster_launch (TtiCluster *cluster, const char *const *argv, guint n, GError **error)
{
  guint64 number = 0;
  char *text = invite (cluster, n, &number, error);
  gboolean started = text != NULL && tti_cluster_commands_start (cluster, number, argv, text, error);

  tti_secret_free (text);
  if (text != NULL && !started)
    tti_cluster_forget_launch (cluster, number);
  return started ? number : 0;
}

guint64
tti_cluster_write_invitation (TtiCluster *cluster, guint n, const char *path, GError **error)
{
  guint64 number = 0;
  char *text = invite (cluster, n, &number, error);

  if (text == NULL)
    return 0;
  tti_autofd int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  gsize size = strlen (text), done = 0;

  while (fd >= 0 && done < size)
    {
      gssize n_written = write (fd, text + done, size - done);

      if (n_written < 0 && errno == EINTR)
        continue;
      if (n_written <= 0)
        break;
      done += (gsize) n_written;
    }
  if (fd < 0 || done < size)
    tti_set_errno (error, errno, "cannot write an invitation to '%s'", path);
  tti_secret_free (text);
  return done == size ? number : 0;
}

/* Keep the door open for those who are missing. */
gboolean
tti_cluster_expect (TtiCluster *cluster, GError **error)
{
  guint n = 0;

  tti_lock_take (&cluster->lock);
  for (guint i = 0; i < cluster->launches->len && !cluster->closed; i++)
    n += ((TtiClusterLaunch *) g_ptr_array_index (cluster->launches, i))->n_missing;
  tti_lock_release (&cluster->lock);
  return tti_listener_expect (cluster->listener, n, error);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------------- */

guint
tti_cluster_get_n_nodes (TtiCluster *cluster)
{
  tti_lock_take (&cluster->lock);
  guint n = cluster->members->len;

  tti_lock_release (&cluster->lock);
  return n;
}

TtiNode *
tti_cluster_get_node (TtiCluster *cluster, guint index)
{
  tti_lock_take (&cluster->lock);
  TtiNode *node = index < cluster->members->len ? ((TtiClusterMember *) g_ptr_array_index (cluster->members, index))->node : NULL;

  tti_lock_release (&cluster->lock);
  return node;
}

GVariant *
tti_cluster_get_facts (TtiCluster *cluster, guint index)
{
  tti_lock_take (&cluster->lock);
  GVariant *facts = g_variant_ref (((TtiClusterMember *) g_ptr_array_index (cluster->members, index))->facts);

  tti_lock_release (&cluster->lock);
  return facts;
}

char *
tti_cluster_get_difference (TtiCluster *cluster, guint index)
{
  tti_lock_take (&cluster->lock);
  char *difference = g_strdup (((TtiClusterMember *) g_ptr_array_index (cluster->members, index))->difference);

  tti_lock_release (&cluster->lock);
  return difference;
}
