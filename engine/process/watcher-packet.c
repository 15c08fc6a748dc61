/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Sends, receives and checks single packets over the control socket, and queues those that do not fit. */
#include "process/watcher-packet.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/fd-limit.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef union
{
  struct cmsghdr header; /* for its alignment */
  char bytes[CMSG_SPACE (sizeof (int) * TTI_WATCHER_MAX_FDS)];
} ControlBuffer;

TtiWatchPacket
tti_watch_packet_make (TtiWatchKind kind, guint64 worker)
{
  return (TtiWatchPacket){ .magic = TTI_WATCHER_MAGIC, .version = TTI_WATCHER_VERSION, .kind = kind, .worker = worker };
}

void
tti_watch_parcel_clear (TtiWatchParcel *parcel)
{
  for (guint i = 0; i < parcel->n_fds; i++)
    tti_fd_clear (&parcel->fds[i]);
  parcel->n_fds = 0;
}

static gboolean
packet_check (TtiWatchPacket *packet, gsize length, GError **error)
{
  if (length != sizeof *packet)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "watcher packet of %" G_GSIZE_FORMAT " bytes, expected %" G_GSIZE_FORMAT,
                 length, sizeof *packet);
  else if (packet->magic != TTI_WATCHER_MAGIC)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "watcher packet begins with %#x, expected %#x", packet->magic,
                 TTI_WATCHER_MAGIC);
  else if (packet->version != TTI_WATCHER_VERSION)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL,
                 "watcher packet of protocol version %u, expected %u: library and tutti-watcher are of different builds",
                 packet->version, TTI_WATCHER_VERSION);
  else if (packet->kind == 0 || packet->kind > TTI_WATCH_LAST)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_PROTOCOL, "watcher packet of unknown kind %u, expected 1 to %u", packet->kind,
                 (guint) TTI_WATCH_LAST);
  else
    {
      packet->text[sizeof packet->text - 1] = '\0';
      return TRUE;
    }
  return FALSE;
}

static void
parcel_take_fds (TtiWatchParcel *parcel, struct msghdr *message)
{
  for (struct cmsghdr *control = CMSG_FIRSTHDR (message); control != NULL; control = CMSG_NXTHDR (message, control))
    {
      if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
        continue;
      guint n = (control->cmsg_len - CMSG_LEN (0)) / sizeof (int);

      /* The buffer has no room for more; the kernel closes descriptors that do not fit. */
      g_assert (parcel->n_fds + n <= TTI_WATCHER_MAX_FDS);
      memcpy (parcel->fds + parcel->n_fds, CMSG_DATA (control), n * sizeof (int));
      parcel->n_fds += n;
    }
}

TtiWatchIo
tti_watch_parcel_receive (int socket, TtiWatchParcel *parcel, GError **error)
{
  ControlBuffer control;
  struct iovec body = { &parcel->packet, sizeof parcel->packet };
  struct msghdr message = { .msg_iov = &body, .msg_iovlen = 1, .msg_control = &control,
                            /* not its size, which is rounded up, so that another descriptor would fit */
                            .msg_controllen = CMSG_LEN (sizeof (int) * TTI_WATCHER_MAX_FDS) };
  gssize length;

  *parcel = (TtiWatchParcel){ 0 };
  /* If the other side closed without reading all our packets, ECONNRESET comes once, before the packets that it had sent: not the
   * end yet. */
  tti_fd_begin_opening ();
  do
    length = recvmsg (socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (length < 0 && (errno == EINTR || errno == ECONNRESET));
  tti_fd_end_opening ();
  if (length == 0)
    return TTI_WATCH_IO_ENDED;
  if (length < 0)
    {
      if (errno == EAGAIN)
        return TTI_WATCH_IO_AGAIN;
      tti_set_errno (error, errno, "cannot receive from the watcher's control socket");
      return TTI_WATCH_IO_FAILED;
    }
  parcel_take_fds (parcel, &message);
  if (packet_check (&parcel->packet, (message.msg_flags & MSG_TRUNC) ? sizeof parcel->packet + 1 : (gsize) length, error))
    return TTI_WATCH_IO_DONE;
  tti_watch_parcel_clear (parcel);
  return TTI_WATCH_IO_FAILED;
}

static TtiWatchIo
packet_send (int socket, const TtiWatchPacket *packet, const int *fds, guint n_fds, GError **error)
{
  ControlBuffer control = { .bytes = { 0 } };
  struct iovec body = { (gpointer) packet, sizeof *packet };
  struct msghdr message = { .msg_iov = &body, .msg_iovlen = 1 };
  gssize length;

  if (n_fds > 0)
    {
      message.msg_control = &control;
      message.msg_controllen = CMSG_SPACE (n_fds * sizeof (int));
      struct cmsghdr *header = CMSG_FIRSTHDR (&message);

      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (n_fds * sizeof (int));
      memcpy (CMSG_DATA (header), fds, n_fds * sizeof (int));
    }
  /* The receiver handles ECONNRESET; the next send reports EPIPE. */
  tti_fd_begin_opening (); /* nor may more be in flight */
  do
    length = sendmsg (socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (length < 0 && (errno == EINTR || errno == ECONNRESET));
  tti_fd_end_opening ();
  if (length >= 0)
    return TTI_WATCH_IO_DONE;
  /* ETOOMANYREFS: too many descriptors are in flight; there is room again when the other side has read some. */
  if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
    return TTI_WATCH_IO_AGAIN;
  if (errno == EPIPE || errno == ENOTCONN || errno == ECONNREFUSED)
    return TTI_WATCH_IO_ENDED;
  tti_set_errno (error, errno, "cannot send over the watcher's control socket");
  return TTI_WATCH_IO_FAILED;
}

static void
parcel_free (TtiWatchParcel *parcel)
{
  tti_watch_parcel_clear (parcel);
  g_free (parcel);
}

static TtiWatchIo
queue_keep (TtiWatchQueue *queue, const TtiWatchPacket *packet, const int *fds, guint n_fds, GError **error)
{
  TtiWatchParcel *parcel = g_new0 (TtiWatchParcel, 1);

  parcel->packet = *packet;
  for (guint i = 0; i < n_fds; i++)
    {
      tti_fd_begin_opening ();
      int copy = fcntl (fds[i], F_DUPFD_CLOEXEC, 0);

      tti_fd_end_opening ();
      if (copy < 0)
        {
          tti_set_errno (error, errno, "cannot duplicate descriptor %d for the watcher", fds[i]);
          parcel_free (parcel);
          return TTI_WATCH_IO_FAILED;
        }
      parcel->fds[parcel->n_fds++] = copy;
    }
  g_queue_push_tail (&queue->parcels, parcel);
  return TTI_WATCH_IO_AGAIN;
}

TtiWatchIo
tti_watch_queue_send (TtiWatchQueue *queue, int socket, const TtiWatchPacket *packet, const int *fds, guint n_fds,
                      GError **error)
{
  g_return_val_if_fail (n_fds <= TTI_WATCHER_MAX_FDS, TTI_WATCH_IO_FAILED);
  TtiWatchIo io = TTI_WATCH_IO_AGAIN;

  if (g_queue_is_empty (&queue->parcels))
    io = packet_send (socket, packet, fds, n_fds, error);
  return io == TTI_WATCH_IO_AGAIN ? queue_keep (queue, packet, fds, n_fds, error) : io;
}

TtiWatchIo
tti_watch_queue_flush (TtiWatchQueue *queue, int socket, GError **error)
{
  TtiWatchParcel *parcel;

  while ((parcel = g_queue_peek_head (&queue->parcels)) != NULL)
    {
      TtiWatchIo io = packet_send (socket, &parcel->packet, parcel->fds, parcel->n_fds, error);

      if (io != TTI_WATCH_IO_DONE)
        return io;
      parcel_free (g_queue_pop_head (&queue->parcels));
    }
  return TTI_WATCH_IO_DONE;
}

guint
tti_watch_queue_length (const TtiWatchQueue *queue)
{
  return queue->parcels.length;
}

void
tti_watch_queue_clear (TtiWatchQueue *queue)
{
  g_queue_clear_full (&queue->parcels, (GDestroyNotify) parcel_free);
}
