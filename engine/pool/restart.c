/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Decides when to restart a dead worker and when to give the pool up; and whether the task that it ran is tried again.
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
  return early < 3 ? 0 : (gint64) TTI_FIRST_PAUSE_US << MIN (early - 3, TTI_MOST_DOUBLINGS);
}

static gboolean
pool_is_at_work_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->running.length > 0)
      return TRUE;
  return FALSE;
}

static gboolean
pool_has_living_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker != NULL && pool->slots[i]->worker->was_ready && !pool->slots[i]->worker->ended_by_us)
      return TRUE;
  return FALSE;
}

void
tti_pool_note_completed_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool->restarts[slot->index].early_in_row = 0;
  g_array_set_size (pool->early_deaths, 0);
}

/* --- tasks that only one worker may run ------------------------------------------------------------------------------------- */

/* No thread may wait for ever for a worker that cannot live: if SLOT's workers cannot, its pinned tasks fail. */
static void
pool_give_up_pinned_locked (TtiPool *pool, TtiSlot *slot, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint early_in_row = pool->restarts[slot->index].early_in_row;

  if (early_in_row < EARLY_DEATH_LIMIT)
    return;
  g_autofree char *description = tti_certificate_describe (certificate);

  for (guint n = pool->queue.pinned[slot->index].length; n > 0; n--)
    {
      g_autoptr (TtiTask) task = tti_queue_take_pinned_locked (&pool->queue, slot->index);

      if (!tti_task_has_ended (task))
        tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                             g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED,
                                          "it may only run on worker %u, which died %u times in a row before it was ready or while "
                                          "idle; the last time: %s", slot->index, early_in_row, description), certificate);
    }
}

/* SLOT's next worker cannot be started, for REASON, as nothing is to be had for it: the tasks fail that only it may run. */
static void
pool_give_up_short_locked (TtiPool *pool, TtiSlot *slot, const char *reason)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint n = pool->queue.pinned[slot->index].length; n > 0; n--)
    {
      g_autoptr (TtiTask) task = tti_queue_take_pinned_locked (&pool->queue, slot->index);

      if (!tti_task_has_ended (task))
        tti_task_end_locked (task, TTI_TASK_FAILED, NULL,
                             g_error_new (TUTTI_ERROR, TUTTI_ERROR_SHORTAGE,
                                          "it may only run on worker %u, which cannot be replaced: %s", slot->index, reason), NULL);
    }
}

/* --- starting --------------------------------------------------------------------------------------------------------------- */

/* There is nothing to start SLOT's next worker with, for REASON. TRUE: it is tried again later; FALSE: it has lasted too long. */
static gboolean
pool_is_patient_locked (TtiPool *pool, TtiSlot *slot, const char *reason)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiRestart *restart = &pool->restarts[slot->index];
  gint64 now = g_get_monotonic_time ();

  tti_pool_note_full_locked (pool, slot);
  if (restart->short_since == 0)
    {
      g_autofree char *line = g_strdup_printf ("tutti: worker %u cannot be started at the moment: %s; trying again", slot->index, reason);

      restart->short_since = now;
      tti_pool_add_output_locked (pool, slot->index, TRUE, line, strlen (line));
    }
  gint64 pause = tti_shortage_pause (restart->short_in_row++, restart->short_since, now);

  if ((pool->starting || (slot->index >= pool->size && slot->index < pool->goal)) && now - restart->short_since > START_SHORTAGE_LIMIT_US)
    return FALSE;
  if (pause < 0)
    {
      if (!pool_has_living_locked (pool))
        return FALSE;
      pool_give_up_short_locked (pool, slot, reason);
      pause = (gint64) TTI_FIRST_PAUSE_US << TTI_MOST_DOUBLINGS;
    }
  restart->start_at = now + pause;
  tti_engine_set_deadline_locked (pool->engine, restart->start_at);
  return TRUE;
}

gboolean
tti_pool_start_worker_locked (TtiPool *pool, TtiSlot *slot, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GError) problem = NULL;

  pool->restarts[slot->index].start_at = 0;
  pool->restarts[slot->index].outlived = FALSE;
  if (tti_pool_place_worker_locked (pool, slot, &problem))
    return TRUE;
  if (g_error_matches (problem, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE) && pool_is_patient_locked (pool, slot, problem->message))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

/* SLOT's worker cannot be started, for ERROR, which is taken over, and CERTIFICATE (NULL: it was none yet). */
static void
pool_fail_to_start_locked (TtiPool *pool, TtiSlot *slot, GError *error, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (slot->index >= pool->size && slot->index < pool->goal)
    tti_pool_fail_growth_locked (pool, error);
  else
    tti_pool_fail_locked (pool, error, certificate);
}

void
tti_pool_start_waiting_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots && pool->state == POOL_OPEN && pool->failure == NULL; i++)
    {
      TtiSlot *slot = pool->slots[i];
      g_autoptr (GError) error = NULL;

      if (slot->worker == NULL && pool->restarts[i].start_at == 0 && !tti_pool_is_surplus_locked (pool, slot)
          && !tti_pool_start_worker_locked (pool, slot, &error))
        pool_fail_to_start_locked (pool, slot, g_steal_pointer (&error), NULL);
    }
}

void
tti_pool_fill_locked (TtiPool *pool, TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gint64 start_at = pool->restarts[slot->index].start_at;
  g_autoptr (GError) error = NULL;

  if (start_at == 0 || pool->state != POOL_OPEN || pool->failure != NULL)
    return;
  if (now < start_at)
    {
      tti_engine_set_deadline_locked (pool->engine, start_at);
      return;
    }
  if (!tti_pool_start_worker_locked (pool, slot, &error))
    pool_fail_to_start_locked (pool, slot, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: cannot replace worker %u: %s", pool->name,
                                                        slot->index, error->message), pool->last_death);
}

/* --- deaths ----------------------------------------------------------------------------------------------------------------- */

/* TASK was what a worker ran when it died. Takes over its reference. TRUE: it is tried again. */
static gboolean
pool_retry_locked (TtiPool *pool, TtiTask *task, const TtiSlotDeath *death)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (TtiTask) owned = task;

  if (tti_task_has_ended (task))
    return FALSE;
  /* That a node is lost says nothing against the task; but one that takes nodes along is to end some time. */
  TtiCertificate *certificate = death->certificate;
  const gboolean lost = death->with_node;

  task->losses += lost ? 1 : 0;
  if ((lost ? task->losses <= task->most_losses : task->attempts - task->losses <= task->retries) && pool->state == POOL_OPEN)
    {
      /* Once may be chance, so it does not lose its place. A task that has lost two workers gives way to those that it would keep
       * waiting for as long as it takes workers with it. */
      tti_queue_add_locked (&pool->queue, task, task->attempts < 2);
      return TRUE;
    }
  g_autofree char *description = tti_certificate_describe (certificate);
  GError *error = lost ? g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "%s (its node was lost %u time%s while it ran)", description,
                                      task->losses, task->losses == 1 ? "" : "s")
                       : g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "%s (attempt %u of %u)", description, task->attempts - task->losses,
                                      task->retries + 1);

  tti_task_end_locked (task, TTI_TASK_FAILED, NULL, error, certificate);
  return FALSE;
}

/* SLOT's worker has died early. The µs to wait before the next is started; -1: the pool is hopeless. */
static gint64
pool_pause_locked (TtiPool *pool, TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiRestart *restart = &pool->restarts[slot->index];

  restart->early_in_row++;
  if (!pool_is_at_work_locked (pool))
    g_array_append_val (pool->early_deaths, now);
  if (tti_limit_is_hit (pool->early_deaths, now, EARLY_DEATH_WINDOW_US, EARLY_DEATH_LIMIT))
    return -1;
  return pause_after (restart->early_in_row);
}

static void
pool_replace_locked (TtiPool *pool, TtiSlot *slot, const TtiSlotDeath *death)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiRestart *restart = &pool->restarts[slot->index];
  TtiCertificate *certificate = death->certificate;
  gint64 now = g_get_monotonic_time ();
  gint64 pause = death->is_early && !death->is_short ? pool_pause_locked (pool, slot, now) : 0;
  g_autofree char *description = tti_certificate_describe (certificate);

  if (death->is_short && pool_is_patient_locked (pool, slot, description))
    return;
  if (certificate->reason == TUTTI_DEATH_NOT_STARTED && !restart->outlived)
    {
      pool_fail_to_start_locked (pool, slot, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: %s", pool->name, description), certificate);
      return;
    }
  if (pause < 0)
    {
      tti_pool_fail_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED,
                                               "%s: workers die before they are ready or while idle; the last: %s",
                                               pool->name, description), certificate);
      return;
    }
  pool_give_up_pinned_locked (pool, slot, certificate);
  /* Not at once, even without a pause: first those are woken who wait for the task that died, and others get it. */
  restart->n_restarts++;
  restart->start_at = now + pause;
  tti_engine_set_deadline_locked (pool->engine, restart->start_at);
}

void
tti_pool_note_death_locked (TtiPool *pool, TtiSlot *slot, const TtiSlotDeath *death)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiRestart *restart = &pool->restarts[slot->index];
  TtiCertificate *certificate = death->certificate;
  guint attempt = death->task != NULL ? death->task->attempts : 1;

  if (death->was_ready)
    restart->short_since = restart->short_in_row = 0;
  /* Before it is tried again or ends, and perhaps is no more. */
  const char *name = death->task != NULL ? tti_task_get_name (death->task) : NULL;
  gboolean again = death->task != NULL && pool_retry_locked (pool, death->task, death);

  const TtiPastDeath past = { .certificate = certificate, .pool = pool->runner.number, .attempt = attempt, .again = again, .name = name,
                              .at = g_get_monotonic_time () };

  tti_pool_add_death_locked (pool, certificate, attempt, death->begun, again);
  tti_history_add_death (&pool->engine->history, &past);
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_death_locked (pool, certificate, attempt, death->begun, again);
  pool->client.must_wake = TRUE;
  /* What a pool has failed of stays known: those that we end because of it say nothing. */
  if (pool->failure == NULL)
    {
      g_clear_pointer (&pool->last_death, tti_certificate_unref);
      pool->last_death = tti_certificate_ref (certificate);
    }
  if (pool->state == POOL_OPEN && pool->failure == NULL && tti_pool_is_surplus_locked (pool, slot))
    tti_pool_release_locked (pool, slot);
  else if (pool->state == POOL_OPEN && pool->failure == NULL)
    pool_replace_locked (pool, slot, death);
  else
    tti_pool_check_quiet_locked (pool);
  if (tti_engine_is_watched_locked (pool->engine))
    tti_pool_show_worker_locked (pool, slot);
  tti_pool_dispatch_locked (pool);
}
