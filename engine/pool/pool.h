/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A pool: a fixed number of worker slots, one queue of tasks, and the promise that every task ends.
 *
 * In a copy of the process made by fork () nothing of the engine is touched: what is asked for is refused (TUTTI_ERROR_FORKED) where
 * there is an error to be set, closing, cancelling and forgetting do nothing, and waits end at once.
 *
 * All functions may be called from any thread. None blocks, but for tutti_pool_new () (until its workers' programs have started or
 * failed to), tutti_pool_close_and_wait () and tutti_task_wait (). */
#pragma once
#include "pool/engine.h"
#include "pool/spill.h"
#include "pool/task.h"

typedef struct _TuttiPool TuttiPool;

typedef struct
{
  const char *name;              /* in messages; NULL: "pool" */
  const char *program;           /* of the workers; absolute path */
  const char *const *arguments;  /* after argv[0], NULL-terminated; NULL: none */
  const char *const *environment; /* complete, NULL-terminated */
  guint64 memory_limit;          /* bytes of anonymous memory that each worker and everything below it may have together; 0: no limit */
  gboolean has_template;         /* the program can be started as a template of workers (process/watcher-protocol.h) */
  gboolean keep_output;          /* keep workers' lines for tutti_pool_take_output (); otherwise they are dropped */
  TuttiNode *const *nodes;       /* of its engine, NULL: this machine; worker i runs on the (i modulo N_NODES)-th */
  guint n_nodes;                 /* 0: all on this machine */
  guint64 output_limit;          /* bytes of each worker's lines that are kept in a file when there are too many; 0: those are lost */
} TuttiPoolOptions;

#define TUTTI_POOL_MAX_SIZE 4096

/* A pool of SIZE workers that belongs to ENGINE. Waits until each worker's program runs; if one cannot be started the pool is not made, and
 * ERROR (TUTTI_ERROR_SPAWN) says which program and why; TUTTI_ERROR_CLOSED if the engine was shut down. */
TuttiPool *tutti_pool_new (TuttiEngine *engine, guint size, const TuttiPoolOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The last reference closes the pool, without waiting. */
void tutti_pool_unref (TuttiPool *pool);

/* From now on each worker makes SETUP (a reference is taken) before it runs a task, if it has not done so. If it cannot, the task fails for
 * the same reason, and the next one tries again. */
void tutti_pool_set_setup (TuttiPool *pool, TuttiHeld *setup);

/* Put TASK into the queue; it starts at once if a worker is free. FALSE: the pool is closed or has failed (then TASK is unchanged). */
gboolean tutti_pool_submit (TuttiPool *pool, TuttiTask *task, GError **error);

/* End TASK with TUTTI_ERROR_CANCELLED unless it has ended. If a worker is running it, that worker is ended and replaced. */
void tutti_task_cancel (TuttiTask *task);

/* Wait until TASK has ended or DEADLINE (monotonic; -1: none) has passed. TRUE: ended. */
gboolean tutti_task_wait (TuttiTask *task, gint64 deadline);

/* Of a task with parts, as its handler says (transport/parts.h): how many were begun; and withhold those that were not, but KEEP of them.
 * Returns how many it has now. Both 0: it is not running, or has no parts. */
guint tutti_task_get_parts_begun (TuttiTask *task);
guint tutti_task_withhold_parts (TuttiTask *task, guint keep);

/* Close in three steps: no new tasks (those not ended fail with TUTTI_ERROR_CLOSED), workers are told to end (busy ones by signal),
 * and, after GRACE_MS, by SIGKILL. Does not wait. Closing twice is fine. */
void tutti_pool_close (TuttiPool *pool, int grace_ms);
gboolean tutti_pool_is_closed (TuttiPool *pool);  /* closing has begun */
gboolean tutti_pool_is_quiet (TuttiPool *pool);   /* closed, and every worker's exit is confirmed */
/* Close and wait until quiet, at most GRACE_MS and one second more. TRUE if quiet. */
gboolean tutti_pool_close_and_wait (TuttiPool *pool, int grace_ms);

/* WAKEUP is a wakeup descriptor (tutti_fd_open_wakeup ()), which becomes readable whenever a task of the pool ends, output arrives or the
 * pool becomes quiet. It stays the caller's, who removes it before closing it. */
void tutti_pool_add_wakeup (TuttiPool *pool, int wakeup);
void tutti_pool_remove_wakeup (TuttiPool *pool, int wakeup);

/* One line that a worker wrote; or, behind all that it wrote, that it has died. The death of one that was ended on request, or because
 * the pool was closed, is not reported. */
typedef struct
{
  guint index;
  gboolean is_error; /* on stderr */
  gboolean is_death; /* TEXT says how it died, in one line; what follows is about that */
  gboolean again;    /* the task that it ran is tried again */
  guint attempt;     /* for the time so many, from 1, it ran that */
  guint begun;       /* so many of its parts were begun; 0: it has none, or that is not known */
  guint64 task;      /* its number; 0: it ran none */
  char *text;        /* without its newline */
  gsize length;
} TuttiOutputRecord;

/* Read what the workers that have answered since the last time wrote before that: their outputs come another way than their answers, and
 * may be behind. */
void tutti_pool_read_output (TuttiPool *pool);

/* The next line or death, oldest first; free its text with g_free. FALSE if there is none: then *DROPPED is the number of lines that were
 * lost since the last one. */
gboolean tutti_pool_take_output (TuttiPool *pool, TuttiOutputRecord *record, guint64 *dropped);

/* At most 1 MiB of lines is kept for that. What comes when there is so much goes to a file for each worker. To be called when there are no
 * more lines: what has become of a worker's lines since that was told last; until then all that it writes goes there. Clear
 * REPORT. FALSE: there is nothing to tell. The files stay, in a folder below that for temporary files. */
gboolean tutti_pool_take_spill (TuttiPool *pool, TuttiSpillReport *report);

/* Nobody wants the lines that have come, nor the files; but deaths are there still. */
void tutti_pool_discard_output (TuttiPool *pool);

typedef struct
{
  int pid;
  TuttiWorkerState state;
  guint restarts;
  guint64 tasks_done;
  guint64 peak_memory; /* bytes, the most that any of its processes has had, also the one that lives; 0: not known */
} TuttiWorkerInfo;

/* The engine that it belongs to, how many workers it has, and its name (both owned by it). */
TuttiEngine *tutti_pool_get_engine (TuttiPool *pool);
guint tutti_pool_get_size (TuttiPool *pool);
const char *tutti_pool_get_name (TuttiPool *pool);
/* What is known now of the worker with INDEX. */
void tutti_pool_get_worker (TuttiPool *pool, guint index, TuttiWorkerInfo *info);

/* The certificate of the worker of POOL that died last (a reference for the caller), or NULL. */
TuttiCertificate *tutti_pool_get_last_death (TuttiPool *pool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiPool, tutti_pool_unref)
