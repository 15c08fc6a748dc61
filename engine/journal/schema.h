/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The tables of a journal, an SQLite database. Times are of the wall clock, in µs since 1970; durations are in µs. Numbers of tasks, lives
 * (generations) and pools are unique in a run. The manual describes them for people who write queries of their own. */
#pragma once
#include <glib.h>

#define TTI_JOURNAL_APPLICATION_ID 0x54757469 /* PRAGMA application_id: "Tuti" */
#define TTI_JOURNAL_VERSION 1                 /* PRAGMA user_version */

static const char tti_journal_schema[] =
  /* ENGINE tells a run that is gone on with, after its recorder has ended, from another one: host, process, and when that was started.
   * LAST_EVENT: the number of the last event (look/events.h) that is in here. ENDED: while it is running, until when it is written down.
   * STATE: running, ended (the engine was shut down), or lost (its process was gone). */
  "CREATE TABLE run (run INTEGER PRIMARY KEY, engine TEXT UNIQUE, host TEXT, pid INTEGER, began INTEGER, ended INTEGER, state TEXT,"
  " last_event INTEGER);"
  "CREATE TABLE note (run INTEGER, key TEXT, value TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID;"
  "CREATE TABLE pool (run INTEGER, pool INTEGER, name TEXT, size INTEGER, state TEXT, error TEXT, submitted INTEGER, ended INTEGER,"
  " failed INTEGER, began INTEGER, closed INTEGER, PRIMARY KEY (run, pool)) WITHOUT ROWID;"
  /* A life of a worker; RESTARTS: of its place before. */
  "CREATE TABLE worker (run INTEGER, generation INTEGER, pool INTEGER, worker INTEGER, node TEXT, pid INTEGER, began INTEGER,"
  " ended INTEGER, restarts INTEGER, peak_memory INTEGER, PRIMARY KEY (run, generation)) WITHOUT ROWID;"
  "CREATE TABLE node (run INTEGER, time INTEGER, name TEXT, state TEXT, reason TEXT);"
  /* Those that are not in a block. SUBMITTED: NULL if the recorder came later. OUTCOME: NULL while it has not ended; else done, raised,
   * failed, cancelled, timed out, died or closed; or unknown: it has ended in a gap. */
  "CREATE TABLE task (run INTEGER, task INTEGER, pool INTEGER, name TEXT, submitted INTEGER, started INTEGER, ended INTEGER, took INTEGER,"
  " worker INTEGER, generation INTEGER, attempts INTEGER, losses INTEGER, outcome TEXT, error TEXT, culprit INTEGER, input INTEGER,"
  " result INTEGER, maker INTEGER, capsule TEXT, PRIMARY KEY (run, task)) WITHOUT ROWID;"
  /* Of tasks in the table above; those that have not ended, or ended otherwise than well. OUTCOME: as above, or again. */
  "CREATE TABLE attempt (run INTEGER, task INTEGER, attempt INTEGER, worker INTEGER, generation INTEGER, started INTEGER, ended INTEGER,"
  " outcome TEXT, PRIMARY KEY (run, task, attempt)) WITHOUT ROWID;"
  /* Short successes at the first attempt, in records (TtiJournalRecord) in the order in which they ended. FIRST and LAST: the least and the
   * largest number of a task. The last block of a run that goes on grows. */
  "CREATE TABLE block (block INTEGER PRIMARY KEY, run INTEGER, first INTEGER, last INTEGER, n INTEGER, began INTEGER,"
  " ended INTEGER, records BLOB);"
  "CREATE INDEX block_tasks ON block (run, last, first);"
  "CREATE TABLE name (run INTEGER, number INTEGER, name TEXT, PRIMARY KEY (run, number)) WITHOUT ROWID;" /* of records */
  "CREATE TABLE item (run INTEGER, time INTEGER, task INTEGER, item INTEGER, error TEXT, capsule TEXT);"
  "CREATE INDEX item_tasks ON item (run, task);"
  "CREATE TABLE certificate (run INTEGER, time INTEGER, pool INTEGER, worker INTEGER, generation INTEGER, pid INTEGER, task INTEGER,"
  " attempt INTEGER, reason TEXT, status INTEGER, signal INTEGER, peak_memory INTEGER, again INTEGER, text TEXT, stderr TEXT);"
  "CREATE INDEX certificate_tasks ON certificate (run, task);"
  "CREATE TABLE output (run INTEGER, time INTEGER, pool INTEGER, worker INTEGER, task INTEGER, error INTEGER, text TEXT);"
  "CREATE INDEX output_tasks ON output (run, task) WHERE error = 1 AND task IS NOT NULL;"
  "CREATE TABLE progress (run INTEGER, progress INTEGER, name TEXT, done INTEGER, total INTEGER, failed INTEGER, began INTEGER,"
  " updated INTEGER, PRIMARY KEY (run, progress)) WITHOUT ROWID;"
  "CREATE TABLE message (run INTEGER, time INTEGER, text TEXT);"
  /* What is missing: KIND is dropped (events were written faster than they were read), recorder (it had ended, and was started again), full
   * (the disk was), output (more lines of standard output came than are kept) or broken (the ring of events was damaged, TEXT says how).
   * LOST: events, or lines, as far as that is known. */
  "CREATE TABLE gap (run INTEGER, began INTEGER, ended INTEGER, kind TEXT, lost INTEGER, text TEXT);"
  /* Once a second: of each pool. MEMORY: bytes, the sum of its workers' largest resident sets. */
  "CREATE TABLE sample (run INTEGER, time INTEGER, pool INTEGER, submitted INTEGER, ended INTEGER, failed INTEGER, busy INTEGER,"
  " memory INTEGER);"
  "CREATE INDEX sample_times ON sample (run, time);";

/* A short success, in a block; little-endian, as in memory. */
typedef struct
{
  guint64 task;
  gint64 started;    /* when a worker was given it, wall clock */
  guint32 queued;    /* µs between its submission and that */
  guint32 elapsed;   /* µs from then to its end */
  guint32 took;      /* µs in the worker; 0: less, or not known */
  guint16 pool, name; /* NAME: of table name; 0: it has none */
  guint32 worker;
  guint32 result;    /* bytes, at most G_MAXUINT32 */
} TtiJournalRecord;

G_STATIC_ASSERT (sizeof (TtiJournalRecord) == 40);
