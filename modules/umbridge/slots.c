/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/slots.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Who does not get in looks again after a while. */
enum
{
  MOST_WAITING = 1024
};

static socklen_t
make_name (struct sockaddr_un *name, const char *url, guint number)
{
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, url, -1);

  memset (name, 0, sizeof *name);
  name->sun_family = AF_UNIX;
  /* (The first byte, a zero, says that the name is of no file.) */
  int length = g_snprintf (name->sun_path + 1, sizeof name->sun_path - 1, "tutti-umbridge-%u-%.32s-%u",
                           (guint)getuid (), digest, number);

  return (socklen_t)(offsetof (struct sockaddr_un, sun_path) + 1 + (gsize)length);
}

int
tti_slot_take (const char *url, guint number, GError **error)
{
  struct sockaddr_un name;
  socklen_t length = make_name (&name, url, number);
  tti_autofd int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd >= 0 && bind (fd, (struct sockaddr *)&name, length) == 0 && listen (fd, MOST_WAITING) == 0)
    return g_steal_fd (&fd);
  if (errno == EADDRINUSE)
    return -1;
  tti_set_errno (error, errno, "cannot count the requests to %s", url);
  return -2;
}

gboolean
tti_slot_is_wanted (int descriptor)
{
  struct pollfd poll_fd = { .fd = descriptor, .events = POLLIN };

  return poll (&poll_fd, 1, 0) > 0;
}

int
tti_slot_watch (const char *url, guint number)
{
  struct sockaddr_un name;
  socklen_t length = make_name (&name, url, number);
  tti_autofd int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  return fd >= 0 && connect (fd, (struct sockaddr *)&name, length) == 0 ? g_steal_fd (&fd) : -1;
}
