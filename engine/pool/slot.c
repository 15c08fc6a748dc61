/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Lives and deaths of a slot's workers: how they are started and ended, and what is left of them.
 *
 * News of one death comes on several ways and in any order: the end of the transport, and what its node reports, that it is gone and how it
 * ended. Only the last one knows the exit status, so the others merely move the worker to ENDING and wait for it; if it does not come in
 * time, the worker is ended. A worker is dead when its exit is confirmed, not before: until then it may
 * still write into shared memory. */
#include "platform/error.h"
#include "pool/slot-private.h"
#include <signal.h>
#include <unistd.h>

enum
{
  CERTIFICATE_WAIT_US = 500 * 1000, /* how long the watcher's report may lag behind the end of a transport, before we kill */
  LAST_OUTPUT = 2 * 1024 * 1024,    /* bytes: more than a pipe holds */
};

void
tti_slot_init (TtiSlot *slot)
{
  slot->life.events = &tti_slot_life_events;
  tti_slot_init_held (slot);
}

void
tti_slot_clear (TtiSlot *slot)
{
  g_assert (slot->worker == NULL);
  tti_slot_clear_held (slot);
  g_clear_pointer (&slot->told, g_free);
}

/* --- its beginning ---------------------------------------------------------------------------------------------------------- */

static void
slot_out_line (const char *line, gsize length, gpointer data)
{
  TtiSlot *slot = data;

  slot->events->line (slot, FALSE, line, length);
}

static void
slot_err_line (const char *line, gsize length, gpointer data)
{
  TtiSlot *slot = data;

  slot->events->line (slot, TRUE, line, length);
}

static gboolean
slot_flood (const char *bytes, gsize length, gpointer data)
{
  TtiSlot *slot = data;

  return slot->events->flood (slot, bytes, length);
}

/* Numbers of tasks are those of one master. With this beside them they are of no other, on this machine and until it boots again. */
static const char *
master_setting (void)
{
  static char *setting;

  if (g_once_init_enter (&setting))
    g_once_init_leave (&setting, g_strdup_printf ("TUTTI_MASTER=%d-%" G_GINT64_FORMAT, getpid (), g_get_monotonic_time ()));
  return setting;
}

/* What the worker of SLOT with GENERATION is told in its environment: last what is its alone. */
static char **
slot_make_environment (TtiSlot *slot, guint64 generation)
{
  const TtiSlotProgram *program = slot->program;
  g_autoptr (GStrvBuilder) environment = g_strv_builder_new ();
  g_autofree char *generation_text = g_strdup_printf ("TUTTI_GENERATION=%" G_GUINT64_FORMAT, generation);
  g_autofree char *index_text = g_strdup_printf ("TUTTI_WORKER_INDEX=%u", slot->index);

  g_strv_builder_addv (environment, (const char **) program->environment);
  g_strv_builder_add (environment, master_setting ());
  g_strv_builder_add (environment, program->start->setting);
  g_strv_builder_add (environment, program->title_setting);
  g_strv_builder_add (environment, generation_text);
  g_strv_builder_add (environment, index_text);
  return g_strv_builder_end (environment);
}

enum { SETTINGS_OF_ITS_OWN = 4 };

void
tti_slot_leave_place_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->placed_on != NULL)
    tti_node_leave_place (slot->placed_on, slot->place);
  slot->placed_on = NULL;
}

/* Its place, on the node that it is on now; 0: its workers are given nothing. */
static guint64
slot_find_place_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->program->n_cpus == 0 && slot->program->n_gpus == 0)
    return 0;
  if (slot->placed_on != slot->life.node)
    tti_slot_leave_place_locked (slot);
  if (slot->placed_on == NULL)
    slot->place = tti_engine_next_number ();
  slot->placed_on = slot->life.node;
  return slot->place;
}

gboolean
tti_slot_start_locked (TtiSlot *slot, GError **error)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  const TtiSlotProgram *own = slot->program;
  guint64 generation = tti_engine_next_number ();
  g_auto (GStrv) environment = slot_make_environment (slot, generation);
  const TtiNodeProgram program = { .program = own->program, .argv = (const char *const *) own->argv,
                                     .envp = (const char *const *) environment, .n_own = own->has_template ? SETTINGS_OF_ITS_OWN : 0,
                                     .folder = own->start->folder >= 0 ? &own->start->folder : NULL,
                                     .memory_limit = own->memory_limit, .n_cpus = own->n_cpus, .n_gpus = own->n_gpus,
                                     .place = slot_find_place_locked (slot) };
  const TtiWorkerOutputs outputs = { .out_line = slot_out_line, .err_line = slot_err_line, .flood = slot_flood, .user_data = slot };
  g_autoptr (GError) problem = NULL;

  g_assert (slot->worker == NULL);
  slot->service = -1;
  slot->resting = FALSE;
  slot->life.generation = generation;
  slot->worker = tti_worker_start (slot->life.node, &program, &outputs, slot->index, generation, &problem);
  /* The node is away, or about to be. What is missing is started when it is there again. */
  if (slot->worker == NULL && g_error_matches (problem, TUTTI_ERROR, TUTTI_ERROR_CLOSED))
    return TRUE;
  if (slot->worker != NULL && !tti_slot_watch_locked (slot, &problem))
    {
      tti_node_signal (slot->life.node, generation, SIGKILL, -1);
      g_clear_pointer (&slot->worker, tti_worker_free);
    }
  if (slot->worker == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return FALSE;
    }
  tti_engine_add_life_locked (slot->engine, &slot->life);
  tti_slot_show_locked (slot);
  return TRUE;
}

/* --- its end ---------------------------------------------------------------------------------------------------------------- */

void
tti_slot_end_locked (TtiSlot *slot, TuttiDeathReason reason, int grace_ms, const char *detail)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->worker == NULL)
    return;
  tti_worker_end (slot->worker, reason, grace_ms, detail);
  tti_slot_show_locked (slot);
  tti_slot_await_end_locked (slot, grace_ms);
}

void
tti_slot_dismiss_locked (TtiSlot *slot, int grace_ms)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->worker->state == TTI_WORKER_IDLE && grace_ms > 0)
    {
      tti_worker_dismiss (slot->worker, grace_ms);
      tti_slot_await_end_locked (slot, grace_ms);
      tti_slot_update_events_locked (slot);
    }
  else
    tti_slot_end_locked (slot, TUTTI_DEATH_CLOSED, grace_ms, NULL);
}

void
tti_slot_ended_locked (TtiSlot *slot)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  tti_worker_step (slot->worker, TTI_WORKER_EVENT_END);
  tti_engine_set_deadline_locked (slot->engine, g_get_monotonic_time () + CERTIFICATE_WAIT_US);
}

void
tti_slot_look_at_deadlines_locked (TtiSlot *slot, gint64 now)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  if (slot->worker->state == TTI_WORKER_ENDING && !slot->worker->ended_by_us)
    {
      gint64 limit = slot->worker->ending_since + CERTIFICATE_WAIT_US;

      if (now < limit)
        tti_engine_set_deadline_locked (slot->engine, limit);
      else
        tti_slot_end_locked (slot, TUTTI_DEATH_PROTOCOL, 0, "it closed its connection, but did not end");
    }
  tti_slot_look_at_timeout_locked (slot, now);
}

/* Those behind the first task have not been looked at: back to the queue, in their order, before everything else. Returns the first one,
 * which the worker ran when it died, with the reference of the list; NULL: it ran none. */
static TtiTask *
slot_return_tasks_locked (TtiSlot *slot, const TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  /* A task that wrote to what it may only read has ended with that error, and is not in the list: the first of the others has not begun. */
  TtiTask *first = certificate->reason == TUTTI_DEATH_FAULT ? NULL : g_queue_pop_head (&slot->running);
  TtiTask *waiting;

  while ((waiting = g_queue_pop_tail (&slot->running)) != NULL)
    {
      if (!tti_task_has_ended (waiting))
        {
          waiting->attempts--;
          tti_queue_add_locked (slot->queue, waiting, TRUE);
        }
      tti_task_unref (waiting);
    }
  return first;
}

/* A batch system kills the processes of a node whose time is over in any order: the agent may live to tell of the workers. */
static gboolean
death_is_with_node (const TtiCertificate *certificate, const TtiNode *node)
{
  gboolean is_killed = certificate->reason == TUTTI_DEATH_SIGNAL && (certificate->signal == SIGKILL || certificate->signal == SIGTERM);

  return certificate->reason == TUTTI_DEATH_WATCHER_LOST || (is_killed && node->is_draining);
}

/* Does this death count as a sign that workers cannot live at all? Those inside tasks count against the task instead. */
static gboolean
death_is_early (TtiWorker *worker, gboolean had_task)
{
  return !worker->ended_by_us && (!worker->was_ready || !had_task);
}

/* What the certificate says of tasks. */
static void
slot_certify_tasks_locked (TtiSlot *slot, TtiSlotDeath *death)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  TtiCertificate *certificate = death->certificate;

  if (death->task != NULL)
    {
      certificate->task = death->task->id;
      certificate->input_size = death->task->input_size;
      return;
    }
  /* The faulty task has ended before the worker did. */
  if (certificate->reason == TUTTI_DEATH_FAULT)
    {
      certificate->task = slot->culprit;
      death->begun = slot->culprit_begun;
    }
}

void
tti_slot_died_locked (TtiSlot *slot, TtiCertificate *certificate)
{
  TTI_ASSERT_LOCKED (&slot->engine->lock);
  g_autoptr (TtiCertificate) owned = certificate;
  TtiTask *task = g_queue_peek_head (&slot->running);
  TtiSlotDeath death = { .certificate = certificate, .begun = task != NULL ? tti_slot_get_parts_begun_locked (slot, task) : 0 };
  TtiWorker *worker = g_steal_pointer (&slot->worker);

  death.was_ready = worker->was_ready;
  death.with_node = death_is_with_node (certificate, slot->life.node);
  death.is_early = !death.with_node && death_is_early (worker, slot->running.length > 0);
  death.is_short = worker->is_short || (!worker->was_ready && certificate->status == TTI_WORKER_EXIT_SHORT);
  tti_worker_step (worker, TTI_WORKER_EVENT_EXITED);
  tti_engine_remove_life_locked (slot->engine, &slot->life);
  tti_slot_unwatch_locked (slot);
  (void) tti_output_read (worker->out, LAST_OUTPUT); /* its last lines; what it started may still be writing */
  tti_slot_lose_held_locked (slot);
  slot->peak_memory = MAX (slot->peak_memory, certificate->peak_memory);
  if (worker->given_up && slot->life.node->shares_memory)
    tti_engine_keep_given_up_locked (slot->engine, worker);
  else
    tti_worker_free (worker);
  death.task = slot_return_tasks_locked (slot, certificate);
  slot_certify_tasks_locked (slot, &death);
  slot->events->died (slot, &death);
}
