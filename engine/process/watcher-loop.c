/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher: sleeps until a process below it dies, the master sends a request, or the end has come. */
#include "process/watcher-loop.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "process/termination.h"
#include "process/watcher-children.h"
#include "process/watcher-packet.h"
#include "process/watcher-urgency.h"
#include "process/worker-title.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The guard then does the same work, with more patience. */
#define END_PATIENCE (500 * G_TIME_SPAN_MILLISECOND)

/* If the master is stopped while a worker is stopped and continued repeatedly, the watcher must not grow. */
#define QUEUE_ENOUGH 1024

enum { FD_SIGNALS, FD_CONTROL, FD_MASTER, FD_GUARD, FD_TEMPLATES, N_FDS = FD_TEMPLATES + TTI_WATCHER_MAX_TEMPLATES };

typedef struct
{
  struct pollfd fds[N_FDS];
  TtiWatchQueue queue;
  TtiWatcherChildren *children;
  gboolean ended;
  TtiWatcherExit status;
} Watcher;

int
tti_watcher_set_up (const char *name)
{
  static const int open_signals[] = { SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
  g_autoptr (GError) error = NULL;
  sigset_t blocked, wanted;

  sigfillset (&blocked);
  for (guint i = 0; i < G_N_ELEMENTS (open_signals); i++)
    if (open_signals[i] != SIGTERM || !tti_termination_is_shared ())
      sigdelset (&blocked, open_signals[i]);
  sigprocmask (SIG_SETMASK, &blocked, NULL);
  tti_helper_title_enter (name, TTI_WATCHER_FD_MASTER);
  sigemptyset (&wanted);
  sigaddset (&wanted, SIGCHLD);
  int signals = signalfd (-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);

  if (signals < 0)
    g_printerr ("%s: cannot make a signalfd: %s\n", name, g_strerror (errno));
  else if (!tti_process_become_subreaper (&error))
    {
      g_printerr ("%s: %s\n", name, error->message);
      tti_fd_clear (&signals);
    }
  return signals;
}

void
tti_watcher_drain (int signals)
{
  struct signalfd_siginfo info;

  while (read (signals, &info, sizeof info) > 0 || errno == EINTR)
    ;
}

void
tti_watcher_report_left (const char *name, GHashTable *known)
{
  g_autoptr (GArray) children = tti_process_children (getpid ());

  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      pid_t pid = g_array_index (children, pid_t, i);
      g_autofree char *description = tti_process_describe (pid);

      if (known == NULL || !g_hash_table_contains (known, GINT_TO_POINTER (pid)))
        g_printerr ("%s: %s cannot be ended, and goes on\n", name, description);
    }
}

static void
watcher_end (Watcher *watcher, TtiWatcherExit status)
{
  watcher->ended = TRUE;
  watcher->status = status;
}

static void
watcher_end_broken (Watcher *watcher, const GError *error)
{
  g_printerr ("tutti-watcher: %s; ending all workers\n", error->message);
  watcher_end (watcher, TTI_WATCHER_EXIT_BROKEN);
}

static void
watcher_settle (Watcher *watcher, TtiWatchIo io, const GError *error)
{
  switch (io)
    {
    case TTI_WATCH_IO_DONE:
    case TTI_WATCH_IO_AGAIN:
      break;
    case TTI_WATCH_IO_ENDED:
      watcher_end (watcher, TTI_WATCHER_EXIT_ENDED);
      break;
    case TTI_WATCH_IO_FAILED:
      watcher_end_broken (watcher, error);
      break;
    }
}

static void
watcher_report (const TtiWatchPacket *packet, int pidfd, gpointer user_data)
{
  Watcher *watcher = user_data;
  g_autoptr (GError) error = NULL;

  if (packet->kind == TTI_WATCH_STOPPED && tti_watch_queue_length (&watcher->queue) > QUEUE_ENOUGH)
    return;
  TtiWatchIo io
      = tti_watch_queue_send (&watcher->queue, watcher->fds[FD_CONTROL].fd, packet, &pidfd, pidfd >= 0 ? 1 : 0, &error);

  watcher_settle (watcher, io, error);
}

static void
watcher_obey (Watcher *watcher, TtiWatchParcel *parcel)
{
  switch (parcel->packet.kind)
    {
    case TTI_WATCH_SPAWN:
      tti_watcher_children_spawn (watcher->children, parcel);
      break;
    case TTI_WATCH_SIGNAL:
      tti_watcher_children_signal (watcher->children, &parcel->packet);
      break;
    case TTI_WATCH_LIMIT:
      tti_watcher_children_limit (watcher->children, &parcel->packet);
      break;
    default:
      g_printerr ("tutti-watcher: the master sent a packet of kind %u, which is the watcher's to send; ending all workers\n",
                  parcel->packet.kind);
      watcher_end (watcher, TTI_WATCHER_EXIT_BROKEN);
    }
}

/* One request at a time, and check the descriptors that mean the end in between. */
static void
watcher_listen (Watcher *watcher)
{
  g_auto (TtiWatchParcel) parcel = { 0 };
  g_autoptr (GError) error = NULL;
  TtiWatchIo io = tti_watch_parcel_receive (watcher->fds[FD_CONTROL].fd, &parcel, &error);

  if (io == TTI_WATCH_IO_DONE)
    watcher_obey (watcher, &parcel);
  else
    watcher_settle (watcher, io, error);
}

/* Sleep until something happens, or the next deadline. */
static void
watcher_sleep (Watcher *watcher)
{
  gint64 deadline = tti_watcher_children_get_deadline (watcher->children);
  gboolean waiting = tti_watch_queue_length (&watcher->queue) > 0;
  int timeout = -1;

  if (deadline >= 0)
    {
      gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;

      timeout = (int) CLAMP (left, 0, G_MAXINT);
    }
  watcher->fds[FD_CONTROL].events = waiting ? POLLIN | POLLOUT : POLLIN;
  tti_watcher_children_fill (watcher->children, watcher->fds + FD_TEMPLATES);
  for (guint i = 0; i < N_FDS; i++)
    watcher->fds[i].revents = 0; /* poll () leaves them alone when it is interrupted */
  poll (watcher->fds, N_FDS, timeout);
}

static void
watcher_step (Watcher *watcher)
{
  watcher_sleep (watcher);
  if (watcher->fds[FD_MASTER].revents != 0)
    watcher_end (watcher, TTI_WATCHER_EXIT_ENDED);
  else if (watcher->fds[FD_GUARD].revents != 0)
    watcher_end (watcher, TTI_WATCHER_EXIT_ALONE);
  if (watcher->ended)
    return;
  if (watcher->fds[FD_SIGNALS].revents != 0)
    {
      /* Drain before reaping: a child that dies in between makes the descriptor readable again. */
      tti_watcher_drain (watcher->fds[FD_SIGNALS].fd);
      tti_watcher_children_reap (watcher->children);
    }
  tti_watcher_children_listen (watcher->children);
  tti_watcher_children_tick (watcher->children);
  if (watcher->fds[FD_CONTROL].revents & POLLOUT)
    {
      g_autoptr (GError) error = NULL;
      TtiWatchIo io = tti_watch_queue_flush (&watcher->queue, watcher->fds[FD_CONTROL].fd, &error);

      watcher_settle (watcher, io, error);
    }
  if (watcher->fds[FD_CONTROL].revents & ~POLLOUT)
    watcher_listen (watcher);
}

/* A guard that is stopped would never notice that the end has come; nor would one that has been told to stop and has not had the processor
 * since. Where nobody will ask how the guard has ended, and nothing is left for it to end, it need not live. */
static gboolean
guard_may_stay (const Watcher *watcher)
{
  gboolean master_is_gone = tti_fd_wait (TTI_WATCHER_FD_MASTER, POLLIN, g_get_monotonic_time ());

  return (master_is_gone && watcher->status != TTI_WATCHER_EXIT_LEFT) || tti_process_is_stopped (getppid ());
}

TtiWatcherExit
tti_watcher_run (void)
{
  tti_autofd int signals = tti_watcher_set_up ("tutti-watcher");

  if (signals < 0)
    return TTI_WATCHER_EXIT_SETUP;
  Watcher watcher = {
    .fds = { [FD_SIGNALS] = { signals, POLLIN, 0 },
             [FD_CONTROL] = { TTI_WATCHER_FD_CONTROL, POLLIN, 0 },
             [FD_MASTER] = { TTI_WATCHER_FD_MASTER, POLLIN, 0 },
             [FD_GUARD] = { TTI_WATCHER_FD_GUARD, POLLIN, 0 } },
    .queue = TTI_WATCH_QUEUE_INIT,
  };
  TtiWatchPacket hello = tti_watch_packet_make (TTI_WATCH_HELLO, 0);

  watcher.children = tti_watcher_children_new (TTI_WATCHER_FD_MASTER, "/proc/vmstat", watcher_report, &watcher);
  tti_watcher_urgency_begin ();
  hello.pid = getpid ();
  hello.status = getppid ();
  watcher_report (&hello, -1, &watcher);
  while (!watcher.ended)
    watcher_step (&watcher);

  tti_watcher_children_kill (watcher.children);
  if (!tti_process_end_all_descendants (g_get_monotonic_time () + END_PATIENCE))
    {
      watcher.status = TTI_WATCHER_EXIT_LEFT;
      tti_watcher_report_left ("tutti-watcher", tti_watcher_children_get_stuck (watcher.children));
    }
  if (guard_may_stay (&watcher))
    pidfd_send_signal (TTI_WATCHER_FD_GUARD, SIGKILL, NULL, 0);
  tti_watcher_children_free (watcher.children);
  tti_watch_queue_clear (&watcher.queue);
  return watcher.status;
}
