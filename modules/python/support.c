/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "python/support.h"
#include "bindings/guile-pool-private.h"
#include "bindings/guile-worker.h"
#include "python/convert.h"
#include "python/memory.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TtiSupport tti_support;

PyObject *
tti_support_ask (PyObject *function, PyObject *argument)
{
  return tti_py.PyObject_Vectorcall (function, &argument, 1, NULL);
}

/* --- what Python raises ---------------------------------------------------------------------------------------------- */

void
tti_support_flush (void)
{
  PyObject *done = tti_py.PyObject_Vectorcall (tti_support.flush, NULL, 0, NULL);

  if (done != NULL)
    tti_py.Py_DecRef (done);
  else
    tti_py.PyErr_Clear ();
}

void
tti_support_end_by_interrupt (SCM traceback)
{
  char *text = scm_to_utf8_string (traceback);

  fputs (text, stderr);
  fflush (NULL);
  free (text);
  signal (SIGINT, SIG_DFL);
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
  raise (SIGINT);
}

SCM
tti_support_take_exception (gboolean *interrupt)
{
  PyObject *type, *value, *traceback, *answer, *told;
  TtiConversion conversion = { .value = SCM_UNDEFINED };

  tti_py.PyErr_Fetch (&type, &value, &traceback);
  tti_py.PyErr_NormalizeException (&type, &value, &traceback);
  if (traceback != NULL)
    (void) tti_py.PyException_SetTraceback (value, traceback);
  answer = tti_support_ask (tti_support.is_interrupt, value);
  *interrupt = answer == tti_py.True;
  told = tti_support_ask (tti_support.describe, value);
  if (answer != NULL)
    tti_py.Py_DecRef (answer);
  tti_py.Py_DecRef (type);
  tti_py.Py_DecRef (value);
  if (traceback != NULL)
    tti_py.Py_DecRef (traceback);
  SCM description = told != NULL ? tti_from_python (&conversion, told) : SCM_UNDEFINED;

  tti_py.PyErr_Clear ();
  return description;
}

void
tti_support_end_copy (gboolean good)
{
  gboolean interrupt;
  SCM description = good ? SCM_UNDEFINED : tti_support_take_exception (&interrupt);

  tti_support_flush ();
  if (!SCM_UNBNDP (description))
    {
      char *text = scm_to_utf8_string (scm_string_append (scm_list_4 (scm_c_vector_ref (description, 2), scm_c_vector_ref (description, 0),
                                                                      scm_from_utf8_string (": "), scm_c_vector_ref (description, 1))));
      SCM status = scm_c_vector_ref (description, 4);

      if (scm_is_integer (status))
        tti_guile_end_copy (scm_to_int (status));
      fprintf (stderr, "tutti: process %d, which a task has forked, ended with an error:\n%s\n", (int) getpid (), text);
      fflush (stderr);
    }
  tti_guile_end_copy (good ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* --- the end of a task ----------------------------------------------------------------------------------------------- */

static gboolean used; /* since the last task has ended; with the GIL */

void
tti_support_note_use (void)
{
  used = TRUE;
}

/* Lines that are not complete are written, and threads that go on are named. */
static void
end_task (void)
{
  if (!used)
    return;
  int gil = tti_py.PyGILState_Ensure ();
  PyObject *left;
  TtiConversion conversion = { .value = SCM_UNDEFINED };

  used = FALSE;
  tti_support_flush ();
  left = tti_py.PyObject_Vectorcall (tti_support.threads_left, NULL, 0, NULL);
  SCM names = left != NULL ? tti_from_python (&conversion, left) : SCM_EOL;

  tti_py.PyErr_Clear ();
  tti_py.PyGILState_Release (gil);
  for (; scm_is_pair (names); names = scm_cdr (names))
    {
      char *name = scm_to_utf8_string (scm_car (names));

      fprintf (stderr, "tutti: the thread %s, which Python code has started, goes on after its task; join it before the function returns\n",
               name);
      fflush (stderr);
      free (name);
    }
}

/* --- start ----------------------------------------------------------------------------------------------------------- */

static PyObject *
strings_to_python (SCM strings)
{
  TtiConversion conversion = { .value = SCM_UNDEFINED };

  return tti_to_python (&conversion, strings, NULL);
}

/* The part in Python, of FOLDER. */
static PyObject *
import_support (const char *folder)
{
  PyObject *sys = tti_py.PyImport_ImportModule ("sys"), *path = sys != NULL ? tti_py.PyObject_GetAttrString (sys, "path") : NULL;
  PyObject *insert = path != NULL ? tti_py.PyObject_GetAttrString (path, "insert") : NULL;

  if (insert == NULL)
    return NULL;
  PyObject *arguments[2] = { tti_py.PyLong_FromLongLong (0), tti_py.PyUnicode_FromStringAndSize (folder, (Py_ssize_t) strlen (folder)) };
  PyObject *done = tti_py.PyObject_Vectorcall (insert, arguments, 2, NULL);

  tti_py.Py_DecRef (arguments[0]);
  tti_py.Py_DecRef (arguments[1]);
  tti_py.Py_DecRef (insert);
  tti_py.Py_DecRef (path);
  tti_py.Py_DecRef (sys);
  if (done == NULL)
    return NULL;
  tti_py.Py_DecRef (done);
  return tti_py.PyImport_ImportModule ("tutti_support");
}

static gboolean
look_up (PyObject *support)
{
  static const struct { const char *name; PyObject **object; } functions[] = {
    { "load", &tti_support.load }, { "get", &tti_support.get }, { "takes", &tti_support.takes },
    { "is_generator", &tti_support.is_generator }, { "describe", &tti_support.describe },
    { "is_interrupt", &tti_support.is_interrupt }, { "seed", &tti_support.seed },
    { "flush", &tti_support.flush }, { "threads_left", &tti_support.threads_left },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    if ((*functions[i].object = tti_py.PyObject_GetAttrString (support, functions[i].name)) == NULL)
      return FALSE;
  return tti_convert_init (support) && tti_memory_init ();
}

static gboolean
load_support (const char *folder, SCM path, SCM folders)
{
  PyObject *support = import_support (folder), *start, *arguments[2], *done;

  if (support == NULL || (start = tti_py.PyObject_GetAttrString (support, "start")) == NULL || !look_up (support))
    return FALSE;
  arguments[0] = strings_to_python (path);
  arguments[1] = strings_to_python (folders);
  done = tti_py.PyObject_Vectorcall (start, arguments, 2, NULL);
  return done != NULL;
}

gboolean
tti_support_start (const char *folder, SCM path, SCM folders, char **error)
{
  int gil = tti_py.PyGILState_Ensure ();
  gboolean started = load_support (folder, path, folders);

  if (!started)
    {
      PyObject *type, *value, *traceback, *str = tti_py.PyObject_GetAttrString (tti_py.PyImport_ImportModule ("builtins"), "repr");

      tti_py.PyErr_Fetch (&type, &value, &traceback);
      PyObject *text = str != NULL && value != NULL ? tti_support_ask (str, value) : NULL;
      const char *utf8 = text != NULL ? tti_py.PyUnicode_AsUTF8AndSize (text, NULL) : NULL;

      *error = g_strdup (utf8 != NULL ? utf8 : "no reason was given");
      tti_py.PyErr_Clear ();
    }
  tti_py.PyGILState_Release (gil);
  if (started)
    tti_guile_at_task_end (end_task);
  return started;
}
