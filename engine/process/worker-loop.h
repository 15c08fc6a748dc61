/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The worker's side: receive, run, answer, in one thread, without knowing what a task is. */
#pragma once
#include "process/worker-protocol.h"
#include "transport/transport.h"

/* What runs tasks of one kind. A handler is called by the loop only, in the loop's thread. */
typedef struct
{
  /* Run TASK; *RAISED tells that the returned payload describes an exception. NULL with ERROR set if there is no answer that could
   * be sent (the worker then ends with the message on its stderr). */
  TuttiPayload *(*run) (gpointer data, const TuttiMessage *task, gboolean *raised, GError **error);
  /* Keep PAYLOAD (a reference to be taken) under ID, or forget it. May be NULL. */
  void (*hold) (gpointer data, guint64 id, TuttiPayload *payload);
  void (*drop) (gpointer data, guint64 id);
  void (*tidy) (gpointer data); /* the worker has had nothing to do for a while after a task */
  /* The payload of an exception for a task whose answer could not be sent, for REASON. May be NULL: then the worker ends. */
  TuttiPayload *(*refuse) (gpointer data, const char *reason);
  gpointer data;
  gboolean starts_nothing; /* its tasks leave no processes behind, and none are looked for */
} TuttiHandler;

/* With what the worker that this process is tells how far it is with the parts of a task; NULL: it is none, or has no mailbox. */
TuttiParts *tutti_worker_get_parts (void);

/* The handler of TUTTI_HANDLER_ECHO. */
extern const TuttiHandler tutti_echo_handler;

/* Serve TRANSPORT until the master says BYE, closes, or dies (MASTER: its pidfd, -1 if none). HANDLERS: by TuttiHandlerKind,
 * TUTTI_N_HANDLERS of them, NULL where there is none. Objects to hold go to HOLDER. GENERATION marks every message. Returns the exit
 * status for the process: 0 after BYE or the master's end. A task that writes to a read-only vector ends the loop: the
 * master is told, and the process must exit at once, as its heap may be in any state. */
int tutti_worker_loop_run (TuttiTransport *transport, int master, guint64 generation, const TuttiHandler *const *handlers,
                           const TuttiHandler *holder);
