/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The parts of the extension of Guile. Each defines its primitives in the current module. */
#pragma once
#include <libguile.h>

void tti_umbridge_init_serve (void);
void tti_umbridge_init_client (void);
