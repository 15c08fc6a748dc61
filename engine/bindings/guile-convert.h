/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Values as payloads, and payloads as values.
 *
 * For objects that the codec does not know it calls a HOOK, a Scheme procedure. Encoding calls (hook object), which returns
 *   #f                            it cannot travel: &not-remotable with its place
 *   (refused message . advice)    the same, in the hook's words; ADVICE is a string or #f
 *   (extension kind . items)      KIND is 0 to 255; the items travel in its place. If the object is a record, the last
 *                                 items are its fields in their order (that matters for messages only)
 *   (held . id)  (embedded . k)   the items of that name in codec.h
 * Decoding calls (hook kind items) for an extension and (hook 'held id) for a held object, and takes what it returns.
 *
 * Identity does not travel: what is referred to twice arrives twice, and cycles are refused. Hash tables keep their kind
 * (see guile-table.c). #nil and the end-of-file object arrive as what they are. Weak tables and vectors, uninterned
 * symbols, and tables made with hashx-set! are refused. */
#pragma once
#include "transport/payload.h"
#include <libguile.h>

/* Define the primitives of guile-convert.c in the current module. */
void tti_guile_init_convert (void);
void tti_guile_init_terminal (void);

/* The payload of VALUE, owned by the caller. WHO: the procedure that errors name. NAMER: #f, or a procedure that names the outer
 * steps of the way to a value that is refused: it is called with the indices (from 0) of the step and of those around it, outermost
 * first, and returns a string, #t to leave the step out, or #f to have it described. */
TtiPayload *tti_guile_encode (SCM value, SCM hook, SCM namer, const char *who);

/* The same, of a value that takes at most LIMIT bytes without the contents of its large numeric vectors. */
TtiPayload *tti_guile_encode_limited (SCM value, SCM hook, SCM namer, const char *who, gsize limit);

/* A Scheme object that owns one reference of PAYLOAD (taken over), and the payload of such an object (owned by it);
 * the latter raises wrong-type-arg as WHO. */
SCM tti_guile_from_payload (TtiPayload *payload);
/* The same of a payload that was made in this process. */
SCM tti_guile_from_own_payload (TtiPayload *payload);
/* Let OBJECT, which owns none, stand for PAYLOAD, which stays the caller's, until this is called with NULL. */
void tti_guile_lend_payload (SCM object, TtiPayload *payload);
TtiPayload *tti_guile_to_payload (SCM object, const char *who);
