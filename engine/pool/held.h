/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A held object: a value that workers keep under a number, so that it is sent to each of them once.
 *
 * The engine sends it to a worker right before the first task that needs it, and again to that worker's replacement. When the last
 * reference is dropped, the workers that have it are told to forget it. */
#pragma once
#include "pool/task.h"

/* Counted; PAYLOAD is kept (a reference is taken). */
TuttiHeld *tutti_held_new (TuttiPayload *payload);
TuttiHeld *tutti_held_ref (TuttiHeld *held);
void tutti_held_unref (TuttiHeld *held); /* NULL is fine */
guint64 tutti_held_get_id (TuttiHeld *held); /* unique in the process, never 0 */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiHeld, tutti_held_unref)
