/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The extension of Guile that (tutti command) loads. */
#include "command/command.h"
#include "bindings/guile-worker.h"
#include <stdio.h>

__attribute__ ((visibility ("default"))) void tti_command_init (void);

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

/* (%command-print-number FORMAT NUMBER): as printf prints a double in the locale C. FORMAT was checked by (tutti command template). */
static SCM
print_number (SCM format, SCM number)
{
  char text[512];
  char *c_format = scm_to_latin1_string (format);

  g_ascii_formatd (text, sizeof text, c_format, scm_to_double (number));
  free (c_format);
  return scm_from_latin1_string (text);
}

/* Called by load-extension in the module (tutti command primitives), whose bindings the primitives become. */
void
tti_command_init (void)
{
  tti_command_init_run ();
  tti_command_init_server ();
  scm_c_define_gsubr ("%command-worker?", 0, 0, 0, is_worker);
  scm_c_define_gsubr ("%command-task", 0, 0, 0, task);
  scm_c_define_gsubr ("%command-print-number", 2, 0, 0, (scm_t_subr) print_number);
}
