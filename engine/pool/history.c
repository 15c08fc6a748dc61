/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "pool/history.h"
#include <string.h>

enum { MOST_ITEMS_A_SECOND = 20, MOST_TEXT = 3 * 1024 };

static void
failure_free (gpointer data)
{
  TtiPastFailure *failure = data;

  g_free (failure->text);
  tti_payload_unref (failure->exception);
  g_free (failure);
}

static void
death_free (gpointer data)
{
  TtiPastDeath *death = data;

  tti_certificate_unref (death->certificate);
  g_free (death);
}

static void
item_free (gpointer data)
{
  g_free (((TtiPastItem *) data)->text);
  g_free (data);
}

void
tti_history_clear (TtiHistory *history)
{
  g_queue_clear_full (&history->failures, failure_free);
  g_queue_clear_full (&history->fallen, failure_free);
  g_queue_clear_full (&history->deaths, death_free);
  g_queue_clear_full (&history->items, item_free);
}

void
tti_history_add_failure (TtiHistory *history, const TtiPastFailure *failure)
{
  gboolean is_own = failure->culprit == 0 && failure->end != TTI_LOOK_CANCELLED && failure->end != TTI_LOOK_CLOSED;
  GQueue *queue = is_own ? &history->failures : &history->fallen;

  g_queue_push_tail (queue, g_memdup2 (failure, sizeof *failure));
  if (queue->length <= TTI_HISTORY_MOST)
    return;
  failure_free (g_queue_pop_head (queue));
  history->n_forgotten++;
}

void
tti_history_add_death (TtiHistory *history, const TtiPastDeath *death)
{
  tti_certificate_ref (death->certificate);
  g_queue_push_tail (&history->deaths, g_memdup2 (death, sizeof *death));
  if (history->deaths.length > TTI_HISTORY_MOST)
    death_free (g_queue_pop_head (&history->deaths));
}

gboolean
tti_history_wants_item (TtiHistory *history)
{
  gint64 second = g_get_monotonic_time () / G_USEC_PER_SEC;

  if (history->item_second != second)
    {
      history->item_second = second;
      history->n_items_now = 0;
    }
  return history->n_items_now < MOST_ITEMS_A_SECOND;
}

void
tti_history_add_item (TtiHistory *history, guint64 task, guint64 item, const char *text)
{
  if (!tti_history_wants_item (history))
    return;
  TtiPastItem past = { .task = task, .item = item, .at = g_get_monotonic_time (),
                       .text = text != NULL ? g_utf8_make_valid (text, (gssize) strnlen (text, MOST_TEXT)) : NULL };

  history->n_items_now++;
  g_queue_push_tail (&history->items, g_memdup2 (&past, sizeof past));
  if (history->items.length > TTI_HISTORY_MOST)
    item_free (g_queue_pop_head (&history->items));
}

const TtiPastFailure *
tti_history_find_failure (const TtiHistory *history, guint64 task)
{
  const GQueue *queues[] = { &history->failures, &history->fallen };

  for (guint i = 0; i < G_N_ELEMENTS (queues); i++)
    for (const GList *l = queues[i]->tail; l != NULL; l = l->prev)
      if (((const TtiPastFailure *) l->data)->task == task)
        return l->data;
  return NULL;
}
