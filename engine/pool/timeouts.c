/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How long a task may run.
 *
 * The clock is CLOCK_MONOTONIC, not processor time: a task that sleeps or waits for ever has its time as well. But time that no process
 * could use does not count. While tasks with a time-out run, the engine's thread looks at least every BEAT_US; if it comes later than
 * that, this process was stopped (Ctrl-Z, a debugger), or the machine was, or was so busy that no process got on, and the running tasks
 * get that time in addition. A task whose worker a debugger holds gets the time for which it does: the engine's thread looks that up from
 * time to time. (A worker that a signal has stopped is replaced: ticks.c.) And before a task is said to have taken too long, the engine's
 * thread takes what its worker has answered meanwhile. */
#include "platform/error.h"
#include "pool/slot-private.h"

enum
{
  BEAT_US = 50 * 1000,
  LATE_US = 20 * 1000,   /* to be later than this is not chance */
  ASK_US = 250 * 1000    /* to read in /proc whether a worker is held takes some 15 µs */
};

void
tti_slot_set_timeout_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *task = g_queue_peek_head (&slot->running);

  /* The clock of a task runs from when it is the first of those that its worker has. */
  if (task == NULL || task->timeout == 0 || task->deadline != 0)
    return;
  gint64 now = g_get_monotonic_time ();

  task->deadline = now + task->timeout;
  slot->seen_at = now;
  tti_engine_set_deadline_locked (slot->engine, MIN (task->deadline, now + BEAT_US));
}

void
tti_slot_note_lateness_locked (TtiSlot *slot, gint64 due, gint64 now)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *task = g_queue_peek_head (&slot->running);
  TtiWorker *worker = slot->worker;

  if (now - due <= LATE_US)
    return;
  /* Nor could the report of a worker's end be heard. */
  if (worker != NULL && worker->ending_since != 0)
    worker->ending_since += MAX (now - MAX (due, worker->ending_since), 0);
  if (task == NULL || task->deadline == 0)
    return;
  /* What was begun in between has not lost all of it. */
  task->deadline += MAX (now - MAX (due, slot->since), 0);
  slot->seen_at = now;
}

/* The worker of SLOT runs TASK, which has a time-out. */
static void
slot_note_hold_locked (TtiSlot *slot, TtiTask *task, gint64 now)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (now - slot->seen_at < ASK_US || slot->worker->pid <= 0)
    return;
  char state = tti_node_get_state (slot->life.node, slot->worker->generation);

  if (state == 't' || state == 'T')
    task->deadline += now - slot->seen_at;
  slot->seen_at = now;
}

void
tti_slot_look_at_timeout_locked (TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *task = g_queue_peek_head (&slot->running);

  if (task == NULL || task->deadline == 0 || tti_task_has_ended (task))
    return;
  slot_note_hold_locked (slot, task, now);
  if (now >= task->deadline)
    {
      tti_slot_receive_locked (slot);
      if (g_queue_peek_head (&slot->running) != task || tti_task_has_ended (task))
        return; /* the next one has set a deadline of its own */
      tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                           g_error_new (TUTTI_ERROR, TUTTI_ERROR_TIMEOUT,
                                        "task %" G_GUINT64_FORMAT " ran on worker %u for longer than its limit of %g s",
                                        task->id, slot->index, (double) task->timeout / G_USEC_PER_SEC), NULL);
      tti_slot_end_locked (slot, TUTTI_DEATH_TIMEOUT, TTI_TERM_GRACE_MS, NULL);
      return;
    }
  tti_engine_set_deadline_locked (slot->engine, MIN (task->deadline, now + BEAT_US));
}
