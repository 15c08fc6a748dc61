/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The worker's side: receive, run, answer, in one thread, without knowing what a task is. */
#pragma once
#include "process/worker-protocol.h"
#include "transport/transport.h"

/* What a handler has of the worker, until the process ends; but not in a forked copy of it. */
typedef struct
{
  TtiParts *parts; /* the word in which its tasks report their progress; NULL: the worker has no mailbox */
  TtiProbe *probe; /* sent when somebody wants to know where the worker is; NULL as well */
  /* Say so: TEXT of SIZE bytes. To be called by a task, in the loop's thread; otherwise nothing is said. */
  void (*tell_stack) (const char *text, gsize size);
} TtiWorkerSide;

/* Functions that run tasks of one kind. Only the loop calls them, in its thread. */
typedef struct
{
  /* Run TASK; *RAISED: the returned payload describes an exception. NULL with ERROR set if there is no answer that can be sent (the
   * worker then ends with the message on its stderr). */
  TtiPayload *(*run) (gpointer data, const TtiMessage *task, gboolean *raised, GError **error);
  /* Keep PAYLOAD (a reference to be taken) under ID, which is the key of the held object (worker-protocol.h), or forget it. May be NULL. */
  void (*hold) (gpointer data, guint64 id, TtiPayload *payload);
  void (*drop) (gpointer data, guint64 id);
  void (*tidy) (gpointer data); /* the worker has had nothing to do for a while after a task */
  /* The payload of an exception for a task whose answer could not be sent, for REASON. May be NULL: then the worker ends. */
  TtiPayload *(*refuse) (gpointer data, const char *reason);
  /* Before the first task. May be NULL. */
  void (*begin) (gpointer data, const TtiWorkerSide *side);
  gpointer data;
  /* Can the task that was run last have left no processes behind, so that the loop need not look for any? NULL: it can. */
  gboolean (*started_nothing) (gpointer data);
} TtiHandler;

/* The handler of TTI_HANDLER_ECHO. */
extern const TtiHandler tti_echo_handler;

/* Serve TRANSPORT until the master says BYE, closes, or dies (MASTER: its pidfd, -1 if none). HANDLERS: by TtiHandlerKind,
 * TTI_N_HANDLERS of them, NULL where there is none. HOLDER receives the objects to hold. GENERATION marks every message. Returns
 * the exit status for the process: 0 after BYE or the master's end. A task that writes to a read-only vector ends the loop: it
 * notifies the master, and the process must exit at once, as its heap may be inconsistent. */
int tti_worker_loop_run (TtiTransport *transport, int master, guint64 generation, const TtiHandler *const *handlers,
                         const TtiHandler *holder);
