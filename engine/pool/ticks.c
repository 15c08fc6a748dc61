/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Patience that is counted in ticks, the time for which the engine itself has run.
 *
 * A worker that is stopped is ended, because whoever stopped it may never continue it, and threads wait for its task. But it may have been
 * stopped with everybody, as batch systems do, and the master may be the first to be continued: so it is ended only if it stays stopped.
 *
 * A worker that was killed and does not end hangs in the kernel, is frozen, or runs as another user. No thread may wait for it for ever:
 * it is given up, with a message. The memory that was leased to it stays so until the watcher tells of its end. */
#include "platform/signal-name.h"
#include "pool/slot-private.h"
#include "process/watcher-protocol.h"

enum
{
  GIVE_UP_TICKS = 20,      /* when the kernel says that it hangs */
  GIVE_UP_SLOW_TICKS = 100 /* when it is only slow, as far as can be seen */
};

void
tti_slot_give_up_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiWorker *worker = slot->worker;
  g_autofree char *description = tti_node_describe (slot->life.node, worker->generation);
  g_autofree char *before = g_steal_pointer (&worker->detail);

  worker->given_up = TRUE;
  worker->detail = g_strdup_printf ("%s%s%s cannot be ended, and is given up", before != NULL ? before : "", before != NULL ? "; " : "",
                                    description);
  tti_engine_tell (slot->engine, "%s: worker %u, %s, cannot be ended; going on without it", slot->program->pool_name, worker->index,
                   description);
  tti_slot_died_locked (slot, tti_worker_certify (worker, -1, 0, 0));
}

gboolean
tti_slot_tick_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiWorker *worker = slot->worker;

  if (worker->state == TTI_WORKER_ENDING)
    {
      if (worker->most_ticks == 0 || worker->pid == 0)
        return FALSE;
      worker->ticks++;
      if (worker->ticks < worker->most_ticks)
        return TRUE;
      if (!tti_node_is_stuck (slot->life.node, worker->generation) && worker->ticks < worker->most_ticks + GIVE_UP_SLOW_TICKS)
        return TRUE;
      tti_slot_give_up_locked (slot);
      return FALSE;
    }
  if (worker->stopped_by == 0)
    return FALSE;
  if (++worker->ticks < TTI_STOPPED_TICKS)
    return TRUE;
  if (tti_node_is_stopped (slot->life.node, worker->generation))
    {
      g_autofree char *signal = tti_signal_describe (worker->stopped_by), *detail = g_strconcat ("stopped by ", signal, NULL);

      tti_slot_end_locked (slot, TUTTI_DEATH_STOPPED, 0, detail);
      return worker->most_ticks > 0;
    }
  worker->stopped_by = 0;
  return FALSE;
}

void
tti_slot_stopped_locked (TtiSlot *slot, int signal)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  g_autofree char *name = tti_signal_describe (signal), *detail = g_strconcat ("stopped by ", name, NULL);

  if (slot->worker->state == TTI_WORKER_ENDING)
    {
      tti_slot_end_locked (slot, TUTTI_DEATH_STOPPED, 0, detail); /* it was to end anyway, and now it cannot by itself */
      return;
    }
  slot->worker->stopped_by = signal;
  slot->worker->ticks = 0;
  tti_engine_start_ticks_locked (slot->engine);
}

void
tti_slot_await_end_locked (TtiSlot *slot, int grace_ms)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  /* The node itself ends the workers that are lost with it. */
  if (slot->worker->most_ticks > 0 || slot->worker->reason == TUTTI_DEATH_WATCHER_LOST)
    return;
  slot->worker->ticks = 0;
  slot->worker->most_ticks = (guint) grace_ms / TTI_STOPPED_TICK_MS + GIVE_UP_TICKS;
  tti_engine_start_ticks_locked (slot->engine);
}
