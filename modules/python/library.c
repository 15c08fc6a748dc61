/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Opening libpython, and starting its interpreter. */
#include "python/library.h"
#include "platform/error.h"
#include "process/base-state.h"
#include <dlfcn.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>

TtiPy tti_py;

static gboolean
find (void *library, const char *file, const char *name, gboolean needed, void *pointer, GError **error)
{
  void *symbol = dlsym (library, name);

  memcpy (pointer, &symbol, sizeof symbol);
  if (symbol != NULL || !needed)
    return TRUE;
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "'%s' has no %s: it is no library of CPython 3.11 or later", file, name);
  return FALSE;
}

gboolean
tti_py_open (const char *file, GError **error)
{
  void *library = dlopen (file, RTLD_NOW | RTLD_GLOBAL);

  if (library == NULL)
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "Python's library cannot be loaded: %s", dlerror ());
      return FALSE;
    }
#define FIND(result, name, arguments) && find (library, file, #name, TRUE, &tti_py.name, error)
#define FIND_IF_THERE(result, name, arguments) && find (library, file, #name, FALSE, &tti_py.name, error)
  return TRUE TTI_PY_FUNCTIONS (FIND) TTI_PY_OPTIONAL (FIND_IF_THERE)
         && find (library, file, "_Py_NoneStruct", TRUE, &tti_py.None, error)
         && find (library, file, "_Py_TrueStruct", TRUE, &tti_py.True, error)
         && find (library, file, "_Py_FalseStruct", TRUE, &tti_py.False, error)
         && find (library, file, "PyFloat_Type", TRUE, &tti_py.Float, error)
         && find (library, file, "PyComplex_Type", TRUE, &tti_py.Complex, error);
}

/* 3.14 and later: by names of settings. */
static gboolean
start_from_config (const char *executable, GError **error)
{
  PyInitConfig *config = tti_py.PyInitConfig_Create ();
  const char *message = "not enough memory";
  gboolean started = config != NULL && tti_py.PyInitConfig_SetStr (config, "program_name", executable) == 0
                     && tti_py.PyInitConfig_SetInt (config, "install_signal_handlers", 0) == 0
                     && tti_py.PyInitConfig_SetInt (config, "parse_argv", 0) == 0
                     && tti_py.Py_InitializeFromInitConfig (config) == 0;

  if (!started)
    {
      if (config != NULL)
        (void) tti_py.PyInitConfig_GetError (config, &message);
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "Python of '%s' does not start: %s", executable, message);
    }
  if (config != NULL)
    tti_py.PyInitConfig_Free (config);
  return started;
}

/* As Python itself does, writing to a pipe that nobody reads becomes an exception. A handler, and not SIG_IGN, which programs that a task
 * starts would have as well. */
static void
let_writes_fail (int signal_number)
{
  (void) signal_number;
}

static void
handle_broken_pipes (void)
{
  struct sigaction present, ours = { .sa_handler = let_writes_fail, .sa_flags = SA_RESTART };

  if (sigaction (SIGPIPE, NULL, &present) == 0 && present.sa_handler == SIG_DFL)
    (void) sigaction (SIGPIPE, &ours, NULL);
}

#define KEPT_MEMORY (256 * 1024 * 1024)
#define LARGEST_KEPT (32 * 1024 * 1024) /* the most that malloc () allows */

/* The arrays that Python returns are garbage for Scheme's collector, which frees many of them at once. malloc () would give them back to
 * the system, and the next ones would cost more in page faults than in arithmetic. */
static void
keep_memory (void)
{
  (void) mallopt (M_TRIM_THRESHOLD, KEPT_MEMORY);
  (void) mallopt (M_MMAP_THRESHOLD, LARGEST_KEPT);
}

gboolean
tti_py_start (const char *executable, GError **error)
{
  if (tti_py.Py_SetProgramName == NULL && tti_py.PyInitConfig_Create != NULL)
    {
      if (!start_from_config (executable, error))
        return FALSE;
    }
  else
    {
      wchar_t *name = tti_py.Py_DecodeLocale (executable, NULL);

      if (name == NULL)
        {
          g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_MODULE, "the file name '%s' cannot be decoded", executable);
          return FALSE;
        }
      if (tti_py.Py_SetProgramName != NULL)
        tti_py.Py_SetProgramName (name); /* which keeps it */
      tti_py.Py_InitializeEx (0);
    }
  /* Not a change of the task that happens to be the first. */
  tti_base_keep_begin ();
  handle_broken_pipes ();
  keep_memory ();
  (void) tti_base_keep_end ();
  (void) tti_py.PyEval_SaveThread ();
  return TRUE;
}
