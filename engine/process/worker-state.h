/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The life of one worker process as its master sees it: states, events, and transitions. */
#pragma once
#include <glib.h>

typedef enum
{
  TTI_WORKER_NONE,     /* no transition: the event is refused */
  TTI_WORKER_SPAWNING, /* requested from the watcher */
  TTI_WORKER_BOOTING,  /* it runs, but has not said hello */
  TTI_WORKER_IDLE,
  TTI_WORKER_BUSY,     /* it has at least one task */
  TTI_WORKER_ENDING,   /* it was told to end, or was seen to end; its exit is not confirmed yet */
  TTI_WORKER_DEAD,     /* exit confirmed: it cannot write to shared memory any more */
  TTI_WORKER_N_STATES
} TtiWorkerState;

typedef enum
{
  TTI_WORKER_EVENT_SPAWNED,
  TTI_WORKER_EVENT_HELLO,
  TTI_WORKER_EVENT_TASK,  /* it gets its first task */
  TTI_WORKER_EVENT_DONE,  /* its last task is answered */
  TTI_WORKER_EVENT_END,   /* we end it, or its transport ended */
  TTI_WORKER_EVENT_EXITED,
  TTI_WORKER_N_EVENTS
} TtiWorkerEvent;

/* The state after EVENT in STATE; TTI_WORKER_NONE if EVENT cannot happen there (outdated or forged). */
TtiWorkerState tti_worker_state_after (TtiWorkerState state, TtiWorkerEvent event);

/* "booting" */
const char *tti_worker_state_name (TtiWorkerState state);
