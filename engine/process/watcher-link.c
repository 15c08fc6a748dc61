/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The master's side of the watcher.
 *
 * The life of a link: open, then lost or not, then closed. While it is open, control is a descriptor; losing or
 * closing it sets it to -1 under the lock, in the context's thread, and destroys all sources: nothing is delivered
 * any more, and no source keeps the link alive. The guard's thread holds a reference, so it may come late. */
#include "process/watcher-link.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-tree.h"
#include "process/watcher-guard-child.h"
#include "process/watcher-packet.h"
#include "process/watcher-program.h"
#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define HELLO_PATIENCE (5 * G_TIME_SPAN_SECOND)
#define CLOSE_PATIENCE G_TIME_SPAN_SECOND

struct _TuttiWatcherLink
{
  gatomicrefcount refs;
  GMainContext *context;
  const TuttiWatcherLinkEvents *events;
  gpointer user_data;
  TuttiGuardChild *guard;
  pid_t watcher;
  int watcher_pidfd;
  gboolean closed; /* the context's thread only */

  GMutex lock;     /* of what follows */
  int control;     /* -1: lost or closed */
  TuttiWatchQueue queue;
  GSource *incoming, *outgoing, *guard_gone;
};

static void
link_unref (TuttiWatcherLink *link)
{
  if (!g_atomic_ref_count_dec (&link->refs))
    return;
  tutti_guard_child_unref (link->guard);
  tutti_fd_clear (&link->watcher_pidfd);
  tutti_fd_clear (&link->control);
  tutti_watch_queue_clear (&link->queue);
  g_main_context_unref (link->context);
  g_mutex_clear (&link->lock);
  g_free (link);
}

static TuttiWatcherLink *
link_ref (TuttiWatcherLink *link)
{
  g_atomic_ref_count_inc (&link->refs);
  return link;
}

static void
link_attach (TuttiWatcherLink *link, GSource *source, const char *name, GSourceFunc callback)
{
  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, link_ref (link), (GDestroyNotify) link_unref);
  g_source_attach (source, link->context);
}

static void
source_end (GSource **source)
{
  if (*source == NULL)
    return;
  g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

/* The end of all traffic, which makes the watcher end everything below it. FALSE if it was so already. */
static gboolean
link_shut (TuttiWatcherLink *link)
{
  g_mutex_lock (&link->lock);
  gboolean open = link->control >= 0;

  source_end (&link->incoming);
  source_end (&link->outgoing);
  source_end (&link->guard_gone);
  /* A copy of this process that was made by fork () still has the descriptor. */
  if (open)
    shutdown (link->control, SHUT_RDWR);
  tutti_fd_clear (&link->control);
  tutti_watch_queue_clear (&link->queue);
  g_mutex_unlock (&link->lock);
  /* If somebody stopped it, it could not even notice. */
  if (open)
    pidfd_send_signal (link->watcher_pidfd, SIGCONT, NULL, 0);
  return open;
}

static void
link_lose (TuttiWatcherLink *link, const char *reason)
{
  if (link_shut (link) && !link->closed)
    link->events->lost (link->user_data, reason);
}

static void
link_deliver_spawned (TuttiWatcherLink *link, TuttiWatchParcel *parcel)
{
  const TuttiWatchPacket *packet = &parcel->packet;

  if (parcel->n_fds > 0)
    {
      link->events->spawned (link->user_data, packet->worker, packet->pid, g_steal_fd (&parcel->fds[0]));
      return;
    }
  tutti_watcher_link_signal (link, packet->worker, SIGKILL, -1);
  link->events->failed (link->user_data, packet->worker, EMFILE,
                        "the worker was ended: this process has no descriptor left to watch it with; raise the limit (ulimit -n)");
}

static void
link_deliver_exited (TuttiWatcherLink *link, const TuttiWatchPacket *packet)
{
  TuttiWorkerExit exit = { .status = packet->status, .signal = packet->signal, .peak_memory = packet->peak_memory,
                           .cause = (TuttiWatchCause) packet->cause, .detail = packet->text };

  link->events->exited (link->user_data, packet->worker, &exit);
}

static void
link_deliver (TuttiWatcherLink *link, TuttiWatchParcel *parcel)
{
  const TuttiWatcherLinkEvents *events = link->events;
  const TuttiWatchPacket *packet = &parcel->packet;

  switch (packet->kind)
    {
    case TUTTI_WATCH_SPAWNED:
      link_deliver_spawned (link, parcel);
      break;
    case TUTTI_WATCH_FAILED:
      events->failed (link->user_data, packet->worker, packet->status, packet->text);
      break;
    case TUTTI_WATCH_EXITED:
      link_deliver_exited (link, packet);
      break;
    case TUTTI_WATCH_STOPPED:
      events->stopped (link->user_data, packet->worker, packet->signal);
      break;
    case TUTTI_WATCH_CONTINUED:
      events->continued (link->user_data, packet->worker);
      break;
    default:
      link_lose (link, "the watcher sent a packet that is the master's to send: library and tutti-watcher do not fit");
    }
}

/* Deliver what has arrived, at most LIMIT packets. */
static void
link_drain (TuttiWatcherLink *link, guint limit)
{
  for (guint i = 0; i < limit && link->control >= 0; i++)
    {
      g_auto (TuttiWatchParcel) parcel = { 0 };
      g_autoptr (GError) error = NULL;
      g_autofree char *reason = NULL;

      switch (tutti_watch_parcel_receive (link->control, &parcel, &error))
        {
        case TUTTI_WATCH_IO_DONE:
          link_deliver (link, &parcel);
          break;
        case TUTTI_WATCH_IO_AGAIN:
          return;
        case TUTTI_WATCH_IO_ENDED:
          reason = g_strdup_printf ("the watcher (process %d) ended or was killed", (int) link->watcher);
          link_lose (link, reason);
          return;
        case TUTTI_WATCH_IO_FAILED:
          link_lose (link, error->message);
          return;
        }
    }
}

static gboolean
link_readable (G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer user_data)
{
  /* Bounded, so that others in the context have their turn. */
  link_drain (user_data, 64);
  return G_SOURCE_CONTINUE;
}

static gboolean
link_writable (G_GNUC_UNUSED gint fd, G_GNUC_UNUSED GIOCondition condition, gpointer user_data)
{
  TuttiWatcherLink *link = user_data;
  g_autoptr (GError) error = NULL;
  TuttiWatchIo io = TUTTI_WATCH_IO_DONE;

  g_mutex_lock (&link->lock);
  if (link->control >= 0)
    io = tutti_watch_queue_flush (&link->queue, link->control, &error);
  if (io != TUTTI_WATCH_IO_AGAIN)
    g_clear_pointer (&link->outgoing, g_source_unref);
  g_mutex_unlock (&link->lock);
  /* A watcher that is gone is the reader's news, after what it had said before. */
  if (io == TUTTI_WATCH_IO_FAILED)
    link_lose (link, error->message);
  return io == TUTTI_WATCH_IO_AGAIN ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
link_guard_gone (gpointer user_data)
{
  TuttiWatcherLink *link = user_data;

  link_drain (link, G_MAXUINT);
  if (link->control >= 0)
    {
      g_autofree char *fate = tutti_guard_child_describe (link->guard);
      g_autofree char *reason = g_strdup_printf ("the guard (process %d) %s", (int) tutti_guard_child_get_pid (link->guard), fate);

      link_lose (link, reason);
    }
  return G_SOURCE_REMOVE;
}

/* In the guard's thread, which gives back the link's reference. */
static void
link_post_guard_gone (gpointer user_data)
{
  TuttiWatcherLink *link = user_data;

  g_mutex_lock (&link->lock);
  if (link->control >= 0)
    {
      link->guard_gone = g_idle_source_new ();
      g_source_set_priority (link->guard_gone, G_PRIORITY_DEFAULT);
      link_attach (link, link->guard_gone, "[tutti-watcher-guard-gone]", link_guard_gone);
    }
  g_mutex_unlock (&link->lock);
  link_unref (link);
}

/* Wait for the watcher's greeting, or the guard's end. */
static gboolean
link_await_hello (TuttiWatcherLink *link, GError **error)
{
  struct pollfd fds[] = { { link->control, POLLIN, 0 }, { tutti_guard_child_get_pidfd (link->guard), POLLIN, 0 } };
  gint64 deadline = g_get_monotonic_time () + HELLO_PATIENCE;
  g_auto (TuttiWatchParcel) parcel = { 0 };

  for (;;)
    {
      gint64 left = deadline - g_get_monotonic_time ();
      gboolean gone = fds[1].revents != 0;
      TuttiWatchIo io = tutti_watch_parcel_receive (link->control, &parcel, error);

      if (io == TUTTI_WATCH_IO_DONE && parcel.packet.kind == TUTTI_WATCH_HELLO)
        {
          link->watcher = parcel.packet.pid;
          link->watcher_pidfd = tutti_process_open (link->watcher, error);
          return link->watcher_pidfd >= 0;
        }
      if (io != TUTTI_WATCH_IO_AGAIN || gone || left <= 0)
        return FALSE;
      poll (fds, G_N_ELEMENTS (fds), (int) (left / 1000) + 1);
    }
}

/* There is no watcher: end the guard, if it has not ended by itself, and say what it was. */
static void
link_fail_start (TuttiWatcherLink *link, const char *program, GError *cause, GError **error)
{
  gboolean ended = tutti_guard_child_await (link->guard, g_get_monotonic_time () + 100 * G_TIME_SPAN_MILLISECOND);
  g_autofree char *fate = tutti_guard_child_describe (link->guard);

  if (!ended)
    {
      tutti_guard_child_kill (link->guard);
      tutti_guard_child_await (link->guard, g_get_monotonic_time () + CLOSE_PATIENCE);
    }
  if (cause != NULL)
    g_propagate_prefixed_error (error, cause, "'%s' does not work as a watcher: ", program);
  else if (ended)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "'%s --guard' %s instead of greeting: is it tutti-watcher?", program, fate);
  else
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, "'%s --guard' did not greet within %d s: is it tutti-watcher?", program,
                 (int) (HELLO_PATIENCE / G_TIME_SPAN_SECOND));
}

static void
link_start (TuttiWatcherLink *link)
{
  link->incoming = g_unix_fd_source_new (link->control, G_IO_IN);
  link_attach (link, link->incoming, "[tutti-watcher-incoming]", G_SOURCE_FUNC (link_readable));
  tutti_guard_child_start (link->guard, link_post_guard_gone, link_ref (link));
}

TuttiWatcherLink *
tutti_watcher_link_new (const char *program, GMainContext *context, const TuttiWatcherLinkEvents *events, gpointer user_data,
                        GError **error)
{
  g_return_val_if_fail (program != NULL && context != NULL && events != NULL, NULL);
  int pair[2];

  if (!tutti_fd_socket_pair (SOCK_SEQPACKET, pair, error))
    return NULL;
  TuttiWatcherLink *link = g_new0 (TuttiWatcherLink, 1);
  tutti_autofd int theirs = pair[1];
  GError *cause = NULL;

  g_atomic_ref_count_init (&link->refs);
  g_mutex_init (&link->lock);
  link->context = g_main_context_ref (context);
  link->events = events;
  link->user_data = user_data;
  link->watcher_pidfd = -1;
  link->control = pair[0];
  link->queue = (TuttiWatchQueue) TUTTI_WATCH_QUEUE_INIT;
  link->guard = tutti_guard_child_new (program, theirs, error);
  tutti_fd_clear (&theirs); /* or the end of the socket would not be seen */
  if (link->guard != NULL)
    {
      if (link_await_hello (link, &cause))
        {
          link_start (link);
          return link;
        }
      tutti_fd_clear (&link->control);
      link_fail_start (link, program, cause, error);
    }
  link_unref (link);
  return NULL;
}

/* With the lock held. */
static gboolean
link_send (TuttiWatcherLink *link, const TuttiWatchPacket *packet, const int *fds, guint n_fds, GError **error)
{
  TuttiWatchIo io = TUTTI_WATCH_IO_ENDED;

  if (link->control >= 0)
    io = tutti_watch_queue_send (&link->queue, link->control, packet, fds, n_fds, error);
  if (io == TUTTI_WATCH_IO_AGAIN && link->outgoing == NULL)
    {
      link->outgoing = g_unix_fd_source_new (link->control, G_IO_OUT);
      link_attach (link, link->outgoing, "[tutti-watcher-outgoing]", G_SOURCE_FUNC (link_writable));
    }
  if (io == TUTTI_WATCH_IO_ENDED)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the watcher (process %d) is gone", (int) link->watcher);
  return io == TUTTI_WATCH_IO_DONE || io == TUTTI_WATCH_IO_AGAIN;
}

gboolean
tutti_watcher_link_spawn (TuttiWatcherLink *link, guint64 generation, const TuttiWatcherProgram *program, int control_fd,
                          int stdout_fd, int stderr_fd, int oom_score_adj, guint64 memory_limit, GError **error)
{
  g_return_val_if_fail (link != NULL && generation != 0 && program != NULL && program->argv[0] != NULL, FALSE);
  TuttiWatchPacket packet = tutti_watch_packet_make (TUTTI_WATCH_SPAWN, generation);
  tutti_autofd int strings = tutti_watcher_program_pack (program, &packet.n_args, error);

  if (strings < 0)
    return FALSE;
  int fds[] = { control_fd, stdout_fd, stderr_fd, strings, program->folder != NULL ? *program->folder : -1 };

  packet.oom_score_adj = oom_score_adj;
  packet.memory_limit = memory_limit;
  packet.n_own = program->n_own;
  packet.has_folder = program->folder != NULL;
  g_mutex_lock (&link->lock);
  gboolean sent = link_send (link, &packet, fds, packet.has_folder ? 5 : 4, error);

  g_mutex_unlock (&link->lock);
  return sent;
}

gboolean
tutti_watcher_link_signal (TuttiWatcherLink *link, guint64 generation, int signal, int grace_ms)
{
  g_return_val_if_fail (link != NULL, FALSE);
  TuttiWatchPacket packet = tutti_watch_packet_make (TUTTI_WATCH_SIGNAL, generation);

  packet.signal = signal;
  packet.grace_ms = grace_ms;
  g_mutex_lock (&link->lock);
  gboolean sent = link_send (link, &packet, NULL, 0, NULL);

  g_mutex_unlock (&link->lock);
  return sent;
}

pid_t
tutti_watcher_link_get_guard_pid (TuttiWatcherLink *link)
{
  return tutti_guard_child_get_pid (link->guard);
}

pid_t
tutti_watcher_link_get_watcher_pid (TuttiWatcherLink *link)
{
  return link->watcher;
}

/* TRUE when both are gone and the guard is reaped. If the guard went first, the watcher still has work to do. */
static gboolean
link_await_end (TuttiWatcherLink *link, gint64 deadline)
{
  return tutti_guard_child_await (link->guard, deadline) && tutti_fd_wait (link->watcher_pidfd, POLLIN, deadline);
}

/* Closing has three steps: no new work (shut), wait until it is quiet (here), free (unref). */
void
tutti_watcher_link_close (TuttiWatcherLink *link)
{
  g_return_if_fail (link != NULL);
  if (link->closed)
    return;
  link->closed = TRUE;
  link_shut (link);
  if (link_await_end (link, g_get_monotonic_time () + CLOSE_PATIENCE))
    return;
  /* They hang, or the machine is so busy that they got no turn. Killed alone they would leave what is below them to init, for ever: so
   * it goes with them. The watcher's tree first: then the guard, if it has only been slow, ends what was forked meanwhile. */
  if (!tutti_fd_wait (link->watcher_pidfd, POLLIN, 0))
    tutti_process_kill_tree (link->watcher);
  if (link_await_end (link, g_get_monotonic_time () + CLOSE_PATIENCE))
    return;
  if (!tutti_guard_child_await (link->guard, 0))
    tutti_process_kill_tree (tutti_guard_child_get_pid (link->guard));
  if (!link_await_end (link, g_get_monotonic_time () + CLOSE_PATIENCE))
    g_warning ("the guard (process %d) or the watcher (process %d) hangs in the kernel and could not be ended",
               (int) tutti_guard_child_get_pid (link->guard), (int) link->watcher);
}

void
tutti_watcher_link_unref (TuttiWatcherLink *link)
{
  if (link == NULL)
    return;
  tutti_watcher_link_close (link);
  link_unref (link);
}
