/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What users want to be told without waiting for it, such as the end of a task: functions that the engine's thread calls, without any lock,
 * in the order in which things have happened. */
#include "pool/engine-private.h"

typedef struct
{
  TtiNotice notice;
  gpointer data;
} Notice;

void
tti_engine_notify_locked (TtiEngine *engine, TtiNotice notice, gpointer data)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  Notice entry = { notice, data };

  g_array_append_vals (engine->notices, &entry, 1);
  /* To set the clock wakes the engine's thread: once for all. */
  if (engine->notices->len == 1)
    g_source_set_ready_time (engine->notifier, 0);
}

void
tti_engine_deliver_notices (TtiEngine *engine)
{
  tti_engine_lock (engine);
  GArray *notices = engine->notices;

  engine->notices = g_array_new (FALSE, FALSE, sizeof (Notice));
  g_source_set_ready_time (engine->notifier, -1);
  tti_engine_unlock (engine);
  for (guint i = 0; i < notices->len; i++)
    {
      const Notice *entry = &g_array_index (notices, Notice, i);

      entry->notice (entry->data);
    }
  g_array_unref (notices);
}

static gboolean
notifier_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  (void) callback;
  (void) data;
  tti_engine_deliver_notices (((TtiEngineSource *) source)->engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs notifier_funcs = { .dispatch = notifier_dispatch };

void
tti_engine_start_notices (TtiEngine *engine)
{
  engine->notices = g_array_new (FALSE, FALSE, sizeof (Notice));
  engine->notifier = tti_engine_add_source (engine, &notifier_funcs, sizeof (TtiEngineSource), "[tutti] notices");
}
