/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decides when to restart a dead worker and when to give the pool up.
 *
 * A pool that starts workers for ever that cannot live is to fail instead of spinning. A worker that dies before it is ready or while
 * idle is a sign of that; one that dies inside a task counts against the task. But it is no sign where others are well:
 *
 * - A completed task proves that workers can live, and takes back what was counted before it. So each restart is paid for with work:
 *   even if every worker dies right after its task, there are no more restarts than tasks, and the tasks get done.
 * - While a worker is inside a task nothing is counted against the pool: to fail would throw away what that task has done.
 *
 * That there are no descriptors, processes or memory at the moment says nothing about workers. It is tried again with growing pauses, and
 * counts only when it has lasted; a pool in which workers live goes on with these.
 *
 * What could still spin is a single worker beside others that are well, because there is memory for seven and not for eight. It gets
 * longer and longer pauses, and tasks that only it may run fail. */
#include "node/patience.h"
#include "platform/error.h"
#include "pool/pool-private.h"
#include <string.h>

enum
{
  EARLY_DEATH_LIMIT = 5,
  EARLY_DEATH_WINDOW_US = 10 * G_USEC_PER_SEC,
  START_SHORTAGE_LIMIT_US = 3 * G_USEC_PER_SEC, /* nothing is lost yet when a pool cannot be made */
};

/* How long to wait before the replacement after EARLY early deaths in a row of one slot. The first two are chance. */
static gint64
pause_after (guint early)
{
  return early < 3 ? 0 : (gint64) TUTTI_FIRST_PAUSE_US << MIN (early - 3, TUTTI_MOST_DOUBLINGS);
}

static gboolean
pool_is_at_work_locked (TuttiPool *pool)
{
  for (guint i = 0; i < pool->size; i++)
    if (pool->slots[i].running.length > 0)
      return TRUE;
  return FALSE;
}

void
tutti_slot_proved_locked (TuttiSlot *slot)
{
  slot->early_in_row = 0;
  g_array_set_size (slot->pool->early_deaths, 0);
}

gint64
tutti_slot_pause_locked (TuttiSlot *slot, gint64 now)
{
  TuttiPool *pool = slot->pool;

  slot->early_in_row++;
  if (!pool_is_at_work_locked (pool))
    g_array_append_val (pool->early_deaths, now);
  if (tutti_limit_is_hit (pool->early_deaths, now, EARLY_DEATH_WINDOW_US, EARLY_DEATH_LIMIT))
    return -1;
  return pause_after (slot->early_in_row);
}

void
tutti_slot_give_up_pinned_locked (TuttiSlot *slot, TuttiCertificate *certificate)
{
  if (slot->early_in_row < EARLY_DEATH_LIMIT)
    return;
  g_autofree char *description = tutti_certificate_describe (certificate);

  for (guint n = slot->queue->pinned[slot->index].length; n > 0; n--)
    {
      g_autoptr (TuttiTask) task = tutti_queue_take_pinned_locked (slot->queue, slot->index);

      if (!tutti_task_has_ended (task))
        tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                               g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED,
                                            "it may only run on worker %u, which died %u times in a row before it was ready or while "
                                            "idle; the last time: %s", slot->index, slot->early_in_row, description), certificate);
    }
}

static gboolean
pool_has_living_locked (TuttiPool *pool)
{
  for (guint i = 0; i < pool->size; i++)
    if (pool->slots[i].worker != NULL && pool->slots[i].worker->was_ready && !pool->slots[i].worker->ended_by_us)
      return TRUE;
  return FALSE;
}

void
tutti_slot_give_up_short_locked (TuttiSlot *slot, const char *reason)
{
  for (guint n = slot->queue->pinned[slot->index].length; n > 0; n--)
    {
      g_autoptr (TuttiTask) task = tutti_queue_take_pinned_locked (slot->queue, slot->index);

      if (!tutti_task_has_ended (task))
        tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                               g_error_new (TUTTI_ERROR, TUTTI_ERROR_SHORTAGE,
                                            "it may only run on worker %u, which cannot be replaced: %s", slot->index, reason), NULL);
    }
}

gboolean
tutti_slot_is_patient_locked (TuttiSlot *slot, const char *reason)
{
  TuttiPool *pool = slot->pool;
  gint64 now = g_get_monotonic_time ();

  if (slot->short_since == 0)
    {
      g_autofree char *line = g_strdup_printf ("tutti: worker %u cannot be started at the moment: %s; trying again", slot->index, reason);

      slot->short_since = now;
      tutti_pool_add_output_locked (pool, slot->index, TRUE, line, strlen (line));
    }
  gint64 pause = tutti_shortage_pause (slot->short_in_row++, slot->short_since, now);

  if (pool->starting && now - slot->short_since > START_SHORTAGE_LIMIT_US)
    return FALSE;
  if (pause < 0)
    {
      if (!pool_has_living_locked (pool))
        return FALSE;
      tutti_slot_give_up_short_locked (slot, reason);
      pause = (gint64) TUTTI_FIRST_PAUSE_US << TUTTI_MOST_DOUBLINGS;
    }
  slot->start_at = now + pause;
  tutti_engine_set_deadline_locked (slot->pool->engine, slot->start_at);
  return TRUE;
}
