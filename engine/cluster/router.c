/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The life of a router. */
#include "cluster/router-files.h"
#include "node/local-node.h"

enum { STATES_MS = 200 };

typedef struct
{
  GSource source;
  TtiRouter *router;
} ParkingSource;

/* Before the thread waits: mailboxes are parked, so that their workers wake it. */
static gboolean
parking_prepare (GSource *source, gint *timeout)
{
  TtiRouter *self = ((ParkingSource *) source)->router;

  *timeout = -1;
  tti_lock_take (&self->lock);
  gboolean filled = !tti_router_park_locked (self);

  tti_lock_release (&self->lock);
  return filled;
}

static gboolean
parking_dispatch (GSource *source, G_GNUC_UNUSED GSourceFunc callback, G_GNUC_UNUSED gpointer data)
{
  tti_router_take_messages (((ParkingSource *) source)->router);
  return G_SOURCE_CONTINUE;
}

static void
add_sources (TtiRouter *self)
{
  static GSourceFuncs parking_funcs = { .prepare = parking_prepare, .dispatch = parking_dispatch };

  self->parking = g_source_new (&parking_funcs, sizeof (ParkingSource));
  ((ParkingSource *) self->parking)->router = self;
  g_source_attach (self->parking, self->context);
  self->states = g_timeout_source_new (STATES_MS);
  g_source_set_callback (self->states, tti_router_on_states, self, NULL);
  g_source_attach (self->states, self->context);
}

static void
unref_payload (gpointer payload)
{
  tti_payload_unref (payload);
}

static void
unref_vector (gpointer vector)
{
  tti_vector_unref (vector);
}

TtiRouter *
tti_router_new (const char *watcher, GMainContext *context, TtiLink *link, GError **error)
{
  TtiRouter *self = g_new0 (TtiRouter, 1);

  self->context = g_main_context_ref (context);
  self->link = link;
  self->workers = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, NULL);
  self->vectors = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_vector);
  self->messages = g_array_new (FALSE, FALSE, sizeof (TtiMessage));
  self->kept = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, unref_payload);
  self->files = tti_router_files_new (self);
  self->watches = tti_watch_set_new (context, "[tutti] workers", tti_router_on_watch, self, error);
  if (self->watches != NULL)
    self->local = tti_local_node_new (watcher, context, &tti_router_node_events, self, error);
  if (self->local == NULL)
    {
      tti_router_free (self);
      return NULL;
    }
  add_sources (self);
  return self;
}

void
tti_router_attend (TtiRouter *router)
{
  tti_link_set_owner (router->link, &tti_router_link_ops, router);
}

void
tti_router_drain (TtiRouter *router, const char *reason)
{
  tti_router_say (router, TTI_SAY_DRAINING, 0, 0, reason);
}

gboolean
tti_router_is_over (TtiRouter *router, char **reason)
{
  tti_lock_take (&router->lock);
  gboolean over = router->over;

  *reason = g_strdup (router->reason);
  tti_lock_release (&router->lock);
  return over;
}

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

void
tti_router_free (TtiRouter *router)
{
  GHashTableIter iter;
  gpointer worker;

  if (router == NULL)
    return;
  /* First of all: whatever else happens, nothing is left running. */
  if (router->local != NULL)
    tti_node_close (router->local);
  tti_router_files_end (router->files);
  tti_link_free (router->link);
  destroy_source (&router->parking);
  destroy_source (&router->states);
  tti_lock_take (&router->lock);
  g_hash_table_iter_init (&iter, router->workers);
  while (g_hash_table_iter_next (&iter, NULL, &worker))
    {
      TtiRouterWorker *one = worker;

      tti_watch_remove (router->watches, &one->transport_watch);
      tti_watch_remove (router->watches, &one->watches[0]);
      tti_watch_remove (router->watches, &one->watches[1]);
      tti_router_worker_free (one);
    }
  tti_lock_release (&router->lock);
  g_hash_table_unref (router->workers);
  tti_router_files_free (router->files);
  tti_watch_set_free (router->watches);
  tti_node_free (router->local);
  g_hash_table_unref (router->vectors);
  g_array_unref (router->messages);
  g_hash_table_unref (router->kept);
  g_clear_pointer (&router->placed, tti_vector_unref);
  tti_lock_clear (&router->lock);
  g_main_context_unref (router->context);
  g_free (router->reason);
  g_free (router);
}
