/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The environment of a pool's workers: the master's, byte by byte, with what the pool says besides; and the locale by which both sides
 * decode the names of files. */
#pragma once
#include <glib.h>
#include <libguile.h>

/* A NULL-terminated array, which the current dynwind frees. SETTINGS is a list of strings NAME=VALUE, of which the first of a name
 * counts. Raises in the name of WHO. */
char **tti_guile_worker_environment (SCM settings, const char *who);

/* Define the primitive with which (tutti pool environment) looks at the environment. */
void tti_guile_init_environment (void);

/* In a worker, before Guile is there: decode as the master does. */
void tti_guile_adopt_locale (void);
