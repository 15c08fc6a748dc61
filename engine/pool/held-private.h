/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the pool layer asks of held objects. What becomes of them in a worker is in slot-held.c. */
#pragma once
#include "pool/held.h"
#include "pool/task-private.h"

/* All engines' locks guard walks over held objects of their own only: HELD, and what it needs, belong to ENGINE from now on. FALSE: to
 * another one. */
gboolean tti_held_claim (TtiHeld *held, TtiEngine *engine, GError **error);
const char *tti_held_get_name (TtiHeld *held);                 /* interned; NULL: it has none */
TtiHeldKind tti_held_get_kind (TtiHeld *held);                 /* as given to tti_held_new () */
guint tti_held_get_n_places (TtiHeld *held);                   /* for how many places there is a payload of it, and of all that it needs */
/* Is it the same wherever it is? What is made is not: it is each maker's own. */
gboolean tti_held_is_same (TtiHeld *held);
TtiPayload *tti_held_get_payload (TtiHeld *held, guint place); /* owned by HELD */
/* Call VISIT with the shared vectors in HELD, and in what it needs. */
void tti_held_foreach_vector_locked (TtiHeld *held, void (*visit) (TtiVector *));
/* A task by which the worker of SLOT makes HELD for PLACE. A reference for the caller. */
TtiTask *tti_held_new_maker (TtiHeld *held, TtiHandlerKind handler, guint slot, guint place);

typedef enum { TTI_WALK_IN, TTI_WALK_PAST, TTI_WALK_STOP } TtiWalkStep;

/* Go from ROOT to everything that it needs, each once, however they need one another: ENTER is called with each before what it needs, and
 * says whether to go there; LEAVE (or NULL) with each behind what it needs, and says whether to go on. Returns the one that has ended the
 * walk, or NULL. */
TtiHeld *tti_held_walk_locked (TtiHeld *root, TtiWalkStep (*enter) (TtiHeld *, gpointer),
                               gboolean (*leave) (TtiHeld *, gpointer), gpointer data);
