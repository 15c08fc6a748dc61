/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which files of code a request for modules in C (task-requests.h) needs, for who keeps it to run it again. */
#pragma once
#include "look/capsule.h"

/* Add to WRITER, as facts, what code REQUEST needs in a worker that has started in FOLDER (NULL: not known) with ENVIRONMENT:
 * "function", what it calls; and "module:NAME", for the module that it calls NAME, the SHA-256 of the file in hexadecimal digits, a space,
 * and the file. Nothing if it needs none, or there is no such file. Any thread; a file is read once as long as it does not change. */
void tti_request_add_modules (TtiCapsuleWriter *writer, TtiPayload *request, const char *folder, const char *const *environment);
