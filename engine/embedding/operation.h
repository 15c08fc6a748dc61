/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Several tasks that make one result: what is behind the functions that come as a blocking one and a pair of _async and _finish. */
#pragma once
#include "embedding/embedding-private.h"

typedef struct _TuttiOperation TuttiOperation;

/* Make the result of N TASKS, all of which have ended; NULL with ERROR. In the thread of the caller or of the engine. */
typedef gpointer (*TuttiOperationFinish) (TtiTask *const *tasks, guint n, gpointer data, GError **error);

/* An operation with TASKS (of TtiTask, with a free function; taken over) for POOL, which lives as long. DATA is freed with DATA_FREE, a
 * result that nobody takes with VALUE_FREE. */
TuttiOperation *tutti_operation_new (TuttiPool *pool, GPtrArray *tasks, TuttiOperationFinish finish, gpointer data,
                                     GDestroyNotify data_free, GDestroyNotify value_free);
/* The failure of one task cancels the others. */
void tutti_operation_set_stop_early (TuttiOperation *self);

/* Run SELF, which is freed, and wait; cancelling CANCELLABLE cancels its tasks: then NULL with G_IO_ERROR_CANCELLED. */
gpointer tutti_operation_run (TuttiOperation *self, GCancellable *cancellable, GError **error);

/* Start SELF, and return at once. RESULT, which is taken over, gets what tutti_operation_run () would return; its cancellable cancels the
 * tasks. SELF is freed then. */
void tutti_operation_start (TuttiOperation *self, GTask *result);
