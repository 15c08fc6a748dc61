/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Lives and deaths: starting workers, hearing of their end, retrying their tasks, replacing them.
 *
 * News of one death comes on several ways and in any order: the end of the transport, and what its node reports, that it is gone and how it
 * ended. Only the last one knows the exit status, so the others merely move the worker to ENDING and wait for it; if it does not come in
 * time, the worker is ended. A worker is dead when its exit is confirmed, not before: until then it may
 * still write into shared memory. */
#include "platform/error.h"
#include "pool/pool-private.h"
#include <signal.h>

enum
{
  CERTIFICATE_WAIT_US = 500 * 1000, /* how long the watcher's report may lag behind the end of a transport, before we kill */
  LAST_OUTPUT = 2 * 1024 * 1024,    /* bytes: more than a pipe holds */
};

static void
slot_line (TuttiSlot *slot, gboolean is_error, const char *line, gsize length)
{
  tutti_pool_add_output_locked (slot->pool, slot->index, is_error, line, length);
}

static void
slot_out_line (const char *line, gsize length, gpointer slot)
{
  slot_line (slot, FALSE, line, length);
}

static void
slot_err_line (const char *line, gsize length, gpointer slot)
{
  slot_line (slot, TRUE, line, length);
}

static gboolean
slot_flood (const char *bytes, gsize length, gpointer data)
{
  TuttiSlot *slot = data;

  return tutti_pool_flood_locked (slot->pool, slot->index, bytes, length);
}

/* What the worker of SLOT with GENERATION is told in its environment: last what is its alone. */
static char **
slot_make_environment (TuttiSlot *slot, guint64 generation)
{
  TuttiPool *pool = slot->pool;
  g_autoptr (GStrvBuilder) environment = g_strv_builder_new ();
  g_autofree char *generation_text = g_strdup_printf ("TUTTI_GENERATION=%" G_GUINT64_FORMAT, generation);
  g_autofree char *index_text = g_strdup_printf ("TUTTI_WORKER_INDEX=%u", slot->index);

  g_strv_builder_addv (environment, (const char **) pool->environment);
  g_strv_builder_add (environment, pool->start->setting);
  g_strv_builder_add (environment, pool->title_setting);
  g_strv_builder_add (environment, generation_text);
  g_strv_builder_add (environment, index_text);
  return g_strv_builder_end (environment);
}

enum { SETTINGS_OF_ITS_OWN = 4 };

gboolean
tutti_slot_start_locked (TuttiSlot *slot, GError **error)
{
  TuttiPool *pool = slot->pool;
  guint64 generation = tutti_engine_next_number ();
  g_auto (GStrv) environment = slot_make_environment (slot, generation);
  const TuttiNodeProgram program = { .program = pool->program, .argv = (const char *const *) pool->argv,
                                     .envp = (const char *const *) environment, .n_own = pool->has_template ? SETTINGS_OF_ITS_OWN : 0,
                                     .folder = pool->start->folder >= 0 ? &pool->start->folder : NULL,
                                     .memory_limit = pool->memory_limit };
  const TuttiWorkerOutputs outputs = { .out_line = slot_out_line, .err_line = slot_err_line, .flood = slot_flood, .user_data = slot };
  g_autoptr (GError) problem = NULL;

  g_assert (slot->worker == NULL);
  slot->start_at = 0;
  slot->service = -1;
  slot->life.generation = generation;
  slot->worker = tutti_worker_start (slot->life.node, &program, &outputs, slot->index, generation, &problem);
  /* The node is away, or about to be. What is missing is started when it is there again. */
  if (slot->worker == NULL && g_error_matches (problem, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
    return TRUE;
  if (slot->worker != NULL && !tutti_slot_watch_locked (slot, &problem))
    {
      tutti_node_signal (slot->life.node, generation, SIGKILL, -1);
      g_clear_pointer (&slot->worker, tutti_worker_free);
    }
  if (slot->worker == NULL)
    {
      if (g_error_matches (problem, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE) && tutti_slot_is_patient_locked (slot, problem->message))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  tutti_engine_add_life_locked (pool->engine, &slot->life);
  return TRUE;
}

void
tutti_slot_end_locked (TuttiSlot *slot, TuttiDeathReason reason, int grace_ms, const char *detail)
{
  if (slot->worker == NULL)
    return;
  tutti_worker_end (slot->worker, reason, grace_ms, detail);
  tutti_slot_await_end_locked (slot, grace_ms);
}

void
tutti_slot_ended_locked (TuttiSlot *slot)
{
  tutti_worker_step (slot->worker, TUTTI_WORKER_EVENT_END);
  tutti_engine_set_deadline_locked (slot->pool->engine, g_get_monotonic_time () + CERTIFICATE_WAIT_US);
}

/* Between two lives: start the second, if it is time. */
static void
slot_fill_locked (TuttiSlot *slot, gint64 now)
{
  TuttiPool *pool = slot->pool;
  g_autoptr (GError) error = NULL;

  if (slot->start_at == 0 || pool->state != POOL_OPEN || pool->failure != NULL)
    return;
  if (now < slot->start_at)
    {
      tutti_engine_set_deadline_locked (slot->pool->engine, slot->start_at);
      return;
    }
  if (!tutti_slot_start_locked (slot, &error))
    tutti_pool_fail_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: cannot replace worker %u: %s", pool->name,
                                               slot->index, error->message), pool->last_death);
}

void
tutti_slot_look_at_deadlines_locked (TuttiSlot *slot, gint64 now)
{
  TuttiEngine *engine = slot->pool->engine;

  if (slot->worker == NULL)
    {
      slot_fill_locked (slot, now);
      return;
    }
  if (slot->worker->state == TUTTI_WORKER_ENDING && !slot->worker->ended_by_us)
    {
      gint64 limit = slot->worker->ending_since + CERTIFICATE_WAIT_US;

      if (now < limit)
        tutti_engine_set_deadline_locked (engine, limit);
      else
        tutti_slot_end_locked (slot, TUTTI_DEATH_PROTOCOL, 0, "it closed its connection, but did not end");
    }
  tutti_slot_look_at_timeout_locked (slot, now);
}

/* TASK was what the worker ran when it died. Takes over its reference. TRUE: it is tried again. */
static gboolean
slot_lost_worker_locked (TuttiSlot *slot, TuttiTask *task, TuttiCertificate *certificate)
{
  g_autoptr (TuttiTask) owned = task;

  if (tutti_task_has_ended (task))
    return FALSE;
  if (task->attempts <= task->retries && slot->pool->state == POOL_OPEN)
    {
      /* Once may be chance, so it does not lose its place. A task that has lost two workers gives way to those that it would keep
       * waiting for as long as it takes workers with it. */
      tutti_queue_add_locked (slot->queue, task, task->attempts < 2);
      return TRUE;
    }
  g_autofree char *description = tutti_certificate_describe (certificate);

  tutti_task_end_locked (task, TUTTI_TASK_FAILED, NULL,
                         g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED, "%s (attempt %u of %u)", description, task->attempts,
                                      task->retries + 1), certificate);
  return FALSE;
}

/* BEGUN: how many parts of the first of them were, as far as is known. */
static void
slot_return_tasks_locked (TuttiSlot *slot, TuttiCertificate *certificate, guint begun)
{
  /* Who wrote to what it may only read has been told so, and is not among them any more: the first of the others has not begun. */
  TuttiTask *culprit = certificate->reason == TUTTI_DEATH_FAULT ? NULL : g_queue_pop_head (&slot->running);
  TuttiTask *waiting;

  /* Those behind the first have not been looked at: back to the queue, in their order, before everything else. */
  while ((waiting = g_queue_pop_tail (&slot->running)) != NULL)
    {
      if (!tutti_task_has_ended (waiting))
        {
          waiting->attempts--;
          tutti_queue_add_locked (slot->queue, waiting, TRUE);
        }
      tutti_task_unref (waiting);
    }
  if (culprit == NULL)
    {
      if (certificate->reason == TUTTI_DEATH_FAULT)
        certificate->task = slot->culprit;
      tutti_pool_add_death_locked (slot->pool, certificate, 1, slot->culprit_begun, FALSE);
      return;
    }
  guint attempt = culprit->attempts;

  certificate->task = culprit->id;
  certificate->input_size = culprit->input_size;
  tutti_pool_add_death_locked (slot->pool, certificate, attempt, begun, slot_lost_worker_locked (slot, culprit, certificate));
}

/* Does this death count as a sign that workers cannot live at all? Those inside tasks count against the task instead. */
static gboolean
death_is_early (TuttiWorker *worker, gboolean had_task)
{
  return !worker->ended_by_us && (!worker->was_ready || !had_task);
}

static void
slot_replace_locked (TuttiSlot *slot, gboolean early, gboolean is_short, TuttiCertificate *certificate)
{
  TuttiPool *pool = slot->pool;
  gint64 now = g_get_monotonic_time ();
  gint64 pause = early && !is_short ? tutti_slot_pause_locked (slot, now) : 0;
  g_autofree char *description = tutti_certificate_describe (certificate);

  if (is_short && tutti_slot_is_patient_locked (slot, description))
    return;
  if (certificate->reason == TUTTI_DEATH_NOT_STARTED)
    {
      tutti_pool_fail_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_SPAWN, "%s: %s", pool->name, description), certificate);
      return;
    }
  if (pause < 0)
    {
      tutti_pool_fail_locked (pool, g_error_new (TUTTI_ERROR, TUTTI_ERROR_DIED,
                                                 "%s: workers die before they are ready or while idle; the last: %s",
                                                 pool->name, description), certificate);
      return;
    }
  tutti_slot_give_up_pinned_locked (slot, certificate);
  /* Not at once, even without a pause: first those are woken who wait for the task that died, and others get it. */
  slot->restarts++;
  slot->start_at = now + pause;
  tutti_engine_set_deadline_locked (slot->pool->engine, slot->start_at);
}

void
tutti_slot_died_locked (TuttiSlot *slot, TuttiCertificate *certificate)
{
  g_autoptr (TuttiCertificate) owned = certificate;
  TuttiPool *pool = slot->pool;
  TuttiTask *task = g_queue_peek_head (&slot->running);
  guint begun = task != NULL ? tutti_slot_get_parts_begun_locked (slot, task) : 0;
  TuttiWorker *worker = g_steal_pointer (&slot->worker);
  gboolean early = death_is_early (worker, slot->running.length > 0);
  gboolean is_short = worker->is_short || (!worker->was_ready && certificate->status == TUTTI_WORKER_EXIT_SHORT);

  if (worker->was_ready)
    slot->short_since = slot->short_in_row = 0;
  tutti_worker_step (worker, TUTTI_WORKER_EVENT_EXITED);
  tutti_engine_remove_life_locked (slot->pool->engine, &slot->life);
  tutti_slot_unwatch_locked (slot);
  (void) tutti_output_read (worker->out, LAST_OUTPUT); /* its last lines; what it started may still be writing */
  g_hash_table_remove_all (slot->known);
  slot->peak_memory = MAX (slot->peak_memory, certificate->peak_memory);
  if (worker->given_up && slot->life.node->shares_memory)
    tutti_engine_keep_given_up_locked (slot->pool->engine, worker);
  else
    tutti_worker_free (worker);
  slot_return_tasks_locked (slot, certificate, begun);
  pool->client.must_wake = TRUE;
  /* What a pool has failed of stays known: those that we end because of it say nothing. */
  if (pool->failure == NULL)
    {
      g_clear_pointer (&pool->last_death, tutti_certificate_unref);
      pool->last_death = tutti_certificate_ref (certificate);
    }
  if (pool->state == POOL_OPEN && pool->failure == NULL)
    slot_replace_locked (slot, early, is_short, certificate);
  else
    tutti_pool_check_quiet_locked (pool);
  tutti_pool_dispatch_locked (pool);
}
