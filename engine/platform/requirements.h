/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Features of the system that Tutti requires, checked by using them. A kernel, a container or a sandbox may lack any of them, and
 * the first error would then usually be a misleading one. */
#pragma once
#include <glib.h>

/* The number of requirements; the name of one ("/proc", "pidfd_open"), and whether it works: if not, ERROR says what is missing,
 * what needs it, and what to do. */
guint tti_requirements_count (void);
const char *tti_requirement_name (guint which);
gboolean tti_requirement_check (guint which, GError **error);

/* Check all of them; FALSE at the first that does not work. */
gboolean tti_requirements_check (GError **error);
