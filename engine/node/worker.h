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

#define TTI_WORKER_STDERR_LINES 20

typedef struct
{
  TtiNode *node;           /* where it is */
  guint index;
  guint64 generation;
  TtiWorkerState state;
  TtiTransport *transport; /* NULL once its end was reached */
  TtiOutput *out, *err;    /* NULL once their ends were reached */
  int pid;                 /* in the node's numbering; 0 until the node has reported it */
  gboolean was_ready;      /* it has said hello */
  gboolean ended_by_us;
  gboolean is_short;         /* it could not start for lack of descriptors, processes or memory at that moment */
  TuttiDeathReason reason;   /* if ended by us */
  TtiExitCause cause;     /* the node's report of its end */
  guint64 memory_limit;      /* bytes, 0: none */
  char *detail;              /* details of the reason, or NULL */
  gint64 ending_since;       /* monotonic; 0 while it lives */
  int stopped_by;            /* the signal that has stopped it; 0: it is not stopped */
  guint ticks;               /* while it is stopped, or should have ended; see pool/ticks.c */
  guint most_ticks;          /* after which we give it up; 0: never */
  gboolean given_up;         /* it could not be ended */
} TtiWorker;

/* The receivers of what it writes. */
typedef struct
{
  TtiOutputLine out_line, err_line;
  TtiOutputFlood flood;    /* NULL: both outputs come line by line, however much there is */
  gpointer user_data;
} TtiWorkerOutputs;

/* Ask NODE for a worker. Its certificate will have INDEX and GENERATION. Errors: those of tti_node_spawn (). */
TtiWorker *tti_worker_start (TtiNode *node, const TtiNodeProgram *program, const TtiWorkerOutputs *outputs, guint index,
                             guint64 generation, GError **error);
void tti_worker_free (TtiWorker *worker); /* closes all descriptors; the node owns the process; NULL is fine */

/* Apply EVENT. FALSE if it cannot happen in the worker's state: outdated or forged. */
gboolean tti_worker_step (TtiWorker *worker, TtiWorkerEvent event);

guint tti_worker_count_busy (void); /* how many are BUSY of this process's, on this machine */

/* Record that it is to end, or has ended, for REASON (DETAIL may be NULL). The first reason stands. */
void tti_worker_note_end (TtiWorker *worker, TuttiDeathReason reason, const char *detail);

/* The same, and end it: SIGTERM, then SIGKILL after GRACE_MS; at once if GRACE_MS is 0. Its exit is still to be confirmed. */
void tti_worker_end (TtiWorker *worker, TuttiDeathReason reason, int grace_ms, const char *detail);

/* Ask an idle worker to end by itself; SIGKILL after GRACE_MS. */
void tti_worker_dismiss (TtiWorker *worker, int grace_ms);

/* Record the node's report of the cause of its end; to be called before it is certified. */
void tti_worker_note_cause (TtiWorker *worker, const TtiWorkerExit *exit);

/* The certificate of its death, with what the node reported. */
TtiCertificate *tti_worker_certify (TtiWorker *worker, int status, int signal, guint64 peak_memory);
