/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which function of which module a task calls. Counted, never changed; a thread that calls the same function again gets the same one. */
#pragma once
#include "transport/payload.h"

typedef struct
{
  gatomicrefcount refs;
  char *module, *function;
  TtiPayload *without;     /* the request without arguments */
} TuttiCallee;

/* A reference for the caller. */
TuttiCallee *tutti_callee_get (const char *module, const char *function);
void tutti_callee_unref (TuttiCallee *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiCallee, tutti_callee_unref)
