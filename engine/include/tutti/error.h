/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Errors: one domain, one code per condition that a caller can act on. */
#pragma once
#include <glib.h>

#define TUTTI_ERROR (tutti_error_quark ())

/**
 * TuttiError:
 * @TUTTI_ERROR_SYSTEM: the operating system refused something; the message has path and errno
 * @TUTTI_ERROR_SHORTAGE: the system has run out of descriptors, memory or processes; there may be some in a moment
 * @TUTTI_ERROR_PROTOCOL: the other side sent what the protocol does not allow
 * @TUTTI_ERROR_LIMIT: a documented limit would be exceeded
 * @TUTTI_ERROR_SHAPE: an argument has the wrong length or dimensions
 * @TUTTI_ERROR_ARGUMENT: an argument makes no sense (a pool of size 0)
 * @TUTTI_ERROR_CLOSED: the pool was closed, or its engine was shut down
 * @TUTTI_ERROR_DIED: a worker died; there is a [struct@Certificate]
 * @TUTTI_ERROR_TIMEOUT: the time-out of a task or of a wait has passed
 * @TUTTI_ERROR_CANCELLED: the task was cancelled
 * @TUTTI_ERROR_SPAWN: a program could not be started; the message has path and errno
 * @TUTTI_ERROR_MODULE: a module in C could not be loaded, is incompatible, or has no such function or class
 * @TUTTI_ERROR_FAULT: a task wrote to a read-only vector
 * @TUTTI_ERROR_FORKED: this process is a forked copy of the process that owns the engine and its workers
 *
 * Codes of errors in the domain `TUTTI_ERROR`. Functions that run on workers may report errors of any domain: such an error arrives
 * with its own domain, code and message.
 */
typedef enum
{
  TUTTI_ERROR_SYSTEM,
  TUTTI_ERROR_SHORTAGE,
  TUTTI_ERROR_PROTOCOL,
  TUTTI_ERROR_LIMIT,
  TUTTI_ERROR_SHAPE,
  TUTTI_ERROR_ARGUMENT,
  TUTTI_ERROR_CLOSED,
  TUTTI_ERROR_DIED,
  TUTTI_ERROR_TIMEOUT,
  TUTTI_ERROR_CANCELLED,
  TUTTI_ERROR_SPAWN,
  TUTTI_ERROR_MODULE,
  TUTTI_ERROR_FAULT,
  TUTTI_ERROR_FORKED
} TuttiError;

__attribute__ ((visibility ("default"))) extern GQuark tutti_error_quark (void);
