/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The short way of a small call. */
#pragma once
#include "bindings/guile-pool.h"

/* The request #(KIND PROCEDURE ARGUMENTS STREAM), as (tutti worker answer) reads it, owned by the caller; NULL if one of its parts is not
 * plain, and has to go the long way. */
TtiPayload *tti_guile_encode_call (const char *kind, TtiHeld *procedure, SCM arguments, SCM stream);

/* FALSE unless PAYLOAD is a single number, a boolean or unspecified; then that is in *VALUE. */
gboolean tti_guile_decode_plain (TtiPayload *payload, SCM *value);
