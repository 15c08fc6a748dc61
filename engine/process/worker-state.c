/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* States and events in one table. A worker that dies skips ENDING: its exit may be the first news of its death. */
#include "process/worker-state.h"

static const TuttiWorkerState edges[TUTTI_WORKER_N_STATES][TUTTI_WORKER_N_EVENTS] = {
  [TUTTI_WORKER_SPAWNING] = { [TUTTI_WORKER_EVENT_SPAWNED] = TUTTI_WORKER_BOOTING,
                              /* hello and the watcher's report travel on two sockets: either may be first */
                              [TUTTI_WORKER_EVENT_HELLO] = TUTTI_WORKER_IDLE,
                              [TUTTI_WORKER_EVENT_END] = TUTTI_WORKER_ENDING,
                              [TUTTI_WORKER_EVENT_EXITED] = TUTTI_WORKER_DEAD },
  [TUTTI_WORKER_BOOTING] = { [TUTTI_WORKER_EVENT_HELLO] = TUTTI_WORKER_IDLE,
                             [TUTTI_WORKER_EVENT_END] = TUTTI_WORKER_ENDING,
                             [TUTTI_WORKER_EVENT_EXITED] = TUTTI_WORKER_DEAD },
  [TUTTI_WORKER_IDLE] = { [TUTTI_WORKER_EVENT_SPAWNED] = TUTTI_WORKER_IDLE,
                          [TUTTI_WORKER_EVENT_TASK] = TUTTI_WORKER_BUSY,
                          [TUTTI_WORKER_EVENT_END] = TUTTI_WORKER_ENDING,
                          [TUTTI_WORKER_EVENT_EXITED] = TUTTI_WORKER_DEAD },
  [TUTTI_WORKER_BUSY] = { [TUTTI_WORKER_EVENT_SPAWNED] = TUTTI_WORKER_BUSY,
                          [TUTTI_WORKER_EVENT_DONE] = TUTTI_WORKER_IDLE,
                          [TUTTI_WORKER_EVENT_END] = TUTTI_WORKER_ENDING,
                          [TUTTI_WORKER_EVENT_EXITED] = TUTTI_WORKER_DEAD },
  [TUTTI_WORKER_ENDING] = { [TUTTI_WORKER_EVENT_SPAWNED] = TUTTI_WORKER_ENDING,
                            [TUTTI_WORKER_EVENT_END] = TUTTI_WORKER_ENDING,
                            [TUTTI_WORKER_EVENT_EXITED] = TUTTI_WORKER_DEAD },
};

TuttiWorkerState
tutti_worker_state_after (TuttiWorkerState state, TuttiWorkerEvent event)
{
  g_return_val_if_fail ((guint) state < TUTTI_WORKER_N_STATES && (guint) event < TUTTI_WORKER_N_EVENTS, TUTTI_WORKER_NONE);
  return edges[state][event];
}

const char *
tutti_worker_state_name (TuttiWorkerState state)
{
  static const char *const names[] = { "none", "spawning", "booting", "idle", "busy", "ending", "dead" };

  G_STATIC_ASSERT (G_N_ELEMENTS (names) == TUTTI_WORKER_N_STATES);
  g_return_val_if_fail ((guint) state < TUTTI_WORKER_N_STATES, "none");
  return names[state];
}
