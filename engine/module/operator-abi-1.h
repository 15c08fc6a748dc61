/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Operator modules that were built for version 1 of the ABI, in which all parameters are numbers.
 *
 * Such a module is made into one of the present version when it is loaded. Only the creation of an operator is different from then on,
 * as an array of parameters had other strides; all other calls are the module's own functions. */
#pragma once
#include "tutti/operator.h"
#include <glib.h>

/* CONTENTS, whose abi is 1 and whose classes are there, in the structures of the present version; abi remains 1. It refers to CONTENTS.
 * To be freed with g_free (). */
TuttiOperatorModule *tti_abi_1_adapt (const TuttiOperatorModule *contents) G_GNUC_WARN_UNUSED_RESULT;

/* Call the create of CLASS, which is one of those of ADAPTED, with N parameters that are numbers. */
void *tti_abi_1_create (const TuttiOperatorModule *adapted, const TuttiOperatorClass *class, const TuttiOperatorParameter *parameters,
                        size_t n, size_t *domain, size_t *codomain, char *error);
