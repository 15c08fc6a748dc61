/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Why a worker ended. */
#pragma once
#include <glib.h>

/**
 * TuttiDeathReason:
 * @TUTTI_DEATH_EXIT: it exited by itself: see its exit status
 * @TUTTI_DEATH_SIGNAL: a signal that Tutti did not send
 * @TUTTI_DEATH_MEMORY_LIMIT: it exceeded its memory limit
 * @TUTTI_DEATH_OUT_OF_MEMORY: it could not allocate memory
 * @TUTTI_DEATH_TIMEOUT: Tutti ended it: its task has timed out
 * @TUTTI_DEATH_CANCELLED: Tutti ended it: its task was cancelled
 * @TUTTI_DEATH_STOPPED: Tutti ended it: somebody had stopped it
 * @TUTTI_DEATH_WATCHER_LOST: the watcher or the guard was lost, and all workers with it
 * @TUTTI_DEATH_PROTOCOL: Tutti ended it: it violated the protocol
 * @TUTTI_DEATH_FAULT: it ended itself: its task wrote to a read-only vector
 * @TUTTI_DEATH_NOT_STARTED: its program could not be started
 * @TUTTI_DEATH_CLOSED: the pool was closed
 *
 * Why a worker ended.
 */
typedef enum
{
  TUTTI_DEATH_EXIT,
  TUTTI_DEATH_SIGNAL,
  TUTTI_DEATH_MEMORY_LIMIT,
  TUTTI_DEATH_OUT_OF_MEMORY,
  TUTTI_DEATH_TIMEOUT,
  TUTTI_DEATH_CANCELLED,
  TUTTI_DEATH_STOPPED,
  TUTTI_DEATH_WATCHER_LOST,
  TUTTI_DEATH_PROTOCOL,
  TUTTI_DEATH_FAULT,
  TUTTI_DEATH_NOT_STARTED,
  TUTTI_DEATH_CLOSED
} TuttiDeathReason;
