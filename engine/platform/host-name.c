/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "platform/host-name.h"

const char *
tti_host_name (void)
{
  return g_intern_string (g_get_host_name ());
}

gboolean
tti_host_is_elsewhere (const char *name)
{
  return name != NULL && name != tti_host_name ();
}
