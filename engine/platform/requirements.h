/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What has to be there before anything can work: tried, not believed. A kernel, a container or a sandbox may lack any of it, and what then
 * fails first is mostly something else. */
#pragma once
#include <glib.h>

/* How many there are; the name of one ("/proc", "pidfd_open"), and whether it works: if not, ERROR says what is missing, what for, and what
 * to do. */
guint tutti_requirements_count (void);
const char *tutti_requirement_name (guint which);
gboolean tutti_requirement_check (guint which, GError **error);

/* All of them; FALSE at the first that does not work. */
gboolean tutti_requirements_check (GError **error);
