/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of an engine as its events tell it, for those who look: its pools, workers and nodes, how many tasks there are, what has
 * failed.
 *
 * Nothing is kept for each task, but for those that workers have: a million of them need no more memory than ten, and an event costs the
 * same. Lists of what has happened (failures, lines) are bounded, and so are texts. Counts are exact once a second and follow what is
 * submitted, started and ended between. All times are monotonic, in µs, as in events.
 *
 * What the functions return is the board's, and lives until it takes the next event; numbers of tasks, pools and generations are those of
 * events. By one thread at a time. */
#pragma once
#include "look/events.h"

typedef struct _TtiBoard TtiBoard;

enum
{
  TTI_BOARD_MOST_FAILURES = 100,
  TTI_BOARD_MOST_LINES = 100,      /* of each kind */
  TTI_BOARD_MOST_TEXT = 4096,      /* bytes of one */
  TTI_BOARD_MOST_PROGRESSES = 32
};

TtiBoard *tti_board_new (void);        /* that nothing is known of */
void tti_board_free (TtiBoard *board); /* NULL is fine */

/* Take EVENT, and all others in their order. TRUE: something was missed, ask for a snapshot (tti_viewer_ask ()); this is not said again
 * before that has come, or a second later. */
gboolean tti_board_take (TtiBoard *board, const TtiEvent *event);

/* A snapshot was taken as a whole, and nothing was missed since: what the board shows is all there is. */
gboolean tti_board_is_complete (const TtiBoard *board);
gboolean tti_board_is_over (const TtiBoard *board);        /* the engine was shut down */
guint64 tti_board_get_number (const TtiBoard *board);      /* of the last event; 0: there was none */
gint64 tti_board_get_time (const TtiBoard *board);         /* of the last event */
gint64 tti_board_wall (const TtiBoard *board, gint64 time); /* TIME by the wall clock, µs since 1970; 0: not known */
const char *tti_board_get_note (const TtiBoard *board, const char *key); /* see TtiLookNote; NULL: there is none */
/* Call FUNCTION with each key and value. */
void tti_board_foreach_note (const TtiBoard *board, void (*function) (const char *key, const char *value, gpointer data), gpointer data);

/* --- tasks, workers and pools ------------------------------------------------------------------------------------------------ */

/* Without tasks that only make held objects, but for RUNNING and BUSY. */
typedef struct
{
  guint64 submitted, ended;
  guint64 failed;                  /* of ENDED: all that are not done */
  guint64 ends[TTI_LOOK_N_ENDS];   /* of ENDED, by TtiLookEnd */
  guint64 queued;                  /* that wait for a worker, those included that a worker was given in advance */
  guint64 waiting;                 /* that wait for other tasks */
  guint64 running;
  guint busy, workers;             /* workers that run something; workers that are to be */
} TtiBoardCounts;

/* A task that a worker has. */
typedef struct
{
  guint64 task, pool, generation;
  guint64 input;                   /* bytes of its request */
  gint64 started;                  /* when the worker was given it */
  gint64 since;                    /* it runs since then; 0: not yet, another one is before it */
  guint32 worker, attempt, flags;  /* as in TtiLookStarted */
  guint32 begun, all;              /* of a map: its items; 0: not known */
  char *name;                      /* of its procedure, or "" */
  /* The board's own: */
  GList link;
  guint mark;
  gboolean counted;
} TtiBoardTask;

typedef struct
{
  guint64 pool;
  guint64 generation;              /* of its present life; 0: it has none */
  guint32 index;
  gint32 pid;                      /* 0: not known */
  TtiWorkerState state;            /* TTI_WORKER_NONE: nothing is known of it */
  guint32 restarts;
  guint64 tasks_done;
  guint64 peak_memory;             /* bytes; 0: not known */
  char *node;                      /* its name */
  char *ended_for;                 /* why it is being ended, or "" */
  GQueue tasks;                    /* of TtiBoardTask; the first is what it runs */
  /* The board's own: */
  guint mark;
} TtiBoardWorker;

typedef struct
{
  guint64 number;
  char *name;
  char *failure;                   /* why it has failed, or "" */
  TtiLookPoolState state;
  guint size, goal;                /* its workers; how many it is to have */
  TtiBoardCounts counts;
  GPtrArray *workers;              /* of TtiBoardWorker, by index; those beyond SIZE have gone, or go */
  /* The board's own: */
  guint mark;
} TtiBoardPool;

/* Of TtiBoardPool, in the order of their numbers; also those that were closed last. */
const GPtrArray *tti_board_get_pools (const TtiBoard *board);
void tti_board_get_counts (const TtiBoard *board, TtiBoardCounts *counts); /* of all pools that there were */
const TtiBoardTask *tti_board_find_task (const TtiBoard *board, guint64 task); /* that a worker has; NULL: none has it */

/* Tasks that have ended in a second, over the last five before NOW; negative: it has not been looked for long enough. */
double tti_board_get_rate (const TtiBoard *board, gint64 now);

typedef struct
{
  char *name;
  TtiLookNodeState state;
  gboolean is_here;
  char *reason;                    /* or "" */
  /* The board's own: */
  guint mark;
} TtiBoardNode;

const GPtrArray *tti_board_get_nodes (const TtiBoard *board); /* of TtiBoardNode */

/* --- how far it is ----------------------------------------------------------------------------------------------------------- */

typedef struct
{
  guint64 number, done, all, failed;
  gint64 began, updated;
  gboolean is_over;
  char *name;                      /* or "" */
  /* The board's own: */
  guint mark;
} TtiBoardProgress;

/* Of TtiBoardProgress, in the order of their numbers; also what is over. */
const GPtrArray *tti_board_get_progresses (const TtiBoard *board);
double tti_board_progress_rate (const TtiBoardProgress *progress); /* items a second since it began; 0: none */
/* The time that is left at NOW if it goes on as until now, µs; negative: that cannot be said. */
gint64 tti_board_progress_left (const TtiBoardProgress *progress, gint64 now);

/* --- what has happened ------------------------------------------------------------------------------------------------------- */

/* A task that has failed by itself, an item of a map that has, or a worker that has died. Tasks that were cancelled, that ended with
 * another one or with their pool are only counted. There are also those that an engine keeps from before anybody looked. */
typedef struct
{
  guint64 number;                  /* of the event */
  gint64 time;
  TtiEventKind kind;               /* TTI_EVENT_ENDED, TTI_EVENT_ITEM, TTI_EVENT_DIED */
  guint64 task;                    /* 0: none, or not known */
  guint64 item;                    /* of an item */
  guint64 pool;                    /* 0: not known */
  gint32 worker;                   /* -1: none */
  TtiLookEnd end;                  /* of a task */
  guint32 attempts;                /* of a task; which one, of a worker that died */
  gboolean again;                  /* the task is tried again */
  TuttiDeathReason reason;         /* of a worker */
  char *name;                      /* of the task's procedure, or "" */
  char *text;
  char *tail;                      /* the worker's last lines of standard error, or "" */
} TtiBoardFailure;

guint tti_board_get_n_failures (const TtiBoard *board);                 /* that are kept */
const TtiBoardFailure *tti_board_get_failure (const TtiBoard *board, guint i); /* 0: the latest */
guint64 tti_board_count_failures (const TtiBoard *board);               /* all that are known of */

typedef enum { TTI_BOARD_TOLD, TTI_BOARD_OUTPUT, TTI_BOARD_N_LINES } TtiBoardLines; /* people were told; written by a worker */

typedef struct
{
  guint64 number;                  /* of the event */
  gint64 time;
  guint64 pool, task;              /* of output; 0: none */
  guint32 worker;
  gboolean is_error;
  char *text;
} TtiBoardLine;

guint tti_board_get_n_lines (const TtiBoard *board, TtiBoardLines kind); /* that are kept */
const TtiBoardLine *tti_board_get_line (const TtiBoard *board, TtiBoardLines kind, guint i); /* 0: the latest */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiBoard, tti_board_free)
