/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What nodes report, in the engine's thread, and the slots and pools that the engine reports it to. */
#include "pool/engine-private.h"

/* --- one worker -------------------------------------------------------------------------------------------------------------- */

static void
on_spawned (TuttiNode *node, gpointer user_data, guint64 generation, int pid)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiLife *life = tutti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->spawned (life, pid);
  tutti_engine_unlock (engine);
}

static void
on_failed (TuttiNode *node, gpointer user_data, guint64 generation, int saved_errno, const char *message)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiLife *life = tutti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->failed (life, saved_errno, message);
  tutti_engine_unlock (engine);
}

static void
on_gone (TuttiNode *node, gpointer user_data, guint64 generation)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiLife *life = tutti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->gone (life);
  tutti_engine_unlock (engine);
}

static void
on_exited (TuttiNode *node, gpointer user_data, guint64 generation, const TuttiWorkerExit *exit)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiLife *life = tutti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->exited (life, exit);
  else
    g_hash_table_remove (engine->given_up, &generation);
  tutti_engine_unlock (engine);
  if (exit->n_left > 0)
    g_printerr ("tutti: %s\n", exit->detail);
}

static void
on_stopped (TuttiNode *node, gpointer user_data, guint64 generation, int signal)
{
  TuttiEngine *engine = user_data;

  (void) node;
  tutti_engine_lock (engine);
  TuttiLife *life = tutti_engine_find_life_locked (engine, generation);

  if (life != NULL)
    life->events->stopped (life, signal);
  tutti_engine_unlock (engine);
}

/* --- all workers of a node --------------------------------------------------------------------------------------------------- */

static void
on_lost (TuttiNode *node, gpointer user_data, const char *reason)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  g_autoptr (GList) lives = tutti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TuttiLife *life = l->data;

      if (life->node != node)
        continue;
      life->lost = TRUE;
      life->events->lost (life, reason);
    }
  tutti_engine_unlock (engine);
}

/* What the lost workers had started is gone: their lives end. */
static void
on_settled (TuttiNode *node, gpointer user_data)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  g_autoptr (GList) lives = tutti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TuttiLife *life = l->data;

      if (life->node == node && life->lost)
        life->events->settled (life);
    }
  tutti_engine_unlock (engine);
}

void
tutti_engine_settle_locked (TuttiEngine *engine)
{
  TUTTI_ASSERT_LOCKED (&engine->lock);
  g_autoptr (GList) lives = tutti_engine_list_lives_locked (engine);

  for (GList *l = lives; l != NULL; l = l->next)
    {
      TuttiLife *life = l->data;

      life->events->settled (life);
    }
}

static void
on_ready (TuttiNode *node, gpointer user_data)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_ready (client, node);
    }
  tutti_engine_unlock (engine);
}

static void
on_hopeless (TuttiNode *node, gpointer user_data, const GError *error)
{
  TuttiEngine *engine = user_data;

  tutti_engine_lock (engine);
  for (guint i = engine->clients->len; i-- > 0;)
    {
      TuttiEngineClient *client = g_ptr_array_index (engine->clients, i);

      client->ops->node_hopeless (client, node, error);
    }
  tutti_engine_unlock (engine);
}

const TuttiNodeEvents *
tutti_engine_get_node_events (void)
{
  static const TuttiNodeEvents events = {
    .spawned = on_spawned, .failed = on_failed, .gone = on_gone, .exited = on_exited, .stopped = on_stopped,
    .lost = on_lost, .settled = on_settled, .ready = on_ready, .hopeless = on_hopeless,
  };

  return &events;
}
