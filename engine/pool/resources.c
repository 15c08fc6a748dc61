/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Tasks that need more than their worker has, and the places of workers on nodes.
 *
 * A wide task is one that needs the share of several slots: it runs on the worker of one of them, the leader, which is lent what the nodes
 * gave to the others; and these, the slots beside, run nothing meanwhile.
 *
 * Its turn comes when no older task waits for any worker. Then it makes a claim: slots of one node that have nothing to run are held, and
 * those that become free later, until there are enough. So it waits no longer than tasks that were begun before it, however many come
 * after. Only one task claims at a time: two that had each a half of what they need would wait for ever. What waits behind, also for one
 * worker only, runs on slots that are not held, or when these are given back.
 *
 * Slots are held from the claim until the leader has answered or is dead: a task that was cancelled still runs until then. A claim alone
 * ends with its task, and also if the leader has to make something first, since whatever makes that may need the other slots. */
#include "platform/error.h"
#include "pool/pool-private.h"

/* How many slots a task needs of which each has EACH of something, 0: that is not known. */
static guint
slots_for (guint64 wanted, guint64 each)
{
  return wanted == 0 || each == 0 ? 1 : (guint) MIN ((wanted - 1) / each + 1, G_MAXUINT);
}

static guint
pool_count_on_locked (TtiPool *pool, TtiNode *node)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint n = 0;

  for (guint i = 0; i < pool->size; i++)
    n += pool->slots[i]->life.node == node;
  return n;
}

/* What each slot of POOL on NODE, which has N_HERE of them, has of its memory; 0: that is not known. */
static guint64
pool_memory_of_each (TtiPool *pool, TtiNode *node, guint n_here)
{
  return pool->program.memory_limit > 0 ? pool->program.memory_limit : tti_node_get_memory (node) / MAX (n_here, 1);
}

/* How many slots TASK needs on NODE, of which POOL has N_HERE. */
static guint
pool_count_needed (TtiPool *pool, TtiTask *task, TtiNode *node, guint n_here)
{
  return MAX (slots_for (task->n_cpus, MAX (pool->program.n_cpus, 1)),
              task->memory > 0 ? slots_for (task->memory, pool_memory_of_each (pool, node, n_here)) : 1);
}

/* The slot whose worker TASK is for; NULL: any. */
static TtiSlot *
pool_find_pinned_slot_locked (TtiPool *pool, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (task->pinned_to < 0)
    return NULL;
  return pool->slots[task->slot >= 0 ? (guint) task->slot : tti_queue_get_slot_locked (&pool->queue, (guint) task->pinned_to)];
}

/* May TASK run on NODE, if it has enough slots? */
static gboolean
pool_may_run_on_locked (TtiPool *pool, TtiTask *task, TtiNode *node)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiSlot *slot = pool_find_pinned_slot_locked (pool, task);

  return slot == NULL || slot->life.node == node;
}

/* Why TASK cannot run. */
static void
pool_refuse_locked (TtiPool *pool, TtiTask *task, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint most = 0, needed = slots_for (task->n_cpus, MAX (pool->program.n_cpus, 1));
  guint64 memory = 0;

  for (guint i = 0; i < pool->nodes->len; i++)
    {
      TtiNode *node = g_array_index (pool->nodes, TtiPoolNode, i).node;
      guint n = pool_may_run_on_locked (pool, task, node) ? pool_count_on_locked (pool, node) : 0;

      most = MAX (most, n);
      memory = MAX (memory, n * pool_memory_of_each (pool, node, n));
    }
  if (needed > most)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "the task needs %u processors, which are those of %u workers on one machine, but %s has %u there at most", task->n_cpus,
                 needed, pool->name, most);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_ARGUMENT,
                 "the task needs %.1f MB of memory, but all workers of %s on one machine have %.1f MB together at most",
                 (double) task->memory / 1e6, pool->name, (double) memory / 1e6);
}

gboolean
tti_pool_measure_task_locked (TtiPool *pool, TtiTask *task, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  gboolean fits = FALSE;

  task->is_wide = FALSE;
  if ((task->n_cpus <= 1 && task->memory == 0) || task->makes != NULL)
    return TRUE;
  for (guint i = 0; i < pool->nodes->len; i++)
    {
      TtiNode *node = g_array_index (pool->nodes, TtiPoolNode, i).node;
      guint n_here = pool_count_on_locked (pool, node);
      guint needed = n_here > 0 ? pool_count_needed (pool, task, node, n_here) : 0;

      if (n_here == 0 || !pool_may_run_on_locked (pool, task, node))
        continue;
      fits = fits || needed <= n_here;
      task->is_wide = task->is_wide || needed > 1;
    }
  if (!fits)
    pool_refuse_locked (pool, task, error);
  return fits;
}

/* --- holding ---------------------------------------------------------------------------------------------------------------- */

/* LEADER has what the N_HELD slots have that are held for it, or only its own if N_HELD is 0. */
static void
pool_lend_locked (TtiPool *pool, TtiSlot *leader, guint n_held)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autofree guint64 *places = g_new (guint64, pool->n_slots);
  guint n = 0;

  if (leader->worker == NULL || (pool->program.n_cpus == 0 && pool->program.memory_limit == 0))
    return;
  for (guint i = 0; n_held > 0 && i < pool->n_slots; i++)
    if (pool->slots[i]->leader == leader && pool->slots[i] != leader)
      places[n++] = pool->slots[i]->place;
  tti_node_lend (leader->life.node, leader->life.generation, places, n, pool->program.memory_limit * MAX (n_held, 1));
}

/* Give back what is held for LEADER. Meanwhile the pool may have shrunk, or their node may have begun to come to its end. */
static void
pool_give_back_locked (TtiPool *pool, TtiSlot *leader)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->leader != leader)
        continue;
      slot->held = FALSE;
      slot->leader = NULL;
      if (slot->resting || i >= pool->goal)
        tti_pool_release_locked (pool, slot);
    }
}

/* Leaders that have ended their tasks give back what was held for them. */
static void
pool_end_holds_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots && pool->n_leaders > 0; i++)
    {
      TtiSlot *slot = pool->slots[i];

      if (slot->leader != slot || slot->running.length > 0)
        continue;
      pool_lend_locked (pool, slot, 0);
      pool_give_back_locked (pool, slot);
      pool->n_leaders--;
    }
}

/* Nothing is held for the claim. */
static void
pool_release_claimed_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->leader == NULL)
      pool->slots[i]->held = FALSE;
}

void
tti_pool_note_wide_end_locked (TtiPool *pool, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (!task->is_wide)
    return;
  pool->n_wide--;
  if (pool->claim.task == task)
    {
      pool->claim = (TtiClaim){ 0 };
      pool_release_claimed_locked (pool);
    }
  if (task->state == TTI_TASK_RUNNING)
    return;
  /* What it has kept waiting is given out by the engine's thread: whoever ends it may be about to do something else. */
  tti_engine_set_deadline_locked (pool->engine, g_get_monotonic_time ());
  pool->must_dispatch = TRUE;
}

/* --- claiming --------------------------------------------------------------------------------------------------------------- */

/* The task in front of LIST, if it is a wide one, or NULL. */
static TtiTask *
pool_peek_wide_locked (TtiPool *pool, GQueue *list)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *task = tti_queue_peek_locked (&pool->queue, list);

  return task != NULL && task->is_wide ? task : NULL;
}

/* By what is TASK older than others? */
static guint64
task_get_turn (const TtiTask *task)
{
  return task->is_wide ? task->turn : task->id;
}

/* The wide task whose turn it is, or NULL. */
static TtiTask *
pool_find_wide_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *oldest = pool_peek_wide_locked (pool, &pool->queue.wide);
  const TtiTask *any = tti_queue_peek_locked (&pool->queue, &pool->queue.any);

  for (guint i = 0; i < pool->size; i++)
    {
      TtiTask *pinned = pool_peek_wide_locked (pool, &pool->queue.pinned[i]);

      if (pinned != NULL && (oldest == NULL || pinned->turn < oldest->turn))
        oldest = pinned;
    }
  return oldest != NULL && (any == NULL || oldest->turn < any->id) ? oldest : NULL;
}

/* Has SLOT nothing to do that comes before TASK? */
static gboolean
slot_is_free_for_locked (TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiTask *pinned = tti_queue_peek_locked (slot->queue, &slot->queue->pinned[slot->index]);

  return slot->running.length == 0 && slot->leader == NULL && !slot->resting
         && (pinned == NULL || pinned == task || task_get_turn (pinned) > task->turn);
}

/* Can SLOT's worker begin a task now, and be lent something? The node knows it by then. */
static gboolean
slot_is_idle_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  return slot->worker != NULL && slot->worker->transport != NULL && slot->worker->state == TTI_WORKER_IDLE && slot->worker->pid > 0
         && !slot->resting && slot->running.length == 0;
}

/* Where TASK is to claim slots: the node of which the most, beyond what it needs there, are free; NULL: none has enough at all. */
static TtiNode *
pool_choose_node_locked (TtiPool *pool, TtiTask *task, guint *needed)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiNode *best = NULL;
  int most_left = G_MININT;

  for (guint i = 0; i < pool->nodes->len; i++)
    {
      TtiNode *node = g_array_index (pool->nodes, TtiPoolNode, i).node;
      guint n_here = pool_count_on_locked (pool, node), n_needed = n_here > 0 ? pool_count_needed (pool, task, node, n_here) : 0;
      int left = -(int) n_needed;

      if (n_here == 0 || n_needed > n_here || !pool_may_run_on_locked (pool, task, node))
        continue;
      for (guint k = 0; k < pool->size; k++)
        left += pool->slots[k]->life.node == node && slot_is_free_for_locked (pool->slots[k], task);
      /* Where it has begun to wait, its turn comes; elsewhere it may be overtaken. */
      if (node == pool->claim.node && left < 0)
        left = -1;
      if (best != NULL && (left < most_left || (left == most_left && node != pool->claim.node)))
        continue;
      best = node;
      most_left = left;
      *needed = n_needed;
    }
  return best;
}

/* Hold SLOT for TASK, if it can be, and is of the node of the claim. */
static guint
pool_hold_locked (TtiPool *pool, TtiSlot *slot, TtiTask *task)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (slot->held || slot->life.node != pool->claim.node || !slot_is_free_for_locked (slot, task))
    return 0;
  slot->held = TRUE;
  return 1;
}

/* Hold what is free of the NEEDED slots, and return the one that leads: that of the only worker which may run TASK, or of the one that has
 * made something for it, or the first that can. NULL: not all are there yet. */
static TtiSlot *
pool_hold_slots_locked (TtiPool *pool, TtiTask *task, guint needed)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  int index = task->pinned_to >= 0 ? task->slot : task->prepared_by;
  TtiSlot *wanted = index >= 0 && index < (int) pool->size ? pool->slots[index] : NULL;
  gboolean has_wanted = wanted != NULL && slot_is_idle_locked (wanted) && pool_hold_locked (pool, wanted, task);
  TtiSlot *leader = has_wanted ? wanted : NULL;
  guint n = has_wanted, most = task->pinned_to >= 0 && !has_wanted ? needed - 1 : needed;

  for (guint i = 0; i < pool->size && n < most; i++)
    if (slot_is_idle_locked (pool->slots[i]) && pool_hold_locked (pool, pool->slots[i], task))
      {
        leader = leader != NULL || task->pinned_to >= 0 ? leader : pool->slots[i];
        n++;
      }
  /* A slot whose worker is yet to come runs nothing either. */
  for (guint i = 0; i < pool->size && n < most; i++)
    n += pool_hold_locked (pool, pool->slots[i], task);
  return n == needed ? leader : NULL;
}

/* Run TASK on the worker of LEADER, which N slots are held for, or what that has to make first. */
static void
pool_run_wide_locked (TtiPool *pool, TtiTask *task, TtiSlot *leader, guint n)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->held && pool->slots[i]->leader == NULL)
      pool->slots[i]->leader = leader;
  pool->claim = (TtiClaim){ 0 };
  pool->n_leaders++;
  task->prepared_by = (int) leader->index;
  TtiTask *first = tti_slot_prepare_locked (leader, tti_queue_remove_locked (&pool->queue, task));

  if (first == task)
    pool_lend_locked (pool, leader, n);
  else
    {
      pool_give_back_locked (pool, leader);
      pool->n_leaders--;
    }
  if (first != NULL)
    tti_slot_run_locked (leader, first);
}

/* Let the task whose turn it is claim slots, and run it if that are enough. FALSE: there is none, or it waits. */
static gboolean
pool_advance_claim_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  TtiTask *task = pool_find_wide_locked (pool);
  guint needed = 0;

  pool_release_claimed_locked (pool);
  /* What was tried before, or has waited for something that was made, may have come back and be older. */
  if (task != pool->claim.task)
    pool->claim = (TtiClaim){ .task = task };
  if (task == NULL)
    return FALSE;
  pool->claim.node = pool_choose_node_locked (pool, task, &needed);
  if (pool->claim.node == NULL)
    {
      g_autoptr (TtiTask) owned = tti_queue_remove_locked (&pool->queue, task);
      GError *error = NULL;

      pool->claim = (TtiClaim){ 0 };
      pool_refuse_locked (pool, task, &error);
      tti_task_end_locked (task, TTI_TASK_FAILED, NULL, error, NULL);
      return TRUE;
    }
  TtiSlot *leader = pool_hold_slots_locked (pool, task, needed);

  if (leader != NULL)
    pool_run_wide_locked (pool, task, leader, needed);
  return leader != NULL;
}

void
tti_pool_serve_wide_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (!tti_pool_has_wide_locked (pool) || pool->serving)
    return;
  pool->serving = TRUE;
  pool_end_holds_locked (pool);
  while (pool->state == POOL_OPEN && pool->failure == NULL && pool_advance_claim_locked (pool))
    pool_end_holds_locked (pool);
  pool->serving = FALSE;
}

gboolean
tti_pool_has_wide_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  return pool->n_wide > 0 || pool->n_leaders > 0;
}

/* --- places ----------------------------------------------------------------------------------------------------------------- */

static gboolean
pool_has_room_on_locked (TtiPool *pool, TtiNode *node, guint n, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  const TtiNodeProgram program = { .program = pool->program.program, .argv = (const char *const *) pool->program.argv,
                                   .envp = (const char *const *) pool->program.environment, .n_cpus = pool->program.n_cpus,
                                   .n_gpus = pool->program.n_gpus };

  if (n == 0 || tti_node_has_room (node, &program, n, error))
    return TRUE;
  g_prefix_error (error, "%s: ", pool->name);
  return FALSE;
}

static TtiNode *
pool_get_node (TtiPool *pool, guint i)
{
  return g_array_index (pool->nodes, TtiPoolNode, i).node;
}

/* For how many workers, MOST or fewer, each node has what they are to have. Free with g_free. */
static guint *
pool_measure_nodes_locked (TtiPool *pool, guint most)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint *rooms = g_new0 (guint, pool->nodes->len);

  for (guint i = 0; i < pool->nodes->len; i++)
    while (rooms[i] < most && pool_has_room_on_locked (pool, pool_get_node (pool, i), rooms[i] + 1, NULL))
      rooms[i]++;
  return rooms;
}

/* Have all nodes together what N workers are to have? */
static gboolean
pool_has_room_for_all_locked (TtiPool *pool, const guint *rooms, guint n, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  g_autoptr (GString) text = g_string_new (NULL);
  guint sum = 0;

  for (guint i = 0; i < pool->nodes->len; i++)
    {
      sum += rooms[i];
      g_string_append_printf (text, "%s%s for %u", i > 0 ? ", " : "", tti_node_get_name (pool_get_node (pool, i)), rooms[i]);
    }
  if (sum >= n)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "%s: there are processors and GPUs for %u workers, not for %u (%s)",
               pool->name, sum, n, text->str);
  return FALSE;
}

/* Nodes that have no room for their share leave some of it to others; still in blocks. */
static void
pool_share_out_locked (TtiPool *pool, const guint *rooms)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint n_nodes = pool->nodes->len, n_left = pool->size, slot = 0;
  g_autofree guint *counts = g_new0 (guint, n_nodes);

  while (n_left > 0)
    {
      guint best = 0;

      for (guint i = 1; i < n_nodes; i++)
        if (counts[best] == rooms[best] || (counts[i] < rooms[i] && counts[i] < counts[best]))
          best = i;
      counts[best]++;
      n_left--;
    }
  for (guint i = 0; i < n_nodes; i++)
    for (guint k = 0; k < counts[i]; k++, slot++)
      {
        pool->restarts[slot].home = pool->restarts[slot].here = i;
        pool->slots[slot]->life.node = pool_get_node (pool, i);
      }
}

gboolean
tti_pool_has_room_locked (TtiPool *pool, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  if (pool->nodes->len == 1)
    return pool_has_room_on_locked (pool, pool_get_node (pool, 0), pool->size, error);
  if (pool->program.n_cpus == 0 && pool->program.n_gpus == 0)
    return TRUE;
  g_autofree guint *rooms = pool_measure_nodes_locked (pool, pool->size);

  if (!pool_has_room_for_all_locked (pool, rooms, pool->size, error))
    return FALSE;
  pool_share_out_locked (pool, rooms);
  return TRUE;
}

gboolean
tti_pool_has_room_for_more_locked (TtiPool *pool, guint n, GError **error)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  guint n_placed = 0;

  if (pool->program.n_cpus == 0 && pool->program.n_gpus == 0)
    return TRUE;
  if (pool->nodes->len > 1)
    {
      g_autofree guint *rooms = pool_measure_nodes_locked (pool, pool->size + n);

      return pool_has_room_for_all_locked (pool, rooms, pool->size + n, error);
    }
  /* Those that have just shrunk have their places still. */
  for (guint i = pool->size; i < pool->n_slots && i < pool->size + n; i++)
    n_placed += pool->slots[i]->placed_on != NULL;
  return pool_has_room_on_locked (pool, g_array_index (pool->nodes, TtiPoolNode, 0).node, n - n_placed, error);
}

void
tti_pool_leave_places_locked (TtiPool *pool)
{
  TTI_ASSERT_LOCKED (&pool->engine->lock);
  for (guint i = 0; i < pool->n_slots; i++)
    if (pool->slots[i]->worker == NULL)
      tti_slot_leave_place_locked (pool->slots[i]);
}
