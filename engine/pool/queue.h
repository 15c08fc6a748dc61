/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tasks of a pool that no worker has, and their order: those that wait for others, and those that are ready, either for any worker or
 * pinned to one.
 *
 * What is pinned belongs to a *place*, a number that is the index of a worker, of whom there may be fewer than before: then another worker
 * does it, in that place. A worker that is one too many does what was pinned to it before, and nothing else.
 *
 * A worker gets the oldest task that it may run. The older of two tasks has the smaller number; a task that comes back, since its worker
 * has died or since it was recalled, is put first, and so keeps its place.
 *
 * The lists own references to their tasks. Functions whose names end in _locked expect the engine's lock to be held. */
#pragma once
#include "pool/task-private.h"

typedef struct
{
  const TtiLock *lock; /* that guards it: the engine's */
  guint n_workers;     /* those with lower indices run what any worker may */
  guint n_lists;       /* one for each slot that there has been */
  GQueue any;          /* of TtiTask: any worker may run them */
  GQueue wide;         /* the same, and they need the share of several workers (resources.c) */
  GQueue *pinned;      /* of TtiTask, a list for each slot: only its worker may run them, also those that need several workers' share */
  gboolean *closed;    /* whether nothing comes to that list any more */
  GHashTable *waiting; /* set of TtiTask, not owned: their dependencies own them */
} TtiQueue;

/* An empty one, guarded by LOCK, for a pool of N_WORKERS, of whose slots each is to be added. */
void tti_queue_init (TtiQueue *queue, const TtiLock *lock, guint n_workers);
void tti_queue_add_list (TtiQueue *queue); /* for one slot more; under the lock, if others know the queue */
void tti_queue_clear (TtiQueue *queue); /* drops its references */

/* From now on it is for N_WORKERS; those with higher indices are too many. */
void tti_queue_resize_locked (TtiQueue *queue, guint n_workers);
/* Nothing is to come to the list of the slot with INDEX, which is one too many and has nothing left. */
void tti_queue_close_list_locked (TtiQueue *queue, guint index);
/* The slot whose worker does what now comes for PLACE. */
guint tti_queue_get_slot_locked (TtiQueue *queue, guint place);

/* TASK is ready: put it before or behind the others. A reference is taken. */
void tti_queue_add_locked (TtiQueue *queue, TtiTask *task, gboolean first);
/* The first of LIST, one of QUEUE's, or NULL. Those in front that have ended are forgotten: they were cancelled, and nobody is to wait for
 * their turn. */
TtiTask *tti_queue_peek_locked (TtiQueue *queue, GQueue *list);
/* The next task for the worker with INDEX that needs no other's share, or NULL. The reference passes to the caller. */
TtiTask *tti_queue_take_locked (TtiQueue *queue, guint index);
/* The same, of those that are pinned to it. */
TtiTask *tti_queue_take_narrow_locked (TtiQueue *queue, guint index);
/* The first of all that are pinned to it. */
TtiTask *tti_queue_take_pinned_locked (TtiQueue *queue, guint index);
/* Take TASK, which is in one of the lists. The reference passes to the caller. */
TtiTask *tti_queue_remove_locked (TtiQueue *queue, TtiTask *task);
/* TASK, which was taken and may go to any worker, is left to the next one. The reference passes to the queue. */
void tti_queue_put_back_locked (TtiQueue *queue, TtiTask *task);

/* TASK waits until DEPENDENCY, which has not ended, has. */
void tti_queue_await_locked (TtiQueue *queue, TtiTask *task, TtiTask *dependency);
void tti_queue_stop_waiting_locked (TtiQueue *queue, TtiTask *task); /* if it waits */

/* Move all tasks that are ready for any worker, or those that are pinned to the worker with INDEX, to TASKS, which gets the references; or
 * add references of those that wait, which stay. */
void tti_queue_move_any_locked (TtiQueue *queue, GPtrArray *tasks);
void tti_queue_move_pinned_locked (TtiQueue *queue, guint index, GPtrArray *tasks);
void tti_queue_list_waiting_locked (TtiQueue *queue, GPtrArray *tasks);
