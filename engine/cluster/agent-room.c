/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many workers a node elsewhere has processors and GPUs for, by what its agent has said of its machine. */
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
