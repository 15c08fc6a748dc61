/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Errors of the engine: one domain, one code per condition that a caller can act on. */
#pragma once
#include <glib.h>

#define TUTTI_ERROR (tutti_error_quark ())

typedef enum
{
  TUTTI_ERROR_SYSTEM,    /* the operating system refused something; the message has path and errno */
  TUTTI_ERROR_SHORTAGE,  /* it has nothing left of something (descriptors, memory, processes); there may be some in a moment */
  TUTTI_ERROR_PROTOCOL,  /* the other side sent what the protocol does not allow */
  TUTTI_ERROR_LIMIT,     /* a stated bound would be exceeded */
  TUTTI_ERROR_SHAPE,     /* an argument has the wrong length or dimensions */
  TUTTI_ERROR_ARGUMENT,  /* an argument makes no sense (a pool of size 0) */
  TUTTI_ERROR_CLOSED,    /* the pool was closed */
  TUTTI_ERROR_DIED,      /* a worker died; there is a certificate */
  TUTTI_ERROR_TIMEOUT,   /* a task's or a wait's time is over */
  TUTTI_ERROR_CANCELLED, /* the task was cancelled */
  TUTTI_ERROR_SPAWN,     /* a program could not be started; the message has path and errno */
  TUTTI_ERROR_MODULE,    /* a C operator module could not be loaded or does not fit */
  TUTTI_ERROR_FAULT,     /* a task wrote to a vector that it may only read */
  TUTTI_ERROR_FORKED     /* this process is a forked copy of the one to which the engine and its workers belong */
} TuttiError;

GQuark tutti_error_quark (void);

/* Does ERRNO say that something has run out, which others may give back at any moment? */
gboolean tutti_errno_is_shortage (int errno_value);

/* Set ERROR to TUTTI_ERROR_SYSTEM, or for want of something to TUTTI_ERROR_SHORTAGE, with "<what>: <strerror (SAVED_ERRNO)>". FORMAT says
 * what was tried, with its operands. */
void tutti_set_errno (GError **error, int saved_errno, const char *format, ...) G_GNUC_PRINTF (3, 4);
