/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The agent's work: it runs workers on this machine for a master elsewhere, as a pool here would, and passes on what they and the master
 * say. What the master has sent of vectors and of objects to be held it keeps, once for all of its workers, who see that memory without a
 * copy.
 *
 * The router has the local node, with a guard and a watcher; and the link to the master. Threads: the link's reader does what the master
 * asks for; that of CONTEXT tells the master what workers say. One lock. */
#pragma once
#include "cluster/link.h"

typedef struct _TtiRouter TtiRouter;

/* WATCHER: the path of its program. CONTEXT, which does not run yet, is to run until tti_router_is_over (). LINK is taken over, also if
 * that fails. */
TtiRouter *tti_router_new (const char *watcher, GMainContext *context, TtiLink *link, GError **error);
/* From now on the router is the owner of the link. */
void tti_router_attend (TtiRouter *router);

/* The host wants us to end: tell the master, which takes its tasks elsewhere and then ends us. */
void tti_router_drain (TtiRouter *router, const char *reason);

/* The master has ended us, or is lost: *REASON (to be freed; NULL: it has ended us) says why. */
gboolean tti_router_is_over (TtiRouter *router, char **reason);

/* End all workers and what they have started, and free. */
void tti_router_free (TtiRouter *router);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiRouter, tti_router_free)
