/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many tasks a worker is given before it has answered the first, and how many workers are given tasks at all.
 *
 * The next task should be there when one is done; but what a worker has, another that becomes free cannot do. So a worker is given as many
 * as it does in a fraction of a millisecond, judged by those that it has done; and if it then takes longer, what it has not begun is
 * taken back for others.
 *
 * And to wake a worker that sleeps costs more than a very small task takes: where as many are at such tasks as there are processors, others
 * are left to sleep, until one of those takes longer. */
#include "platform/spin.h"
#include "pool/engine-private.h"

enum
{
  AHEAD_US = 200,      /* work for so long may be with a worker */
  MOST_AHEAD = 64,     /* tasks */
  SMOOTHING = 8,       /* the mean is over about so many tasks */
  QUICK_US = 20,       /* what takes longer than this is worth waking somebody */
  STUCK_US = 100,      /* one that takes longer than this delays those behind it */
  ASLEEP_US = 5000,    /* one who has not answered for so long does not only wait for a processor, where many want one */
  LOOK_AGAIN_US = 1000
};

void
tutti_slot_note_answer_locked (TuttiSlot *slot, guint64 taken)
{
  double service = (double) taken;

  slot->service = slot->service < 0 ? service : slot->service + (service - slot->service) / SMOOTHING;
  slot->since = g_get_monotonic_time ();
}

guint
tutti_slot_get_depth_locked (TuttiSlot *slot)
{
  if (slot->service < 0)
    return 1;
  return (guint) CLAMP (AHEAD_US / MAX (slot->service, 0.1), 1, MOST_AHEAD);
}

/* Give the task of LINK, which its worker has not begun, back to the queue. */
static gboolean
slot_recall_locked (TuttiSlot *slot, GList *link)
{
  TuttiTask *task = link->data;

  if (!tutti_transport_recall (slot->worker->transport, task->ticket))
    return FALSE;
  g_queue_delete_link (&slot->running, link);
  task->attempts--;
  task->ticket = 0;
  if (!tutti_task_has_ended (task))
    tutti_pool_enqueue_locked (slot->pool, task, TRUE);
  tutti_task_unref (task);
  return TRUE;
}

gboolean
tutti_task_recall_locked (TuttiTask *task)
{
  TuttiSlot *slot = &task->pool->slots[task->worker];
  GList *link = g_queue_find (&slot->running, task);

  return link != NULL && link != slot->running.head && slot->worker != NULL && slot->worker->transport != NULL
         && slot_recall_locked (slot, link);
}

/* The worker that has most tasks waiting behind one that takes long. */
static TuttiSlot *
pool_find_stuck_locked (TuttiPool *pool, gint64 now, gboolean *soon)
{
  TuttiSlot *stuck = NULL;

  for (guint i = 0; i < pool->size; i++)
    {
      TuttiSlot *slot = &pool->slots[i];

      if (slot->running.length < 2 || slot->worker == NULL || slot->worker->transport == NULL)
        continue;
      if (now - slot->since < STUCK_US)
        *soon = TRUE;
      else if (stuck == NULL || slot->running.length > stuck->running.length)
        stuck = slot;
    }
  return stuck;
}

gboolean
tutti_pool_has_hands_locked (TuttiPool *pool)
{
  guint n = 0, enough = tutti_processors ();

  if (pool->size <= enough)
    return FALSE;
  gint64 now = g_get_monotonic_time ();

  for (guint i = 0; i < pool->size && n < enough; i++)
    {
      TuttiSlot *slot = &pool->slots[i];

      if (slot->running.length > 0 && slot->service >= 0 && slot->service < QUICK_US && now - slot->since < ASLEEP_US)
        n++;
    }
  if (n >= enough)
    tutti_engine_set_deadline_locked (tutti_engine_peek (), now + LOOK_AGAIN_US);
  return n >= enough;
}

void
tutti_slot_steal_locked (TuttiSlot *slot)
{
  TuttiPool *pool = slot->pool;
  gint64 now = g_get_monotonic_time ();
  gboolean soon = FALSE;
  TuttiSlot *stuck = pool_find_stuck_locked (pool, now, &soon);

  /* The last half; those in front of it are done the sooner. */
  for (guint n = stuck != NULL ? stuck->running.length / 2 : 0; n > 0; n--)
    {
      TuttiTask *task = stuck->running.tail->data;

      if (task->pinned_to >= 0 || !slot_recall_locked (stuck, stuck->running.tail))
        break;
    }
  if (stuck == NULL && soon)
    tutti_engine_set_deadline_locked (tutti_engine_peek (), now + LOOK_AGAIN_US);
}
