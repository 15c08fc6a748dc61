/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "tutti/tutti.h"

/**
 * tutti_error_quark:
 *
 * The domain of errors of this library.
 *
 * Returns: the quark behind `TUTTI_ERROR`
 */
G_DEFINE_QUARK (tutti-error-quark, tutti_error)
