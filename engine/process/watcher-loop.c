/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The watcher: sleeps until a process below it dies, the master sends a request, or the end has come. */
#include "process/watcher-loop.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "process/watcher-children.h"
#include "process/watcher-packet.h"
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

enum { FD_SIGNALS, FD_CONTROL, FD_MASTER, FD_GUARD, FD_TEMPLATES, N_FDS = FD_TEMPLATES + TUTTI_WATCHER_MAX_TEMPLATES };

typedef struct
{
  struct pollfd fds[N_FDS];
  TuttiWatchQueue queue;
  TuttiWatcherChildren *children;
  gboolean ended;
  TuttiWatcherExit status;
} Watcher;

int
tutti_watcher_set_up (const char *name)
{
  static const int open_signals[] = { SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
  g_autoptr (GError) error = NULL;
  sigset_t blocked, wanted;

  sigfillset (&blocked);
  for (guint i = 0; i < G_N_ELEMENTS (open_signals); i++)
    sigdelset (&blocked, open_signals[i]);
  sigprocmask (SIG_SETMASK, &blocked, NULL);
  tutti_helper_title_enter (name, TUTTI_WATCHER_FD_MASTER);
  sigemptyset (&wanted);
  sigaddset (&wanted, SIGCHLD);
  int signals = signalfd (-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);

  if (signals < 0)
    g_printerr ("%s: cannot make a signalfd: %s\n", name, g_strerror (errno));
  else if (!tutti_process_become_subreaper (&error))
    {
      g_printerr ("%s: %s\n", name, error->message);
      tutti_fd_clear (&signals);
    }
  return signals;
}

void
tutti_watcher_drain (int signals)
{
  struct signalfd_siginfo info;

  while (read (signals, &info, sizeof info) > 0 || errno == EINTR)
    ;
}

void
tutti_watcher_report_left (const char *name, GHashTable *known)
{
  g_autoptr (GArray) children = tutti_process_children (getpid ());

  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      pid_t pid = g_array_index (children, pid_t, i);
      g_autofree char *description = tutti_process_describe (pid);

      if (known == NULL || !g_hash_table_contains (known, GINT_TO_POINTER (pid)))
        g_printerr ("%s: %s cannot be ended, and goes on\n", name, description);
    }
}

static void
watcher_end (Watcher *watcher, TuttiWatcherExit status)
{
  watcher->ended = TRUE;
  watcher->status = status;
}

static void
watcher_end_broken (Watcher *watcher, const GError *error)
{
  g_printerr ("tutti-watcher: %s; ending all workers\n", error->message);
  watcher_end (watcher, TUTTI_WATCHER_EXIT_BROKEN);
}

static void
watcher_settle (Watcher *watcher, TuttiWatchIo io, const GError *error)
{
  switch (io)
    {
    case TUTTI_WATCH_IO_DONE:
    case TUTTI_WATCH_IO_AGAIN:
      break;
    case TUTTI_WATCH_IO_ENDED:
      watcher_end (watcher, TUTTI_WATCHER_EXIT_ENDED);
      break;
    case TUTTI_WATCH_IO_FAILED:
      watcher_end_broken (watcher, error);
      break;
    }
}

static void
watcher_report (const TuttiWatchPacket *packet, int pidfd, gpointer user_data)
{
  Watcher *watcher = user_data;
  g_autoptr (GError) error = NULL;

  if (packet->kind == TUTTI_WATCH_STOPPED && tutti_watch_queue_length (&watcher->queue) > QUEUE_ENOUGH)
    return;
  TuttiWatchIo io
      = tutti_watch_queue_send (&watcher->queue, watcher->fds[FD_CONTROL].fd, packet, &pidfd, pidfd >= 0 ? 1 : 0, &error);

  watcher_settle (watcher, io, error);
}

static void
watcher_obey (Watcher *watcher, TuttiWatchParcel *parcel)
{
  switch (parcel->packet.kind)
    {
    case TUTTI_WATCH_SPAWN:
      tutti_watcher_children_spawn (watcher->children, parcel);
      break;
    case TUTTI_WATCH_SIGNAL:
      tutti_watcher_children_signal (watcher->children, &parcel->packet);
      break;
    default:
      g_printerr ("tutti-watcher: the master sent a packet of kind %u, which is the watcher's to send; ending all workers\n",
                  parcel->packet.kind);
      watcher_end (watcher, TUTTI_WATCHER_EXIT_BROKEN);
    }
}

/* One request at a time, and check the descriptors that mean the end in between. */
static void
watcher_listen (Watcher *watcher)
{
  g_auto (TuttiWatchParcel) parcel = { 0 };
  g_autoptr (GError) error = NULL;
  TuttiWatchIo io = tutti_watch_parcel_receive (watcher->fds[FD_CONTROL].fd, &parcel, &error);

  if (io == TUTTI_WATCH_IO_DONE)
    watcher_obey (watcher, &parcel);
  else
    watcher_settle (watcher, io, error);
}

/* Sleep until something happens, or the next deadline. */
static void
watcher_sleep (Watcher *watcher)
{
  gint64 deadline = tutti_watcher_children_get_deadline (watcher->children);
  gboolean waiting = tutti_watch_queue_length (&watcher->queue) > 0;
  int timeout = -1;

  if (deadline >= 0)
    {
      gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;

      timeout = (int) CLAMP (left, 0, G_MAXINT);
    }
  watcher->fds[FD_CONTROL].events = waiting ? POLLIN | POLLOUT : POLLIN;
  tutti_watcher_children_fill (watcher->children, watcher->fds + FD_TEMPLATES);
  for (guint i = 0; i < N_FDS; i++)
    watcher->fds[i].revents = 0; /* poll () leaves them alone when it is interrupted */
  poll (watcher->fds, N_FDS, timeout);
}

static void
watcher_step (Watcher *watcher)
{
  watcher_sleep (watcher);
  if (watcher->fds[FD_MASTER].revents != 0)
    watcher_end (watcher, TUTTI_WATCHER_EXIT_ENDED);
  else if (watcher->fds[FD_GUARD].revents != 0)
    watcher_end (watcher, TUTTI_WATCHER_EXIT_ALONE);
  if (watcher->ended)
    return;
  if (watcher->fds[FD_SIGNALS].revents != 0)
    {
      /* Drain before reaping: a child that dies in between makes the descriptor readable again. */
      tutti_watcher_drain (watcher->fds[FD_SIGNALS].fd);
      tutti_watcher_children_reap (watcher->children);
    }
  tutti_watcher_children_listen (watcher->children);
  tutti_watcher_children_tick (watcher->children);
  if (watcher->fds[FD_CONTROL].revents & POLLOUT)
    {
      g_autoptr (GError) error = NULL;
      TuttiWatchIo io = tutti_watch_queue_flush (&watcher->queue, watcher->fds[FD_CONTROL].fd, &error);

      watcher_settle (watcher, io, error);
    }
  if (watcher->fds[FD_CONTROL].revents & ~POLLOUT)
    watcher_listen (watcher);
}

TuttiWatcherExit
tutti_watcher_run (void)
{
  tutti_autofd int signals = tutti_watcher_set_up ("tutti-watcher");

  if (signals < 0)
    return TUTTI_WATCHER_EXIT_SETUP;
  Watcher watcher = {
    .fds = { [FD_SIGNALS] = { signals, POLLIN, 0 },
             [FD_CONTROL] = { TUTTI_WATCHER_FD_CONTROL, POLLIN, 0 },
             [FD_MASTER] = { TUTTI_WATCHER_FD_MASTER, POLLIN, 0 },
             [FD_GUARD] = { TUTTI_WATCHER_FD_GUARD, POLLIN, 0 } },
    .queue = TUTTI_WATCH_QUEUE_INIT,
  };
  TuttiWatchPacket hello = tutti_watch_packet_make (TUTTI_WATCH_HELLO, 0);

  watcher.children = tutti_watcher_children_new (TUTTI_WATCHER_FD_MASTER, "/proc/vmstat", watcher_report, &watcher);
  hello.pid = getpid ();
  hello.status = getppid ();
  watcher_report (&hello, -1, &watcher);
  while (!watcher.ended)
    watcher_step (&watcher);

  tutti_watcher_children_kill (watcher.children);
  if (!tutti_process_end_all_descendants (g_get_monotonic_time () + END_PATIENCE))
    {
      watcher.status = TUTTI_WATCHER_EXIT_LEFT;
      tutti_watcher_report_left ("tutti-watcher", tutti_watcher_children_get_stuck (watcher.children));
    }
  /* It would never notice that the end has come. */
  if (tutti_process_is_stopped (getppid ()))
    pidfd_send_signal (TUTTI_WATCHER_FD_GUARD, SIGKILL, NULL, 0);
  tutti_watcher_children_free (watcher.children);
  tutti_watch_queue_clear (&watcher.queue);
  return watcher.status;
}
