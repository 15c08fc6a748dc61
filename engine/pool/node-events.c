/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What nodes report, in the engine's thread, and the slots and pools that the engine reports it to. */
#include "pool/engine-private.h"

/* --- one worker -------------------------------------------------------------------------------------------------------------- */

static void
on_spawned (TtiNode *node, gpointer user_data, guint64 generation, int pid)
{
  TtiEngine *engine = user_data;

  (void) node;
  tti_engine_lock (engine);
  TtiLife *life = tti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->spawned (life, pid);
  tti_engine_unlock (engine);
}

static void
on_failed (TtiNode *node, gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TtiEngine *engine = user_data;

  (void) node;
  tti_engine_lock (engine);
  TtiLife *life = tti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->failed (life, saved_errno, message);
  tti_engine_unlock (engine);
}

static void
on_gone (TtiNode *node, gpointer user_data, guint64 generation)
{
  TtiEngine *engine = user_data;

  (void) node;
  tti_engine_lock (engine);
  TtiLife *life = tti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->gone (life);
  tti_engine_unlock (engine);
}

static void
on_exited (TtiNode *node, gpointer user_data, guint64 generation, const TtiWorkerExit *exit)
{
  TtiEngine *engine = user_data;

  (void) node;
  tti_engine_lock (engine);
  TtiLife *life = tti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->exited (life, exit);
  else
    g_hash_table_remove (engine->given_up, &generation);
  tti_engine_unlock (engine);
  if (exit->n_left > 0)
    tti_engine_tell (engine, "%s", exit->detail);
}

static void
on_stopped (TtiNode *node, gpointer user_data, guint64 generation, int signal)
{
  TtiEngine *engine = user_data;

  (void) node;
  tti_engine_lock (engine);
  TtiLife *life = tti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->stopped (life, signal);
  tti_engine_unlock (engine);
}

/* --- all workers of a node --------------------------------------------------------------------------------------------------- */

static void
on_lost (TtiNode *node, gpointer user_data, const char *reason)
{
  TtiEngine *engine = user_data;

  tti_engine_lock (engine);
  node->is_away = TRUE;
  node->is_draining = FALSE;
  tti_engine_show_node_locked (engine, node, reason);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_lost (client, node, reason);
    }
  g_autoptr (GList) lives = tti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TtiLife *life = l->data;

      if (life->node != node)
        continue;
      life->lost = TRUE;
      life->events->lost (life, reason);
    }
  tti_engine_unlock (engine);
}

/* What the lost workers had started is gone: their lives end. */
static void
on_settled (TtiNode *node, gpointer user_data)
{
  TtiEngine *engine = user_data;

  tti_engine_lock (engine);
  g_autoptr (GList) lives = tti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TtiLife *life = l->data;

      if (life->node == node && life->lost)
        life->events->settled (life);
    }
  tti_engine_unlock (engine);
}

void
tti_engine_settle_locked (TtiEngine *engine)
{
  TTI_ASSERT_LOCKED (&engine->lock);
  g_autoptr (GList) lives = tti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TtiLife *life = l->data;

      life->events->settled (life);
    }
}

static void
on_draining (TtiNode *node, gpointer user_data, const char *reason)
{
  TtiEngine *engine = user_data;

  tti_engine_lock (engine);
  node->is_draining = !node->is_away;
  tti_engine_show_node_locked (engine, node, reason);
  for (guint i = engine->clients->len; node->is_draining && i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_draining (client, node, reason);
    }
  tti_engine_unlock (engine);
}

static void
on_ready (TtiNode *node, gpointer user_data)
{
  TtiEngine *engine = user_data;

  tti_engine_lock (engine);
  node->is_away = node->is_hopeless = node->is_draining = FALSE;
  tti_engine_show_node_locked (engine, node, NULL);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_ready (client, node);
    }
  tti_engine_unlock (engine);
}

static void
on_hopeless (TtiNode *node, gpointer user_data, const GError *error)
{
  TtiEngine *engine = user_data;

  tti_engine_lock (engine);
  node->is_away = node->is_hopeless = TRUE;
  tti_engine_show_node_locked (engine, node, error->message);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TtiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_hopeless (client, node, error);
    }
  tti_engine_unlock (engine);
}

static void
on_message (TtiNode *node, gpointer user_data, const char *message)
{
  (void) node;
  tti_engine_tell (user_data, "%s", message);
}

const TtiNodeEvents *
tti_engine_get_node_events (void)
{
  static const TtiNodeEvents events = {
    .spawned = on_spawned, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_stopped,
    .lost = on_lost, .settled = on_settled, .ready = on_ready, .draining = on_draining, .hopeless = on_hopeless, .message = on_message,
  };

  return &events;
}
