/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A living worker's transport and its two outputs in the engine's main loop. Those with a descriptor are in one set for all workers. */
#include "platform/error.h"
#include "platform/fd.h"
#include "pool/slot-private.h"
#include <sys/epoll.h>

enum { OUTPUT_AT_ONCE = 16 * 1024 }; /* bytes read before others have their turn: 8000 lines at worst, a millisecond */

static void
output_dispatch_locked (TtiSlot *slot, TtiWatch **watch, TtiOutput *output)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  /* At the end of the pipe the watch goes; the lines that were kept for the certificate stay. */
  if (!tti_output_read (output, OUTPUT_AT_ONCE))
    tti_watch_remove (slot->engine->watches, watch);
}

void
tti_slot_read_output_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->tasks_done == slot->read_at || slot->worker == NULL)
    return;
  slot->read_at = slot->tasks_done;
  if (slot->out_watch != NULL)
    output_dispatch_locked (slot, &slot->out_watch, slot->worker->out);
  if (slot->err_watch != NULL)
    output_dispatch_locked (slot, &slot->err_watch, slot->worker->err);
}

/* --- descriptors ----------------------------------------------------------------------------------------------------------- */

void
tti_slot_watched_locked (TtiSlot *slot, TtiWatch *watch, guint32 events)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (watch == slot->transport_watch)
    {
      if (events & EPOLLOUT)
        (void) tti_transport_flush (slot->worker->transport, NULL); /* its end is seen by the next receive */
      tti_slot_receive_locked (slot);
    }
  else if (watch == slot->out_watch)
    output_dispatch_locked (slot, &slot->out_watch, slot->worker->out);
  else if (watch == slot->err_watch)
    output_dispatch_locked (slot, &slot->err_watch, slot->worker->err);
}

/* --- transports without ---------------------------------------------------------------------------------------------------- */

/* Whose transport it is: the slot may have another life, or be gone, when news of this one is delivered. */
typedef struct
{
  TtiEngine *engine;
  guint64 generation;
} Whose;

static gboolean
transport_ready (gpointer user_data)
{
  const Whose *whose = user_data;

  tti_engine_lock (whose->engine);
  TtiLife *life = tti_engine_find_life_locked (whose->engine, whose->generation);
  TtiSlot *slot = life != NULL ? tti_slot_of_life (life) : NULL;

  if (slot != NULL && slot->transport_source != NULL)
    {
      (void) tti_transport_flush (slot->worker->transport, NULL);
      tti_slot_receive_locked (slot);
    }
  tti_engine_end_turn (whose->engine);
  return G_SOURCE_CONTINUE;
}

static void
slot_watch_by_source_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiEngine *engine = slot->engine;
  Whose *whose = g_new (Whose, 1);

  *whose = (Whose){ engine, slot->worker->generation };
  slot->transport_source = tti_transport_create_source (slot->worker->transport, &engine->lock);
  g_source_set_static_name (slot->transport_source, "[tutti] transport");
  g_source_set_callback (slot->transport_source, transport_ready, whose, g_free);
  g_source_attach (slot->transport_source, engine->context);
}

/* --- both ------------------------------------------------------------------------------------------------------------------ */

gboolean
tti_slot_watch_locked (TtiSlot *slot, GError **error)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiWatchSet *set = slot->engine->watches;
  TtiWorker *worker = slot->worker;
  int fd = tti_transport_get_fd (worker->transport);

  slot->out_watch = tti_watch_add (set, tti_output_get_fd (worker->out), &slot->life, error);
  if (slot->out_watch != NULL)
    slot->err_watch = tti_watch_add (set, tti_output_get_fd (worker->err), &slot->life, error);
  if (slot->err_watch != NULL && fd >= 0)
    slot->transport_watch = tti_watch_add (set, fd, &slot->life, error);
  else if (slot->err_watch != NULL)
    slot_watch_by_source_locked (slot);
  if (tti_slot_is_heard_locked (slot))
    return TRUE;
  g_prefix_error (error, "worker %u: ", slot->index);
  tti_slot_unwatch_locked (slot);
  return FALSE;
}

gboolean
tti_slot_is_heard_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return slot->worker != NULL && slot->worker->transport != NULL && (slot->transport_watch != NULL || slot->transport_source != NULL);
}

void
tti_slot_unwatch_transport_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  tti_watch_remove (slot->engine->watches, &slot->transport_watch);
  if (slot->transport_source != NULL)
    g_source_destroy (slot->transport_source);
  g_clear_pointer (&slot->transport_source, g_source_unref);
}

void
tti_slot_unwatch_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  tti_slot_unwatch_transport_locked (slot);
  tti_watch_remove (slot->engine->watches, &slot->out_watch);
  tti_watch_remove (slot->engine->watches, &slot->err_watch);
}

void
tti_slot_update_events_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->transport_watch != NULL)
    tti_watch_set_writing (slot->engine->watches, slot->transport_watch,
                           (tti_transport_get_events (slot->worker->transport) & G_IO_OUT) != 0);
  else if (slot->transport_source != NULL)
    g_main_context_wakeup (slot->engine->context); /* the source looks again at what it waits for */
}
