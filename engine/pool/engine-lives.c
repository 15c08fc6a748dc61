/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The lives of workers, as their engine knows them: by their generation, and by the descriptors that it waits for. What it tells all of
 * them: ticks, and which held objects to forget. */
#include "pool/engine-private.h"
#include "process/watcher-protocol.h"

void
tti_engine_add_life_locked (TtiEngine *engine, TtiLife *life)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  life->lost = FALSE;
  g_hash_table_insert (engine->lives, &life->generation, life);
}

void
tti_engine_remove_life_locked (TtiEngine *engine, TtiLife *life)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  g_hash_table_remove (engine->lives, &life->generation);
}

TtiLife *
tti_engine_find_life_locked (TtiEngine *engine, guint64 generation)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  return g_hash_table_lookup (engine->lives, &generation);
}

GList *
tti_engine_list_lives_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  return g_hash_table_get_values (engine->lives);
}

void
tti_engine_keep_given_up_locked (TtiEngine *engine, TtiWorker *worker)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  g_hash_table_insert (engine->given_up, &worker->generation, worker);
}

/* --- their descriptors ------------------------------------------------------------------------------------------------------ */

static void
watches_news (guint64 number, guint32 events, gpointer user_data)
{
  TtiEngine *engine = user_data;
  gpointer data;

  tti_engine_lock (engine);
  TtiWatch *watch = tti_watch_find (engine->watches, number, &data);

  if (watch != NULL)
    {
      TtiLife *life = data;

      life->events->watched (life, watch, events);
    }
  tti_engine_end_turn (engine);
}

gboolean
tti_engine_start_watching (TtiEngine *engine, GError **error)
{
  engine->watches = tti_watch_set_new (engine->context, "[tutti] workers", watches_news, engine, error);
  return engine->watches != NULL;
}

void
tti_engine_stop_watching (TtiEngine *engine)
{
  g_clear_pointer (&engine->watches, tti_watch_set_free);
}

/* --- ticks ------------------------------------------------------------------------------------------------------------------ */

static gboolean
engine_tick (gpointer data)
{
  TtiEngine *engine = data;
  gboolean again = FALSE;

  tti_engine_lock (engine);
  g_autoptr (GList) lives = tti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TtiLife *life = l->data;

      again = life->events->tick (life) || again;
    }
  if (!again)
    g_clear_pointer (&engine->ticks, g_source_unref);
  tti_engine_unlock (engine);
  return again ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
tti_engine_start_ticks_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (engine->ticks != NULL)
    return;
  engine->ticks = g_timeout_source_new (TTI_STOPPED_TICK_MS);
  g_source_set_static_name (engine->ticks, "[tutti] ticks");
  g_source_set_callback (engine->ticks, engine_tick, engine, NULL);
  g_source_attach (engine->ticks, engine->context);
}

/* --- held objects ----------------------------------------------------------------------------------------------------------- */

/* In the engine's thread: tell every worker. */
static gboolean
forget_all (gpointer data)
{
  TtiEngine *engine = data;
  GHashTableIter iter;
  gpointer value;

  g_mutex_lock (&engine->forgotten_lock);
  g_autoptr (GArray) ids = g_steal_pointer (&engine->forgotten);
  g_mutex_unlock (&engine->forgotten_lock);
  tti_engine_lock (engine);
  g_hash_table_iter_init (&iter, engine->lives);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      TtiLife *life = value;

      life->events->forget (life, ids);
    }
  tti_engine_unlock (engine);
  return G_SOURCE_REMOVE;
}

void
tti_engine_forget (TtiEngine *engine, guint64 id)
{
  g_mutex_lock (&engine->forgotten_lock);
  gboolean is_first = engine->forgotten == NULL;

  if (is_first)
    engine->forgotten = g_array_new (FALSE, FALSE, sizeof id);
  g_array_append_val (engine->forgotten, id);
  g_mutex_unlock (&engine->forgotten_lock);
  if (!is_first)
    return;
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_static_name (source, "[tutti] forget held objects");
  g_source_set_callback (source, forget_all, engine, NULL);
  g_source_attach (source, engine->context);
}
