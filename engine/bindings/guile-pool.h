/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Pools, tasks and held objects as Scheme sees them. */
#pragma once
#include "bindings/guile-convert.h"
#include "pool/held.h"
#include "pool/pool.h"
#include <libguile.h>

/* Define the primitives and types of this file in the current module. */
void tti_guile_init_pool (void);
