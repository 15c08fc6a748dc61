/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* This machine as a node: a pair of guard and watcher, whose workers share memory with us.
 *
 * A pair that is lost is replaced, when everything that was below it has been ended; five in ten seconds, and the node is hopeless. */
#pragma once
#include "node/node.h"

/* PROGRAM is the path of tutti-watcher. Waits until the pair has greeted, at most 5 s; if it cannot start or ends instead, fails at
 * once with TUTTI_ERROR_SPAWN naming the path and errno or exit status. CONTEXT need not run yet. */
TtiNode *tti_local_node_new (const char *program, GMainContext *context, const TtiNodeEvents *events, gpointer user_data,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
