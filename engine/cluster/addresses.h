/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where others reach this machine. */
#pragma once
#include <glib.h>

/* What others may dial, the likeliest first: the name of this machine, with its domain if that is known within a second, and its addresses
 * but for those that only it knows (loopback, link-local); those of networks inside of this machine come last. To be freed with
 * g_strfreev (); there is at least one. */
char **tti_address_candidates (void);
