/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The pieces of the state that the page shows (page/state.h), each as a text in JSON, made from a board. All texts are the caller's, by
 * g_free. */
#pragma once
#include "page/state.h"

char *tti_piece_run (const TtiBoard *board, int pid, gint64 began, TtiPageEnd end); /* BEGAN: wall clock, µs */
char *tti_piece_counts (const TtiBoard *board, gint64 now);   /* of tasks, with the rate at NOW */
char *tti_piece_progress (const TtiBoard *board, gint64 now); /* an array, with what is left at NOW */
char *tti_piece_pools (const TtiBoard *board);                /* an array, as the next two: the last that there were, as many as fit */
char *tti_piece_nodes (const TtiBoard *board);                /* the first, likewise */
char *tti_piece_plots (const TtiPlots *plots);                /* names and versions: never paths */
char *tti_piece_worker (const TtiBoard *board, const TtiBoardPool *pool, const TtiBoardWorker *worker); /* with what it runs */
char *tti_piece_failure (const TtiBoard *board, const TtiBoardFailure *failure); /* with its texts */
char *tti_piece_line (const TtiBoard *board, const TtiBoardLine *line); /* that people were told, or that a worker has written */
/* An array: wall clock in ms, tasks ended, bytes of the workers, those that are busy. */
char *tti_piece_sample (const TtiBoard *board, gint64 now);
