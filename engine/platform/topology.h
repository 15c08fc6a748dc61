/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* How the processors of a machine belong together, and which of them to choose for a process that is to have some for itself. */
#pragma once
#include <glib.h>

typedef struct _TtiTopology TtiTopology;

/* Of the processors ALLOWED (see cpu-set.h), as FOLDER tells, "/sys/devices/system". Where that says nothing, each processor is a core, and
 * all are in one NUMA node. */
TtiTopology *tti_topology_new (const char *folder, const GArray *allowed);
void tti_topology_free (TtiTopology *topology); /* NULL is fine */

/* N processors for somebody new, where get_users () tells how many have a processor already: those that the fewest have; if there are so
 * many, all in one NUMA node, that of which the least is used; whole cores before parts of cores. Fewer if there are not so many. */
typedef guint (*TtiCpuUsers) (guint cpu, gpointer user_data);
GArray *tti_topology_choose (const TtiTopology *topology, guint n, TtiCpuUsers get_users, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiTopology, tti_topology_free)
