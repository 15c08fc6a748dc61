/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tasks of a pool that no worker has, and their order: those that wait for others, and those that are ready, either for any worker or
 * pinned to one.
 *
 * A worker gets the oldest task that it may run. The older of two tasks has the smaller number; a task that comes back, since its worker
 * has died or since it was recalled, is put first, and so keeps its place.
 *
 * The lists own references to their tasks. Functions whose names end in _locked expect the engine's lock to be held. */
#pragma once
#include "pool/task-private.h"

typedef struct
{
  const TuttiLock *lock; /* that guards it: the engine's */
  guint n_workers;
  GQueue any;          /* of TuttiTask: any worker may run them */
  GQueue *pinned;      /* of TuttiTask, a list for each worker: only this one may run them */
  GHashTable *waiting; /* set of TuttiTask, not owned: their dependencies own them */
} TuttiQueue;

/* An empty one, guarded by LOCK, for a pool of N_WORKERS. */
void tutti_queue_init (TuttiQueue *queue, const TuttiLock *lock, guint n_workers);
void tutti_queue_clear (TuttiQueue *queue); /* drops its references */

/* TASK is ready: put it before or behind the others. A reference is taken. */
void tutti_queue_add_locked (TuttiQueue *queue, TuttiTask *task, gboolean first);
/* The next task for the worker with INDEX, or NULL. The reference passes to the caller. */
TuttiTask *tutti_queue_take_locked (TuttiQueue *queue, guint index);
/* The same, of those that are pinned to it. */
TuttiTask *tutti_queue_take_pinned_locked (TuttiQueue *queue, guint index);
/* TASK, which was taken and may go to any worker, is left to the next one. The reference passes to the queue. */
void tutti_queue_put_back_locked (TuttiQueue *queue, TuttiTask *task);

/* TASK waits until DEPENDENCY, which has not ended, has. */
void tutti_queue_await_locked (TuttiQueue *queue, TuttiTask *task, TuttiTask *dependency);
void tutti_queue_stop_waiting_locked (TuttiQueue *queue, TuttiTask *task); /* if it waits */

/* Move all tasks that are ready for any worker, or those that are pinned to the worker with INDEX, to TASKS, which gets the references; or
 * add references of those that wait, which stay. */
void tutti_queue_move_any_locked (TuttiQueue *queue, GPtrArray *tasks);
void tutti_queue_move_pinned_locked (TuttiQueue *queue, guint index, GPtrArray *tasks);
void tutti_queue_list_waiting_locked (TuttiQueue *queue, GPtrArray *tasks);
