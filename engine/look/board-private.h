/* SPDX-License-Identifier: LGPL-3.0-or-later */
#pragma once
#include "look/board.h"

/* Far more than there can be of them: who writes such events is no engine. */
enum
{
  TTI_BOARD_MOST_POOLS = 4096,
  TTI_BOARD_MOST_WORKERS = 16384, /* of a pool */
  TTI_BOARD_MOST_TASKS = 262144,  /* that workers have */
  TTI_BOARD_MOST_NODES = 4096,
  TTI_BOARD_MOST_NOTES = 1024,
  TTI_BOARD_MOST_SAMPLES = 32,
  TTI_BOARD_MOST_NAMES = 32
};

/* How many tasks had ended at a time. */
typedef struct
{
  gint64 time;
  guint64 ended;
} TtiBoardSample;

/* The name of a task that a worker had. */
typedef struct
{
  guint64 task;
  char *name;
} TtiBoardName;

/* The last of something, in a ring; N of them were added until now. */
typedef struct
{
  TtiBoardLine lines[TTI_BOARD_MOST_LINES];
  guint64 n;
} TtiBoardLineRing;

struct _TtiBoard
{
  guint64 number;              /* of the last event */
  gint64 time;                 /* its time */
  gint64 wall_offset;          /* of the wall clock to the monotonic one; 0: not known */
  guint64 last_task;           /* the highest number of a task until now: what is above is new */
  gint64 asked;                /* for a snapshot, at that time; 0: none is needed */
  gboolean in_snapshot, in_answer, complete, over;
  guint mark;                  /* of what the last snapshot has shown, or what came since */
  TtiBoardCounts past;         /* of pools that are not kept any more */
  GPtrArray *pools;            /* of TtiBoardPool, owned, by number */
  GHashTable *tasks;           /* number -> TtiBoardTask, owned */
  TtiBoardName names[TTI_BOARD_MOST_NAMES]; /* of those that were given back or ended last; that a worker has died is told afterwards */
  guint n_names;
  GPtrArray *nodes;            /* of TtiBoardNode, owned */
  GHashTable *notes;           /* text -> TtiBoardNote, owned, both */
  GPtrArray *progresses;       /* of TtiBoardProgress, owned, by number */
  TtiBoardSample samples[TTI_BOARD_MOST_SAMPLES];
  guint64 n_samples;           /* that were taken until now */
  TtiBoardFailure failures[TTI_BOARD_MOST_FAILURES];
  guint64 n_failures;
  TtiBoardLineRing lines[TTI_BOARD_N_LINES];
};

/* A copy of TEXT, of TTI_BOARD_MOST_TEXT bytes at most. */
char *tti_board_copy_text (const char *text);

/* --- board-tasks.c: pools, workers, and the tasks that these have ------------------------------------------------------------- */
void tti_board_init_tasks (TtiBoard *board);
void tti_board_clear_tasks (TtiBoard *board);
void tti_board_take_pool (TtiBoard *board, const TtiEvent *event);
void tti_board_take_worker (TtiBoard *board, const TtiEvent *event);
void tti_board_take_submitted (TtiBoard *board, const TtiEvent *event);
void tti_board_take_started (TtiBoard *board, const TtiEvent *event);
void tti_board_take_parts (TtiBoard *board, const TtiEvent *event);
void tti_board_take_ended (TtiBoard *board, const TtiEvent *event);
const char *tti_board_name_of (const TtiBoard *board, guint64 task); /* of a task that a worker has, or had until just now; or "" */
void tti_board_sweep_tasks (TtiBoard *board); /* forget what the snapshot that has ended did not show */

/* --- board-lists.c: nodes, notes, progress, and what has happened -------------------------------------------------------------- */
void tti_board_init_lists (TtiBoard *board);
void tti_board_clear_lists (TtiBoard *board);
void tti_board_take_node (TtiBoard *board, const TtiEvent *event);
void tti_board_take_note (TtiBoard *board, const TtiEvent *event);
void tti_board_take_progress (TtiBoard *board, const TtiEvent *event);
void tti_board_take_failure (TtiBoard *board, const TtiEvent *event); /* a task or item that has failed, or a death, now or before */
void tti_board_take_line (TtiBoard *board, const TtiEvent *event);    /* told, output */
void tti_board_sweep_lists (TtiBoard *board);
