/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "look/viewer.h"
#include "look/door.h"
#include "platform/error.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct _TtiViewer
{
  int socket, pidfd; /* the second: of the engine's process; -1: it cannot be had */
  int pid;
  gint64 began;
  guint64 position, number; /* of the first event for this viewer */
  TtiEventRingReader *reader;
};

/* The descriptor in what was received, or -1. */
static int
descriptor_of (struct msghdr *message)
{
  int fd = -1;

  for (struct cmsghdr *part = CMSG_FIRSTHDR (message); part != NULL; part = CMSG_NXTHDR (message, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS && part->cmsg_len == CMSG_LEN (sizeof fd))
      memcpy (&fd, CMSG_DATA (part), sizeof fd);
  return fd;
}

/* Receive DATA, SIZE bytes, and in *FD what comes with it, or -1. Returns what recvmsg () does. */
static gssize
receive (int socket, gpointer data, gsize size, int *fd)
{
  union { struct cmsghdr header; char bytes[CMSG_SPACE (sizeof (int))]; } control;
  struct iovec vector = { data, size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
  gssize n;

  do
    n = recvmsg (socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  *fd = n > 0 ? descriptor_of (&message) : -1;
  return n;
}

/* The descriptor of the ring that comes with *HELLO until DEADLINE; -1 with ERROR. */
static int
receive_hello (int socket, TtiLookHello *hello, gint64 deadline, GError **error)
{
  if (!tti_fd_wait (socket, POLLIN, deadline))
    {
      g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_TIMEOUT, "the process does not answer: it may be stopped, or hang");
      return -1;
    }
  tti_autofd int fd = -1;
  gssize n = receive (socket, hello, sizeof *hello, &fd);

  if (n == sizeof *hello && hello->magic == TTI_LOOK_MAGIC && hello->version == TTI_LOOK_VERSION && fd >= 0)
    return g_steal_fd (&fd);
  if (n <= 0)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the engine is at its end, or is looked at by too many already");
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "the process is not of this version of Tutti, " TUTTI_VERSION);
  return -1;
}

static TtiViewer *
viewer_new_until (int socket, gint64 deadline, GError **error)
{
  tti_autofd int owned = socket;
  TtiLookHello hello = { 0 };
  tti_autofd int ring = receive_hello (owned, &hello, deadline, error);
  TtiEventRingReader *reader = ring >= 0 ? tti_event_ring_reader_new (ring, error) : NULL;

  if (reader == NULL)
    return NULL;
  TtiViewer *viewer = g_new0 (TtiViewer, 1);

  viewer->reader = reader;
  viewer->pid = hello.pid;
  viewer->began = hello.began;
  viewer->position = hello.position;
  viewer->number = hello.number;
  /* A forked copy of the process may keep the socket connected when the engine is gone. */
  viewer->pidfd = (int) syscall (SYS_pidfd_open, hello.pid, 0);
  viewer->socket = g_steal_fd (&owned);
  return viewer;
}

TtiViewer *
tti_viewer_new (int socket, GError **error)
{
  return viewer_new_until (socket, g_get_monotonic_time () + TTI_LOOK_PATIENCE_US, error);
}

static int
connect_to (const char *name, GError **error)
{
  g_autofree char *path = tti_door_path (name, error);

  return path != NULL ? tti_door_connect (path, SOCK_SEQPACKET, error) : -1;
}

TtiViewer *
tti_viewer_connect (const char *name, GError **error)
{
  int socket = connect_to (name, error);

  return socket >= 0 ? tti_viewer_new (socket, error) : NULL;
}

void
tti_viewer_connect_all (const char *const *names, guint n, gint64 patience, TtiViewer **viewers, GError **errors)
{
  gint64 deadline = g_get_monotonic_time () + patience;
  g_autofree int *sockets = g_new (int, n);

  /* All are asked before one is waited for. */
  for (guint i = 0; i < n; i++)
    sockets[i] = connect_to (names[i], &errors[i]);
  for (guint i = 0; i < n; i++)
    viewers[i] = sockets[i] >= 0 ? viewer_new_until (sockets[i], deadline, &errors[i]) : NULL;
}

void
tti_viewer_free (TtiViewer *viewer)
{
  if (viewer == NULL)
    return;
  tti_fd_clear (&viewer->socket);
  tti_fd_clear (&viewer->pidfd);
  tti_event_ring_reader_free (viewer->reader);
  g_free (viewer);
}

void
tti_viewer_skip_past (TtiViewer *viewer)
{
  tti_event_ring_reader_seek (viewer->reader, viewer->position, viewer->number);
}

gboolean
tti_viewer_next (TtiViewer *viewer, TtiEvent *event, GError **error)
{
  TtiEventRecord record;
  gconstpointer bytes;
  guint64 n_dropped = 0;

  if (!tti_event_ring_reader_next (viewer->reader, &record, &bytes, &n_dropped, error) || !tti_event_read (&record, bytes, event, error))
    return FALSE;
  event->n_dropped = n_dropped;
  return TRUE;
}

gboolean
tti_viewer_ask (TtiViewer *viewer, TtiLookQuestion question, guint64 task)
{
  TtiLookRequest request = { .question = question, .task = task };

  return send (viewer->socket, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof request
         || errno == EAGAIN || errno == EWOULDBLOCK; /* it has enough to do: what comes serves for this as well */
}

gboolean
tti_viewer_next_capsule (TtiViewer *viewer, TtiLookCapsule *capsule, int *fd)
{
  gssize n = receive (viewer->socket, capsule, sizeof *capsule, fd);

  if (n == sizeof *capsule)
    {
      capsule->reason[sizeof capsule->reason - 1] = '\0';
      return TRUE;
    }
  tti_fd_clear (fd);
  return FALSE;
}

gboolean
tti_viewer_has_ended (TtiViewer *viewer)
{
  struct pollfd process = { .fd = viewer->pidfd, .events = POLLIN };
  char byte;

  if (viewer->pidfd >= 0 && poll (&process, 1, 0) > 0)
    return TRUE;
  gssize n = recv (viewer->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int
tti_viewer_get_pid (TtiViewer *viewer)
{
  return viewer->pid;
}

gint64
tti_viewer_get_began (TtiViewer *viewer)
{
  return viewer->began;
}
