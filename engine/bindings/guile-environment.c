/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "bindings/guile-environment.h"
#include "bindings/guile-name.h"
#include <locale.h>
#include <string.h>

/* The master's locale for characters may be another than the one that its environment names: a program that was written without
 * locales has that of C, and a script may set one. */
#define LOCALE_SETTING "TUTTI_LOCALE"

typedef struct { char **strings; } Environment;

static void
environment_free (void *data)
{
  Environment *environment = data;

  g_strfreev (environment->strings);
  g_free (environment);
}

static void
environment_put (Environment *environment, const char *setting, const char *who)
{
  const char *equals = strchr (setting, '=');

  if (equals == NULL || equals == setting)
    scm_misc_error (who, "#:env: expected NAME=VALUE, got ~S", scm_list_1 (tti_guile_from_name (setting)));
  g_autofree char *name = g_strndup (setting, (gsize) (equals - setting));
  environment->strings = g_environ_setenv (environment->strings, name, equals + 1, TRUE);
}

char **
tti_guile_worker_environment (SCM settings, const char *who)
{
  Environment *environment = g_new0 (Environment, 1);

  scm_dynwind_unwind_handler (environment_free, environment, SCM_F_WIND_EXPLICITLY);
  environment->strings = g_get_environ ();
  environment->strings = g_environ_setenv (environment->strings, LOCALE_SETTING, setlocale (LC_CTYPE, NULL), TRUE);
  for (SCM rest = scm_reverse (settings); scm_is_pair (rest); rest = scm_cdr (rest))
    {
      scm_dynwind_begin (0);
      environment_put (environment, tti_guile_to_name_in_dynwind (scm_car (rest), who), who);
      scm_dynwind_end ();
    }
  return environment->strings;
}

void
tti_guile_adopt_locale (void)
{
  const char *locale = g_getenv (LOCALE_SETTING);

  if (locale != NULL)
    setlocale (LC_CTYPE, locale);
}

/* (%environment-sizes) -> list of pairs of a name in the environment and the bytes of its setting. (Guile's environ warns in programs
 * with threads.) */
static SCM
environment_sizes (void)
{
  g_auto (GStrv) strings = g_get_environ ();
  SCM sizes = SCM_EOL;

  for (char **setting = strings; *setting != NULL; setting++)
    {
      gsize length = strcspn (*setting, "=");
      SCM name = scm_from_stringn (*setting, length, "UTF-8", SCM_FAILED_CONVERSION_QUESTION_MARK);

      sizes = scm_acons (name, scm_from_size_t (strlen (*setting) + 1), sizes);
    }
  return scm_reverse_x (sizes, SCM_EOL);
}

void
tti_guile_init_environment (void)
{
  scm_c_define_gsubr ("%environment-sizes", 0, 0, 0, environment_sizes);
}
