/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Where this installation is, and what has to be in the environment so that other programs find it: guile, pkg-config, the dynamic
 * linker, GObject introspection. Nothing, if it is where they look anyway. */
#pragma once
#include <glib.h>

/* The new root of this installation, if it was moved as a whole, by DESTDIR or by copying; otherwise NULL. */
char *tti_installation_find_root (void);

/* Commands for a shell that let other programs find this installation, as a text to be freed; an empty one if they do. NULL, with *ERROR
 * set, if this program does not belong to an installation. Asks guile and pkg-config where they look. */
char *tti_installation_get_settings (GError **error);

/* The command for a shell that executes those, as a text to be freed. */
char *tti_installation_format_command (void);
