/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Calls: from Scheme into Python and back. Each of these raises in Scheme what Python has raised, through (tutti python error), after
 * the GIL was released. WHO: what is called, a string, for messages. */
#pragma once
#include "python/library.h"
#include <libguile.h>

/* Define the primitives. */
void tti_call_define (void);
