/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The order of the tasks that no worker has. */
#include "pool/queue.h"

void
tti_queue_init (TtiQueue *queue, const TtiLock *lock, guint n_workers)
{
  *queue = (TtiQueue){ .lock = lock, .n_workers = n_workers, .any = G_QUEUE_INIT, .wide = G_QUEUE_INIT,
                         .waiting = g_hash_table_new (NULL, NULL) };
}

void
tti_queue_add_list (TtiQueue *queue)
{
  guint n = ++queue->n_lists;

  queue->pinned = g_renew (GQueue, queue->pinned, n);
  queue->closed = g_renew (gboolean, queue->closed, n);
  g_queue_init (&queue->pinned[n - 1]);
  queue->closed[n - 1] = FALSE;
}

void
tti_queue_clear (TtiQueue *queue)
{
  for (guint i = 0; i < queue->n_lists; i++)
    g_queue_clear_full (&queue->pinned[i], (GDestroyNotify) tti_task_unref);
  g_queue_clear_full (&queue->any, (GDestroyNotify) tti_task_unref);
  g_queue_clear_full (&queue->wide, (GDestroyNotify) tti_task_unref);
  g_clear_pointer (&queue->pinned, g_free);
  g_clear_pointer (&queue->closed, g_free);
  g_clear_pointer (&queue->waiting, g_hash_table_unref);
}

/* The list for TASK. */
static GQueue *
queue_find_list_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  return task->pinned_to >= 0 ? &queue->pinned[task->slot] : task->is_wide ? &queue->wide : &queue->any;
}

guint
tti_queue_get_slot_locked (TtiQueue *queue, guint place)
{
  TTI_ASSERT_LOCKED (queue->lock);
  return place < queue->n_workers ? place : place % queue->n_workers;
}

/* The slot of TASK may have come to its end while TASK waited for something; or is one too many, and so leads no others. */
static void
queue_choose_slot_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  if (task->pinned_to >= 0 && (queue->closed[task->slot] || (task->is_wide && task->slot >= (int) queue->n_workers)))
    task->slot = (int) tti_queue_get_slot_locked (queue, (guint) task->pinned_to);
}

/* What is pinned to the slot with INDEX, which is one too many, and needs others too, is done by another one in its place. */
static void
queue_move_wide_locked (TtiQueue *queue, guint index)
{
  TTI_ASSERT_LOCKED (queue->lock);
  GQueue *pinned = &queue->pinned[index];

  for (GList *l = pinned->head, *next; l != NULL; l = next)
    {
      TtiTask *task = l->data;

      next = l->next;
      if (!task->is_wide)
        continue;
      g_queue_unlink (pinned, l);
      queue_choose_slot_locked (queue, task);
      g_queue_push_tail_link (&queue->pinned[task->slot], l);
    }
}

void
tti_queue_resize_locked (TtiQueue *queue, guint n_workers)
{
  TTI_ASSERT_LOCKED (queue->lock);
  guint before = queue->n_workers;

  for (guint i = before; i < n_workers; i++)
    queue->closed[i] = FALSE;
  queue->n_workers = n_workers;
  for (guint i = n_workers; i < before; i++)
    queue_move_wide_locked (queue, i);
}

void
tti_queue_close_list_locked (TtiQueue *queue, guint index)
{
  TTI_ASSERT_LOCKED (queue->lock);
  g_assert (index >= queue->n_workers && queue->pinned[index].length == 0);
  queue->closed[index] = TRUE;
}

void
tti_queue_add_locked (TtiQueue *queue, TtiTask *task, gboolean first)
{
  TTI_ASSERT_LOCKED (queue->lock);
  queue_choose_slot_locked (queue, task);
  GQueue *list = queue_find_list_locked (queue, task);

  /* Before those in other lists that come later from now on. */
  if (task->is_wide && (!first || task->turn == 0))
    task->turn = first ? task->id : tti_engine_next_number ();
  g_atomic_int_set (&task->state, TTI_TASK_QUEUED);
  if (first)
    g_queue_push_head (list, tti_task_ref (task));
  else
    g_queue_push_tail (list, tti_task_ref (task));
  if (tti_engine_is_watched_locked (task->engine))
    tti_task_show_submitted_locked (task);
}

TtiTask *
tti_queue_peek_locked (TtiQueue *queue, GQueue *list)
{
  TTI_ASSERT_LOCKED (queue->lock);
  TtiTask *task;

  (void) queue;
  while ((task = g_queue_peek_head (list)) != NULL && tti_task_has_ended (task))
    tti_task_unref (g_queue_pop_head (list));
  return task;
}

TtiTask *
tti_queue_take_locked (TtiQueue *queue, guint index)
{
  TTI_ASSERT_LOCKED (queue->lock);
  TtiTask *pinned = tti_queue_peek_locked (queue, &queue->pinned[index]);
  TtiTask *any = index < queue->n_workers ? tti_queue_peek_locked (queue, &queue->any) : NULL;

  if (pinned != NULL && !pinned->is_wide && (any == NULL || pinned->id < any->id))
    return g_queue_pop_head (&queue->pinned[index]);
  return any != NULL ? g_queue_pop_head (&queue->any) : NULL;
}

TtiTask *
tti_queue_take_narrow_locked (TtiQueue *queue, guint index)
{
  TTI_ASSERT_LOCKED (queue->lock);
  TtiTask *pinned = tti_queue_peek_locked (queue, &queue->pinned[index]);

  return pinned != NULL && !pinned->is_wide ? g_queue_pop_head (&queue->pinned[index]) : NULL;
}

TtiTask *
tti_queue_take_pinned_locked (TtiQueue *queue, guint index)
{
  TTI_ASSERT_LOCKED (queue->lock);
  return g_queue_pop_head (&queue->pinned[index]);
}

TtiTask *
tti_queue_remove_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  return g_queue_remove (queue_find_list_locked (queue, task), task) ? task : NULL;
}

void
tti_queue_put_back_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  g_queue_push_head (&queue->any, task);
}

void
tti_queue_await_locked (TtiQueue *queue, TtiTask *task, TtiTask *dependency)
{
  TTI_ASSERT_LOCKED (queue->lock);
  tti_task_await_locked (task, dependency);
  g_hash_table_add (queue->waiting, task);
}

void
tti_queue_stop_waiting_locked (TtiQueue *queue, TtiTask *task)
{
  TTI_ASSERT_LOCKED (queue->lock);
  g_hash_table_remove (queue->waiting, task);
}

void
tti_queue_move_any_locked (TtiQueue *queue, GPtrArray *tasks)
{
  TTI_ASSERT_LOCKED (queue->lock);
  for (TtiTask *task; (task = g_queue_pop_head (&queue->any)) != NULL || (task = g_queue_pop_head (&queue->wide)) != NULL;)
    g_ptr_array_add (tasks, task);
}

void
tti_queue_move_pinned_locked (TtiQueue *queue, guint index, GPtrArray *tasks)
{
  TTI_ASSERT_LOCKED (queue->lock);
  for (TtiTask *task; (task = g_queue_pop_head (&queue->pinned[index])) != NULL;)
    g_ptr_array_add (tasks, task);
}

void
tti_queue_list_waiting_locked (TtiQueue *queue, GPtrArray *tasks)
{
  TTI_ASSERT_LOCKED (queue->lock);
  GHashTableIter iter;
  gpointer task;

  g_hash_table_iter_init (&iter, queue->waiting);
  while (g_hash_table_iter_next (&iter, &task, NULL))
    g_ptr_array_add (tasks, tti_task_ref (task));
}
