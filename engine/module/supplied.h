/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared objects whose contents have come from another machine, under the names that their files have there. */
#pragma once
#include <glib.h>

/* From now on FILE, an absolute name, stands for CONTENTS (a reference is taken), whatever is there under that name on this machine. What
 * was loaded of it before stays. */
void tti_supply_module (const char *file, GBytes *contents);
gboolean tti_module_is_supplied (const char *file);

/* What dlopen () is to be given for FILE, which was supplied: its own name if it has these contents here, so that it finds what is beside
 * it; else that of memory which has them, for as long as this process lives. To be freed; NULL with TUTTI_ERROR_SYSTEM. */
char *tti_supplied_get_path (const char *file, GError **error);
