/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the engine tells a slot of the life of its worker. */
#include "platform/error.h"
#include "pool/slot-private.h"

static void
life_spawned (TuttiLife *life, int pid)
{
  TuttiSlot *slot = tutti_slot_of_life (life);

  slot->worker->pid = pid;
  tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_SPAWNED);
  slot->events->spawned (slot);
}

static void
life_failed (TuttiLife *life, int saved_errno, const char *message)
{
  TuttiSlot *slot = tutti_slot_of_life (life);

  slot->worker->is_short = tutti_errno_is_shortage (saved_errno);
  tutti_worker_note_end (slot->worker, TUTTI_DEATH_NOT_STARTED, message);
  tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, -1, 0, 0));
}

static void
life_gone (TuttiLife *life)
{
  TuttiSlot *slot = tutti_slot_of_life (life);

  if (slot->worker->reason != TUTTI_DEATH_WATCHER_LOST)
    tutti_slot_ended_locked (slot);
}

static void
life_exited (TuttiLife *life, const TuttiWorkerExit *exit)
{
  TuttiSlot *slot = tutti_slot_of_life (life);

  /* A worker that answered and then died has still answered. */
  tutti_slot_receive_last_locked (slot);
  tutti_worker_note_cause (slot->worker, exit);
  tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, exit->status, exit->signal, exit->peak_memory));
}

static void
life_stopped (TuttiLife *life, int signal)
{
  tutti_slot_stopped_locked (tutti_slot_of_life (life), signal);
}

static void
life_lost (TuttiLife *life, const char *reason)
{
  TuttiWorker *worker = tutti_slot_of_life (life)->worker;

  tutti_worker_note_end (worker, TUTTI_DEATH_WATCHER_LOST, reason);
  worker->reason = TUTTI_DEATH_WATCHER_LOST;
  worker->most_ticks = 0;
}

static void
life_settled (TuttiLife *life)
{
  TuttiSlot *slot = tutti_slot_of_life (life);

  /* A worker that answered and then died has still answered. */
  tutti_slot_receive_last_locked (slot);
  if (tutti_node_is_gone (life->node, life->generation))
    tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, -1, 0, 0));
  else
    tutti_slot_give_up_locked (slot);
}

static gboolean
life_tick (TuttiLife *life)
{
  return tutti_slot_tick_locked (tutti_slot_of_life (life));
}

static void
life_watched (TuttiLife *life, TuttiWatch *watch, guint32 events)
{
  tutti_slot_watched_locked (tutti_slot_of_life (life), watch, events);
}

static void
life_forget (TuttiLife *life, const GArray *ids)
{
  tutti_slot_forget_locked (tutti_slot_of_life (life), ids);
}

const TuttiLifeEvents tutti_slot_life_events = {
  .spawned = life_spawned, .failed = life_failed, .gone = life_gone, .exited = life_exited, .stopped = life_stopped,
  .lost = life_lost, .settled = life_settled, .tick = life_tick, .watched = life_watched, .forget = life_forget,
};
