/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How pools, their workers and their tasks stand now: for who asks within this process. Each function takes the engine's lock for as long
 * as it reads, and copies what it has found: nothing waits for who asks. From any thread. */
#pragma once
#include "pool/history.h"
#include "pool/pool.h"

typedef struct
{
  guint64 number;
  char *name;             /* owned */
  char *failure;          /* why it has failed, owned; NULL: it has not */
  const char *state;      /* "open", "closing", "closed" or "failed" */
  guint size, goal;       /* workers; and how many it is to have */
  guint n_busy, n_queued, n_waiting; /* workers; tasks that could run, and those that wait for others */
  guint64 submitted, ended, failed;  /* tasks of users */
} TtiPoolFacts;

typedef struct
{
  guint index;
  int pid;                /* in the numbering of its node; 0: none */
  const char *state;      /* "busy", …, see tti_worker_state_name (); "dead" between two lives; "stopped" by a signal */
  const char *host;       /* interned; see tti_host_is_elsewhere () */
  guint restarts;
  guint64 tasks_done, peak_memory;
  guint64 task;           /* that it runs; 0: none */
  const char *task_name;  /* interned; NULL: none */
  gint64 since;           /* when it has begun that, monotonic */
  guint n_behind;         /* tasks that it has been given beside that */
} TtiWorkerFacts;

typedef enum
{
  TTI_STANDING_WAITING,   /* for other tasks */
  TTI_STANDING_QUEUED,    /* for any worker; PLACE is its place in the queue, from 1 */
  TTI_STANDING_WIDE,      /* the same, and it needs the share of several workers */
  TTI_STANDING_PINNED,    /* for WORKER; PLACE is that in its queue */
  TTI_STANDING_GIVEN,     /* to WORKER, which runs another one first; PLACE is that behind it */
  TTI_STANDING_RUNNING    /* WORKER runs it since SINCE */
} TtiStanding;

#define TTI_FACTS_MOST_MISSING 8

typedef struct
{
  guint64 id, pool;
  const char *name;       /* of its procedure, interned; NULL: none */
  TtiStanding standing;
  gboolean is_maker;      /* the engine made it, so that a worker makes a held object */
  int worker;             /* see above; -1: none */
  const char *host;       /* of that, if it runs; interned */
  guint place;
  gint64 since;           /* monotonic */
  guint attempts;         /* how often it was given to a worker */
  guint begun, all;       /* of its parts, the items of a map; 0: it has none, or that is not known */
  guint n_missing;        /* tasks that it waits for; the first of them: */
  guint64 missing[TTI_FACTS_MOST_MISSING];
} TtiTaskFacts;

typedef struct
{
  guint running, queued, waiting; /* how many there are in all; what was given to a worker and not begun is queued */
} TtiTaskCounts;

/* An array of TtiPoolFacts of all pools of ENGINE, of TtiWorkerFacts of those of POOL (NULL: there is none with that number), and of
 * TtiTaskFacts of the tasks of POOL (0: of all), those that run first, MOST of those that run and MOST of the others at most. The caller
 * owns it; g_array_unref. */
GArray *tti_engine_list_pools (TtiEngine *engine);
GArray *tti_engine_list_workers (TtiEngine *engine, guint64 pool);
GArray *tti_engine_list_tasks (TtiEngine *engine, guint64 pool, guint most, TtiTaskCounts *counts);

/* The facts of one pool, to be cleared with tti_pool_facts_clear (); also in a copy of the process, where it has nothing but its name. */
TtiPoolFacts tti_pool_get_facts (TtiPool *pool);
void tti_pool_facts_clear (TtiPoolFacts *facts);

/* How TASK stands, but for its place in a queue. FALSE: it was not submitted, or has ended, or this is a copy of the process. */
gboolean tti_task_get_facts (TtiTask *task, TtiTaskFacts *facts);

/* Why TASK, which has ended, has no value: free with g_free. NULL: it has one, or that is not known. */
char *tti_task_describe_failure (TtiTask *task);

/* How the task with the number ID stands. FALSE: none of this number waits or runs. */
gboolean tti_engine_find_task (TtiEngine *engine, guint64 id, TtiTaskFacts *facts);

/* What has failed lately of task ID: *FAILURE, how it ended (its text is to be freed, EXCEPTION is given as text; TASK is 0 if it has not
 * failed as far as is known); an array of TtiPastDeath (the caller owns all of it) of those workers that died while they ran it; and how
 * many failures were forgotten. */
GArray *tti_engine_list_past (TtiEngine *engine, guint64 id, TtiPastFailure *failure, guint64 *n_forgotten);

/* A reference of the pool with that number, or NULL. */
TtiPool *tti_engine_find_pool (TtiEngine *engine, guint64 number);

/* --- stacks.c -------------------------------------------------------------------------------------------------------------------- */
typedef enum
{
  TTI_STACK_TOLD,    /* *TEXT is what the worker says of where it is */
  TTI_STACK_IDLE,    /* it runs nothing */
  TTI_STACK_SILENT,  /* it has not answered in time: it is in C, or does not run */
  TTI_STACK_NONE     /* there is no such worker now */
} TtiStackAnswer;

/* Ask the worker with INDEX where it is, and wait until DEADLINE for its answer. *TEXT is to be freed, *FACTS says how the worker was. No
 * task is changed by it. */
TtiStackAnswer tti_pool_ask_stack (TtiPool *pool, guint index, gint64 deadline, TtiWorkerFacts *facts, char **text);
