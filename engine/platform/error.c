/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The error domain, and errno as a GError. */
#include "platform/error.h"
#include <errno.h>
#include <stdarg.h>

G_DEFINE_QUARK (tutti-error-quark, tutti_error)

gboolean
tti_errno_is_shortage (int errno_value)
{
  switch (errno_value)
    {
    case EAGAIN: /* processes and threads */
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case ETOOMANYREFS: /* too many descriptors of this user are in flight */
      return TRUE;
    default:
      return FALSE;
    }
}

void
tti_set_errno (GError **error, int saved_errno, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, TUTTI_ERROR, tti_errno_is_shortage (saved_errno) ? TUTTI_ERROR_SHORTAGE : TUTTI_ERROR_SYSTEM, "%s: %s",
               what, g_strerror (saved_errno));
  /* Leave errno unchanged for callers that still need it after reporting it. */
  errno = saved_errno;
}
