/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The signals of a pool: emitted in the main context that was the thread's default when it was made. */
#pragma once
#include "embedding/embedding-private.h"

typedef struct _TuttiPoolSignals TuttiPoolSignals;

/* For OBJECT, which owns it; CONTEXT (a reference is taken) is where signals are emitted. */
TuttiPoolSignals *tutti_pool_signals_new (TuttiPool *object, GMainContext *context);
void tutti_pool_signals_free (TuttiPoolSignals *self); /* NULL is fine */
void tutti_pool_signals_follow (TuttiPoolSignals *self, TtiPool *inside);
/* A task was submitted: from now on there is progress to be told. From any thread. */
void tutti_pool_signals_submitted (TuttiPoolSignals *self);

/* Emit them. */
void tutti_pool_emit_output (TuttiPool *self, guint worker, const char *line, gboolean is_error);
void tutti_pool_emit_worker_died (TuttiPool *self, TuttiCertificate *certificate, gboolean is_retried);
void tutti_pool_emit_progress (TuttiPool *self, guint64 n_ended, guint64 n_submitted);

/* Owned by the pool. */
TuttiPoolSignals *tutti_pool_get_signals (TuttiPool *self);
int tutti_pool_choose_worker (TuttiPool *self); /* the next one that holds something: they take turns */
