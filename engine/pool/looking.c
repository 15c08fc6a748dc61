/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is written for those who look at an engine: see viewers.c for how they come and go. */
#include "pool/engine-private.h"

enum
{
  PULSE_US = 500 * 1000,
  PULSES_PER_CLOCK = 2, /* it also shows that the engine is alive */
  CLOCK_TOLERANCE_US = 50 * 1000,
  MOST_PROGRESSES = 64
};

/* --- what is written --------------------------------------------------------------------------------------------------------- */

void
tti_engine_show_locked (TtiEngine *engine, TtiEventKind kind, gconstpointer data, const char *first, const char *second)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  if (tti_engine_is_watched_locked (engine))
    tti_event_write (engine->looking.ring, g_get_monotonic_time (), kind, data, first, second);
}

void
tti_engine_show_node_locked (TtiEngine *engine, TtiNode *node, const char *reason)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLookNode event = { .state = node->is_hopeless ? TTI_LOOK_NODE_HOPELESS : node->is_away ? TTI_LOOK_NODE_AWAY
                                 : node->is_draining ? TTI_LOOK_NODE_DRAINING : TTI_LOOK_NODE_THERE,
                        .is_here = node->shares_memory };

  tti_engine_show_locked (engine, TTI_EVENT_NODE, &event, tti_node_get_name (node), reason);
}

static void
engine_show_clock_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  gint64 now = g_get_monotonic_time ();
  TtiLookClock event = { .wall = g_get_real_time () };

  engine->looking.wall_offset = event.wall - now;
  tti_engine_show_locked (engine, TTI_EVENT_CLOCK, &event, NULL, NULL);
}

void
tti_engine_show_all_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLookSnapshot begin = { .begins = 1 }, end = { 0 };
  TtiLookNote note = { 0 };
  GHashTableIter iter;
  gpointer key, value;

  tti_engine_show_locked (engine, TTI_EVENT_SNAPSHOT, &begin, NULL, NULL);
  engine_show_clock_locked (engine);
  g_hash_table_iter_init (&iter, engine->looking.notes);
  while (g_hash_table_iter_next (&iter, &key, &value))
    tti_engine_show_locked (engine, TTI_EVENT_NOTE, &note, key, value);
  g_hash_table_iter_init (&iter, engine->looking.progresses);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const TtiEngineProgress *progress = value;

      tti_engine_show_locked (engine, TTI_EVENT_PROGRESS, &progress->state, progress->name, NULL);
    }
  for (guint i = 0; i < engine->nodes->len; i++)
    tti_engine_show_node_locked (engine, g_ptr_array_index (engine->nodes, i), NULL);
  for (guint i = 0; i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      end.more += client->ops->show (client);
    }
  tti_engine_show_failures_locked (engine);
  end.last = tti_engine_next_number ();
  tti_engine_show_locked (engine, TTI_EVENT_SNAPSHOT, &end, NULL, NULL);
}

void
tti_engine_show_task_locked (TtiEngine *engine, guint64 id)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  TtiLookAnswer begin = { .task = id, .begins = 1 }, end = { .task = id };

  tti_engine_show_locked (engine, TTI_EVENT_ANSWER, &begin, NULL, NULL);
  for (guint i = 0; i < engine->clients->len && !end.is_known; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      end.is_known = client->ops->show_task (client, id, &end.n_ahead);
    }
  tti_engine_show_locked (engine, TTI_EVENT_ANSWER, &end, NULL, NULL);
}

static gboolean
pulse_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  TtiEngine *engine = ((TtiEngineSource *) source)->engine;
  TtiLooking *looking = &engine->looking;

  (void) callback;
  (void) data;
  tti_engine_lock (engine);
  gint64 offset = g_get_real_time () - g_get_monotonic_time ();

  looking->n_pulses++;
  if (looking->n_pulses % PULSES_PER_CLOCK == 0 || ABS (offset - looking->wall_offset) > CLOCK_TOLERANCE_US)
    engine_show_clock_locked (engine);
  for (guint i = 0; looking->watched && i < engine->clients->len; i++)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->pulse (client);
    }
  g_source_set_ready_time (source, looking->watched ? g_get_monotonic_time () + PULSE_US : -1);
  tti_engine_unlock (engine);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs pulse_funcs = { .dispatch = pulse_dispatch };

/* --- what its users let others see ------------------------------------------------------------------------------------------- */

void
tti_engine_note (TtiEngine *engine, const char *key, const char *value)
{
  TtiLookNote event = { 0 };

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  if (value != NULL)
    g_hash_table_replace (engine->looking.notes, g_strdup (key), g_strdup (value));
  else
    g_hash_table_remove (engine->looking.notes, key);
  tti_engine_show_locked (engine, TTI_EVENT_NOTE, &event, key, value);
  tti_engine_unlock (engine);
}

static GMutex facts_lock; /* of the next */
static GHashTable *facts; /* notes of all engines, or NULL */

void
tti_looking_note (const char *key, const char *value)
{
  g_mutex_lock (&facts_lock);
  if (facts == NULL)
    facts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_replace (facts, g_strdup (key), g_strdup (value));
  g_mutex_unlock (&facts_lock);
}

static void
copy_facts (GHashTable *notes)
{
  GHashTableIter iter;
  gpointer key, value;

  g_mutex_lock (&facts_lock);
  if (facts != NULL)
    {
      g_hash_table_iter_init (&iter, facts);
      while (g_hash_table_iter_next (&iter, &key, &value))
        g_hash_table_replace (notes, g_strdup (key), g_strdup (value));
    }
  g_mutex_unlock (&facts_lock);
}

char *
tti_engine_get_note (TtiEngine *engine, const char *key)
{
  if (tti_engine_is_copy (NULL))
    return NULL;
  tti_engine_lock (engine);
  char *value = g_strdup (g_hash_table_lookup (engine->looking.notes, key));

  tti_engine_unlock (engine);
  return value;
}

guint64
tti_engine_next_progress (void)
{
  static guint64 last;

  return __atomic_add_fetch (&last, 1, __ATOMIC_RELAXED);
}

gboolean
tti_engine_is_watched (TtiEngine *engine)
{
  return __atomic_load_n (&engine->looking.watched, __ATOMIC_RELAXED);
}

static void
progress_free (gpointer data)
{
  TtiEngineProgress *progress = data;

  g_free (progress->name);
  g_free (progress);
}

/* Keep it for those who come later. Where there are very many that go on at once, those see the first of them. */
static void
engine_keep_progress_locked (TtiEngine *engine, const TtiLookProgress *state, const char *name)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  GHashTable *progresses = engine->looking.progresses;
  gpointer key = GSIZE_TO_POINTER ((gsize) state->progress);
  TtiEngineProgress *progress = g_hash_table_lookup (progresses, key);

  if (state->is_over)
    {
      g_hash_table_remove (progresses, key);
      return;
    }
  if (progress == NULL && g_hash_table_size (progresses) >= MOST_PROGRESSES)
    return;
  if (progress == NULL)
    {
      progress = g_new0 (TtiEngineProgress, 1);
      progress->name = g_strdup (name);
      g_hash_table_insert (progresses, key, progress);
    }
  progress->state = *state;
}

void
tti_engine_show_progress (TtiEngine *engine, const TtiLookProgress *progress, const char *name)
{
  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  engine_keep_progress_locked (engine, progress, name);
  tti_engine_show_locked (engine, TTI_EVENT_PROGRESS, progress, name, NULL);
  tti_engine_unlock (engine);
}

gboolean
tti_engine_wants_failure (TtiEngine *engine)
{
  if (tti_engine_is_watched (engine))
    return TRUE;
  if (tti_engine_is_copy (NULL))
    return FALSE;
  tti_engine_lock (engine);
  gboolean wants = tti_history_wants_item (&engine->history);

  tti_engine_unlock (engine);
  return wants;
}

void
tti_engine_show_item (TtiEngine *engine, guint64 task, guint64 item, const char *error)
{
  TtiLookItem event = { .task = task, .item = item };

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  tti_history_add_item (&engine->history, task, item, error);
  tti_engine_show_locked (engine, TTI_EVENT_ITEM, &event, error, NULL);
  tti_engine_unlock (engine);
}

void
tti_engine_show_told (TtiEngine *engine, const char *text)
{
  TtiLookTold event = { 0 };

  /* The word is read without the lock: one who has just come misses it. */
  if (!tti_engine_is_watched (engine) || tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  tti_engine_show_locked (engine, TTI_EVENT_TOLD, &event, text, NULL);
  tti_engine_unlock (engine);
}

/* --- its life ---------------------------------------------------------------------------------------------------------------- */

void
tti_engine_init_looking (TtiEngine *engine)
{
  TtiLooking *looking = &engine->looking;

  looking->viewers = g_ptr_array_new_with_free_func (tti_engine_viewer_drop);
  looking->companions = g_ptr_array_new_with_free_func (tti_companion_free);
  looking->notes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  looking->progresses = g_hash_table_new_full (NULL, NULL, NULL, progress_free);
  looking->began = g_get_real_time ();
  copy_facts (looking->notes);
  looking->pulse = tti_engine_add_source (engine, &pulse_funcs, sizeof (TtiEngineSource), "[tutti] pulse");
}

void
tti_engine_end_looking (TtiEngine *engine)
{
  TtiLookNote event = { 0 };

  tti_engine_lock (engine);
  tti_engine_close_door_locked (engine);
  tti_engine_show_locked (engine, TTI_EVENT_NOTE, &event, "end", "the engine was shut down");
  tti_engine_unlock (engine);
  tti_engine_end_companions (engine);
  tti_engine_lock (engine);
  __atomic_store_n (&engine->looking.watched, FALSE, __ATOMIC_RELAXED);
  g_ptr_array_set_size (engine->looking.viewers, 0);
  tti_engine_unlock (engine);
}

void
tti_engine_clear_looking (TtiEngine *engine)
{
  TtiLooking *looking = &engine->looking;

  g_clear_pointer (&looking->companions, g_ptr_array_unref);
  g_clear_pointer (&looking->viewers, g_ptr_array_unref);
  g_clear_pointer (&looking->notes, g_hash_table_unref);
  g_clear_pointer (&looking->progresses, g_hash_table_unref);
  g_clear_pointer (&looking->pulse, g_source_unref);
  g_clear_pointer (&looking->ring, tti_event_ring_free);
  g_clear_pointer (&looking->door_name, g_free);
  g_clear_pointer (&looking->kept_variables, g_strfreev);
}
