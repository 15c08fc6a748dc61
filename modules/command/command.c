/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The extension of Guile that (tutti command) loads, and what its files share. */
#include "command/command.h"
#include "bindings/guile-worker.h"
#include <string.h>

__attribute__ ((visibility ("default"))) void tti_command_init (void);

void
tti_command_line_fill (TtiCommandLine *line, SCM arguments, SCM changes, SCM folder)
{
  line->argv = g_new0 (char *, (gsize) scm_ilength (arguments) + 1);
  for (gsize i = 0; scm_is_pair (arguments); arguments = scm_cdr (arguments), i++)
    line->argv[i] = scm_to_utf8_string (scm_car (arguments));
  line->envp = g_get_environ ();
  for (; scm_is_pair (changes); changes = scm_cdr (changes))
    {
      char *change = scm_to_utf8_string (scm_car (changes)), *value = strchr (change, '=');

      if (value != NULL)
        *value = '\0';
      line->envp = value != NULL ? g_environ_setenv (line->envp, change, value + 1, TRUE)
                                 : g_environ_unsetenv (line->envp, change);
      free (change);
    }
  line->folder = scm_to_locale_string (folder);
}

void
tti_command_line_clear (TtiCommandLine *line)
{
  g_clear_pointer (&line->argv, g_strfreev);
  g_clear_pointer (&line->envp, g_strfreev);
  g_clear_pointer (&line->folder, free);
}

SCM
tti_command_end (const TtiProgram *program)
{
  static const char *const ends[] = {
    [TTI_PROGRAM_EXITED] = "exited",   [TTI_PROGRAM_SIGNALED] = "signaled", [TTI_PROGRAM_LATE] = "late",
    [TTI_PROGRAM_FLOODED] = "flooded", [TTI_PROGRAM_UNKNOWN] = "unknown",
  };

  return scm_cons (scm_from_utf8_symbol (ends[program->end]), scm_from_int (program->number));
}

/* (%command-worker?): is this process a worker? */
static SCM
is_worker (void)
{
  return scm_from_bool (tti_guile_is_worker ());
}

/* (%command-task): a pair of the number of the worker's task that this thread runs and which attempt of it this is, from 1; #f: none. */
static SCM
task (void)
{
  guint attempt;
  guint64 id = tti_guile_get_task (&attempt);

  return attempt > 0 ? scm_cons (scm_from_uint64 (id), scm_from_uint (attempt)) : SCM_BOOL_F;
}

/* Called by load-extension in the module (tutti command primitives), whose bindings the primitives become. */
void
tti_command_init (void)
{
  tti_command_init_file ();
  tti_command_init_folder ();
  tti_command_init_number ();
  tti_command_init_run ();
  tti_command_init_server ();
  scm_c_define_gsubr ("%command-worker?", 0, 0, 0, is_worker);
  scm_c_define_gsubr ("%command-task", 0, 0, 0, task);
}
