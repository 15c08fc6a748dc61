/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What our processes are called in ps and top: "tutti-worker: pool "tiles" 3", "tutti-watcher: of pid 1234". */
#pragma once
#include <glib.h>

/* The setting in a worker's environment that says what its pool is called. The worker takes it out. */
#define TUTTI_POOL_NAME_SETTING "TUTTI_POOL_NAME"

/* The setting for workers of the pool NAME, whatever bytes that has, "TUTTI_POOL_NAME=…". To be freed. */
char *tutti_worker_title_setting (const char *name);

/* Be called after the pool and the worker's index in it, as the environment says. */
void tutti_worker_title_enter (void);

/* Be called NAME (at most 15 bytes), of the process of the pidfd MASTER. */
void tutti_helper_title_enter (const char *name, int master);
