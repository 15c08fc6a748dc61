/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "bindings/guile-name.h"
#include "bindings/guile-error.h"
#include <stdlib.h>
#include <string.h>

char *
tti_guile_to_name (SCM string, const char *who)
{
  size_t size;

  SCM_ASSERT_TYPE (scm_is_string (string), string, 1, who, "string");
  char *utf8 = scm_to_utf8_stringn (string, &size);
  if (memchr (utf8, '\0', size) != NULL)
    {
      free (utf8);
      scm_misc_error (who, "a name for the system cannot have a NUL character: ~S", scm_list_1 (string));
    }
  char *text = g_strndup (utf8, size);
  free (utf8);
  char *bytes = g_locale_from_utf8 (text, -1, NULL, NULL, NULL);
  if (bytes == NULL)
    return text;
  g_free (text);
  return bytes;
}

char *
tti_guile_to_name_in_dynwind (SCM string, const char *who)
{
  char *bytes = tti_guile_to_name (string, who);

  scm_dynwind_unwind_handler (g_free, bytes, SCM_F_WIND_EXPLICITLY);
  return bytes;
}

SCM
tti_guile_from_name (const char *bytes)
{
  char *utf8 = g_locale_to_utf8 (bytes, -1, NULL, NULL, NULL);
  SCM string = tti_guile_from_text (utf8 != NULL ? utf8 : bytes, -1);

  g_free (utf8);
  return string;
}
