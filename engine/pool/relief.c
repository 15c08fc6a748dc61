/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Nothing waits for long behind a running task while a worker of its pool has nothing to do.
 *
 * What a worker is given at once is judged by what it has done before (prefetch.c), and the next task may be another: a thousand that take
 * a microsecond, then eight that take an hour. So whoever puts a task behind another, or leaves one in the queue because those who work are
 * enough, says when to look again, a fifth of a millisecond later. Whoever has the lock then anyway looks: a thread that submits or that
 * looks for answers. When nobody does, because the program's threads sleep or compute, the engine's thread does it alone, woken by a
 * timer. With nobody to help, or nothing to be helped with, nobody looks and there is no timer.
 *
 * What has waited too long with a worker goes back into the queue, all of it, in its old order, and from there to those who have nothing to
 * do, first one for each of them. Tasks that may run nowhere else stay. */
#include "platform/fd.h"
#include "pool/pool-private.h"

enum { ASK_AGAIN_US = 1000 };

void
tutti_engine_set_timer_locked (TuttiEngine *engine)
{
  if (engine->relief_at == 0 || engine->attended || (engine->timer_at != 0 && engine->timer_at <= engine->relief_at))
    return;
  engine->timer_at = engine->relief_at;
  tutti_fd_set_timer (engine->timer, engine->timer_at);
}

void
tutti_engine_want_relief_locked (TuttiEngine *engine, gint64 when)
{
  if (engine->relief_at != 0 && engine->relief_at <= when)
    return;
  engine->relief_at = when;
  tutti_engine_set_timer_locked (engine);
}

static gint
compare_by_id_descending (gconstpointer a, gconstpointer b)
{
  const TuttiTask *one = *(TuttiTask *const *) a, *other = *(TuttiTask *const *) b;

  return (one->id < other->id) - (one->id > other->id);
}

/* Take back what has waited with SLOT's worker since BEFORE, or longer. Returns when the oldest of the others was placed; -1: there are
 * none that could be taken back. */
static gint64
slot_recall_waiting_locked (TuttiSlot *slot, gint64 before, GPtrArray **recalled)
{
  gint64 oldest = -1;

  if (slot->running.length < 2 || slot->worker->transport == NULL || slot->worker->state != TUTTI_WORKER_BUSY)
    return -1;
  for (GList *l = slot->running.tail, *previous; l != slot->running.head; l = previous)
    {
      TuttiTask *task = l->data;

      previous = l->prev;
      if (task->pinned_to >= 0 || task->ticket == 0)
        continue;
      if (task->placed > before)
        oldest = task->placed;
      else if (tutti_slot_recall_locked (slot, l))
        {
          if (*recalled == NULL)
            *recalled = g_ptr_array_new_with_free_func ((GDestroyNotify) tutti_task_unref);
          g_ptr_array_add (*recalled, task);
        }
    }
  return oldest;
}

gboolean
tutti_pool_recall_waiting_locked (TuttiPool *pool)
{
  TuttiEngine *engine = pool->engine;
  g_autoptr (GPtrArray) recalled = NULL;

  for (guint i = 0; i < pool->size; i++)
    {
      TuttiSlot *slot = &pool->slots[i];
      guint before = recalled != NULL ? recalled->len : 0;
      gint64 oldest = slot->worker != NULL ? slot_recall_waiting_locked (slot, engine->clock - TUTTI_PATIENCE_US, &recalled) : -1;

      if (oldest >= 0)
        tutti_engine_want_relief_locked (engine, oldest + TUTTI_PATIENCE_US);
      /* It was thought to be quicker. */
      if (recalled != NULL && recalled->len > before)
        slot->service = MAX (slot->service, (double) (engine->clock - slot->since));
    }
  if (recalled == NULL)
    return FALSE;
  g_ptr_array_sort (recalled, compare_by_id_descending);
  for (guint i = 0; i < recalled->len; i++)
    if (!tutti_task_has_ended (g_ptr_array_index (recalled, i)))
      tutti_queue_add_locked (&pool->queue, g_ptr_array_index (recalled, i), TRUE);
  return TRUE;
}

static gboolean
pool_has_idle_locked (TuttiPool *pool)
{
  for (guint i = 0; i < pool->size; i++)
    if (pool->slots[i].worker != NULL && pool->slots[i].worker->state == TUTTI_WORKER_IDLE && pool->slots[i].running.length == 0)
      return TRUE;
  return FALSE;
}

/* One that has not answered for a while may be at a task that sleeps, or may only wait for a processor: the kernel knows. */
static void
pool_ask_who_waits_locked (TuttiPool *pool, gint64 now)
{
  for (guint i = 0; i < pool->size; i++)
    {
      TuttiSlot *slot = &pool->slots[i];

      if (slot->running.length == 0 || slot->worker == NULL || slot->worker->pid <= 0 || slot->waits
          || now - slot->since < TUTTI_PATIENCE_US || now - slot->asked_at < ASK_AGAIN_US)
        continue;
      slot->asked_at = now;
      slot->waits = tutti_node_get_state (slot->node, slot->worker->generation) != 'R';
    }
}

static void
pool_relieve_locked (TuttiPool *pool)
{
  if (pool->state != POOL_OPEN || !pool_has_idle_locked (pool))
    return;
  if (tutti_pool_has_enough_busy_locked (pool))
    {
      pool_ask_who_waits_locked (pool, pool->engine->clock);
      if (tutti_pool_has_enough_busy_locked (pool))
        return;
    }
  (void) tutti_pool_recall_waiting_locked (pool);
  if (pool->queue.any.length > 0)
    tutti_pool_dispatch_locked (pool);
}

void
tutti_engine_relieve_locked (TuttiEngine *engine)
{
  if (engine->relief_at == 0)
    return;
  tutti_engine_read_clock_locked (engine);
  if (engine->clock >= engine->relief_at)
    {
      engine->relief_at = 0;
      /* Those who have answered are further than they seem. */
      tutti_engine_take_answers_locked (engine);
      for (guint p = 0; p < engine->pools->len; p++)
        pool_relieve_locked (g_ptr_array_index (engine->pools, p));
    }
  tutti_engine_set_timer_locked (engine);
}

/* --- in the engine's thread ---------------------------------------------------------------------------------------------- */
typedef struct
{
  TuttiEngineSource source;
  gpointer tag;
} ReliefSource;

static gboolean
relief_check (GSource *source)
{
  return g_source_query_unix_fd (source, ((ReliefSource *) source)->tag) != 0;
}

static gboolean
relief_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TuttiEngine *engine = ((TuttiEngineSource *) source)->engine;

  (void) callback;
  (void) data;
  tutti_engine_lock (engine);
  tutti_fd_drain (engine->timer);
  engine->timer_at = 0;
  tutti_engine_relieve_locked (engine);
  tutti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs relief_funcs = { .check = relief_check, .dispatch = relief_dispatch };

gboolean
tutti_engine_start_relief (TuttiEngine *engine, GError **error)
{
  engine->timer = tutti_fd_open_timer (error);
  if (engine->timer < 0)
    return FALSE;
  engine->relief = tutti_engine_add_source (engine, &relief_funcs, sizeof (ReliefSource), "[tutti] relief");
  ((ReliefSource *) engine->relief)->tag = g_source_add_unix_fd (engine->relief, engine->timer, G_IO_IN);
  return TRUE;
}

void
tutti_engine_stop_relief (TuttiEngine *engine)
{
  if (engine->relief != NULL)
    g_source_destroy (engine->relief);
  g_clear_pointer (&engine->relief, g_source_unref);
  tutti_fd_clear (&engine->timer);
}
