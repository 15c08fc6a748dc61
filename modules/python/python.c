/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The extension of Guile that (tutti python) loads. It brings no Python with it: that is opened in a worker, by the first call. */
#include "bindings/guile-error.h"
#include "bindings/guile-worker.h"
#include "platform/error.h"
#include "python/call.h"
#include "python/object.h"
#include "python/probe.h"
#include "python/support.h"

__attribute__ ((visibility ("default"))) void tti_python_init (void);

/* (%python-worker?): is this process a worker, which may load Python? */
static SCM
is_worker (void)
{
  return scm_from_bool (tti_guile_is_worker ());
}

/* (%python-start! library executable support path folders): start the interpreter in LIBRARY as EXECUTABLE, with tutti_support.py of the
 * folder SUPPORT and modules of the folders in the lists PATH and FOLDERS. */
static SCM
start (SCM library, SCM executable, SCM support, SCM path, SCM folders)
{
  static const char who[] = "python";
  GError *error = NULL;
  char *library_name, *executable_name, *support_name, *reason = NULL;

  scm_dynwind_begin (0);
  scm_dynwind_free (library_name = scm_to_utf8_string (library));
  scm_dynwind_free (executable_name = scm_to_utf8_string (executable));
  scm_dynwind_free (support_name = scm_to_utf8_string (support));
  if (!tti_guile_is_worker ())
    error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_ARGUMENT, "Python is loaded by workers only");
  else if (tti_py_open (library_name, &error) && tti_py_start (executable_name, &error)
           && !tti_support_start (support_name, path, folders, &reason))
    error = g_error_new (TUTTI_ERROR, TUTTI_ERROR_MODULE, "Python of '%s' is not fit for Tutti: %s", executable_name, reason);
  scm_dynwind_end ();
  g_free (reason);
  if (error != NULL)
    tti_guile_raise (who, error);
  return SCM_UNSPECIFIED;
}

/* Called by load-extension in the module (tutti python primitives), whose bindings the primitives become. */
void
tti_python_init (void)
{
  tti_python_init_probe ();
  tti_object_init ();
  tti_call_define ();
  scm_c_define_gsubr ("%python-worker?", 0, 0, 0, is_worker);
  scm_c_define_gsubr ("%python-start!", 5, 0, 0, start);
}
