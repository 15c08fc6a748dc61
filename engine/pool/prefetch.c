/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many tasks a worker is given before it has answered the first. How many workers are given tasks at all is decided in dispatch.c.
 *
 * The next task should be there when one is done; but what a worker has, another that becomes free cannot do. So a worker is given as many
 * as it does in a fraction of a millisecond, judged by those that it has done, and one more if each takes no longer than a few times that;
 * and if it then takes longer, what it has not begun is taken back for others (relief.c).
 *
 * Over a network the next task is there when one is done only if it was sent a round trip before; and what is there cannot be taken back
 * at once. So a worker elsewhere has as many more as it does in a round trip: but none at all behind tasks so long that the way hardly
 * counts. What waits there too long is asked back, which takes a round trip as well. */
#include "pool/slot-private.h"

enum
{
  AHEAD_US = 200,      /* work for so long may be with a worker, */
  NEXT_US = 2000,      /* and one more task if those before took less: waking the worker takes some hundredths of that */
  MOST_AHEAD = 64,     /* tasks */
  NO_LOSS = 20,        /* a task that takes so many round trips can wait for the way of the next */
  SMOOTHING = 8,       /* the mean is over about so many tasks, */
  SMOOTHING_DOWN = 2,  /* but falls quickly: what was given by mistake is taken back */
};

void
tti_slot_note_begin_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  slot->since = slot->engine->clock;
  slot->waits = FALSE;
}

void
tti_slot_note_answer_locked (TtiSlot *slot, guint64 taken)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  double service = (double) taken;

  slot->service = slot->service < 0 ? service
                                    : slot->service + (service - slot->service) / (service < slot->service ? SMOOTHING_DOWN : SMOOTHING);
  tti_slot_note_begin_locked (slot);
}

guint
tti_prefetch_depth (double service, gint64 busy, gint64 round_trip)
{
  double way = (double) round_trip / MAX (service, 0.1); /* in tasks */

  /* At a task that turns out long: what comes now had better not wait for that. */
  if (service < 0 || busy > AHEAD_US + round_trip)
    return 1;
  guint here = (guint) CLAMP (AHEAD_US / MAX (service, 0.1), service < NEXT_US ? 2 : 1, MOST_AHEAD);
  guint on_the_way = way * NO_LOSS < 1 ? 0 : (guint) MIN (way + 1, MOST_AHEAD);

  return MIN (here + on_the_way, MOST_AHEAD);
}

guint
tti_slot_get_depth_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return tti_prefetch_depth (slot->service, slot->running.length > 0 ? slot->engine->clock - slot->since : 0,
                             tti_transport_get_round_trip (slot->worker->transport));
}

double
tti_slot_get_work_ahead_locked (TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return MAX ((double) slot->running.length * MAX (slot->service, 0) - (double) (now - slot->since), 0);
}

gboolean
tti_slot_recall_locked (TtiSlot *slot, GList *link)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiTask *task = link->data;
  guint32 ticket = task->ticket;

  task->ticket = 0; /* what could not be taken back now cannot be later */
  if (!tti_transport_recall (slot->worker->transport, ticket))
    return FALSE;
  g_queue_delete_link (&slot->running, link);
  task->attempts--;
  return TRUE;
}

gboolean
tti_slot_ask_back_locked (TtiSlot *slot, gint64 before, gboolean pinned, gint64 *oldest)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint64));
  TtiTransport *transport = slot->worker->transport;

  *oldest = -1;
  if (!tti_transport_ask_back (transport, NULL, 0))
    return FALSE;
  for (GList *l = slot->running.tail; l != slot->running.head; l = l->prev)
    {
      TtiTask *task = l->data;

      if ((task->pinned_to >= 0 && !pinned) || task->asked_back)
        continue;
      if (task->placed > before)
        *oldest = task->placed;
      else
        {
          task->asked_back = TRUE;
          g_array_append_val (ids, task->id);
        }
    }
  /* It was thought to be quicker. */
  if (ids->len > 0)
    slot->service = MAX (slot->service, (double) (slot->engine->clock - slot->since));
  return tti_transport_ask_back (transport, (const guint64 *) (gpointer) ids->data, ids->len);
}

gboolean
tti_slot_recall_task_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  GList *link = g_queue_find (&slot->running, task);

  if (link == NULL || link == slot->running.head || slot->worker == NULL || slot->worker->transport == NULL)
    return FALSE;
  if (!task->asked_back && tti_transport_ask_back (slot->worker->transport, &task->id, 1))
    task->asked_back = TRUE;
  if (task->asked_back || !tti_slot_recall_locked (slot, link))
    return FALSE;
  if (!tti_task_has_ended (task))
    tti_queue_add_locked (slot->queue, task, TRUE);
  tti_task_unref (task);
  return TRUE;
}

void
tti_slot_recall_all_locked (TtiSlot *slot, gboolean pinned)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  gint64 oldest;

  if (slot->worker != NULL && slot->worker->transport != NULL && tti_slot_ask_back_locked (slot, G_MAXINT64, pinned, &oldest))
    return;
  for (GList *l = slot->running.tail, *previous; l != NULL && l != slot->running.head; l = previous)
    {
      TtiTask *task = l->data;

      previous = l->prev;
      if (pinned || task->pinned_to < 0)
        (void) tti_slot_recall_task_locked (slot, task);
    }
}

TtiParts *
tti_slot_find_parts_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (task->state != TTI_TASK_RUNNING)
    return NULL;
  return slot->worker != NULL && slot->worker->transport != NULL ? tti_transport_get_parts (slot->worker->transport) : NULL;
}

guint
tti_slot_get_parts_begun_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiParts *parts = tti_slot_find_parts_locked (slot, task);

  return parts != NULL ? tti_parts_get_begun (parts, task->id) : 0;
}
