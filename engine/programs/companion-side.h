/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A companion's own side of what pool/companion.h says: how it starts, refuses, and is ready. */
#pragma once
#include <glib.h>

/* The descriptors that it gets. */
enum { TTI_COMPANION_VIEWER = 3, TTI_COMPANION_REASONS = 4, TTI_COMPANION_SECRET = 5 };

/* Say why it cannot serve. Returns the status to end with. */
int tti_companion_refuse (const char *reason);

/* Go on in a process of its own, with a lower priority: what is not for a fork, threads and databases, is to be begun afterwards. The first
 * process waits until the other is ready, or ends. FALSE: this is the first, or there is no other; end with *STATUS. *WORD: see below. */
gboolean tti_companion_begin (int *word, int *status);

/* It serves from now on: let the first process end well, and leave the reasons, and the job's output. FALSE: nobody waits for it any
 * more. */
gboolean tti_companion_ready (int word);
