/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Scheme in a worker: the handler of TUTTI_HANDLER_SCHEME. */
#pragma once
#include "process/worker-loop.h"

/* Boot Guile in this thread, load (tutti worker), and return the handler, which lives as long as the process. NULL after
 * writing to stderr what is wrong. tutti-worker finds this function by its name when it is to run Scheme code. */
const TuttiHandler *tutti_guile_worker_handler (void);
