/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the engine tells a slot of the life of its worker. */
#include "platform/error.h"
#include "pool/slot-private.h"

static void
life_spawned (TtiLife *life, int pid)
{
  TtiSlot *slot = tti_slot_of_life (life);

  slot->worker->pid = pid;
  tti_worker_step (slot->worker, TTI_WORKER_EVENT_SPAWNED);
  tti_slot_show_locked (slot);
  slot->events->spawned (slot);
}

static void
life_failed (TtiLife *life, int saved_errno, const char *message)
{
  TtiSlot *slot = tti_slot_of_life (life);

  slot->worker->is_short = tti_errno_is_shortage (saved_errno);
  tti_worker_note_end (slot->worker, TUTTI_DEATH_NOT_STARTED, message);
  tti_slot_died_locked (slot, tti_worker_certify (slot->worker, -1, 0, 0));
}

static void
life_gone (TtiLife *life)
{
  TtiSlot *slot = tti_slot_of_life (life);

  if (slot->worker->reason != TUTTI_DEATH_WATCHER_LOST)
    tti_slot_ended_locked (slot);
}

static void
life_exited (TtiLife *life, const TtiWorkerExit *exit)
{
  TtiSlot *slot = tti_slot_of_life (life);

  /* A worker that answered and then died has still answered. */
  tti_slot_receive_last_locked (slot);
  tti_worker_note_cause (slot->worker, exit);
  TtiCertificate *certificate = tti_worker_certify (slot->worker, exit->status, exit->signal, exit->peak_memory);

  certificate->core_dumped = exit->core_dumped;
  tti_slot_died_locked (slot, certificate);
}

static void
life_stopped (TtiLife *life, int signal)
{
  tti_slot_stopped_locked (tti_slot_of_life (life), signal);
}

static void
life_lost (TtiLife *life, const char *reason)
{
  TtiWorker *worker = tti_slot_of_life (life)->worker;

  tti_worker_note_end (worker, TUTTI_DEATH_WATCHER_LOST, reason);
  worker->reason = TUTTI_DEATH_WATCHER_LOST;
  worker->most_ticks = 0;
}

static void
life_settled (TtiLife *life)
{
  TtiSlot *slot = tti_slot_of_life (life);

  /* A worker that answered and then died has still answered. */
  tti_slot_receive_last_locked (slot);
  if (tti_node_is_gone (life->node, life->generation))
    tti_slot_died_locked (slot, tti_worker_certify (slot->worker, -1, 0, 0));
  else
    tti_slot_give_up_locked (slot);
}

static gboolean
life_tick (TtiLife *life)
{
  return tti_slot_tick_locked (tti_slot_of_life (life));
}

static void
life_watched (TtiLife *life, TtiWatch *watch, guint32 events)
{
  tti_slot_watched_locked (tti_slot_of_life (life), watch, events);
}

static void
life_forget (TtiLife *life, const GArray *ids)
{
  tti_slot_forget_locked (tti_slot_of_life (life), ids);
}

const TtiLifeEvents tti_slot_life_events = {
  .spawned = life_spawned, .failed = life_failed, .gone = life_gone, .exited = life_exited, .stopped = life_stopped,
  .lost = life_lost, .settled = life_settled, .tick = life_tick, .watched = life_watched, .forget = life_forget,
};
