/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Errors of the engine, of the domain that the public header declares. */
#pragma once
#include "tutti/error.h"

/* Does ERRNO mean that a resource has run out, which other processes may free at any moment? */
gboolean tti_errno_is_shortage (int errno_value);

/* Set ERROR to TUTTI_ERROR_SYSTEM, or to TUTTI_ERROR_SHORTAGE if a resource has run out, with "<what>: <strerror (SAVED_ERRNO)>".
 * FORMAT says what was tried, with its operands. */
void tti_set_errno (GError **error, int saved_errno, const char *format, ...) G_GNUC_PRINTF (3, 4);
