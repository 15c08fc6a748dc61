/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What is written in Python (tutti_support.py), and what is done with it: start, exceptions, output. All with the GIL but for the start. */
#pragma once
#include "python/library.h"
#include <libguile.h>

/* Its functions. */
typedef struct
{
  PyObject *load, *get, *takes, *is_generator, *describe, *is_interrupt, *seed, *flush, *threads_left;
} TtiSupport;

extern TtiSupport tti_support;

/* After Python was started, without the GIL: import it from FOLDER, and let PATH and FOLDERS, lists of strings, be where modules are looked
 * for. FALSE: *ERROR says why it does not work. */
gboolean tti_support_start (const char *folder, SCM path, SCM folders, char **error);

/* Python is used: at the end of the task what it has written is flushed, and threads that it has left behind are named. */
void tti_support_note_use (void);

/* Call FUNCTION with ARGUMENT. NULL: a Python exception is set. */
PyObject *tti_support_ask (PyObject *function, PyObject *argument);

/* Write what Python has of output. */
void tti_support_flush (void);

/* Take the exception that is set: a vector as describe returns it, SCM_UNDEFINED if even that fails. *INTERRUPT: is it what Ctrl-C
 * raises? */
SCM tti_support_take_exception (gboolean *interrupt);

/* Ctrl-C ends a program by the signal; so does this, when all that was written has been. TRACEBACK: a string. */
void tti_support_end_by_interrupt (SCM traceback);

/* End this process, a child that the model has forked. It comes back from the call as well, or has raised something (not GOOD). The parent
 * answers. */
void tti_support_end_copy (gboolean good);
