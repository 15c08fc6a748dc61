/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The engine: what starts, watches and ends worker processes. */
#pragma once
#include "tutti/error.h"
#include "tutti/macros.h"

G_BEGIN_DECLS

#define TUTTI_TYPE_ENGINE (tutti_engine_get_type ())
TUTTI_API G_DECLARE_FINAL_TYPE (TuttiEngine, tutti_engine, TUTTI, ENGINE, GObject)

TUTTI_API TuttiEngine *tutti_engine_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API TuttiEngine *tutti_engine_get_default (GError **error) G_GNUC_WARN_UNUSED_RESULT;
TUTTI_API gboolean tutti_engine_is_shut_down (TuttiEngine *engine);
TUTTI_API void tutti_engine_shutdown (TuttiEngine *engine);
TUTTI_API void tutti_engine_shutdown_async (TuttiEngine *engine, GCancellable *cancellable, GAsyncReadyCallback callback,
                                            gpointer user_data);
TUTTI_API gboolean tutti_engine_shutdown_finish (TuttiEngine *engine, GAsyncResult *result, GError **error);
TUTTI_API gboolean tutti_engine_write_journal (TuttiEngine *engine, const char *file, GError **error);

G_END_DECLS
