/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How many threads products take, and how they share one. OpenBLAS's own threads give other bits than one thread does, as they cut a
 * product in as many parts as there are threads. Products of ours are cut in parts that depend on the shape alone, and any number of
 * threads may take these. */
#pragma once
#include <glib.h>

/* BLAS multiplies with one thread, unless the user has set the number by OPENBLAS_NUM_THREADS or OMP_NUM_THREADS: with another number
 * it gives other bits, and it takes the cores from the workers. OpenBLAS has read its environment by the time this is called, so this
 * sets its number. */
void tti_blas_limit_threads (void);

/* Call DO_PART (DATA, i) for all I below N_PARTS, each once, in as many threads as BLAS may use, and return when all are done. Within it
 * BLAS uses one thread. One at a time is done so: another thread that wants the same waits. */
void tti_blas_share (guint n_parts, void (*do_part) (gpointer data, guint part), gpointer data);

/* How many threads BLAS may use, at least 1. */
guint tti_blas_threads (void);
