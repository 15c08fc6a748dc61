/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The pair of guard and watcher, and its replacement.
 *
 * A pair that is lost takes all workers with it. Before there is another, everything that was below it is ended: a task that is tried again
 * while a simulator of its first attempt still runs would have two of them write one file. So the lives of the lost workers end, and
 * their tasks with them or go back to the queue, when all that they had started is gone, or is known not to be in our power.
 *
 * All of it happens in steps in the engine's thread, which does not wait meanwhile: deadlines and outputs of all pools go on. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "pool/engine-private.h"
#include <poll.h>
#include <signal.h>

enum
{
  LOST_LIMIT = 5, /* pairs lost within the window before we give up */
  LOST_WINDOW_US = 10 * G_USEC_PER_SEC,
};

static void
pools_go_on_locked (TuttiEngine *engine, GError *failure)
{
  for (guint p = engine->pools->len; p-- > 0;)
    {
      TuttiPool *pool = g_ptr_array_index (engine->pools, p);

      for (guint i = 0; i < pool->size && pool->state == POOL_OPEN && pool->failure == NULL; i++)
        {
          g_autoptr (GError) error = NULL;

          if (failure != NULL)
            tutti_pool_fail_locked (pool, g_error_copy (failure), NULL);
          else if (pool->slots[i].worker == NULL && !tutti_slot_start_locked (&pool->slots[i], &error))
            tutti_pool_fail_locked (pool, g_steal_pointer (&error), NULL);
        }
    }
}

/* All open pools go on with LINK, or fail with FAILURE. */
static void
pair_replaced (TuttiEngine *engine, TuttiWatcherLink *link, GError *failure)
{
  tutti_engine_lock (engine);
  engine->link = link;
  engine->replacing = FALSE;
  pools_go_on_locked (engine, failure);
  tutti_engine_unlock (engine);
}

static gboolean pair_wanted (gpointer engine);

/* Not under the lock: it starts a process. */
static void
pair_start (TuttiEngine *engine)
{
  g_autoptr (GError) error = NULL;

  engine->coming
      = tutti_watcher_link_start (engine->watcher_program, engine->context, tutti_supervise_get_events (), engine, &error);
  if (engine->coming != NULL || tutti_engine_is_patient (engine, error, pair_wanted))
    return;
  engine->short_since = 0;
  pair_replaced (engine, NULL, error);
}

void
tutti_pair_ready (gpointer user_data)
{
  TuttiEngine *engine = user_data;

  engine->short_since = 0;
  pair_replaced (engine, g_steal_pointer (&engine->coming), NULL);
}

static gboolean
pair_wanted (gpointer engine)
{
  pair_start (engine);
  return G_SOURCE_REMOVE;
}

/* Once there was no new pair to be had, nobody tries until somebody makes another pool; then the reason may be gone. In the engine's
 * thread, where the end of a pair is heard of: never before the pair is known. */
void
tutti_pair_want_locked (TuttiEngine *engine)
{
  if (engine->replacing)
    return;
  engine->replacing = TRUE;
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[tutti] watcher wanted");
  g_source_set_callback (source, pair_wanted, engine, NULL);
  g_source_attach (source, engine->context);
}

/* All workers of the lost pair are being ended by what is left of it; and by us, with what is below them, in case that nothing is left. */
static void
workers_lost_locked (TuttiEngine *engine, const char *reason)
{
  g_autoptr (GArray) scan = tutti_process_scan ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, engine->slots);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TuttiWorker *worker = ((TuttiSlot *) value)->worker;

      tutti_worker_end (worker, NULL, TUTTI_DEATH_WATCHER_LOST, 0, reason);
      worker->reason = TUTTI_DEATH_WATCHER_LOST;
      worker->most_ticks = 0;
      if (worker->pidfd < 0)
        continue;
      g_autoptr (GArray) below = tutti_process_below (scan, worker->pid);

      tutti_process_kill (worker->pidfd);
      for (guint i = 0; i < below->len; i++)
        kill (g_array_index (below, pid_t, i), SIGKILL);
    }
}

/* What the lost workers had started is gone: their lives end. */
static void
workers_settle_locked (TuttiEngine *engine)
{
  g_autoptr (GList) slots = g_hash_table_get_values (engine->slots);

  for (GList *l = slots; l != NULL; l = l->next)
    {
      TuttiSlot *slot = l->data;

      if (slot->worker->reason != TUTTI_DEATH_WATCHER_LOST)
        continue;
      /* Who has answered and then died has still answered. */
      tutti_slot_receive_last_locked (slot);
      if (slot->worker->pidfd < 0 || tutti_fd_wait (slot->worker->pidfd, POLLIN, 0))
        tutti_slot_died_locked (slot, tutti_worker_certify (slot->worker, -1, 0, 0));
      else
        tutti_slot_give_up_locked (slot);
    }
}

static void
remnants_report (TuttiRemnants *remnants)
{
  const GArray *left = tutti_remnants_get_left (remnants);

  if (tutti_remnants_are_hidden (remnants))
    g_printerr ("tutti: what a lost watcher has left cannot be found for want of a descriptor or memory, and may go on\n");
  for (guint i = 0; i < left->len; i++)
    {
      g_autofree char *description = tutti_process_describe (g_array_index (left, pid_t, i));

      g_printerr ("tutti: %s, which a lost watcher has left, cannot be ended, and goes on\n", description);
    }
}

static void
remnants_look_in (TuttiEngine *engine, int pause_ms);

static gboolean
remnants_look (gpointer data)
{
  TuttiEngine *engine = data;
  int pause_ms = tutti_remnants_look (engine->remnants);
  g_autoptr (GError) failure = NULL;

  if (pause_ms >= 0)
    {
      remnants_look_in (engine, pause_ms);
      return G_SOURCE_REMOVE;
    }
  remnants_report (engine->remnants);
  g_clear_pointer (&engine->remnants, tutti_remnants_free);
  tutti_engine_lock (engine);
  workers_settle_locked (engine);
  tutti_engine_unlock (engine);
  failure = g_steal_pointer (&engine->hopeless);
  if (failure == NULL)
    pair_start (engine);
  else
    pair_replaced (engine, NULL, failure);
  return G_SOURCE_REMOVE;
}

static void
remnants_look_in (TuttiEngine *engine, int pause_ms)
{
  g_autoptr (GSource) source = g_timeout_source_new ((guint) pause_ms);

  g_source_set_static_name (source, "[tutti] what a pair has left");
  g_source_set_callback (source, remnants_look, engine, NULL);
  g_source_attach (source, engine->context);
}

void
tutti_pair_lost (gpointer user_data, const char *reason)
{
  TuttiEngine *engine = user_data;
  gint64 now = g_get_monotonic_time ();
  TuttiWatcherLink *old;

  tutti_engine_lock (engine);
  if (engine->shut_down)
    {
      tutti_engine_unlock (engine);
      return;
    }
  gboolean was_coming = engine->coming != NULL;

  /* One that does not come may have lacked what another process needed for a moment: there is the same limit for both. */
  g_array_append_val (engine->lost, now);
  gboolean hopeless = tutti_limit_is_hit (engine->lost, now, LOST_WINDOW_US, LOST_LIMIT);
  if (was_coming)
    {
      old = g_steal_pointer (&engine->coming);
      if (hopeless)
        engine->hopeless = g_error_new_literal (TUTTI_ERROR, TUTTI_ERROR_SPAWN, reason);
    }
  else
    {
      old = g_steal_pointer (&engine->link);
      engine->replacing = TRUE;
      workers_lost_locked (engine, reason);
      if (hopeless)
        engine->hopeless = g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "the watcher was lost %d times in 10 s; the last time: %s",
                                        LOST_LIMIT, reason);
    }
  tutti_engine_unlock (engine);
  engine->remnants = tutti_remnants_new (old, TUTTI_WORKER_OOM_SCORE);
  remnants_look_in (engine, 0);
}

void
tutti_pair_end_remnants (TuttiEngine *engine)
{
  int pause_ms;

  tutti_watcher_link_unref (g_steal_pointer (&engine->coming));
  if (engine->remnants == NULL)
    return;
  while ((pause_ms = tutti_remnants_look (engine->remnants)) >= 0)
    g_usleep ((gulong) pause_ms * 1000);
  remnants_report (engine->remnants);
  g_clear_pointer (&engine->remnants, tutti_remnants_free);
}
