/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What its engine asks of a pool, and tells it. */
#include "pool/pool-private.h"

static TuttiPool *
pool_of_client (TuttiEngineClient *client)
{
  return (TuttiPool *) client;
}

/* --- mailboxes -------------------------------------------------------------------------------------------------------------- */

static gboolean
pool_poll (TuttiEngineClient *client, gboolean all)
{
  TuttiPool *pool = pool_of_client (client);
  gboolean taken = FALSE;

  for (guint i = 0; i < pool->size && pool->state != POOL_QUIET; i++)
    if ((all || pool->slots[i].running.length > 0) && tutti_slot_is_heard_locked (&pool->slots[i])
        && tutti_transport_has_message (pool->slots[i].worker->transport))
      {
        tutti_slot_poll_mailbox_locked (&pool->slots[i]);
        taken = TRUE;
      }
  return taken;
}

static gboolean
pool_park (TuttiEngineClient *client, gboolean park)
{
  TuttiPool *pool = pool_of_client (client);
  gboolean parked = TRUE;

  for (guint i = 0; i < pool->size && pool->state != POOL_QUIET; i++)
    if (!tutti_slot_is_heard_locked (&pool->slots[i]))
      continue;
    else if (park)
      parked = tutti_transport_park (pool->slots[i].worker->transport) && parked;
    else
      tutti_transport_unpark (pool->slots[i].worker->transport);
  return parked;
}

/* --- time ------------------------------------------------------------------------------------------------------------------- */

static void
pool_relieve (TuttiEngineClient *client)
{
  tutti_pool_relieve_locked (pool_of_client (client));
}

static void
pool_look_at_deadlines (TuttiEngineClient *client, gint64 due, gint64 now)
{
  TuttiPool *pool = pool_of_client (client);

  for (guint i = 0; i < pool->size; i++)
    {
      if (due >= 0)
        tutti_slot_note_lateness_locked (&pool->slots[i], due, now);
      tutti_slot_look_at_deadlines_locked (&pool->slots[i], now);
    }
}

/* --- nodes ------------------------------------------------------------------------------------------------------------------ */

static void
pool_node_ready (TuttiEngineClient *client, TuttiNode *node)
{
  TuttiPool *pool = pool_of_client (client);

  for (guint i = 0; i < pool->size && pool->state == POOL_OPEN && pool->failure == NULL; i++)
    {
      g_autoptr (GError) error = NULL;

      if (pool->slots[i].life.node == node && pool->slots[i].worker == NULL && !tutti_slot_start_locked (&pool->slots[i], &error))
        tutti_pool_fail_locked (pool, g_steal_pointer (&error), NULL);
    }
}

/* A pool that has workers elsewhere goes on with these. */
static void
pool_node_hopeless (TuttiEngineClient *client, TuttiNode *node, const GError *error)
{
  TuttiPool *pool = pool_of_client (client);
  guint n_here = 0, n_living = 0;

  for (guint i = 0; i < pool->size; i++)
    if (pool->slots[i].life.node == node)
      n_here++;
    else if (pool->slots[i].worker != NULL)
      n_living++;
  if (n_here == 0 || pool->state != POOL_OPEN || pool->failure != NULL)
    return;
  if (n_living == 0)
    tutti_pool_fail_locked (pool, g_error_copy (error), NULL);
  for (guint i = 0; n_living > 0 && i < pool->size; i++)
    if (pool->slots[i].life.node == node)
      tutti_slot_give_up_short_locked (&pool->slots[i], error->message);
}

/* --- the end ---------------------------------------------------------------------------------------------------------------- */

static void
pool_close (TuttiEngineClient *client, int grace_ms)
{
  tutti_pool_close_locked (pool_of_client (client), grace_ms);
}

static gboolean
pool_is_quiet (TuttiEngineClient *client)
{
  return pool_of_client (client)->state == POOL_QUIET;
}

static void
pool_end (TuttiEngineClient *client)
{
  tutti_pool_end_output (pool_of_client (client));
}

static void
pool_free (TuttiEngineClient *client)
{
  tutti_pool_free (pool_of_client (client));
}

const TuttiEngineClientOps tutti_pool_client_ops = {
  .poll = pool_poll, .park = pool_park, .relieve = pool_relieve, .look_at_deadlines = pool_look_at_deadlines,
  .node_ready = pool_node_ready, .node_hopeless = pool_node_hopeless,
  .close = pool_close, .is_quiet = pool_is_quiet, .end = pool_end, .free = pool_free,
};
