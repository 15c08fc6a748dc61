/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A living worker's descriptors in the engine's main loop: its transport, its two outputs, its pidfd.
 *
 * A source belongs to one life of a worker. It is destroyed under the lock when that life ends; a dispatch that was already
 * waiting for the lock then finds its source destroyed and does nothing. */
#include "pool/engine-private.h"
#include <poll.h>

typedef struct
{
  GSource source;
  gpointer tag;
  GIOCondition condition; /* that it waits for */
  TuttiSlot *slot;
} SlotSource;

enum { OUTPUT_AT_ONCE = 16 * 1024 }; /* bytes read before others have their turn: 8000 lines at worst, a millisecond */

static gboolean
source_check (GSource *source)
{
  SlotSource *self = (SlotSource *) source;

  return g_source_query_unix_fd (source, self->tag) != 0;
}

static void
output_dispatch_locked (GSource **source, TuttiOutput *output)
{
  if (tutti_output_read (output, OUTPUT_AT_ONCE))
    return;
  /* At the end of the pipe the source goes; the lines that were kept for the certificate stay. */
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  SlotSource *self = (SlotSource *) source;
  TuttiSlot *slot = self->slot;
  TuttiEngine *engine = tutti_engine_peek ();

  (void) callback;
  (void) data;
  tutti_engine_lock (engine);
  if (!g_source_is_destroyed (source))
    {
      if (source == slot->transport_source)
        {
          if (g_source_query_unix_fd (source, self->tag) & G_IO_OUT)
            (void) tutti_transport_flush (slot->worker->transport, NULL); /* its end is seen by the next receive */
          tutti_slot_receive_locked (slot);
        }
      else if (source == slot->out_source)
        output_dispatch_locked (&slot->out_source, slot->worker->out);
      else if (source == slot->err_source)
        output_dispatch_locked (&slot->err_source, slot->worker->err);
      else if (source == slot->pid_source)
        tutti_slot_gone_locked (slot);
    }
  tutti_engine_end_turn (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs slot_source_funcs = { .check = source_check, .dispatch = source_dispatch };

static GSource *
slot_source_new (TuttiSlot *slot, int fd, GIOCondition condition, const char *name)
{
  GSource *source = g_source_new (&slot_source_funcs, sizeof (SlotSource));
  SlotSource *self = (SlotSource *) source;

  self->slot = slot;
  self->condition = condition;
  self->tag = g_source_add_unix_fd (source, fd, condition);
  g_source_set_static_name (source, name);
  g_source_attach (source, tutti_engine_peek ()->context);
  return source;
}

void
tutti_slot_watch_locked (TuttiSlot *slot)
{
  TuttiWorker *worker = slot->worker;

  slot->transport_source = slot_source_new (slot, tutti_transport_get_fd (worker->transport), G_IO_IN, "[tutti] worker's answers");
  slot->out_source = slot_source_new (slot, tutti_output_get_fd (worker->out), G_IO_IN, "[tutti] worker's stdout");
  slot->err_source = slot_source_new (slot, tutti_output_get_fd (worker->err), G_IO_IN, "[tutti] worker's stderr");
}

void
tutti_slot_watch_pid_locked (TuttiSlot *slot)
{
  if (slot->pid_source == NULL && slot->worker->pidfd >= 0)
    slot->pid_source = slot_source_new (slot, slot->worker->pidfd, G_IO_IN, "[tutti] worker's pidfd");
}

static void
source_clear (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

void
tutti_slot_unwatch_transport_locked (TuttiSlot *slot)
{
  source_clear (&slot->transport_source);
}

void
tutti_slot_unwatch_pid_locked (TuttiSlot *slot)
{
  source_clear (&slot->pid_source);
}

void
tutti_slot_unwatch_locked (TuttiSlot *slot)
{
  source_clear (&slot->transport_source);
  source_clear (&slot->out_source);
  source_clear (&slot->err_source);
  source_clear (&slot->pid_source);
}

void
tutti_slot_update_events_locked (TuttiSlot *slot)
{
  SlotSource *self = (SlotSource *) slot->transport_source;
  GIOCondition condition;

  if (self == NULL)
    return;
  condition = tutti_transport_get_events (slot->worker->transport) & POLLOUT ? G_IO_IN | G_IO_OUT : G_IO_IN;
  /* A change wakes the engine's thread. */
  if (condition == self->condition)
    return;
  self->condition = condition;
  g_source_modify_unix_fd (slot->transport_source, self->tag, condition);
}
