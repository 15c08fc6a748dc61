/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "programs/tutti-locale.h"
#include <glib.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>

#define BETTER "C.UTF-8"

/* The locale of the environment has more characters than ASCII. One that is not installed has the same effect as that of C. */
static gboolean
locale_has_characters (void)
{
  return setlocale (LC_ALL, "") != NULL && strcmp (nl_langinfo (CODESET), "ANSI_X3.4-1968") != 0;
}

void
tutti_locale_prepare (void)
{
  const char *all = g_getenv ("LC_ALL");

  if (locale_has_characters () || setlocale (LC_CTYPE, BETTER) == NULL)
    return;
  if (all == NULL || *all == '\0')
    g_setenv ("LC_CTYPE", BETTER, TRUE);
  if (!locale_has_characters ())
    g_setenv ("LC_ALL", BETTER, TRUE);
}
