/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A pool: worker processes of an application, which run functions and operators of shared objects in C. */
#pragma once
#include "tutti/engine.h"
#include "tutti/task.h"

G_BEGIN_DECLS

/**
 * TUTTI_POOL_MAX_WORKERS:
 *
 * The most workers that one pool can have. Descriptors and processes may run out before.
 */
#define TUTTI_POOL_MAX_WORKERS 4096

#define TUTTI_TYPE_POOL (tutti_pool_get_type ())
TUTTI_API G_DECLARE_FINAL_TYPE (TuttiPool, tutti_pool, TUTTI, POOL, GObject)

TUTTI_API TuttiPool *tutti_pool_new (TuttiEngine *engine, guint n_workers, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_pool_new_async (TuttiEngine *engine, guint n_workers, GCancellable *cancellable, GAsyncReadyCallback callback,
                                     gpointer user_data);
TUTTI_API TuttiPool *tutti_pool_new_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TUTTI_API TuttiEngine *tutti_pool_get_engine (TuttiPool *pool);
TUTTI_API guint tutti_pool_get_n_workers (TuttiPool *pool);
TUTTI_API const char *tutti_pool_get_name (TuttiPool *pool);
TUTTI_API int tutti_pool_get_worker_pid (TuttiPool *pool, guint worker);
TUTTI_API TuttiCertificate *tutti_pool_dup_last_death (TuttiPool *pool);

TUTTI_API gboolean tutti_pool_submit (TuttiPool *pool, TuttiTask *task, GError **error);

TUTTI_API TuttiValue *tutti_pool_call (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *arguments, gsize n,
                                       GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_pool_call_async (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *arguments, gsize n,
                                      GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiValue *tutti_pool_call_finish (TuttiPool *pool, GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TUTTI_API TuttiValue *tutti_pool_map (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *items, gsize n,
                                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API void tutti_pool_map_async (TuttiPool *pool, const char *module, const char *function, TuttiValue *const *items, gsize n,
                                     GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API TuttiValue *tutti_pool_map_finish (TuttiPool *pool, GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

TUTTI_API gboolean tutti_pool_is_closed (TuttiPool *pool);
TUTTI_API gboolean tutti_pool_close (TuttiPool *pool);
TUTTI_API void tutti_pool_close_async (TuttiPool *pool, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
TUTTI_API gboolean tutti_pool_close_finish (TuttiPool *pool, GAsyncResult *result, GError **error);

G_END_DECLS
