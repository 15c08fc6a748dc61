/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The state of a recorder: what it knows of tasks that have not ended, and what is still to be written. */
#pragma once
#include "journal/database.h"
#include "journal/schema.h"
#include "look/viewer.h"

/* A task that has not ended. Times are monotonic. */
typedef struct
{
  guint64 task, pool, generation, input;
  gint64 submitted, started; /* SUBMITTED 0: before anybody looked. STARTED 0: it waits */
  gint64 started_before;     /* of the attempt before this one, which may be told to have died only now */
  guint64 snapshot;          /* the number of the last one that it was in */
  guint32 worker, attempt, flags;
  guint16 name;              /* a number of table name; 0: none */
  gboolean has_row;
} TtiPending;

/* The life of a worker. */
typedef struct
{
  guint64 pool;
  guint n_tasks;             /* that it has been given and that have not ended */
  guint64 peak_memory;
} TtiLifeState;

typedef struct
{
  TtiDatabase *database;
  TtiViewer *viewer;
  char *capsules;            /* the folder for them */
  GArray *arrivals;          /* of capsules, which are to be written down */
  gint64 run;
  gint64 wall;               /* of the wall clock to the monotonic one, µs */
  guint64 last_event;        /* the number of the last that was taken */
  guint64 seen;              /* up to here they were taken by a recorder before this one: they tell what is going on, and are not written */
  guint64 snapshot;          /* the number of the present one, or of the last */
  gboolean in_snapshot;
  gboolean has_missed;       /* something; the next snapshot tells what has ended meanwhile */
  gboolean is_broken;        /* the ring of events is: there is nothing more to be had */
  GHashTable *pending;       /* number -> TtiPending, owned */
  GHashTable *lives;         /* generation -> TtiLifeState, owned */
  GHashTable *names;         /* text -> number */
  GPtrArray *texts;          /* number - 1 -> text, owned by NAMES */
  GHashTable *nodes;         /* name, owned -> state */
  TtiJournalRecord *records; /* those of the present block */
  guint n_records, n_written;
  gint64 block;              /* the number of its row; 0: it has none yet */
  gint64 block_since;        /* when its first came, monotonic */
  gboolean was_shut_down;
  guint n_lines;             /* of output, since the last second */
} TtiRecorder;

/* Blocks have so many records at most. */
enum { TTI_BLOCK_RECORDS = 4096 };

/* recorder-tasks.c */
void tti_recorder_take_task_event (TtiRecorder *recorder, const TtiEvent *event); /* submitted, started, ended, died */
/* A snapshot has ended, the first after something was missed: what is not in it has ended meanwhile, but for MORE tasks that wait. */
void tti_recorder_take_snapshot (TtiRecorder *recorder, guint32 more);
void tti_recorder_write_running (TtiRecorder *recorder, gint64 now); /* what runs for long, so that it is there if we end */
void tti_recorder_write_pending (TtiRecorder *recorder);             /* all that has not ended */

/* recorder-blocks.c */
/* Add the success that EVENT, the end of a task, is; PENDING may be NULL. */
void tti_recorder_add_record (TtiRecorder *recorder, const TtiPending *pending, const TtiEvent *event);
/* Write the present block, so that all its records are in the file. It is gone on with if it is small and young, unless IS_LAST. */
void tti_recorder_write_block (TtiRecorder *recorder, gint64 now, gboolean is_last);
/* The number of the name TEXT in table name; 0: it has none. */
guint16 tti_recorder_number_of_name (TtiRecorder *recorder, const char *text);
void tti_recorder_read_names (TtiRecorder *recorder);  /* those that a recorder before this one has written */
void tti_recorder_write_names (TtiRecorder *recorder); /* once more, all of them */

/* recorder.c */
static inline gint64
tti_recorder_wall (const TtiRecorder *recorder, gint64 time)
{
  return time != 0 ? time + recorder->wall : 0;
}
