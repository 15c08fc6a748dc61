/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scheme in a worker: the handler of TTI_HANDLER_SCHEME. */
#pragma once
#include "process/worker-loop.h"

/* Boot Guile in this thread, load (tutti worker main), and return the handler, which lives as long as the process. NULL after
 * writing to stderr what is wrong. FOR_TEMPLATE: make no further thread, so that the process can be copied. tutti-worker finds these
 * functions by their names when it is to run Scheme code. */
const TtiHandler *tti_guile_worker_handler (gboolean for_template);

/* What each worker has of its own: once, in the worker, before its first task. */
void tti_guile_worker_start (void);

/* Is this process a worker, and not a template of some? */
gboolean tti_guile_is_worker (void);

/* The number of the worker's task that the calling thread runs; *ATTEMPT: which attempt of it, from 1; 0: there is none. */
guint64 tti_guile_get_task (guint *attempt);

/* From now on FUNCTION, if not NULL, is called in this worker after each task, before its answer is sent, and before a task ends the
 * process by exit (). It is called in Guile's mode, and must not raise. There is one such function. */
void tti_guile_at_task_end (void (*function) (void));
