/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the page shows of an engine, as JSON: all of it, or what has changed since a version.
 *
 * The state is made of pieces, each with its text and the version at which that has changed last: facts that stand alone ("run", "counts",
 * "progress", "pools", "nodes", "plots"), one for each worker, and lists to which something is added ("failures", "told", "output",
 * "series"). Its size depends on the number of workers and on fixed bounds, never on the number of tasks, nor on how long a reader has not
 * come: so nothing is queued for anybody.
 *
 * A text is one object on one line. "version" is that up to which it goes, "now" the wall clock in ms. If "whole" is there, what was known
 * is to be forgotten. "workers" is an object by the worker's key ("3.0": pool and index); with "all_workers" all others have gone. Elements
 * of lists are those that are new, the oldest first. */
#pragma once
#include "page/plots.h"

typedef struct _TtiPageState TtiPageState;

enum
{
  TTI_PAGE_MOST_SAMPLES = 600,   /* of the series, which has one for each second */
  TTI_PAGE_MOST_WORKERS = 2000   /* others are only counted */
};

typedef enum { TTI_PAGE_RUNNING, TTI_PAGE_ENDED, TTI_PAGE_LOST } TtiPageEnd; /* LOST: its process is gone without a word */

/* Of the engine in process PID, which was made at BEGAN, wall clock, µs. */
TtiPageState *tti_page_state_new (int pid, gint64 began);
void tti_page_state_free (TtiPageState *state); /* NULL is fine */

/* Take over what BOARD and PLOTS show at NOW, monotonic. TRUE: something has changed, and the version is another. */
gboolean tti_page_state_update (TtiPageState *state, const TtiBoard *board, const TtiPlots *plots, TtiPageEnd end, gint64 now);
/* Add a sample to the series: throughput and memory at NOW. */
void tti_page_state_sample (TtiPageState *state, const TtiBoard *board, gint64 now);

guint64 tti_page_state_version (const TtiPageState *state); /* from 1 */

/* The JSON for one who knows VERSION; 0: nothing yet. Free with g_free. */
char *tti_page_state_since (const TtiPageState *state, guint64 version);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiPageState, tti_page_state_free)
