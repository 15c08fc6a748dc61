/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The error domain, and errno as a GError. */
#include "platform/error.h"
#include <errno.h>
#include <stdarg.h>

G_DEFINE_QUARK (tutti-error-quark, tutti_error)

void
tutti_set_errno (GError **error, int saved_errno, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SYSTEM, "%s: %s", what, g_strerror (saved_errno));
  /* Callers that still need errno after reporting it find it unchanged. */
  errno = saved_errno;
}
