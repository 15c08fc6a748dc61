/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools, tasks and held objects as Scheme sees them. */
#pragma once
#include "pool/held.h"
#include "pool/pool.h"
#include <libguile.h>

/* Define the primitives and types of this file in the current module. */
void tutti_guile_init_pool (void);

/* A new Scheme object that owns one reference of PAYLOAD (taken over), and the payload of such an object (owned by it). The latter
 * raises wrong-type-arg as WHO. Both live in guile-convert.c. */
SCM tutti_guile_from_payload (TuttiPayload *payload);
TuttiPayload *tutti_guile_to_payload (SCM object, const char *who);
