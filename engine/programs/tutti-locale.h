/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The locale in which Guile is started. Guile decodes file names by it. The C locale, which cron and many containers have, contains
 * only ASCII: Guile turns all other characters into question marks, and finds neither scripts nor modules below a folder called
 * Jürgen. So if there is no other locale, select C.UTF-8, which differs from C only in the encoding. */
#pragma once
#include <glib.h>

/* Set the variables of the environment that must change. */
void tti_locale_prepare (void);

/* Can Guile read NAME, which is WHAT, without turning bytes into question marks? If not, prints an error. To be called after
 * tti_locale_prepare (). */
gboolean tti_locale_check_name (const char *name, const char *what);
