/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What an engine lets others see of it, beside what it tells by itself (look/events.h). */
#pragma once
#include "look/events.h"
#include "pool/engine.h"

/* Open a door by which processes of this user find ENGINE (look/door.h); twice is fine. Errors: those of tti_door_open (). */
gboolean tti_engine_open_door (TtiEngine *engine, GError **error);
char *tti_engine_get_door_name (TtiEngine *engine); /* "1234-1", or NULL; free with g_free */

/* Note a fact of the run, see TtiLookNote. Also for those who look later. VALUE NULL: it is no longer so. */
void tti_engine_note (TtiEngine *engine, const char *key, const char *value);

/* The same for all engines of this process that are started from now on. */
void tti_looking_note (const char *key, const char *value);
char *tti_engine_get_note (TtiEngine *engine, const char *key); /* or NULL; free with g_free */

/* How far something has come that is called NAME (or NULL): see TtiLookProgress. A number for it, unique in the process. It is shown also
 * to those who look later, until it is over. */
guint64 tti_engine_next_progress (void);
void tti_engine_show_progress (TtiEngine *engine, const TtiLookProgress *progress, const char *name);
/* ITEM of a map, which was in TASK (0: not known), has failed with ERROR, a text. */
void tti_engine_show_item (TtiEngine *engine, guint64 task, guint64 item, const char *error);
gboolean tti_engine_is_watched (TtiEngine *engine); /* does somebody look, now? */
gboolean tti_engine_wants_failure (TtiEngine *engine); /* or is a failure kept for those who come later? */
/* People were told TEXT. */
void tti_engine_show_told (TtiEngine *engine, const char *text);

/* How a text is made of the payload of a task that has raised. For all engines; set by those who know what handlers answer with. */
typedef char *(*TtiExceptionReader) (TtiPayload *payload);
void tti_engine_set_exception_reader (TtiExceptionReader reader);
