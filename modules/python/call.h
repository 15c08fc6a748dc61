/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Calls: from Scheme into Python and back. Each of these raises in Scheme what Python has raised, through (tutti python error), after
 * the GIL was released. WHO: what is called, a string, for messages. */
#pragma once
#include "python/library.h"
#include <libguile.h>

/* After Python was started: FALSE with ERROR set if what is needed is not there. FOLDER: of support.py. PATH, FOLDERS: lists of strings. */
gboolean tti_call_init (const char *folder, SCM path, SCM folders, char **error);

/* Define the primitives. */
void tti_call_define (void);
