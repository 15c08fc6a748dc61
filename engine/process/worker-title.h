/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The titles of our processes in ps and top: "tutti-worker: pool "tiles" 3", "tutti-watcher: of pid 1234". */
#pragma once
#include <glib.h>

/* The variable in a worker's environment with the name of its pool. The worker removes it. */
#define TTI_POOL_NAME_SETTING "TUTTI_POOL_NAME"

/* The variable for workers of the pool NAME, which may contain any bytes: "TUTTI_POOL_NAME=…". To be freed. */
char *tti_worker_title_setting (const char *name);

/* Set the title to the pool's name and the worker's index, which are in the environment. */
void tti_worker_title_enter (void);

/* Set the title to NAME (at most 15 bytes) "of pid N", where N is the process of the pidfd MASTER. */
void tti_helper_title_enter (const char *name, int master);
