/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A pool: a number of worker slots, which may be changed, one queue of tasks, and the promise that every task ends.
 *
 * In a copy of the process made by fork () nothing of the engine is touched: what is asked for is refused (TUTTI_ERROR_FORKED) where
 * there is an error to be set, closing, cancelling and forgetting do nothing, and waits end at once.
 *
 * All functions may be called from any thread. None blocks, but for tti_pool_new () (until its workers' programs have started or
 * failed to), tti_pool_grow (), for the same, tti_pool_close_and_wait () and tti_task_wait (). */
#pragma once
#include "pool/engine.h"
#include "pool/spill.h"
#include "pool/task.h"

typedef struct _TtiPool TtiPool;

typedef struct
{
  const char *name;              /* in messages; NULL: "pool" */
  const char *program;           /* of the workers; absolute path */
  const char *const *arguments;  /* after argv[0], NULL-terminated; NULL: none */
  const char *const *environment; /* complete, NULL-terminated */
  guint64 memory_limit;        /* bytes of anonymous memory that each worker and everything below it may have together; 0: no limit */
  guint n_cpus, n_gpus;        /* processors that each worker is bound to, 0: none; GPUs that it is told to use; see node/node.h */
  gboolean has_template;       /* the program can be started as a template of workers (process/watcher-protocol.h) */
  gboolean keep_output;        /* keep workers' lines for tti_pool_take_output (); otherwise they are dropped */
  TtiNode *const *nodes;       /* of its engine, each once; NULL: this machine; the first SIZE / N_NODES workers are on the first … */
  guint n_nodes;               /* 0: all on this machine */
  guint64 output_limit;        /* bytes of each worker's lines that are kept in a file when there are too many; 0: those are lost */
} TtiPoolOptions;

#define TTI_POOL_MAX_SIZE 4096

/* A pool of SIZE workers that belongs to ENGINE. Waits until each worker's program runs; if one cannot be started the pool is not made, and
 * ERROR (TUTTI_ERROR_SPAWN) says which program and why; TUTTI_ERROR_SHORTAGE if there are fewer processors or GPUs than the workers are to
 * have, before any is started; TUTTI_ERROR_CLOSED if the engine was shut down. */
TtiPool *tti_pool_new (TtiEngine *engine, guint size, const TtiPoolOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The last reference closes the pool, without waiting. */
void tti_pool_unref (TtiPool *pool);

/* Give POOL N workers more, on those of its nodes that have the fewest. Waits until their programs run. FALSE: it stays as it was, and
 * ERROR says why: as for tti_pool_new (); TUTTI_ERROR_ARGUMENT if there would be too many, or if it grows already. */
gboolean tti_pool_grow (TtiPool *pool, guint n, GError **error);

/* The same without waiting. While it is going on the pool has its old size; each change wakes those who wait for it. If it has failed ERROR
 * says so, once. To cancel it is no error if it is over. */
typedef enum { TTI_GROWTH_DONE, TTI_GROWTH_GOING_ON, TTI_GROWTH_FAILED } TtiGrowth;
gboolean tti_pool_begin_growth (TtiPool *pool, guint n, GError **error);
TtiGrowth tti_pool_get_growth (TtiPool *pool, GError **error);
void tti_pool_cancel_growth (TtiPool *pool);

/* Take the last N workers from POOL, which is smaller at once. They do what they run, and what was pinned to them before; what any worker
 * may run goes back to the queue. Tasks that belong to their places, since they need parts of held objects, are done there by others. FALSE
 * (TUTTI_ERROR_ARGUMENT): none would be left. */
gboolean tti_pool_shrink (TtiPool *pool, guint n, GError **error);

/* NODE, of its engine, may have workers of POOL from now on: those that are missing start there, and others move there, each when it has
 * done what it runs, until NODE has its share. One that POOL has already changes nothing. */
void tti_pool_add_node (TtiPool *pool, TtiNode *node);

/* From now on each worker makes SETUP (a reference is taken) before it runs a task, if it has not done so. If it cannot, the task fails for
 * the same reason, and the next one tries again. */
void tti_pool_set_setup (TtiPool *pool, TtiHeld *setup);

/* The same for FILES, which come before the setup, and take the place of those that were set before. */
void tti_pool_set_files (TtiPool *pool, TtiHeld *files);

/* Put TASK into the queue; it starts at once if a worker is free. FALSE: the pool is closed or has failed (then TASK is unchanged). */
gboolean tti_pool_submit (TtiPool *pool, TtiTask *task, GError **error);

/* End TASK with TUTTI_ERROR_CANCELLED unless it has ended. If a worker is running it, that worker is ended and replaced. */
void tti_task_cancel (TtiTask *task);

/* Wait until TASK has ended or DEADLINE (monotonic; -1: none) has passed. TRUE: ended. */
gboolean tti_task_wait (TtiTask *task, gint64 deadline);
/* Wait until TASK has ended, or *FLAG is set by the end of another task of its pool. TRUE: TASK has ended. */
gboolean tti_task_wait_unless (TtiTask *task, const gint *flag);

/* Of a task with parts, as its handler says (transport/parts.h): how many were begun; and withhold those that were not, but KEEP of them.
 * Returns how many it has now. Both 0: it is not running, or has no parts. */
guint tti_task_get_parts_begun (TtiTask *task);
guint tti_task_withhold_parts (TtiTask *task, guint keep);

/* Close in three steps: no new tasks (those not ended fail with TUTTI_ERROR_CLOSED), workers are told to end (busy ones by signal),
 * and, after GRACE_MS, by SIGKILL. Does not wait. Closing twice is fine. */
void tti_pool_close (TtiPool *pool, int grace_ms);
gboolean tti_pool_is_closed (TtiPool *pool);  /* closing has begun */
gboolean tti_pool_is_quiet (TtiPool *pool);   /* closed, and every worker's exit is confirmed */
/* Close and wait until quiet, at most GRACE_MS and one second more. TRUE if quiet. */
gboolean tti_pool_close_and_wait (TtiPool *pool, int grace_ms);

/* WAKEUP is a wakeup descriptor (tti_fd_open_wakeup ()), which becomes readable whenever a task of the pool ends, output arrives or the
 * pool becomes quiet. It stays the caller's, who removes it before closing it. */
void tti_pool_add_wakeup (TtiPool *pool, int wakeup);
void tti_pool_remove_wakeup (TtiPool *pool, int wakeup);

/* One line that a worker wrote; or, behind all that it wrote, that it has died. The death of one that was ended on request, or because
 * the pool was closed, is not reported. */
typedef struct
{
  guint index;
  const char *host;  /* where it is; interned (platform/host-name.h) */
  gboolean is_error; /* on stderr */
  gboolean is_death; /* TEXT says how it died, in one line; what follows is about that */
  gboolean again;    /* the task that it ran is tried again */
  guint attempt;     /* for the time so many, from 1, it ran that */
  guint begun;       /* so many of its parts were begun; 0: it has none, or that is not known */
  guint64 task;      /* its number; 0: it ran none */
  char *text;        /* without its newline */
  gsize length;
  TtiCertificate *certificate; /* of the death; NULL for a line */
} TtiOutputRecord;

void tti_output_record_clear (TtiOutputRecord *record); /* frees what is in it; zeroed memory is fine */

/* Read what the workers that have answered since the last time wrote before that: their outputs come another way than their answers, and
 * may be behind. */
void tti_pool_read_output (TtiPool *pool);

/* The next line or death, oldest first; clear it. FALSE if there is none: then *DROPPED is the number of lines that were
 * lost since the last one. */
gboolean tti_pool_take_output (TtiPool *pool, TtiOutputRecord *record, guint64 *dropped);

/* At most 1 MiB of lines is kept for that. What comes when there is so much goes to a file for each worker. To be called when there are no
 * more lines: what has become of a worker's lines since that was told last; until then all that it writes goes there. Clear
 * REPORT. FALSE: there is nothing to tell. The files stay, in a folder below that for temporary files. */
gboolean tti_pool_take_spill (TtiPool *pool, TtiSpillReport *report);

/* SOURCE becomes ready (its time is set to 0) whenever there is a line or a death to be taken. A reference of it is kept until the pool is
 * freed. NULL: no longer. */
void tti_pool_set_output_source (TtiPool *pool, GSource *source);

/* Nobody wants the lines that have come, nor the files; but deaths are there still. */
void tti_pool_discard_output (TtiPool *pool);

typedef struct
{
  int pid;
  TtiWorkerState state;
  const char *host;    /* where it is; interned (platform/host-name.h) */
  guint restarts;
  guint64 tasks_done;
  guint64 peak_memory; /* bytes, the most that any of its processes has had, also the one that lives; 0: not known */
} TtiWorkerInfo;

/* The engine that it belongs to, how many workers it has, and its name (both owned by it). */
TtiEngine *tti_pool_get_engine (TtiPool *pool);
guint tti_pool_get_size (TtiPool *pool);
const char *tti_pool_get_name (TtiPool *pool);
gboolean tti_pool_shares_memory (TtiPool *pool); /* all its workers map memory of this process */
/* How many of the tasks that were submitted to it have ended; *N_SUBMITTED (may be NULL): how many there were until then. */
guint64 tti_pool_get_n_ended (TtiPool *pool, guint64 *n_submitted);
/* What is known now of the worker with INDEX. */
void tti_pool_get_worker (TtiPool *pool, guint index, TtiWorkerInfo *info);
/* The processors to which it is bound ("0-3,8"), and the GPUs that it was told to use ("0,1"); NULL: none. Free with g_free. */
char *tti_pool_get_worker_cpus (TtiPool *pool, guint index);
char *tti_pool_get_worker_gpus (TtiPool *pool, guint index);

/* The certificate of the worker of POOL that died last (a reference for the caller), or NULL. */
TtiCertificate *tti_pool_get_last_death (TtiPool *pool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiPool, tti_pool_unref)
