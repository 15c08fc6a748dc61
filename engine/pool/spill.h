/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Lines that come faster than they are read, in a file for each worker. It has a limit; what does not fit, or cannot be written, is
 * counted. Nobody waits for anybody: a task that writes without end runs on, and so does the job on a full disk. */
#pragma once
#include <glib.h>

/* Where a pool has its files: a folder that is made for the first of them, in that for temporary files. */
typedef struct
{
  char *folder;
  gboolean made;
  guint64 limit; /* bytes of each file; 0: there are none */
} TtiSpillPlace;

typedef struct
{
  gboolean active; /* it takes all lines, until somebody has been told where they are: so that they stay together */
  gboolean full;   /* something did not fit: what comes later would make a gap */
  char *file;      /* NULL: there is none */
  int fd;          /* while it is active; -1 */
  guint64 size;    /* bytes in the file */
  guint64 lines, bytes, lost_lines, lost_bytes; /* since that was told last */
  char *problem;   /* why some were lost, or NULL */
} TtiSpill;

/* What has become of a worker's lines since that was told last. */
typedef struct
{
  guint index;
  char *file;             /* where lines are; NULL: there is none */
  guint64 lines, bytes;   /* that were added to it */
  guint64 lost_lines, lost_bytes;
  char *problem;          /* why these were lost, or NULL */
} TtiSpillReport;

/* Files of at most LIMIT bytes, in the folder for temporary files as it is now. */
void tti_spill_place_init (TtiSpillPlace *place, guint64 limit);
void tti_spill_place_clear (TtiSpillPlace *place); /* the folder stays if there is anything in it */

/* Without a file. */
void tti_spill_init (TtiSpill *spill);
void tti_spill_clear (TtiSpill *spill); /* the file stays */

/* Add BYTES, whole lines, of the worker with INDEX. Returns how many lines were lost. */
guint64 tti_spill_add (TtiSpill *spill, TtiSpillPlace *place, guint index, const char *bytes, gsize length);

/* What is to be told; then it takes no more lines. FALSE: it took none. */
gboolean tti_spill_take (TtiSpill *spill, guint index, TtiSpillReport *report);
void tti_spill_report_clear (TtiSpillReport *report);

/* Forget what is to be told, and take it out of the file; which is removed if there is nothing else in it. */
void tti_spill_discard (TtiSpill *spill);
