/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What workers elsewhere have of their machine: for how many there are processors and GPUs, by what the agent has said, and places. */
#include "cluster/agent-node-private.h"
#include "platform/error.h"

static gboolean
has_enough (guint n, guint n_each, guint n_there, const char *one, const char *many, GError **error)
{
  if ((guint64) n * n_each <= n_there)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE, "%u worker%s with %u %s each need %" G_GUINT64_FORMAT ", and there %s %u", n,
               n == 1 ? "" : "s", n_each, n_each == 1 ? one : many, (guint64) n * n_each, n_there == 1 ? "is" : "are", n_there);
  return FALSE;
}

gboolean
tti_agent_has_room (TtiNode *node, const TtiNodeProgram *program, guint n, GError **error)
{
  const TtiAgentNode *self = (TtiAgentNode *) node;

  /* What is not known is found out by the agent. */
  return (self->n_cpus == 0 || has_enough (n, program->n_cpus, self->n_cpus, "processor", "processors", error))
         && (self->n_cpus == 0 || has_enough (n, program->n_gpus, self->n_gpus, "GPU", "GPUs", error));
}

void
tti_agent_leave_place (TtiNode *node, guint64 place)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  if (self->link != NULL)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_LEAVE, .id = place }, NULL);
  tti_lock_release (&self->lock);
}

void
tti_agent_lend (TtiNode *node, guint64 generation, const guint64 *places, guint n_places, guint64 memory_limit)
{
  TtiAgentNode *self = (TtiAgentNode *) node;
  g_autoptr (GBytes) bytes = n_places > 0 ? g_bytes_new (places, n_places * sizeof *places) : NULL;

  tti_lock_take (&self->lock);
  if (self->link != NULL)
    tti_link_send (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_LEND, .worker = generation, .detail = memory_limit }, bytes);
  tti_lock_release (&self->lock);
}

char *
tti_agent_get_cpus (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  char *cpus = worker != NULL ? g_strdup (worker->cpus) : NULL;

  tti_lock_release (&self->lock);
  return cpus;
}

char *
tti_agent_get_gpus (TtiNode *node, guint64 generation)
{
  TtiAgentNode *self = (TtiAgentNode *) node;

  tti_lock_take (&self->lock);
  TtiAgentWorker *worker = tti_agent_find_worker_locked (self, generation);
  char *gpus = worker != NULL ? g_strdup (worker->gpus) : NULL;

  tti_lock_release (&self->lock);
  return gpus;
}
