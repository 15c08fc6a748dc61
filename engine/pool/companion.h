/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Companions: programs that look at an engine from its beginning to its end, a recorder or a server of pages. The engine starts them and
 * starts them again when they end, after 1, 2, 4 … 60 s; they are no children of anybody in the job, survive the process as long as they
 * need to write down the rest, and nothing waits for them while the job runs.
 *
 * A companion is started with /dev/null as its input, the process's standard output and error, and
 *
 *   3  the socket of a viewer (look/viewer.h);
 *   4  a pipe into which it writes lines until it is ready to serve: "say KEY VALUE" becomes a note of the engine (TtiLookNote), anything
 *   else
 *      is a reason why it cannot serve;
 *   5  a pipe from which it reads the secret that it was given, up to its end; it is the same when it is started again.
 *
 * When it is ready it forks, and its first process ends with status 0, TTI_COMPANION_PATIENCE_MS after it was started at the latest; any
 * other end is a failure. At the engine's end its socket ends; it takes the last events, finishes, says so
 * (TTI_LOOK_FINISHED), and closes the socket, for which the engine waits, TTI_COMPANION_GRACE_MS at most, if it is asked to; one that has
 * closed it before it said so is started once more. */
#pragma once
#include "pool/engine.h"

enum { TTI_COMPANION_PATIENCE_MS = 5000, TTI_COMPANION_GRACE_MS = 10000 };

typedef struct
{
  const char *name;         /* for people: "the recorder of the journal runs.journal" */
  const char *program;      /* its path */
  const char *const *argv;  /* NULL-terminated */
  const char *secret;       /* what others must not see, or NULL */
  gboolean is_awaited;      /* wait for it at the engine's end */
} TtiCompanion;

/* Start one. Waits until it serves. Errors: TUTTI_ERROR_SPAWN with what it has said, TUTTI_ERROR_CLOSED. What is told later, for instance
 * that it cannot be started again, is a message (tti_engine_set_message_func ()). */
gboolean tti_engine_add_companion (TtiEngine *engine, const TtiCompanion *companion, GError **error);
