/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A transport as a source of a main loop. */
#include "transport/transport-private.h"
#include <glib-unix.h>

typedef struct
{
  GSource source;
  TtiTransport *transport;
  TtiLock *lock;
  gpointer tag;
  GIOCondition events; /* that it waits for */
} TransportSource;

static void
source_lock (TransportSource *self)
{
  if (self->lock != NULL)
    tti_lock_take (self->lock);
}

static void
source_unlock (TransportSource *self)
{
  if (self->lock != NULL)
    tti_lock_release (self->lock);
}

static gboolean
source_prepare (GSource *source, gint *timeout)
{
  TransportSource *self = (TransportSource *) source;

  *timeout = -1;
  source_lock (self);
  gboolean destroyed = g_source_is_destroyed (source), ready = FALSE;

  if (!destroyed)
    {
      GIOCondition events = (GIOCondition) tti_transport_get_events (self->transport);

      /* To set them wakes the main loop, which would never sleep. */
      if (events != self->events)
        g_source_modify_unix_fd (source, self->tag, events);
      self->events = events;
      /* Who is parked is woken through the descriptor; what has come before is not. */
      ready = !tti_transport_park (self->transport);
    }
  source_unlock (self);
  return ready;
}

static gboolean
source_check (GSource *source)
{
  TransportSource *self = (TransportSource *) source;
  gboolean ready = g_source_query_unix_fd (source, self->tag) != 0;

  source_lock (self);
  ready = ready || (!g_source_is_destroyed (source) && tti_transport_has_message (self->transport));
  source_unlock (self);
  return ready;
}

static gboolean
source_dispatch (G_GNUC_UNUSED GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback != NULL ? callback (user_data) : G_SOURCE_CONTINUE;
}

GSource *
tti_transport_create_source (TtiTransport *transport, TtiLock *lock)
{
  static GSourceFuncs funcs = { .prepare = source_prepare, .check = source_check, .dispatch = source_dispatch };

  g_return_val_if_fail (transport != NULL, NULL);
  if (transport->ops->create_source != NULL)
    return transport->ops->create_source (transport, lock);
  TransportSource *self = (TransportSource *) g_source_new (&funcs, sizeof (TransportSource));

  self->transport = transport;
  self->lock = lock;
  self->events = G_IO_IN;
  self->tag = g_source_add_unix_fd (&self->source, transport->fd, self->events);
  return &self->source;
}
