/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Names of files, settings of the environment and whatever else is bytes to the system and a string to Scheme: encoded as Guile itself
 * does it, by the locale that is set, so that a name means the same file to both. Characters that the locale cannot encode, in that of C
 * all beyond ASCII, are encoded as UTF-8, which Guile would turn into question marks. */
#pragma once
#include <glib.h>
#include <libguile.h>

/* The bytes of STRING, to be freed with g_free (); within the current dynwind with tti_guile_to_name_in_dynwind (), which frees
 * them. Raises in the name of WHO if it is no string or has a NUL. */
char *tti_guile_to_name (SCM string, const char *who);
char *tti_guile_to_name_in_dynwind (SCM string, const char *who);
/* The string for BYTES; those that are no text in the locale nor in UTF-8 become question marks. */
SCM tti_guile_from_name (const char *bytes);
