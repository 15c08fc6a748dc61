/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What the other headers of the library need. */
#pragma once

#if !defined(TUTTI_INSIDE) && !defined(TUTTI_COMPILATION)
#error "Only <tutti/tutti.h> can be included directly."
#endif

#include <gio/gio.h>

/* A function that the library exports. */
#define TUTTI_API __attribute__ ((visibility ("default"))) extern
