/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The master's side of the watcher.
 *
 * The life of a link: greeted or not yet, then lost or not, then closed. While it is open, control is a descriptor; losing or
 * closing it sets it to -1 under the lock, in the context's thread, and destroys all sources: nothing is delivered
 * any more, and no source keeps the link alive. The guard's thread holds a reference, so it may come late. */
#include "process/watcher-link.h"
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-state.h"
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
#include <sys/wait.h>

/* For the greeting, in ticks of our own running time: a job that is suspended while it starts does not fail when it is continued. */
enum { HELLO_TICK_MS = 100, HELLO_TICKS = 50 };
#define CLOSE_PATIENCE G_TIME_SPAN_SECOND

struct _TtiWatcherLink
{
  gatomicrefcount refs;
  GMainContext *context;
  const TtiWatcherLinkEvents *events;
  gpointer user_data;
  char *program;
  TtiGuardChild *guard;
  pid_t watcher;     /* 0: it has not greeted */
  int watcher_pidfd; /* -1: as well */
  gboolean closed;   /* the context's thread only, as the next */
  guint hello_ticks;

  GMutex lock;     /* of what follows */
  int control;     /* -1: lost or closed */
  TtiWatchQueue queue;
  GSource *incoming, *outgoing, *guard_gone, *hello;
};

static void
link_unref (TtiWatcherLink *link)
{
  if (!g_atomic_ref_count_dec (&link->refs))
    return;
  tti_guard_child_unref (link->guard);
  tti_fd_clear (&link->watcher_pidfd);
  tti_fd_clear (&link->control);
  tti_watch_queue_clear (&link->queue);
  g_main_context_unref (link->context);
  g_mutex_clear (&link->lock);
  g_free (link->program);
  g_free (link);
}

static TtiWatcherLink *
link_ref (TtiWatcherLink *link)
{
  g_atomic_ref_count_inc (&link->refs);
  return link;
}

static void
link_attach (TtiWatcherLink *link, GSource *source, const char *name, GSourceFunc callback)
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
link_shut (TtiWatcherLink *link)
{
  g_mutex_lock (&link->lock);
  gboolean open = link->control >= 0;

  source_end (&link->incoming);
  source_end (&link->outgoing);
  source_end (&link->guard_gone);
  source_end (&link->hello);
  /* A copy of this process that was made by fork () still has the descriptor. */
  if (open)
    shutdown (link->control, SHUT_RDWR);
  tti_fd_clear (&link->control);
  tti_watch_queue_clear (&link->queue);
  g_mutex_unlock (&link->lock);
  /* If somebody stopped them, they could not even notice. */
  if (open)
    {
      pidfd_send_signal (link->watcher_pidfd, SIGCONT, NULL, 0);
      tti_guard_child_continue (link->guard);
    }
  return open;
}

/* Why the program is no watcher: CAUSE, or the FATE of the guard that has ended, or (both NULL) its silence. To be freed. */
static char *
link_describe_start (TtiWatcherLink *link, const char *cause, const char *fate)
{
  if (cause != NULL)
    return g_strdup_printf ("'%s' does not work as a watcher: %s", link->program, cause);
  if (fate != NULL)
    return g_strdup_printf ("'%s --guard' %s instead of greeting: is it tutti-watcher, and of this version?", link->program, fate);
  return g_strdup_printf ("'%s --guard' did not greet within %d s: is it tutti-watcher?", link->program,
                          HELLO_TICK_MS * HELLO_TICKS / 1000);
}

static void
link_lose (TtiWatcherLink *link, const char *reason)
{
  if (link_shut (link) && !link->closed)
    link->events->lost (link->user_data, reason);
}

/* It does not work as a watcher, for CAUSE; NULL: it has ended instead of greeting, or not even that. */
static void
link_lose_start (TtiWatcherLink *link, const char *cause)
{
  gboolean ended = tti_guard_child_await (link->guard, 0);
  g_autofree char *fate = tti_guard_child_describe (link->guard);
  g_autofree char *reason = link_describe_start (link, cause, ended ? fate : NULL);

  if (!ended)
    tti_guard_child_kill (link->guard);
  link_lose (link, reason);
}

/* The watcher is there, as process PID. */
static void
link_greeted (TtiWatcherLink *link, pid_t pid)
{
  g_autoptr (GError) error = NULL;

  link->watcher_pidfd = tti_process_open (pid, &error);
  if (link->watcher_pidfd < 0)
    {
      link_lose_start (link, error->message);
      return;
    }
  link->watcher = pid;
  g_mutex_lock (&link->lock);
  source_end (&link->hello);
  g_mutex_unlock (&link->lock);
  link->events->ready (link->user_data);
}

static gboolean
link_hello_tick (gpointer user_data)
{
  TtiWatcherLink *link = user_data;

  if (++link->hello_ticks < HELLO_TICKS)
    return G_SOURCE_CONTINUE;
  link_lose_start (link, NULL);
  return G_SOURCE_REMOVE;
}

static void
link_deliver_spawned (TtiWatcherLink *link, TtiWatchParcel *parcel)
{
  const TtiWatchPacket *packet = &parcel->packet;

  if (parcel->n_fds > 0)
    {
      link->events->spawned (link->user_data, packet->worker, packet->pid, g_steal_fd (&parcel->fds[0]));
      return;
    }
  tti_watcher_link_signal (link, packet->worker, SIGKILL, -1);
  link->events->failed (link->user_data, packet->worker, EMFILE,
                        "the worker was ended: this process has no descriptor left to watch it with; raise the limit (ulimit -n)");
}

static void
link_deliver_exited (TtiWatcherLink *link, const TtiWatchPacket *packet)
{
  TtiWorkerExit exit = { .status = packet->status, .signal = packet->signal, .core_dumped = packet->core_dumped != 0,
                           .peak_memory = packet->peak_memory, .cause = (TtiExitCause) packet->cause, .n_left = packet->n_left,
                           .detail = packet->text };

  link->events->exited (link->user_data, packet->worker, &exit);
}

static void
link_deliver (TtiWatcherLink *link, TtiWatchParcel *parcel)
{
  const TtiWatcherLinkEvents *events = link->events;
  const TtiWatchPacket *packet = &parcel->packet;

  if (link->watcher == 0 && packet->kind == TTI_WATCH_HELLO)
    {
      link_greeted (link, packet->pid);
      return;
    }
  switch (packet->kind)
    {
    case TTI_WATCH_SPAWNED:
      link_deliver_spawned (link, parcel);
      break;
    case TTI_WATCH_FAILED:
      events->failed (link->user_data, packet->worker, packet->status, packet->text);
      break;
    case TTI_WATCH_EXITED:
      link_deliver_exited (link, packet);
      break;
    case TTI_WATCH_STOPPED:
      events->stopped (link->user_data, packet->worker, packet->signal);
      break;
    default:
      link_lose (link, "the watcher sent a packet that is the master's to send: library and tutti-watcher do not fit");
    }
}

/* The control socket has come to its end. */
static void
link_ended (TtiWatcherLink *link)
{
  if (link->watcher == 0)
    {
      /* The guard will end as well, and how it does says more. */
      g_mutex_lock (&link->lock);
      source_end (&link->incoming);
      g_mutex_unlock (&link->lock);
      return;
    }
  g_autofree char *reason = g_strdup_printf ("the watcher (process %d) ended or was killed", (int) link->watcher);

  link_lose (link, reason);
}

/* Deliver what has arrived, at most LIMIT packets. */
static void
link_drain (TtiWatcherLink *link, guint limit)
{
  for (guint i = 0; i < limit && link->control >= 0; i++)
    {
      g_auto (TtiWatchParcel) parcel = { 0 };
      g_autoptr (GError) error = NULL;

      switch (tti_watch_parcel_receive (link->control, &parcel, &error))
        {
        case TTI_WATCH_IO_DONE:
          link_deliver (link, &parcel);
          break;
        case TTI_WATCH_IO_AGAIN:
          return;
        case TTI_WATCH_IO_ENDED:
          link_ended (link);
          return;
        case TTI_WATCH_IO_FAILED:
          if (link->watcher == 0)
            link_lose_start (link, error->message);
          else
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
  TtiWatcherLink *link = user_data;
  g_autoptr (GError) error = NULL;
  TtiWatchIo io = TTI_WATCH_IO_DONE;

  g_mutex_lock (&link->lock);
  if (link->control >= 0)
    io = tti_watch_queue_flush (&link->queue, link->control, &error);
  if (io != TTI_WATCH_IO_AGAIN)
    g_clear_pointer (&link->outgoing, g_source_unref);
  g_mutex_unlock (&link->lock);
  /* A watcher that is gone is the reader's news, after what it had said before. */
  if (io == TTI_WATCH_IO_FAILED)
    link_lose (link, error->message);
  return io == TTI_WATCH_IO_AGAIN ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
link_guard_gone (gpointer user_data)
{
  TtiWatcherLink *link = user_data;

  link_drain (link, G_MAXUINT);
  if (link->control >= 0 && link->watcher == 0)
    link_lose_start (link, NULL);
  else if (link->control >= 0)
    {
      g_autofree char *fate = tti_guard_child_describe (link->guard);
      g_autofree char *reason = g_strdup_printf ("the guard (process %d) %s", (int) tti_guard_child_get_pid (link->guard), fate);

      link_lose (link, reason);
    }
  return G_SOURCE_REMOVE;
}

/* In the guard's thread, which gives back the link's reference. */
static void
link_post_guard_gone (gpointer user_data)
{
  TtiWatcherLink *link = user_data;

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
link_await_hello (TtiWatcherLink *link, GError **error)
{
  struct pollfd fds[] = { { link->control, POLLIN, 0 }, { tti_guard_child_get_pidfd (link->guard), POLLIN, 0 } };
  g_auto (TtiWatchParcel) parcel = { 0 };

  for (guint ticks = 0;;)
    {
      gboolean gone = fds[1].revents != 0;
      TtiWatchIo io = tti_watch_parcel_receive (link->control, &parcel, error);

      if (io == TTI_WATCH_IO_DONE && parcel.packet.kind == TTI_WATCH_HELLO)
        {
          link->watcher = parcel.packet.pid;
          link->watcher_pidfd = tti_process_open (link->watcher, error);
          return link->watcher_pidfd >= 0;
        }
      if (io != TTI_WATCH_IO_AGAIN || gone || ticks >= HELLO_TICKS)
        return FALSE;
      ticks += poll (fds, G_N_ELEMENTS (fds), HELLO_TICK_MS) == 0;
    }
}

/* There is no watcher: end the guard, if it has not ended by itself, and say what it was. */
static void
link_fail_start (TtiWatcherLink *link, GError *cause, GError **error)
{
  gboolean ended = tti_guard_child_await (link->guard, g_get_monotonic_time () + 100 * G_TIME_SPAN_MILLISECOND);
  g_autofree char *fate = tti_guard_child_describe (link->guard);

  if (!ended)
    {
      tti_guard_child_kill (link->guard);
      tti_guard_child_await (link->guard, g_get_monotonic_time () + CLOSE_PATIENCE);
    }
  g_autofree char *message = link_describe_start (link, cause != NULL ? cause->message : NULL, ended ? fate : NULL);

  g_set_error_literal (error, TUTTI_ERROR, TUTTI_ERROR_SPAWN, message);
  g_clear_error (&cause);
}

static void
link_attach_all (TtiWatcherLink *link)
{
  link->incoming = g_unix_fd_source_new (link->control, G_IO_IN);
  link_attach (link, link->incoming, "[tutti-watcher-incoming]", G_SOURCE_FUNC (link_readable));
  tti_guard_child_start (link->guard, link_post_guard_gone, link_ref (link));
}

/* With a guard that was started, and that has not greeted. */
static TtiWatcherLink *
link_make (const char *program, GMainContext *context, const TtiWatcherLinkEvents *events, gpointer user_data, GError **error)
{
  int pair[2];

  if (!tti_fd_socket_pair (SOCK_SEQPACKET, pair, error))
    return NULL;
  TtiWatcherLink *link = g_new0 (TtiWatcherLink, 1);
  tti_autofd int theirs = pair[1];

  g_atomic_ref_count_init (&link->refs);
  g_mutex_init (&link->lock);
  link->context = g_main_context_ref (context);
  link->program = g_strdup (program);
  link->events = events;
  link->user_data = user_data;
  link->watcher_pidfd = -1;
  link->control = pair[0];
  link->queue = (TtiWatchQueue) TTI_WATCH_QUEUE_INIT;
  link->guard = tti_guard_child_new (program, theirs, error);
  tti_fd_clear (&theirs); /* or the end of the socket would not be seen */
  if (link->guard == NULL)
    g_clear_pointer (&link, link_unref);
  return link;
}

TtiWatcherLink *
tti_watcher_link_new (const char *program, GMainContext *context, const TtiWatcherLinkEvents *events, gpointer user_data,
                      GError **error)
{
  g_return_val_if_fail (program != NULL && context != NULL && events != NULL, NULL);
  TtiWatcherLink *link = link_make (program, context, events, user_data, error);
  GError *cause = NULL;

  if (link == NULL)
    return NULL;
  if (link_await_hello (link, &cause))
    {
      link_attach_all (link);
      return link;
    }
  tti_fd_clear (&link->control);
  link_fail_start (link, cause, error);
  link_unref (link);
  return NULL;
}

TtiWatcherLink *
tti_watcher_link_start (const char *program, GMainContext *context, const TtiWatcherLinkEvents *events, gpointer user_data,
                        GError **error)
{
  g_return_val_if_fail (program != NULL && context != NULL && events != NULL && events->ready != NULL, NULL);
  TtiWatcherLink *link = link_make (program, context, events, user_data, error);

  if (link == NULL)
    return NULL;
  link->hello = g_timeout_source_new (HELLO_TICK_MS);
  link_attach (link, link->hello, "[tutti-watcher-hello]", link_hello_tick);
  link_attach_all (link);
  return link;
}

/* With the lock held. */
static gboolean
link_send (TtiWatcherLink *link, const TtiWatchPacket *packet, const int *fds, guint n_fds, GError **error)
{
  TtiWatchIo io = TTI_WATCH_IO_ENDED;

  if (link->control >= 0)
    io = tti_watch_queue_send (&link->queue, link->control, packet, fds, n_fds, error);
  if (io == TTI_WATCH_IO_AGAIN && link->outgoing == NULL)
    {
      link->outgoing = g_unix_fd_source_new (link->control, G_IO_OUT);
      link_attach (link, link->outgoing, "[tutti-watcher-outgoing]", G_SOURCE_FUNC (link_writable));
    }
  if (io == TTI_WATCH_IO_ENDED)
    g_set_error (error, TUTTI_ERROR, TUTTI_ERROR_CLOSED, "the watcher (process %d) is gone", (int) link->watcher);
  return io == TTI_WATCH_IO_DONE || io == TTI_WATCH_IO_AGAIN;
}

static gboolean
link_tell (TtiWatcherLink *link, const TtiWatchPacket *packet, const int *fds, guint n_fds, GError **error)
{
  g_mutex_lock (&link->lock);
  gboolean sent = link_send (link, packet, fds, n_fds, error);

  g_mutex_unlock (&link->lock);
  return sent;
}

gboolean
tti_watcher_link_spawn (TtiWatcherLink *link, guint64 generation, const TtiWatcherProgram *program, int control_fd,
                        int stdout_fd, int stderr_fd, int oom_score_adj, guint64 memory_limit, GError **error)
{
  g_return_val_if_fail (link != NULL && generation != 0 && program != NULL && program->argv[0] != NULL, FALSE);
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SPAWN, generation);
  tti_autofd int strings = tti_watcher_program_pack (program, &packet.n_args, error);

  if (strings < 0)
    return FALSE;
  int fds[] = { control_fd, stdout_fd, stderr_fd, strings, program->folder != NULL ? *program->folder : -1 };

  packet.oom_score_adj = oom_score_adj;
  packet.memory_limit = memory_limit;
  packet.n_own = program->n_own;
  packet.has_folder = program->folder != NULL;
  return link_tell (link, &packet, fds, packet.has_folder ? 5 : 4, error);
}

gboolean
tti_watcher_link_signal (TtiWatcherLink *link, guint64 generation, int signal, int grace_ms)
{
  g_return_val_if_fail (link != NULL, FALSE);
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_SIGNAL, generation);

  packet.signal = signal;
  packet.grace_ms = grace_ms;
  return link_tell (link, &packet, NULL, 0, NULL);
}

gboolean
tti_watcher_link_limit (TtiWatcherLink *link, guint64 generation, guint64 memory_limit)
{
  TtiWatchPacket packet = tti_watch_packet_make (TTI_WATCH_LIMIT, generation);

  packet.memory_limit = memory_limit;
  return link_tell (link, &packet, NULL, 0, NULL);
}

const char *
tti_watcher_link_get_mark (TtiWatcherLink *link)
{
  return tti_guard_child_get_mark (link->guard);
}

pid_t
tti_watcher_link_get_guard_pid (TtiWatcherLink *link)
{
  return tti_guard_child_get_pid (link->guard);
}

pid_t
tti_watcher_link_get_watcher_pid (TtiWatcherLink *link)
{
  return link->watcher;
}

/* TRUE when both are gone and the guard is reaped. If the guard went first, the watcher still has work to do. */
static gboolean
link_await_end (TtiWatcherLink *link, gint64 deadline)
{
  if (!tti_guard_child_await (link->guard, deadline))
    return FALSE;
  if (link->watcher_pidfd < 0)
    return TRUE;
  if (!tti_fd_wait (link->watcher_pidfd, POLLIN, deadline))
    return FALSE;
  /* If the guard went first and orphans fall to us, it is our child now. */
  waitid (P_PIDFD, (id_t) link->watcher_pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
  return TRUE;
}

gboolean
tti_watcher_link_has_ended (TtiWatcherLink *link)
{
  return link_await_end (link, 0);
}

void
tti_watcher_link_kill (TtiWatcherLink *link)
{
  if (link->watcher_pidfd >= 0 && !tti_fd_wait (link->watcher_pidfd, POLLIN, 0))
    tti_process_kill_tree (link->watcher);
  if (!tti_guard_child_await (link->guard, 0))
    tti_process_kill_tree (tti_guard_child_get_pid (link->guard));
}

/* Closing has three steps: no new work (shut), wait until it is quiet (here), free (unref). */
void
tti_watcher_link_close (TtiWatcherLink *link)
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
  if (link->watcher_pidfd >= 0 && !tti_fd_wait (link->watcher_pidfd, POLLIN, 0))
    tti_process_kill_tree (link->watcher);
  if (link_await_end (link, g_get_monotonic_time () + CLOSE_PATIENCE))
    return;
  if (!tti_guard_child_await (link->guard, 0))
    tti_process_kill_tree (tti_guard_child_get_pid (link->guard));
  if (link_await_end (link, g_get_monotonic_time () + CLOSE_PATIENCE))
    return;
  g_autofree char *guard = tti_process_describe (tti_guard_child_get_pid (link->guard));
  g_autofree char *watcher = tti_process_describe (link->watcher);
  g_autofree char *message = g_strdup_printf ("the guard, %s, or the watcher, %s, cannot be ended", guard, watcher);

  if (link->events->message != NULL)
    link->events->message (link->user_data, message);
}

void
tti_watcher_link_unref (TtiWatcherLink *link)
{
  if (link == NULL)
    return;
  tti_watcher_link_close (link);
  link_unref (link);
}
