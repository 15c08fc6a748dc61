/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* SIGTERM below an agent. A batch system that ends a job step, or says that its time is nearly over, signals all processes of the step. The
 * agent is meant, which hands the work over and goes on until it is ended; guard, watcher and workers below it would be dead by then. So
 * these heed only a SIGTERM of whoever has started them. */
#pragma once
#include <glib.h>

/* In the environment of an agent, and of all below it. */
#define TTI_AGENT_VARIABLE "TUTTI_AGENT"

/* Is this process below an agent? */
static inline gboolean
tti_termination_is_shared (void)
{
  return g_getenv (TTI_AGENT_VARIABLE) != NULL;
}

/* From now on a SIGTERM that another process than this one's parent has sent is ignored, if this process is below an agent and SIGTERM
 * would end it. Programs that it starts have the default action. */
void tti_termination_heed_parent_only (void);
