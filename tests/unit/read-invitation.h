/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Reading an invitation that a test has in memory. */
#pragma once
#include "cluster/invitation.h"
#include "platform/fd.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read an invitation from the file of one's own that has DATA, SIZE bytes. */
static inline TtiInvitation *
read_invitation (gconstpointer data, gsize size, GError **error)
{
  tti_autofd int fd = memfd_create ("invitation", MFD_CLOEXEC);

  g_assert_cmpint (fchmod (fd, 0600), ==, 0);
  g_assert_cmpint (pwrite (fd, data, size, 0), ==, (gssize) size);
  return tti_invitation_from_fd (fd, error);
}
