/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Which function of which module a task calls. Counted, never changed; a thread that calls the same function again gets the same one. */
#pragma once
#include "transport/payload.h"

typedef struct
{
  gatomicrefcount refs;
  char *module, *function; /* as the caller names them */
  char *place;             /* the module as workers name it: a file is absolute, because they may be in another folder */
  TtiPayload *without;     /* the request without arguments */
} TuttiCallee;

/* A reference for the caller. */
TuttiCallee *tutti_callee_get (const char *module, const char *function);
void tutti_callee_unref (TuttiCallee *self);

/* MODULE as workers name it; free with g_free. */
char *tutti_callee_find_place (const char *module);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiCallee, tutti_callee_unref)
