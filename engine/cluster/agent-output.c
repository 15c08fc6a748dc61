/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What workers elsewhere write comes as frames and goes into a pipe, from which the pool reads as it does with workers here. The agent
 * may send as much as fits into the pipe, so that this never waits; and what was read of it is told from time to time. */
#include "cluster/agent-node-private.h"
#include "platform/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A pipe is wanted with so many bytes; half of what it has may be under way: it fills by pages, of which some are not full. */
enum { WANTED = 256 * 1024 };

gboolean
tti_agent_output_open (TtiAgentWorker *worker, int *out, int *err, guint64 *most, GError **error)
{
  int *ends[2] = { out, err };

  *most = G_MAXUINT64;
  for (guint i = 0; i < 2; i++)
    {
      int pipe[2];

      if (!tti_fd_pipe (pipe, error))
        return FALSE;
      *ends[i] = pipe[0];
      worker->fds[i] = pipe[1];
      int size = fcntl (pipe[1], F_SETPIPE_SZ, WANTED); /* a user may have so much of all pipes together: if not, it stays as it is */

      size = size > 0 ? size : fcntl (pipe[1], F_GETPIPE_SZ);
      (void) fcntl (pipe[1], F_SETFL, O_NONBLOCK);
      *most = MIN (*most, (guint64) MAX (size, 8192) / 2);
    }
  return TRUE;
}

gboolean
tti_agent_output_put (TtiAgentWorker *worker, guint which, GBytes *bytes)
{
  gsize size = 0, done = 0;
  const guint8 *data = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;

  if (bytes == NULL)
    tti_fd_clear (&worker->fds[which]);
  if (worker->fds[which] < 0)
    return TRUE;
  while (done < size)
    {
      gssize n = write (worker->fds[which], data + done, size - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno != EPIPE)
        return FALSE;
      if (n < 0)
        break; /* the pool does not read it any more */
      done += (gsize) n;
    }
  worker->unread[which] += size;
  return TRUE;
}

gboolean
tti_agent_output_tell_locked (TtiAgentNode *self)
{
  TTI_ASSERT_LOCKED (&self->lock);
  gboolean more = FALSE;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->workers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    for (guint which = 0; which < 2; which++)
      {
        TtiAgentWorker *worker = value;
        int in_pipe = 0;

        if (worker->unread[which] == 0 || worker->fds[which] < 0 || ioctl (worker->fds[which], FIONREAD, &in_pipe) < 0)
          continue;
        guint64 taken = worker->unread[which] - MIN (worker->unread[which], (guint64) in_pipe);

        if (taken > 0 && self->link != NULL)
          tti_link_send_urgent (self->link, &(TtiLinkFrame){ .kind = TTI_SAY_READ, .worker = worker->generation, .id = which,
                                                             .detail = taken }, NULL);
        worker->unread[which] -= taken;
        more = more || worker->unread[which] > 0;
      }
  return more;
}
