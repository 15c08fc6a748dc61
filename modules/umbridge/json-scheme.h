/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* JSON as Scheme has it. */
#pragma once
#include "umbridge/json.h"
#include <libguile.h>

/* JSON as a value: an object is an association list with strings as keys, an array a vector, null the symbol null. Integers are exact. */
SCM tti_json_to_scheme (const TtiJson *json);
