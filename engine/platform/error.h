/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Errors of the engine: one domain, one code per condition that a caller can act on. */
#pragma once
#include <glib.h>

#define TUTTI_ERROR (tutti_error_quark ())

typedef enum
{
  TUTTI_ERROR_SYSTEM,    /* the operating system refused something; the message has path and errno */
  TUTTI_ERROR_SHORTAGE,  /* the system has run out of descriptors, memory or processes; there may be some in a moment */
  TUTTI_ERROR_PROTOCOL,  /* the other side sent what the protocol does not allow */
  TUTTI_ERROR_LIMIT,     /* a documented limit would be exceeded */
  TUTTI_ERROR_SHAPE,     /* an argument has the wrong length or dimensions */
  TUTTI_ERROR_ARGUMENT,  /* an argument makes no sense (a pool of size 0) */
  TUTTI_ERROR_CLOSED,    /* the pool was closed */
  TUTTI_ERROR_DIED,      /* a worker died; there is a certificate */
  TUTTI_ERROR_TIMEOUT,   /* the time-out of a task or of a wait has passed */
  TUTTI_ERROR_CANCELLED, /* the task was cancelled */
  TUTTI_ERROR_SPAWN,     /* a program could not be started; the message has path and errno */
  TUTTI_ERROR_MODULE,    /* a C operator module could not be loaded or is incompatible */
  TUTTI_ERROR_FAULT,     /* a task wrote to a read-only vector */
  TUTTI_ERROR_FORKED     /* this process is a forked copy of the process that owns the engine and its workers */
} TuttiError;

GQuark tutti_error_quark (void);

/* Does ERRNO mean that a resource has run out, which other processes may free at any moment? */
gboolean tti_errno_is_shortage (int errno_value);

/* Set ERROR to TUTTI_ERROR_SYSTEM, or to TUTTI_ERROR_SHORTAGE if a resource has run out, with "<what>: <strerror (SAVED_ERRNO)>".
 * FORMAT says what was tried, with its operands. */
void tti_set_errno (GError **error, int saved_errno, const char *format, ...) G_GNUC_PRINTF (3, 4);
