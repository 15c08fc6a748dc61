/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The database of a journal, for the one who writes it. What cannot be written now, since the disk is full for instance, is lost and
 * counted; the others go on. */
#pragma once
#include <glib.h>

typedef struct _TtiDatabase TtiDatabase;

typedef enum
{
  TTI_SQL_BEGIN_RUN,
  TTI_SQL_TOUCH_RUN,
  TTI_SQL_END_RUN,
  TTI_SQL_NOTE,
  TTI_SQL_POOL,
  TTI_SQL_WORKER,
  TTI_SQL_WORKER_DIED,
  TTI_SQL_NODE,
  TTI_SQL_TASK,
  TTI_SQL_TASKS_UNKNOWN,
  TTI_SQL_ATTEMPT,
  TTI_SQL_BLOCK,
  TTI_SQL_BLOCK_AGAIN,
  TTI_SQL_NAME,
  TTI_SQL_ITEM,
  TTI_SQL_CERTIFICATE,
  TTI_SQL_OUTPUT,
  TTI_SQL_PROGRESS,
  TTI_SQL_MESSAGE,
  TTI_SQL_GAP,
  TTI_SQL_SAMPLE,
  TTI_SQL_TASK_CAPSULE,
  TTI_SQL_ITEM_CAPSULE,
  TTI_SQL_N
} TtiSql;

/* Open the journal in FILE, or make it, with its tables. Errors (TUTTI_ERROR_SYSTEM): it cannot be written, or is something else, or of a
 * newer version; the message names it. */
TtiDatabase *tti_database_open (const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Write what is still to be written, and close it. */
void tti_database_close (TtiDatabase *database);

/* The number of the run of ENGINE, "" for none, with *LAST_EVENT and *ENDED as in its row; 0: there is none. */
gint64 tti_database_find_run (TtiDatabase *database, const char *engine, gint64 *last_event, gint64 *ended);
/* A new row of the table run. 0 with ERROR. */
gint64 tti_database_add_run (TtiDatabase *database, const char *engine, const char *host, int pid, gint64 began, GError **error);

/* Run the statement SQL with values, of which FORMAT has a character each: i (gint64), n (gint64, 0 is NULL), s (const char *, NULL fine),
 * b (gconstpointer and gsize: bytes). What it does becomes permanent with the next tti_database_commit (). FALSE: it was lost, which is
 * counted, or has changed no row. */
gboolean tti_database_write (TtiDatabase *database, TtiSql sql, const char *format, ...);
/* The number of the row that was inserted last. */
gint64 tti_database_get_last_row (TtiDatabase *database);
/* What was lost as one row were N more. */
void tti_database_count_lost (TtiDatabase *database, guint64 n);

/* While IS_QUIET, tti_database_write () does nothing: what is written is there already. */
void tti_database_set_quiet (TtiDatabase *database, gboolean is_quiet);

/* Call FUNC with the number and the text of each name of RUN (table name). */
typedef void (*TtiNameFunc) (gint64 number, const char *text, gpointer data);
void tti_database_read_names (TtiDatabase *database, gint64 run, TtiNameFunc func, gpointer data);

/* To be called a few times a second. NOW: monotonic, µs. */
void tti_database_commit (TtiDatabase *database, gint64 now);

/* Was something lost, since it could not be written, and is it over? Then *LOST rows were, since *SINCE (monotonic, µs), for *REASON, which
 * is static. Tells each time once. */
gboolean tti_database_take_gap (TtiDatabase *database, guint64 *lost, gint64 *since, const char **reason);
