/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* On which node which worker of a pool is, and what becomes of those whose node is lost, comes to its end, or is there again.
 *
 * Workers are placed in blocks, so that neighbours, which have neighbouring items, are on one node. A worker that takes the place of
 * another is started on the node, of those that are there, which has the fewest: so a pool goes on with the nodes that it has, keeps
 * its size, and what is pinned to a worker is done wherever that is now.
 *
 * Workers move when they have done what they run: from a node that comes to its end, if there is another, and to a node that is there
 * again or joins, until it has its share. */
#include "platform/error.h"
#include "pool/pool-private.h"

enum
{
  MOST_NAMED = 3,
  FULL_US = 5 * G_USEC_PER_SEC /* for how long a node that had no room is asked only if no other is there */
};

static TtiPoolNode *
pool_get_node (TtiPool *pool, guint i)
{
  return &g_array_index (pool->nodes, TtiPoolNode, i);
}

static TtiPoolNode *
pool_find_node (TtiPool *pool, TtiNode *node)
{
  for (guint i = 0; i < pool->nodes->len; i++)
    if (pool_get_node (pool, i)->node == node)
      return pool_get_node (pool, i);
  return NULL;
}

/* Can workers be started there? */
static gboolean
node_is_open (const TtiPoolNode *node)
{
  return !node->node->is_away && !node->node->is_draining;
}

static gboolean
pool_has_open_node_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->nodes->len; i++)
    if (node_is_open (pool_get_node (pool, i)))
      return TRUE;
  return FALSE;
}

/* --- choosing ---------------------------------------------------------------------------------------------------------------- */

/* The number of workers that each node has for good, but for SLOT's. Free with g_free. */
static guint *
pool_count_by_node_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint *counts = g_new0 (guint, pool->nodes->len);

  for (guint i = 0; i < pool->goal && i < pool->n_slots; i++)
    if (pool->slots[i] != slot && pool->slots[i]->worker != NULL && !pool->slots[i]->resting)
      counts[pool->restarts[i].here]++;
  return counts;
}

static gboolean
node_is_full (const TtiPoolNode *node, gint64 now)
{
  return node->full_until > now;
}

/* Has the node with NUMBER what N workers are to have? */
static gboolean
pool_fits_locked (TtiPool *pool, guint number, guint n)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiNodeProgram program = { .program = pool->program.program, .argv = (const char *const *) pool->program.argv,
                                   .envp = (const char *const *) pool->program.environment, .n_cpus = pool->program.n_cpus,
                                   .n_gpus = pool->program.n_gpus };

  return (program.n_cpus == 0 && program.n_gpus == 0) || tti_node_has_room (pool_get_node (pool, number)->node, &program, n, NULL);
}

/* Can a worker be asked for on the node with NUMBER, which was not tried? On one that comes to its end only if there is no other. */
static gboolean
pool_may_ask_locked (TtiPool *pool, guint number)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiPoolNode *node = pool_get_node (pool, number);

  return !node->tried && !node->node->is_away && (node_is_open (node) || !pool_has_open_node_locked (pool));
}

/* The number of the node for SLOT's next worker whatever the others have; -1: any that is there. */
static int
pool_find_own_node_locked (TtiPool *pool, TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiRestart *restart = &pool->restarts[slot->index];

  /* A task that runs has been lent what the slot has there. */
  if (slot->leader != NULL && pool_may_ask_locked (pool, restart->here))
    return (int) restart->here;
  if (pool_may_ask_locked (pool, restart->home)
      && (pool->nodes->len == 1 || (pool->starting && !node_is_full (pool_get_node (pool, restart->home), now))))
    return (int) restart->home;
  return -1;
}

/* The number of the node for SLOT's next worker, of those that were not tried; -1: none is there. */
static int
pool_choose_node_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint home = pool->restarts[slot->index].home;
  gint64 now = g_get_monotonic_time ();
  int best = pool_find_own_node_locked (pool, slot, now);
  gboolean best_full = TRUE;

  if (best >= 0)
    return best;
  g_autofree guint *counts = pool_count_by_node_locked (pool, slot);

  /* Its own first: another must be better. */
  for (guint i = 0; i < pool->nodes->len; i++)
    {
      guint number = (home + i) % pool->nodes->len;
      gboolean full = node_is_full (pool_get_node (pool, number), now) || !pool_fits_locked (pool, number, counts[number] + 1);

      if (!pool_may_ask_locked (pool, number)
          || (best >= 0 && (full > best_full || (full == best_full && !(counts[number] < counts[best])))))
        continue;
      best = (int) number;
      best_full = full;
    }
  return best;
}

void
tti_pool_note_full_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  pool_get_node (pool, pool->restarts[slot->index].here)->full_until = g_get_monotonic_time () + FULL_US;
}

static gboolean
pool_start_on_locked (TtiPool *pool, TtiSlot *slot, guint number, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiPoolNode *node = pool_get_node (pool, number);

  node->tried = TRUE;
  pool->restarts[slot->index].here = number;
  slot->life.node = node->node;
  return tti_slot_start_locked (slot, error);
}

gboolean
tti_pool_place_worker_locked (TtiPool *pool, TtiSlot *slot, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint home = pool->restarts[slot->index].home;
  g_autoptr (GError) shortage = NULL;
  int number;

  for (guint i = 0; i < pool->nodes->len; i++)
    pool_get_node (pool, i)->tried = FALSE;
  /* One that is not there any more, of which we have not heard yet, refuses; so does one that has no room. */
  while ((number = pool_choose_node_locked (pool, slot)) >= 0)
    {
      g_autoptr (GError) problem = NULL;

      if (!pool_start_on_locked (pool, slot, (guint) number, &problem))
        {
          if (!g_error_matches (problem, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE))
            {
              g_propagate_error (error, g_steal_pointer (&problem));
              return FALSE;
            }
          tti_pool_note_full_locked (pool, slot);
          if (shortage == NULL)
            shortage = g_steal_pointer (&problem);
        }
      else if (slot->worker != NULL)
        return TRUE;
    }
  if (shortage != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&shortage));
      return FALSE;
    }
  /* It is asked for, in case that it does not come back by itself. */
  if (pool_get_node (pool, home)->node->is_away && !pool_get_node (pool, home)->tried)
    return pool_start_on_locked (pool, slot, home, error);
  return TRUE;
}

/* --- what people are told ---------------------------------------------------------------------------------------------------- */

/* On one machine there is only one node, which comes back at once: its workers' deaths are told. */
static gboolean
pool_is_spread (TtiPool *pool)
{
  return pool->nodes->len > 1 || !pool_get_node (pool, 0)->node->shares_memory;
}

static gboolean
pool_is_going_on_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  return pool->state == POOL_OPEN && pool->failure == NULL;
}

/* "going on with n1, n2 and n3", or that it waits. Free with g_free. */
static char *
pool_describe_others_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < pool->nodes->len; i++)
    if (node_is_open (pool_get_node (pool, i)))
      g_ptr_array_add (names, (gpointer) tti_node_get_name (pool_get_node (pool, i)->node));
  for (guint i = 0; names->len == 0 && i < pool->nodes->len; i++)
    if (!pool_get_node (pool, i)->node->is_away)
      return g_strdup ("going on there, as there is no other node");
  if (names->len == 0)
    return g_strdup ("waiting for a node");
  GString *text = g_string_new ("going on with ");

  for (guint i = 0; i < names->len && i < MOST_NAMED; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : i + 1 == names->len ? " and " : ", ", (char *) g_ptr_array_index (names, i));
  if (names->len > MOST_NAMED)
    g_string_append_printf (text, " and %u other%s", names->len - MOST_NAMED, names->len - MOST_NAMED == 1 ? "" : "s");
  return g_string_free (text, FALSE);
}

static const char *
plural (guint n)
{
  return n == 1 ? "" : "s";
}

/* NODE is as WORDS say, for REASON: "NAME: node n2 WORDS: REASON (4 workers, at 3 tasks); going on with n1". */
static void
pool_tell_of_node_locked (TtiPool *pool, TtiNode *node, const char *words, const char *reason)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autofree char *others = pool_describe_others_locked (pool);
  guint n_workers = 0, n_tasks = 0;

  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker != NULL && pool->slots[i]->life.node == node)
      {
        n_workers++;
        n_tasks += pool->slots[i]->running.length > 0 ? 1 : 0;
      }
  if (n_workers > 0)
    tti_engine_tell (pool->engine, "%s: node %s %s: %s (%u worker%s, at %u task%s); %s", pool->name, tti_node_get_name (node), words,
                     reason, n_workers, plural (n_workers), n_tasks, plural (n_tasks), others);
  else
    tti_engine_tell (pool->engine, "%s: node %s %s: %s", pool->name, tti_node_get_name (node), words, reason);
}

/* --- losses ------------------------------------------------------------------------------------------------------------------ */

void
tti_pool_note_lost_locked (TtiPool *pool, TtiNode *node, const char *reason)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiPoolNode *ours = pool_find_node (pool, node);

  if (ours == NULL || !pool_is_going_on_locked (pool) || !pool_is_spread (pool))
    return;
  ours->missed = TRUE;
  pool_tell_of_node_locked (pool, node, "is lost", reason);
}

/* SLOT's worker gets nothing more; when it has done what it runs it ends, and the next is started where there is room for it. */
static void
pool_move_locked (TtiPool *pool, TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  slot->resting = TRUE;
  tti_slot_recall_all_locked (slot, TRUE);
  tti_pool_release_locked (pool, slot);
}

/* Workers on nodes that come to their end go on elsewhere, if they can. */
static void
pool_leave_draining_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (!pool_has_open_node_locked (pool))
    return;
  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->worker != NULL && !slot->resting && slot->life.node->is_draining)
        pool_move_locked (pool, slot);
    }
}

/* The worker that moves from node FROM to node TO: one that belongs there, or the last; NULL: none can. */
static TtiSlot *
pool_find_mover_locked (TtiPool *pool, guint from, guint to)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiSlot *found = NULL;

  for (guint i = MIN (pool->goal, pool->n_slots); i-- > 0;)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->worker == NULL || slot->resting || slot->leader != NULL || pool->restarts[i].here != from)
        continue;
      if (pool->restarts[i].home == to)
        return slot;
      if (found == NULL)
        found = slot;
    }
  return found;
}

/* Node TO has room again: workers move there from those that have more, until it has its share. The number of them. */
static guint
pool_balance_locked (TtiPool *pool, guint to)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autofree guint *counts = pool_count_by_node_locked (pool, NULL);

  for (guint n = 0;; n++)
    {
      guint from = to;

      for (guint i = 0; i < pool->nodes->len; i++)
        if (counts[i] > counts[from])
          from = i;
      TtiSlot *slot = counts[from] > counts[to] + 1 ? pool_find_mover_locked (pool, from, to) : NULL;

      if (slot == NULL || pool->starting || !pool_fits_locked (pool, to, counts[to] + 1))
        return n;
      counts[from]--;
      counts[to]++;
      pool_move_locked (pool, slot);
    }
}

/* NODE can have workers, as WORDS say: those start that wait for a node, also for one that has room, and others move there. */
static void
pool_note_room_locked (TtiPool *pool, TtiPoolNode *node, const char *words)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  node->full_until = 0;
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker == NULL && pool->restarts[i].short_since != 0)
      pool->restarts[i].start_at = 0;
  tti_pool_start_waiting_locked (pool);
  pool_leave_draining_locked (pool);
  guint n = node_is_open (node) ? pool_balance_locked (pool, (guint) (node - pool_get_node (pool, 0))) : 0;

  if (words != NULL && n > 0)
    tti_engine_tell (pool->engine, "%s: node %s %s; %u worker%s there", pool->name, tti_node_get_name (node->node), words, n,
                     n == 1 ? " moves" : "s move");
  else if (words != NULL)
    tti_engine_tell (pool->engine, "%s: node %s %s", pool->name, tti_node_get_name (node->node), words);
  tti_pool_dispatch_locked (pool);
}

void
tti_pool_note_ready_locked (TtiPool *pool, TtiNode *node)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiPoolNode *ours = pool_find_node (pool, node);

  if (ours == NULL || !pool_is_going_on_locked (pool))
    return;
  const char *words = ours->missed ? "is there again" : NULL;

  ours->missed = FALSE;
  pool_note_room_locked (pool, ours, words);
}

void
tti_pool_note_hopeless_locked (TtiPool *pool, TtiNode *node, const GError *error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean hopeless = TRUE;

  if (pool_find_node (pool, node) == NULL || !pool_is_going_on_locked (pool))
    return;
  for (guint i = 0; i < pool->nodes->len; i++)
    hopeless = hopeless && pool_get_node (pool, i)->node->is_hopeless;
  if (hopeless)
    tti_pool_fail_locked (pool, g_error_copy (error), NULL);
  else
    tti_pool_start_waiting_locked (pool);
}

/* --- before a loss ----------------------------------------------------------------------------------------------------------- */

/* What its workers have not begun is handed over at once; then they end, each when it has done what it runs. Without any other node
 * there is nobody to hand anything to: they go on while they can. */
void
tti_pool_note_draining_locked (TtiPool *pool, TtiNode *node, const char *reason)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool_find_node (pool, node) == NULL || !pool_is_going_on_locked (pool))
    return;
  pool_tell_of_node_locked (pool, node, "is draining", reason);
  pool_leave_draining_locked (pool);
  tti_pool_dispatch_locked (pool);
}

void
tti_pool_add_node (TtiPool *pool, TtiNode *node)
{
  TtiEngine *engine = pool->engine;

  if (tti_engine_is_copy (NULL))
    return;
  tti_engine_lock (engine);
  const TtiPoolNode new = { .node = node };

  if (pool_find_node (pool, node) == NULL)
    {
      g_array_append_val (pool->nodes, new);
      if (pool_is_going_on_locked (pool) && !node->is_away)
        pool_note_room_locked (pool, pool_find_node (pool, node), "joins");
    }
  tti_engine_unlock (engine);
}
