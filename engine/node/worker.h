/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One worker process, from the master's side: its record, and how it is started, ended and certified.
 *
 * A worker is a plain record: only worker.c writes its state, the pool reads all of it, under the engine's lock. */
#pragma once
#include "node/node.h"
#include "process/certificate.h"
#include "process/output.h"
#include "process/worker-protocol.h"
#include "process/worker-state.h"

#define TUTTI_WORKER_STDERR_LINES 20

typedef struct
{
  TuttiNode *node;           /* where it is */
  guint index;
  guint64 generation;
  TuttiWorkerState state;
  TuttiTransport *transport; /* NULL once its end was reached */
  TuttiOutput *out, *err;    /* NULL once their ends were reached */
  int pid;                   /* in the node's numbering; 0 until the node has reported it */
  gboolean was_ready;        /* it has said hello */
  gboolean ended_by_us;
  gboolean is_short;         /* it could not start for lack of descriptors, processes or memory at that moment */
  TuttiDeathReason reason;   /* if ended by us */
  TuttiExitCause cause;     /* the node's report of its end */
  guint64 memory_limit;      /* bytes, 0: none */
  char *detail;              /* details of the reason, or NULL */
  gint64 ending_since;       /* monotonic; 0 while it lives */
  int stopped_by;            /* the signal that has stopped it; 0: it is not stopped */
  guint ticks;               /* while it is stopped, or should have ended; see pool/ticks.c */
  guint most_ticks;          /* after which we give it up; 0: never */
  gboolean given_up;         /* it could not be ended */
} TuttiWorker;

/* The receivers of what it writes. */
typedef struct
{
  TuttiOutputLine out_line, err_line;
  TuttiOutputFlood flood;    /* NULL: both outputs come line by line, however much there is */
  gpointer user_data;
} TuttiWorkerOutputs;

/* Ask NODE for a worker. Its certificate will have INDEX and GENERATION. Errors: those of tutti_node_spawn (). */
TuttiWorker *tutti_worker_start (TuttiNode *node, const TuttiNodeProgram *program, const TuttiWorkerOutputs *outputs, guint index,
                                 guint64 generation, GError **error);
void tutti_worker_free (TuttiWorker *worker); /* closes all descriptors; the node owns the process; NULL is fine */

/* Apply EVENT. FALSE if it cannot happen in the worker's state: outdated or forged. */
gboolean tutti_worker_step (TuttiWorker *worker, TuttiWorkerEvent event);

guint tutti_worker_count_busy (void); /* how many are BUSY in this process */

/* Record that it is to end, or has ended, for REASON (DETAIL may be NULL). The first reason stands. */
void tutti_worker_note_end (TuttiWorker *worker, TuttiDeathReason reason, const char *detail);

/* The same, and end it: SIGTERM, then SIGKILL after GRACE_MS; at once if GRACE_MS is 0. Its exit is still to be confirmed. */
void tutti_worker_end (TuttiWorker *worker, TuttiDeathReason reason, int grace_ms, const char *detail);

/* Ask an idle worker to end by itself; SIGKILL after GRACE_MS. */
void tutti_worker_dismiss (TuttiWorker *worker, int grace_ms);

/* Record the node's report of the cause of its end; to be called before it is certified. */
void tutti_worker_note_cause (TuttiWorker *worker, const TuttiWorkerExit *exit);

/* The certificate of its death, with what the node reported. */
TuttiCertificate *tutti_worker_certify (TuttiWorker *worker, int status, int signal, guint64 peak_memory);
