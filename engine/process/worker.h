/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* One life of a worker process, from the master's side: what is known of it, how it is started, ended and certified.
 *
 * A worker is a plain record: worker.c alone writes its state, the pool reads all of it, under the engine's lock. */
#pragma once
#include "process/certificate.h"
#include "process/output.h"
#include "process/watcher-link.h"
#include "process/worker-state.h"
#include "transport/transport.h"

/* What a task is for: which handler of the worker gets it. */
typedef enum
{
  TUTTI_HANDLER_ECHO = 1, /* answers with its request; needs no Guile: measures the way there and back.
                           * For tasks without dependencies: a worker may not send a joined payload */
  TUTTI_HANDLER_SCHEME,
  TUTTI_N_HANDLERS
} TuttiHandlerKind;

#define TUTTI_WORKER_STDERR_LINES 20
#define TUTTI_WORKER_PROTOCOL 1

typedef struct
{
  guint index;
  guint64 generation;
  TuttiWorkerState state;
  TuttiTransport *transport; /* NULL once its end was seen */
  TuttiOutput *out, *err;    /* NULL once their ends were seen */
  int pid;                   /* 0 until the watcher has said it */
  int pidfd;
  gboolean was_ready;        /* it has said hello */
  gboolean ended_by_us;
  gboolean is_short;         /* there was nothing to start it with: no descriptors, processes or memory at that moment */
  TuttiDeathReason reason;   /* if ended by us */
  TuttiWatchCause cause;     /* what the watcher says of its end */
  guint64 memory_limit;      /* bytes, 0: none */
  char *detail;              /* more about the reason, or NULL */
  gint64 ending_since;       /* monotonic; 0 while it lives */
  int stopped_by;            /* the signal that it is stopped by; 0: it is not */
  guint ticks;               /* for which it is stopped, or to have ended; see pool/ticks.c */
  guint most_ticks;          /* after which it is given up; 0: never */
  gboolean given_up;         /* it could not be ended */
} TuttiWorker;

typedef struct
{
  const char *program;
  const char *const *argv;
  const char *const *envp;
  guint n_own;               /* > 0: the last N_OWN of envp are for this worker alone, and a template may be made of the rest */
  const int *folder;         /* to start it in; NULL: the watcher's */
  int oom_score_adj;
  guint64 memory_limit;      /* bytes that it and everything below it may have together, 0: no limit */
  TuttiOutputLine out_line, err_line;
  TuttiOutputFlood flood;    /* NULL: both outputs come line by line, however much there is */
  gpointer user_data;
} TuttiWorkerSpec;

/* Ask LINK for a worker. Its certificate will have INDEX and GENERATION. NULL if no sockets or pipes can be had. */
TuttiWorker *tutti_worker_start (TuttiWatcherLink *link, const TuttiWorkerSpec *spec, guint index, guint64 generation, GError **error);
void tutti_worker_free (TuttiWorker *worker); /* closes all descriptors; the process is the watcher's; NULL is fine */

/* Let EVENT happen. FALSE if it cannot happen in the worker's state: late news, or a lie. */
gboolean tutti_worker_step (TuttiWorker *worker, TuttiWorkerEvent event);

guint tutti_worker_count_busy (void); /* how many are BUSY in this process */

/* End it for REASON (DETAIL may be NULL): SIGTERM, then SIGKILL after GRACE_MS; at once if GRACE_MS is 0. The first reason
 * stands. Its exit is still to be confirmed. */
void tutti_worker_end (TuttiWorker *worker, TuttiWatcherLink *link, TuttiDeathReason reason, int grace_ms, const char *detail);

/* Ask an idle worker to end by itself; SIGKILL after GRACE_MS. */
void tutti_worker_dismiss (TuttiWorker *worker, TuttiWatcherLink *link, int grace_ms);

/* Note what the watcher says about the cause of its end; to be called before it is certified. */
void tutti_worker_note_cause (TuttiWorker *worker, const TuttiWorkerExit *exit);

/* What is to be said of its death, with what the watcher reported. */
TuttiCertificate *tutti_worker_certify (TuttiWorker *worker, int status, int signal, guint64 peak_memory);
