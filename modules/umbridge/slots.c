/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "umbridge/slots.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Who does not get in looks again after a while. */
enum
{
  MOST_WAITING = 1024
};

/* What is handed over: the slot and the connection. */
enum
{
  MOST_HANDED = 2
};

static socklen_t
make_name (struct sockaddr_un *name, const char *url, guint number)
{
  g_autofree char *digest = g_compute_checksum_for_string (G_CHECKSUM_SHA256, url, -1);

  memset (name, 0, sizeof *name);
  name->sun_family = AF_UNIX;
  /* (The first byte, a zero, says that the name is of no file.) */
  int length = g_snprintf (name->sun_path + 1, sizeof name->sun_path - 1, "tutti-umbridge-%u-%.32s-%u",
                           (guint) getuid (), digest, number);

  return (socklen_t)(offsetof (struct sockaddr_un, sun_path) + 1 + (gsize) length);
}

static int
open_socket (void)
{
  return socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int
tti_slot_take (const char *url, guint number, GError **error)
{
  struct sockaddr_un name;
  socklen_t length = make_name (&name, url, number);
  tti_autofd int fd = open_socket ();

  if (fd >= 0 && bind (fd, (struct sockaddr *) &name, length) == 0 && listen (fd, MOST_WAITING) == 0)
    return g_steal_fd (&fd);
  if (errno == EADDRINUSE)
    return -1;
  tti_set_errno (error, errno, "cannot count the requests to %s", url);
  return -2;
}

int
tti_slot_watch (const char *url, guint number)
{
  struct sockaddr_un name;
  socklen_t length = make_name (&name, url, number);
  tti_autofd int fd = open_socket ();

  return fd >= 0 && connect (fd, (struct sockaddr *) &name, length) == 0 ? g_steal_fd (&fd) : -1;
}

/* Names are anybody's to take; what comes over them, and where the right to ask goes, is not. */
static gboolean
is_own_peer (int fd)
{
  struct ucred peer;
  socklen_t length = sizeof peer;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == getuid ();
}

typedef union
{
  char bytes[CMSG_SPACE (MOST_HANDED * sizeof (int))];
  struct cmsghdr aligned;
} Control;

int
tti_slot_receive (int watch, int *connection)
{
  char byte;
  Control control;
  struct iovec part = { .iov_base = &byte, .iov_len = 1 };
  struct msghdr message
    = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  int fds[MOST_HANDED] = { -1, -1 };

  *connection = -1;
  if (!is_own_peer (watch) || recvmsg (watch, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0)
    return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    return -1;
  memcpy (fds, CMSG_DATA (header), MIN (header->cmsg_len - CMSG_LEN (0), sizeof fds));
  *connection = fds[1];
  return fds[0];
}

static gboolean
send_slot (int waiting, int slot, int connection)
{
  int fds[MOST_HANDED] = { slot, connection };
  gsize size = (connection >= 0 ? 2 : 1) * sizeof (int);
  Control control = { 0 };
  struct iovec part = { .iov_base = (char[]){ 1 }, .iov_len = 1 };
  struct msghdr message
    = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE (size) };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (size);
  memcpy (CMSG_DATA (header), fds, size);
  return sendmsg (waiting, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

gboolean
tti_slot_give (int slot, int connection)
{
  gboolean given = FALSE;
  int waiting;

  /* (Who has gone meanwhile is still in the queue.) */
  while (!given && (waiting = accept4 (slot, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
    {
      given = is_own_peer (waiting) && send_slot (waiting, slot, connection);
      tti_fd_clear (&waiting);
    }
  tti_fd_clear (&slot);
  return given;
}
