/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the pool layer asks of held objects. What becomes of them in a worker is in slot-held.c. */
#pragma once
#include "pool/held.h"
#include "pool/task-private.h"

/* All engines' locks guard walks over held objects of their own only: HELD, and what it needs, belong to ENGINE from now on. FALSE: to
 * another one. */
gboolean tutti_held_claim (TuttiHeld *held, TuttiEngine *engine, GError **error);
TuttiHeldKind tutti_held_get_kind (TuttiHeld *held);                 /* as given to tutti_held_new () */
guint tutti_held_get_n_payloads (TuttiHeld *held);                   /* one, or one for each worker */
TuttiPayload *tutti_held_get_payload (TuttiHeld *held, guint index); /* of the worker with INDEX; owned by HELD */
/* Call VISIT with the shared vectors in HELD, and in what it needs. */
void tutti_held_foreach_vector_locked (TuttiHeld *held, void (*visit) (TuttiVector *));
/* A task by which the worker with INDEX makes HELD. A reference for the caller. */
TuttiTask *tutti_held_new_maker (TuttiHeld *held, TuttiHandlerKind handler, guint index);

typedef enum { TUTTI_WALK_IN, TUTTI_WALK_PAST, TUTTI_WALK_STOP } TuttiWalkStep;

/* Go from ROOT to everything that it needs, each once, however they need one another: ENTER is called with each before what it needs, and
 * says whether to go there; LEAVE (or NULL) with each behind what it needs, and says whether to go on. Returns the one that has ended the
 * walk, or NULL. */
TuttiHeld *tutti_held_walk_locked (TuttiHeld *root, TuttiWalkStep (*enter) (TuttiHeld *, gpointer),
                                   gboolean (*leave) (TuttiHeld *, gpointer), gpointer data);
