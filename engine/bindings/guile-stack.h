/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A worker says where it is, when it is sent a probe: the Scheme stack of the task that it runs. */
#pragma once
#include "process/worker-loop.h"

/* Look up, in Guile, what makes the text. */
void tti_guile_prepare_stack (void);

/* From now on a thread waits for SIDE's probe. If there is none, or no thread can be had, nothing is heard. To be called in the thread that
 * runs tasks, which must be in Guile mode. */
void tti_guile_await_probes (const TtiWorkerSide *side);
