/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What happens in an engine, as records of a ring (look/event-ring.h): for each kind a struct of fixed members, and behind it one or two
 * texts.
 *
 * Tasks and the lives of workers (generations) have numbers that are unique in the process and ascend; workers have an index in their pool.
 * Times are monotonic, in µs; an event of kind clock says which wall-clock time that is. Texts are UTF-8, and cut where they are long.
 *
 * A viewer that has come is shown the state of all there is: between two events of kind snapshot are those that would have led to it. What
 * a viewer knew before it is to forget there. */
#pragma once
#include "look/event-ring.h"
#include "process/worker-state.h"
#include "tutti/death.h"

typedef enum
{
  TTI_EVENT_CLOCK = 1,
  TTI_EVENT_SNAPSHOT,
  TTI_EVENT_POOL,
  TTI_EVENT_WORKER,
  TTI_EVENT_NODE,
  TTI_EVENT_SUBMITTED,
  TTI_EVENT_STARTED,
  TTI_EVENT_PARTS,
  TTI_EVENT_ENDED,
  TTI_EVENT_ITEM,
  TTI_EVENT_DIED,
  TTI_EVENT_OUTPUT,
  TTI_EVENT_PROGRESS,
  TTI_EVENT_TOLD,
  TTI_EVENT_NOTE,
  TTI_EVENT_ANSWER,
  TTI_EVENT_FAILURE
} TtiEventKind;

/* At the beginning, every second, and when the two clocks have parted (by a suspension, or since one was set). */
typedef struct
{
  gint64 wall;             /* µs since 1970, at the time of the event */
} TtiLookClock;

typedef struct
{
  guint32 begins;          /* 1, or 0 where it ends */
  guint32 more;            /* where it ends: so many tasks that wait were left out, see TTI_EVENT_MOST_WAITING */
  guint64 last;            /* where it ends: tasks with numbers up to this were there before it, those that come later have higher ones */
} TtiLookSnapshot;

/* Tasks that are in a queue or wait for others are in a snapshot up to so many of each pool, the oldest first. */
#define TTI_EVENT_MOST_WAITING 1000

typedef enum { TTI_LOOK_POOL_OPEN, TTI_LOOK_POOL_CLOSING, TTI_LOOK_POOL_CLOSED, TTI_LOOK_POOL_FAILED } TtiLookPoolState;

/* How a task can end. */
typedef enum { TTI_LOOK_DONE, TTI_LOOK_RAISED, TTI_LOOK_FAILED, TTI_LOOK_CANCELLED, TTI_LOOK_TIMED_OUT, TTI_LOOK_DIED, TTI_LOOK_CLOSED }
    TtiLookEnd;
enum { TTI_LOOK_N_ENDS = TTI_LOOK_CLOSED + 1 };

/* A pool was made, has grown, shrunk, closed or failed. Texts: its name; why it failed. */
typedef struct
{
  guint64 pool;            /* its number, unique in the process */
  guint32 state;           /* TtiLookPoolState */
  guint32 size, goal;      /* its workers; how many it is to have */
  guint32 n_waiting;       /* tasks that wait for others */
  guint64 submitted, ended, failed; /* tasks until now, without those that only make held objects */
  guint64 ends[TTI_LOOK_N_ENDS];    /* of ENDED, by TtiLookEnd */
} TtiLookPool;

/* A worker: its state has changed, or once a second. Idle and busy are not told: tasks that start and end say that. Texts: the name of its
 * node; of what it is ended for, or "". */
typedef struct
{
  guint64 pool;
  guint64 generation;      /* of its life; 0: it has none now */
  guint32 index;
  gint32 pid;              /* in its node's numbering; 0: not known yet */
  guint32 state;           /* TtiWorkerState (process/worker-state.h) */
  guint32 restarts;
  guint64 tasks_done;
  guint64 peak_memory;     /* bytes of its resident set; 0: not known */
} TtiLookWorker;

typedef enum { TTI_LOOK_NODE_THERE, TTI_LOOK_NODE_AWAY, TTI_LOOK_NODE_DRAINING, TTI_LOOK_NODE_HOPELESS } TtiLookNodeState;

/* Texts: its name; the reason. */
typedef struct
{
  guint32 state;           /* TtiLookNodeState */
  guint32 is_here;         /* it is this machine */
} TtiLookNode;

enum
{
  TTI_LOOK_TASK_MAKER = 1, /* it only makes a held object for others */
  TTI_LOOK_TASK_WIDE = 2   /* it needs the share of several workers */
};

#define TTI_EVENT_MOST_MISSING 6

/* Texts: the name of its procedure, or "". In a snapshot also of one that has long been submitted. */
typedef struct
{
  guint64 task, pool;
  gint64 time_out;         /* µs; 0: none */
  gint32 place;            /* the worker that it is pinned to; -1: none */
  guint32 flags;
  guint32 retries;
  guint32 attempts;        /* that there were already */
  guint32 n_cpus;          /* that it needs; 0: those of its worker */
  guint32 n_missing;       /* of the tasks that it depends on so many have not ended; these are the first: */
  guint64 missing[TTI_EVENT_MOST_MISSING];
} TtiLookSubmitted;

/* A worker was given it; it runs when what that worker was given before has ended. Texts: the name of its procedure, or
 * "". */
typedef struct
{
  guint64 task, pool;
  guint64 generation;
  gint64 started;          /* the time; in a snapshot earlier than the event's */
  guint64 input;           /* bytes of its request, with vectors */
  guint32 worker, attempt;
  guint32 flags;           /* as of TtiLookSubmitted */
  guint32 padding;
} TtiLookStarted;

/* A chunk of a map, while it runs: at most twice a second. No text. */
typedef struct
{
  guint64 task, pool;
  guint32 begun, all;      /* items; 0 of ALL: that is not known */
} TtiLookParts;

/* Texts: the error, or ""; the name of its procedure. */
typedef struct
{
  guint64 task, pool;
  guint64 culprit;         /* the task with whose failure it has ended; 0: it has ended by itself */
  gint64 started;          /* when its worker was given it last; 0: never */
  gint64 took;             /* µs in the worker; 0: not known, or less */
  guint64 input, result;   /* bytes, with vectors */
  gint32 worker;           /* that had it last; -1: none */
  guint32 end;             /* TtiLookEnd */
  guint32 attempts, losses; /* losses: those of ATTEMPTS that ended with their node */
  guint32 flags;
  guint32 padding;
} TtiLookEnded;

/* An item of a map has failed. Text: the error. */
typedef struct
{
  guint64 task;            /* the chunk; 0: not known */
  guint64 item;            /* its index in the lists */
} TtiLookItem;

/* A worker has died: its certificate. Texts: one line for people, as "worker 3 (pid 1234) was ended by signal 9 (SIGKILL) while …"; its
 * last lines of standard error. */
typedef struct
{
  guint64 pool, generation;
  guint64 task;            /* that it ran; 0: none */
  guint64 input;           /* bytes of that */
  guint64 peak_memory;     /* bytes */
  guint32 worker;
  gint32 pid;
  guint32 reason;          /* TuttiDeathReason (tutti/death.h) */
  gint32 status, signal;   /* -1 and 0 where there is none */
  guint32 attempt;         /* of the task */
  guint32 begun;           /* items of the task that were begun */
  guint32 again;           /* 1: the task is tried again */
} TtiLookDied;

/* A line of a worker. Text: the line. */
typedef struct
{
  guint64 pool;
  guint64 task;            /* that its worker runs; 0: none */
  guint32 worker;
  guint32 is_error;        /* 1: of its standard error */
} TtiLookOutput;

/* How far something has come, of which a line is drawn for people. In a snapshot are those that go on. Texts: its name, or "". */
typedef struct
{
  guint64 progress;        /* its number, unique in the process */
  guint64 done, all;       /* of its items */
  guint64 failed;
  gint64 began;            /* the time */
  guint32 is_over;         /* 1: it goes no further */
  guint32 padding;
} TtiLookProgress;

/* People were told something. Text: that. */
typedef struct
{
  guint64 nothing;
} TtiLookTold;

/* A fact of the run: "program", "script", "arguments", "folder", "version", "host", "seed", "digest:FILE", "plot:NAME" and others. Of one
 * key the last counts. Texts: the key; the value. */
typedef struct
{
  guint64 nothing;
} TtiLookNote;

/* Somebody has asked for TASK (TTI_LOOK_ASK_TASK): between two of these are events of it and of those that it waits for, which say nothing
 * new to others. No text. */
typedef struct
{
  guint64 task;
  guint32 begins;          /* 1, or 0 where it ends */
  guint32 is_known;        /* where it ends: 1: it has not ended yet */
  guint64 n_ahead;         /* where it ends: so many tasks are before it in its queue */
} TtiLookAnswer;

/* In snapshots: one of the last failures, the oldest first, that somebody who has come late may want to know. The other events of it were
 * written when it happened, if somebody looked then. Of a flood of failures there are only some. Texts: the name of the task's procedure,
 * or ""; the error, or what was said of a worker that died: a line for people, and below it its last lines. */
typedef struct
{
  gint64 time;             /* when it happened */
  guint64 task, item, pool; /* 0: none, or not known */
  guint32 kind;            /* TTI_EVENT_ENDED, TTI_EVENT_ITEM or TTI_EVENT_DIED */
  gint32 worker;           /* -1: none */
  guint32 end;             /* TtiLookEnd, of a task */
  guint32 attempts;        /* of a task; which one, of a worker that died */
  guint32 again;           /* 1: the task is tried again */
  guint32 reason;          /* TuttiDeathReason, of a worker */
} TtiLookFailure;

/* --- writing them -------------------------------------------------------------------------------------------------------------- */

enum { TTI_EVENT_MOST_TEXTS = 2, TTI_EVENT_MOST_TEXT = 16 * 1024 };

/* Write an event of KIND, whose struct DATA is, with its texts (NULL: ""), to RING. TIME: monotonic, µs. */
void tti_event_write (TtiEventRing *ring, gint64 time, TtiEventKind kind, gconstpointer data, const char *first, const char *second);

/* --- reading them -------------------------------------------------------------------------------------------------------------- */

/* The structs and texts are those of the record that it was read from, and as short-lived. */
typedef struct
{
  TtiEventKind kind;
  guint64 number;          /* from 1 on */
  gint64 time;             /* monotonic, µs */
  guint64 n_dropped;       /* so many before it were lost for this reader */
  union
  {
    gconstpointer data;
    const TtiLookClock *clock;
    const TtiLookSnapshot *snapshot;
    const TtiLookPool *pool;
    const TtiLookWorker *worker;
    const TtiLookNode *node;
    const TtiLookSubmitted *submitted;
    const TtiLookStarted *started;
    const TtiLookParts *parts;
    const TtiLookEnded *ended;
    const TtiLookItem *item;
    const TtiLookDied *died;
    const TtiLookOutput *output;
    const TtiLookProgress *progress;
    const TtiLookTold *told;
    const TtiLookNote *note;
    const TtiLookAnswer *answer;
    const TtiLookFailure *failure;
  };
  const char *texts[TTI_EVENT_MOST_TEXTS]; /* "" where there is none */
} TtiEvent;

/* EVENT from RECORD with its BYTES. FALSE, with TUTTI_ERROR_PROTOCOL: it is none. */
gboolean tti_event_read (const TtiEventRecord *record, gconstpointer bytes, TtiEvent *event, GError **error);

/* The names of kinds, states and ends: "submitted", "failed". */
const char *tti_event_kind_name (TtiEventKind kind);
const char *tti_look_end_name (TtiLookEnd end);
const char *tti_look_pool_state_name (TtiLookPoolState state);
const char *tti_look_node_state_name (TtiLookNodeState state);
