/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the files of the public API share: the ways from its objects to those of the engine. */
#pragma once
#include "embedding/callee.h"
#include "pool/held.h"
#include "pool/pool.h"
#include "tutti/tutti.h"
#include "value/value.h"

/* An engine's own part is found by this key, because libtutti-guile asks for it, too, and libtutti exports only what applications use. */
#define TUTTI_ENGINE_INSIDE "tutti-engine-inside"

static inline TtiEngine *
tutti_engine_inside (TuttiEngine *engine)
{
  return g_object_get_qdata (G_OBJECT (engine), g_quark_from_static_string (TUTTI_ENGINE_INSIDE));
}

/* The pool behind an object, owned by it. */
TtiPool *tutti_pool_inside (TuttiPool *pool);

/* Is POOL a pool that g_initable_init () has started? Languages that make objects from properties alone leave that out easily. */
gboolean tutti_pool_is_initialized (TuttiPool *pool);

/* Are there N values, and none of them is NULL, which other languages may have in a list? */
gboolean tutti_values_are_given (TuttiValue *const *values, gsize n);

/* A task for a call of CALLEE; a pointer in ARGUMENTS is a value, or NULL for the value of the next one of its dependencies,
 * which the caller adds. TUTTI_ERROR_ARGUMENT: an argument cannot travel. */
TtiTask *tutti_request_new_call (TuttiCallee *callee, TuttiValue *const *arguments, gsize n, GError **error);

/* The value of TASK, which has ended; or NULL with its error. */
TuttiValue *tutti_request_take_value (TtiTask *task, GError **error);

/* Wait until TASK has ended; if CANCELLABLE is cancelled, so is the task. FALSE, with G_IO_ERROR_CANCELLED: that was so. */
gboolean tutti_request_wait (TtiTask *task, GCancellable *cancellable, GError **error);
