/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The locale in which Guile is started. It decodes the names of files by it, and the locale of C, which cron and many containers have,
 * knows nothing but ASCII: Guile turns everything else into question marks, and finds neither a script nor a module below a folder
 * called Jürgen. So where there is no other locale, it gets the one that differs from that of C in nothing but the encoding, UTF-8. */
#pragma once
#include <glib.h>

/* Set what of the environment has to be another. */
void tutti_locale_prepare (void);

/* Can Guile read NAME, which is WHAT, without turning bytes into question marks? If not, that has been said. Only after
 * tutti_locale_prepare (). */
gboolean tutti_locale_check_name (const char *name, const char *what);
