/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The order of the tasks that no worker has. */
#include "pool/queue.h"

void
tutti_queue_init (TuttiQueue *queue, const TuttiLock *lock, guint n_workers)
{
  *queue = (TuttiQueue){ .lock = lock, .n_workers = n_workers, .any = G_QUEUE_INIT, .pinned = g_new0 (GQueue, n_workers),
                         .waiting = g_hash_table_new (NULL, NULL) };
}

void
tutti_queue_clear (TuttiQueue *queue)
{
  for (guint i = 0; i < queue->n_workers; i++)
    g_queue_clear_full (&queue->pinned[i], (GDestroyNotify) tutti_task_unref);
  g_queue_clear_full (&queue->any, (GDestroyNotify) tutti_task_unref);
  g_clear_pointer (&queue->pinned, g_free);
  g_clear_pointer (&queue->waiting, g_hash_table_unref);
}

void
tutti_queue_add_locked (TuttiQueue *queue, TuttiTask *task, gboolean first)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  GQueue *list = task->pinned_to >= 0 ? &queue->pinned[task->pinned_to] : &queue->any;

  g_atomic_int_set (&task->state, TUTTI_TASK_QUEUED);
  if (first)
    g_queue_push_head (list, tutti_task_ref (task));
  else
    g_queue_push_tail (list, tutti_task_ref (task));
}

TuttiTask *
tutti_queue_take_locked (TuttiQueue *queue, guint index)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  TuttiTask *pinned = g_queue_peek_head (&queue->pinned[index]);
  TuttiTask *any = g_queue_peek_head (&queue->any);

  if (pinned != NULL && (any == NULL || pinned->id < any->id))
    return g_queue_pop_head (&queue->pinned[index]);
  return g_queue_pop_head (&queue->any);
}

TuttiTask *
tutti_queue_take_pinned_locked (TuttiQueue *queue, guint index)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  return g_queue_pop_head (&queue->pinned[index]);
}

void
tutti_queue_put_back_locked (TuttiQueue *queue, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  g_queue_push_head (&queue->any, task);
}

void
tutti_queue_await_locked (TuttiQueue *queue, TuttiTask *task, TuttiTask *dependency)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  tutti_task_await_locked (task, dependency);
  g_hash_table_add (queue->waiting, task);
}

void
tutti_queue_stop_waiting_locked (TuttiQueue *queue, TuttiTask *task)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  g_hash_table_remove (queue->waiting, task);
}

void
tutti_queue_move_any_locked (TuttiQueue *queue, GPtrArray *tasks)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  for (TuttiTask *task; (task = g_queue_pop_head (&queue->any)) != NULL;)
    g_ptr_array_add (tasks, task);
}

void
tutti_queue_move_pinned_locked (TuttiQueue *queue, guint index, GPtrArray *tasks)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  for (TuttiTask *task; (task = g_queue_pop_head (&queue->pinned[index])) != NULL;)
    g_ptr_array_add (tasks, task);
}

void
tutti_queue_list_waiting_locked (TuttiQueue *queue, GPtrArray *tasks)
{
  TUTTI_ASSERT_LOCKED (queue->lock);
  GHashTableIter iter;
  gpointer task;

  g_hash_table_iter_init (&iter, queue->waiting);
  while (g_hash_table_iter_next (&iter, &task, NULL))
    g_ptr_array_add (tasks, tutti_task_ref (task));
}
