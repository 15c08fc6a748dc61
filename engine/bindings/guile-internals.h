/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the bindings know of Guile's insides. */
#pragma once

/* Check that this Guile's insides are what the bindings take them for; else raise an error that names what is different. To be called
 * before anything relies on them. */
void tutti_guile_init_internals (void);
