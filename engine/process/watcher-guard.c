/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The guard: starts the watcher and does nothing until the watcher ends, stays stopped, or the master is ending. Then it ends
 * everything: the processes below a dead watcher have become its children.
 *
 * A master that was killed is gone, for its pidfd and its sockets, when the last of its threads has had a processor to end with: where many
 * workers compute that is late, since they are before it in the queue. So we ask to be told of the end of the one thread that has started
 * us (PR_SET_PDEATHSIG), which ends only with the master, and runs before others when it must (watcher-guard-child.c). Then we look whether
 * the kernel is ending the master, which nothing can undo; and if so, let its threads end before others run. */
#include "platform/error.h"
#include "platform/fd.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/spawn.h"
#include "platform/urgency.h"
#include "process/watcher-loop.h"
#include "process/watcher-protocol.h"
#include "process/watcher-urgency.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_PATIENCE (5 * G_TIME_SPAN_SECOND)
#define SPAWN_PAUSE (50 * G_TIME_SPAN_MILLISECOND)
enum { SPAWN_TRIES = 40 };

/* A thread that ends is neither killed nor ending for a moment. Looks, and the pause between two of them. */
enum { LOOKS = 20, LOOK_MS = 1 };

/* Start this same program (even if its file was replaced since) as the watcher. */
static pid_t
guard_start_watcher (const char *name)
{
  g_autoptr (GError) error = NULL;
  tti_autofd int self = tti_process_open (getpid (), &error);

  if (self < 0)
    {
      g_printerr ("tutti-watcher: %s\n", error->message);
      return -1;
    }
  const char *argv[] = { name, "--watcher", NULL };
  int fds[] = { -1, STDOUT_FILENO, STDERR_FILENO, TTI_WATCHER_FD_CONTROL, TTI_WATCHER_FD_MASTER, self };
  TtiSpawn spawn = { .path = "/proc/self/exe", .argv = argv, .envp = (const char *const *) environ, .fds = fds,
                       .n_fds = G_N_ELEMENTS (fds) };
  pid_t watcher = tti_spawn (&spawn, &error);

  /* A shortage of processes may pass in a moment; the master waits for a few seconds. */
  for (guint i = 0; watcher < 0 && g_error_matches (error, TUTTI_ERROR, TUTTI_ERROR_SHORTAGE) && i < SPAWN_TRIES; i++)
    {
      if (tti_fd_wait (TTI_WATCHER_FD_MASTER, POLLIN, g_get_monotonic_time () + SPAWN_PAUSE))
        break;
      g_clear_error (&error);
      watcher = tti_spawn (&spawn, &error);
    }
  if (watcher < 0)
    g_printerr ("tutti-watcher: %s\n", error->message);
  return watcher;
}

/* Check WATCHER: TRUE if it has ended, and why. A watcher that exited is reaped later with all others. */
static gboolean
guard_poll (pid_t watcher, TtiWatcherExit *status)
{
  siginfo_t info = { 0 };

  if (waitid (P_PID, (id_t) watcher, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0)
    {
      *status = TTI_WATCHER_EXIT_KILLED; /* EINTR does not happen with WNOHANG */
      return TRUE;
    }
  if (info.si_pid == 0)
    return FALSE;
  if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
    *status = TTI_WATCHER_EXIT_STOPPED;
  else if (info.si_code == CLD_EXITED)
    *status = (TtiWatcherExit) info.si_status;
  else
    *status = TTI_WATCHER_EXIT_KILLED;
  return TRUE;
}

/* Sleep until the watcher has ended, or the master is ending. */
static TtiWatcherExit
guard_wait (int signals, pid_t watcher, pid_t master)
{
  struct pollfd fds[] = { { TTI_WATCHER_FD_MASTER, POLLIN, 0 }, { signals, POLLIN, 0 } };
  TtiWatcherExit status;
  guint ticks = 0, looks = 0;

  for (;;)
    {
      gboolean over = guard_poll (watcher, &status);
      gboolean stopped = over && status == TTI_WATCHER_EXIT_STOPPED;

      if (over && (!stopped || ticks >= TTI_STOPPED_TICKS))
        return status;
      if (!stopped)
        ticks = 0;
      fds[0].revents = fds[1].revents = 0;
      int n = poll (fds, G_N_ELEMENTS (fds), stopped ? TTI_STOPPED_TICK_MS : looks > 0 ? LOOK_MS : -1);

      if (fds[1].revents != 0)
        looks = LOOKS;
      if (fds[0].revents != 0 || (looks > 0 && tti_process_is_ending (master)))
        return TTI_WATCHER_EXIT_ENDED;
      looks -= looks > 0;
      ticks += n == 0;
      tti_watcher_drain (signals);
    }
}

TtiWatcherExit
tti_guard_run (const char *name)
{
  tti_autofd int signals = tti_watcher_set_up ("tutti-guard");
  pid_t master = tti_process_get_number (TTI_WATCHER_FD_MASTER);
  pid_t watcher = signals >= 0 ? guard_start_watcher (name) : -1;

  if (watcher < 0)
    return TTI_WATCHER_EXIT_SETUP;
  /* Otherwise the master would not see the end of the socket when the watcher is gone. */
  close (TTI_WATCHER_FD_CONTROL);
  prctl (PR_SET_PDEATHSIG, SIGCHLD, 0, 0, 0);
  tti_watcher_urgency_begin (); /* the watcher does so itself, and must know how it was before */

  TtiWatcherExit status = guard_wait (signals, watcher, master);

  kill (watcher, SIGKILL); /* not reaped yet, so the pid is still its own */
  if (status == TTI_WATCHER_EXIT_ENDED && master > 0 && tti_process_is_ending (master))
    tti_urgency_hasten (master);
  if (!tti_process_end_all_descendants (g_get_monotonic_time () + END_PATIENCE))
    {
      /* Otherwise the watcher has reported it. */
      if (status != TTI_WATCHER_EXIT_LEFT)
        tti_watcher_report_left ("tutti-guard", NULL);
      return TTI_WATCHER_EXIT_LEFT;
    }
  return status;
}
