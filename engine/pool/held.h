/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A held object: a value that workers keep under a number, so that it is sent or computed once for each of them.
 *
 * There are two kinds. A *given* object is sent to a worker right before the first task that needs it. A *made* object is the answer
 * of the worker itself to a request: the engine sends that request as a task of its own (the *maker*) before the first task that
 * needs the object. Both happen again on a worker's replacement, which therefore gets its objects back the way they were made.
 * When the last reference is dropped, the workers that have the object are told to forget it. */
#pragma once
#include "pool/task.h"

typedef enum
{
  TTI_HELD_GIVEN, /* the payload is its value */
  TTI_HELD_MADE   /* the payload is the request whose answer the worker keeps */
} TtiHeldKind;

/* A number for a held object: unique in the process, never 0. It exists before the object, because a request that makes an object
 * says under which number. */
guint64 tti_held_next_id (void);

/* Counted. ID is from tti_held_next_id (). Worker i of the pool gets PAYLOADS[i], or every worker PAYLOADS[0] if N_PAYLOADS is 1
 * (references are taken). If the pool grows, only the first N_PAYLOADS workers can have it; if it shrinks, workers have the parts of
 * several. */
TtiHeld *tti_held_new (guint64 id, TtiHeldKind kind, TtiPayload *const *payloads, guint n_payloads);
TtiHeld *tti_held_ref (TtiHeld *held);
void tti_held_unref (TtiHeld *held); /* NULL is fine */

/* The payloads refer to NEEDED, which a worker must hold before. To be said before the object is used. */
void tti_held_add_need (TtiHeld *held, TtiHeld *needed);
/* How long a worker may take for making it (microseconds; 0, the default: for ever) and how often that is tried again after a
 * worker's death (2). */
void tti_held_set_making (TtiHeld *held, gint64 timeout, guint retries);

/* What people call it, the name of a procedure for instance: tasks that need it, before others, are named after it. To be said before it is
 * used. */
void tti_held_set_name (TtiHeld *held, const char *name);

guint64 tti_held_get_id (TtiHeld *held); /* as given to tti_held_new () */
/* A number that is equal for objects with equal contents. It is made of samples, so that it is cheap however large they are. */
guint tti_held_hash (TtiHeld *held);
/* Are both given, with equal contents for every worker? */
gboolean tti_held_is_equal (TtiHeld *one, TtiHeld *other);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiHeld, tti_held_unref)
