/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The life of one worker process as its master sees it: states, events, and transitions. */
#pragma once
#include <glib.h>

typedef enum
{
  TUTTI_WORKER_NONE,     /* no transition: the event is refused */
  TUTTI_WORKER_SPAWNING, /* requested from the watcher */
  TUTTI_WORKER_BOOTING,  /* it runs, but has not said hello */
  TUTTI_WORKER_IDLE,
  TUTTI_WORKER_BUSY,     /* it has at least one task */
  TUTTI_WORKER_ENDING,   /* it was told to end, or was seen to end; its exit is not confirmed yet */
  TUTTI_WORKER_DEAD,     /* exit confirmed: it cannot write to shared memory any more */
  TUTTI_WORKER_N_STATES
} TuttiWorkerState;

typedef enum
{
  TUTTI_WORKER_EVENT_SPAWNED,
  TUTTI_WORKER_EVENT_HELLO,
  TUTTI_WORKER_EVENT_TASK,  /* it gets its first task */
  TUTTI_WORKER_EVENT_DONE,  /* its last task is answered */
  TUTTI_WORKER_EVENT_END,   /* we end it, or its transport ended */
  TUTTI_WORKER_EVENT_EXITED,
  TUTTI_WORKER_N_EVENTS
} TuttiWorkerEvent;

/* The state after EVENT in STATE; TUTTI_WORKER_NONE if EVENT cannot happen there (outdated or forged). */
TuttiWorkerState tutti_worker_state_after (TuttiWorkerState state, TuttiWorkerEvent event);

/* "booting" */
const char *tutti_worker_state_name (TuttiWorkerState state);
