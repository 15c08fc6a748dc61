/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* States and events in one table. A worker that dies skips ENDING: its exit may be the first news of its death. */
#include "process/worker-state.h"

static const TtiWorkerState edges[TTI_WORKER_N_STATES][TTI_WORKER_N_EVENTS] = {
  [TTI_WORKER_SPAWNING] = { [TTI_WORKER_EVENT_SPAWNED] = TTI_WORKER_BOOTING,
                              /* hello and the watcher's report travel on two sockets: either may be first */
                              [TTI_WORKER_EVENT_HELLO] = TTI_WORKER_IDLE,
                              [TTI_WORKER_EVENT_END] = TTI_WORKER_ENDING,
                              [TTI_WORKER_EVENT_EXITED] = TTI_WORKER_DEAD },
  [TTI_WORKER_BOOTING] = { [TTI_WORKER_EVENT_HELLO] = TTI_WORKER_IDLE,
                             [TTI_WORKER_EVENT_END] = TTI_WORKER_ENDING,
                             [TTI_WORKER_EVENT_EXITED] = TTI_WORKER_DEAD },
  [TTI_WORKER_IDLE] = { [TTI_WORKER_EVENT_SPAWNED] = TTI_WORKER_IDLE,
                          [TTI_WORKER_EVENT_TASK] = TTI_WORKER_BUSY,
                          [TTI_WORKER_EVENT_END] = TTI_WORKER_ENDING,
                          [TTI_WORKER_EVENT_EXITED] = TTI_WORKER_DEAD },
  [TTI_WORKER_BUSY] = { [TTI_WORKER_EVENT_SPAWNED] = TTI_WORKER_BUSY,
                          [TTI_WORKER_EVENT_DONE] = TTI_WORKER_IDLE,
                          [TTI_WORKER_EVENT_END] = TTI_WORKER_ENDING,
                          [TTI_WORKER_EVENT_EXITED] = TTI_WORKER_DEAD },
  [TTI_WORKER_ENDING] = { [TTI_WORKER_EVENT_SPAWNED] = TTI_WORKER_ENDING,
                            [TTI_WORKER_EVENT_END] = TTI_WORKER_ENDING,
                            [TTI_WORKER_EVENT_EXITED] = TTI_WORKER_DEAD },
};

TtiWorkerState
tti_worker_state_after (TtiWorkerState state, TtiWorkerEvent event)
{
  g_return_val_if_fail ((guint) state < TTI_WORKER_N_STATES && (guint) event < TTI_WORKER_N_EVENTS, TTI_WORKER_NONE);
  return edges[state][event];
}

const char *
tti_worker_state_name (TtiWorkerState state)
{
  static const char *const names[] = { "none", "spawning", "booting", "idle", "busy", "ending", "dead" };

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == TTI_WORKER_N_STATES);
  g_return_val_if_fail ((guint) state < TTI_WORKER_N_STATES, "none");
  return names[state];
}
