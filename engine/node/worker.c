/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Starting, ending and certifying a worker. */
#include "node/worker.h"
#include <signal.h>

TtiWorker *
tti_worker_start (TtiNode *node, const TtiNodeProgram *program, const TtiWorkerOutputs *outputs, guint index, guint64 generation,
                  GError **error)
{
  TtiNodeChannels channels;

  if (!tti_node_spawn (node, generation, program, &channels, error))
    return NULL;
  TtiWorker *worker = g_new0 (TtiWorker, 1);

  worker->node = node;
  worker->index = index;
  worker->generation = generation;
  worker->memory_limit = program->memory_limit;
  worker->state = TTI_WORKER_SPAWNING;
  worker->transport = channels.transport;
  worker->out = tti_output_new (channels.out_fd, 0, outputs->out_line, outputs->user_data);
  worker->err = tti_output_new (channels.err_fd, TTI_WORKER_STDERR_LINES, outputs->err_line, outputs->user_data);
  tti_output_set_flood (worker->out, outputs->flood);
  tti_output_set_flood (worker->err, outputs->flood);
  return worker;
}

void
tti_worker_free (TtiWorker *worker)
{
  if (worker == NULL)
    return;
  tti_transport_free (worker->transport);
  tti_output_free (worker->out);
  tti_output_free (worker->err);
  g_free (worker->detail);
  g_free (worker);
}

static gint n_busy; /* atomic */

guint
tti_worker_count_busy (void)
{
  return (guint) g_atomic_int_get (&n_busy);
}

gboolean
tti_worker_step (TtiWorker *worker, TtiWorkerEvent event)
{
  TtiWorkerState next = tti_worker_state_after (worker->state, event);

  if (next == TTI_WORKER_NONE)
    return FALSE;
  /* This happens up to a million times a second, and formatting would take longer than a task. */
  if (event != TTI_WORKER_EVENT_TASK && event != TTI_WORKER_EVENT_DONE)
    g_debug ("worker %u (generation %" G_GUINT64_FORMAT "): %s -> %s", worker->index, worker->generation,
             tti_worker_state_name (worker->state), tti_worker_state_name (next));
  if (event == TTI_WORKER_EVENT_HELLO)
    worker->was_ready = TRUE;
  if (next == TTI_WORKER_ENDING && worker->ending_since == 0)
    worker->ending_since = g_get_monotonic_time ();
  if (worker->node->shares_memory && (worker->state == TTI_WORKER_BUSY) != (next == TTI_WORKER_BUSY))
    g_atomic_int_add (&n_busy, next == TTI_WORKER_BUSY ? 1 : -1);
  worker->state = next;
  return TRUE;
}

void
tti_worker_note_end (TtiWorker *worker, TuttiDeathReason reason, const char *detail)
{
  if (!worker->ended_by_us)
    {
      worker->ended_by_us = TRUE;
      worker->reason = reason;
      worker->detail = g_strdup (detail);
    }
  tti_worker_step (worker, TTI_WORKER_EVENT_END);
}

void
tti_worker_dismiss (TtiWorker *worker, int grace_ms)
{
  TtiMessage bye = { .kind = TTI_MESSAGE_BYE, .generation = worker->generation };

  tti_worker_note_end (worker, TUTTI_DEATH_CLOSED, NULL);
  if (worker->transport != NULL)
    (void) tti_transport_send (worker->transport, &bye, NULL); /* no matter if it is gone */
  tti_node_signal (worker->node, worker->generation, 0, grace_ms);
}

void
tti_worker_end (TtiWorker *worker, TuttiDeathReason reason, int grace_ms, const char *detail)
{
  tti_worker_note_end (worker, reason, detail);
  tti_node_signal (worker->node, worker->generation, grace_ms > 0 ? SIGTERM : SIGKILL, grace_ms);
}

void
tti_worker_note_cause (TtiWorker *worker, const TtiWorkerExit *exit)
{
  worker->cause = exit->cause;
  if (exit->n_left > 0 && worker->detail != NULL)
    {
      g_autofree char *before = g_steal_pointer (&worker->detail);

      worker->detail = g_strconcat (before, "; ", exit->detail, NULL);
    }
  else if (exit->n_left > 0 || (worker->cause != TTI_EXIT_CAUSE_UNKNOWN && !worker->ended_by_us))
    {
      g_free (worker->detail);
      worker->detail = g_strdup (exit->detail);
    }
}

/* Set the reason of CERTIFICATE, whose other fields are set. */
static void
certificate_find_reason (TtiCertificate *certificate, const TtiWorker *worker)
{
  if (worker->ended_by_us)
    certificate->reason = worker->reason;
  else if (worker->cause == TTI_EXIT_CAUSE_MEMORY_LIMIT)
    certificate->reason = TUTTI_DEATH_MEMORY_LIMIT;
  else if (worker->cause == TTI_EXIT_CAUSE_OUT_OF_MEMORY)
    certificate->reason = TUTTI_DEATH_OUT_OF_MEMORY;
  else if (tti_certificate_tells_out_of_memory (certificate))
    {
      certificate->reason = worker->memory_limit > 0 ? TUTTI_DEATH_MEMORY_LIMIT : TUTTI_DEATH_OUT_OF_MEMORY;
      certificate->detail = g_strdup ("it could not get the memory that it asked for");
    }
  else
    certificate->reason = certificate->signal != 0 ? TUTTI_DEATH_SIGNAL : TUTTI_DEATH_EXIT;
}

TtiCertificate *
tti_worker_certify (TtiWorker *worker, int status, int signal, guint64 peak_memory)
{
  TtiCertificate *certificate = tti_certificate_new (TUTTI_DEATH_EXIT);

  certificate->status = signal != 0 ? -1 : status;
  certificate->signal = signal;
  certificate->pid = worker->pid;
  certificate->index = worker->index;
  certificate->generation = worker->generation;
  certificate->host = tti_node_get_name (worker->node);
  certificate->peak_memory = peak_memory;
  certificate->detail = g_strdup (worker->detail); /* NULL unless we or the watcher had something to say */
  if (worker->err != NULL)
    {
      /* Its last output is still in the pipe, as the news of its death came another way. */
      (void) tti_output_read (worker->err, 1 << 20);
      g_free (certificate->stderr_tail);
      certificate->stderr_tail = tti_output_get_tail (worker->err);
    }
  certificate_find_reason (certificate, worker);
  return certificate;
}
