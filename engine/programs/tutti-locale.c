/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "programs/tutti-locale.h"
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BETTER "C.UTF-8"

/* Is the locale of the environment installed, and has it characters beyond ASCII? A locale that is not installed acts like the C
 * locale. */
static gboolean
locale_has_characters (void)
{
  return setlocale (LC_ALL, "") != NULL && strcmp (nl_langinfo (CODESET), "ANSI_X3.4-1968") != 0;
}

void
tti_locale_prepare (void)
{
  const char *all = g_getenv ("LC_ALL");

  if (locale_has_characters () || setlocale (LC_CTYPE, BETTER) == NULL)
    return;
  if (all == NULL || *all == '\0')
    g_setenv ("LC_CTYPE", BETTER, TRUE);
  if (locale_has_characters ())
    return;
  g_setenv ("LC_ALL", BETTER, TRUE);
  setlocale (LC_ALL, "");
}

gboolean
tti_locale_check_name (const char *name, const char *what)
{
  if (mbstowcs (NULL, name, 0) != (size_t) -1)
    return TRUE;
  fprintf (stderr, "tutti: %s, %s, has a name that is no text in the encoding of the locale, %s, and Guile cannot read it\n"
           "Rename it, set a locale of its encoding, or go into its folder and use a relative name.\n",
           what, name, nl_langinfo (CODESET));
  return FALSE;
}
