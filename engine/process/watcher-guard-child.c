/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The guard as the master's child.
 *
 * A thread starts it, and then does nothing but wait for it. The kernel tells the guard when that thread ends, which it does before the
 * guard only if the whole process is ending; and as it runs before others, the guard learns of that at once (watcher-guard.c).
 *
 * The application around us may reap children that it did not start (SIGCHLD ignored, or waitpid (-1)), so the pidfd, not waitid
 * (), decides whether the guard is gone; waitid () adds the exit status and reports stops, which a pidfd does not. */
#include "process/watcher-guard-child.h"
#include "platform/fd.h"
#include "platform/process-mark.h"
#include "platform/process-state.h"
#include "platform/process-tree.h"
#include "platform/signal-name.h"
#include "platform/spawn.h"
#include "platform/thread.h"
#include "platform/urgency.h"
#include "process/watcher-loop.h"
#include "process/watcher-protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct _TtiGuardChild
{
  gatomicrefcount refs; /* references: the owner, and the thread while it waits */
  char *mark;
  const char *program; /* NULL: the thread has tried to start it */
  int control_fd;
  GError *error;       /* why it could not, until somebody asks */
  pid_t pid;
  int pidfd;
  void (*gone) (gpointer user_data);
  gpointer user_data;
  GMutex lock;
  GCond changed;
  gboolean started; /* the thread waits, so no other thread must */
  gboolean dropped; /* the thread will never wait */
  gboolean reaped;
  int code, status; /* as in siginfo_t; code 0: unknown */
  int stopped_by;   /* 0: it was not stopped */
};

static void
guard_unref (TtiGuardChild *guard)
{
  if (!g_atomic_ref_count_dec (&guard->refs))
    return;
  tti_fd_clear (&guard->pidfd);
  g_clear_error (&guard->error);
  g_mutex_clear (&guard->lock);
  g_cond_clear (&guard->changed);
  g_free (guard->mark);
  g_free (guard);
}

static gpointer guard_run (gpointer user_data);

/* Without a process, but with the thread that starts it. */
static TtiGuardChild *
guard_alloc (const char *program, int control_fd, GError **error)
{
  TtiGuardChild *guard = g_new0 (TtiGuardChild, 1);

  guard->mark = tti_process_mark_new ();
  guard->program = program;
  guard->control_fd = control_fd;

  g_atomic_ref_count_init (&guard->refs);
  g_atomic_ref_count_inc (&guard->refs);
  guard->pidfd = -1;
  g_mutex_init (&guard->lock);
  g_cond_init (&guard->changed);
  GThread *thread = tti_thread_start ("tutti-guard", guard_run, guard, error);

  if (thread != NULL)
    {
      g_thread_unref (thread);
      return guard;
    }
  guard_unref (guard);
  guard_unref (guard);
  return NULL;
}

/* Start PROGRAM --guard with CONTROL_FD as the watcher's end and MARK in its environment; -1 on error. */
static pid_t
guard_spawn (const char *program, int control_fd, const char *mark, GError **error)
{
  tti_autofd int master = tti_process_open (getpid (), error);

  if (master < 0)
    return -1;
  const char *argv[] = { program, "--guard", NULL };
  int output = fcntl (STDERR_FILENO, F_GETFD) < 0 ? -1 : STDERR_FILENO;
  int fds[] = { -1, output, output, control_fd, master };
  g_autofree char *setting = tti_process_mark_setting (mark);
  g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), TTI_PROCESS_MARK, strchr (setting, '=') + 1, TRUE);
  TtiSpawn spawn = { .path = program, .argv = argv, .envp = (const char *const *) environment, .fds = fds,
                       .n_fds = G_N_ELEMENTS (fds), .new_group = TRUE };

  G_STATIC_ASSERT (TTI_WATCHER_FD_CONTROL == 3 && TTI_WATCHER_FD_MASTER == 4);
  return tti_spawn (&spawn, error);
}

TtiGuardChild *
tti_guard_child_new (const char *program, int control_fd, GError **error)
{
  g_autoptr (TtiGuardChild) guard = guard_alloc (program, control_fd, error);

  if (guard == NULL)
    return NULL;
  g_mutex_lock (&guard->lock);
  while (guard->program != NULL)
    g_cond_wait (&guard->changed, &guard->lock);
  g_mutex_unlock (&guard->lock);
  if (guard->pid < 0)
    {
      g_propagate_error (error, g_steal_pointer (&guard->error));
      return NULL;
    }
  guard->pidfd = tti_process_open (guard->pid, error);
  if (guard->pidfd < 0)
    {
      kill (guard->pid, SIGKILL);
      waitid (P_PID, (id_t) guard->pid, &(siginfo_t){ 0 }, WEXITED);
      return NULL;
    }
  return g_steal_pointer (&guard);
}

/* The guard is reaped: INFO is the result of waitid (). */
static void
guard_note_end (TtiGuardChild *guard, const siginfo_t *info)
{
  g_mutex_lock (&guard->lock);
  guard->code = info->si_code;
  guard->status = info->si_status;
  guard->reaped = TRUE;
  g_cond_broadcast (&guard->changed);
  g_mutex_unlock (&guard->lock);
}

/* SIGNAL has stopped the guard. If nobody continues it, kill it, because a stopped guard does not guard anything. */
static void
guard_see_through_stop (TtiGuardChild *guard, int signal)
{
  for (guint ticks = 0; ticks < TTI_STOPPED_TICKS; ticks++)
    if (tti_fd_wait (guard->pidfd, POLLIN, g_get_monotonic_time () + TTI_STOPPED_TICK_MS * G_TIME_SPAN_MILLISECOND)
        || !tti_process_is_stopped (guard->pid))
      return;
  g_mutex_lock (&guard->lock);
  guard->stopped_by = signal;
  g_mutex_unlock (&guard->lock);
  tti_guard_child_kill (guard);
}

/* In the thread: start the guard, and let whoever waits for that go on. */
static void
guard_begin (TtiGuardChild *guard)
{
  g_autoptr (GError) error = NULL;
  pid_t pid = guard_spawn (guard->program, guard->control_fd, guard->mark, &error);

  g_mutex_lock (&guard->lock);
  guard->pid = pid;
  guard->error = g_steal_pointer (&error);
  guard->program = NULL;
  g_cond_broadcast (&guard->changed);
  g_mutex_unlock (&guard->lock);
}

/* Is PID a watcher that lives? */
static gboolean
is_watcher (pid_t pid)
{
  g_autofree char *link = g_strdup_printf ("/proc/%d/exe", (int) pid), *path = g_file_read_link (link, NULL);
  const char *name = path != NULL ? strrchr (path, '/') : NULL;

  return name != NULL && g_str_has_prefix (name, "/tutti-watcher") && !tti_process_is_ending (pid);
}

/* The guard was killed. If the watcher was as well nobody is left to end their workers but us; and workers that compute let the engine's
 * thread have the news late. So what has the mark ends here and now; the engine finds what has none, and sees that nothing is left. */
static void
guard_end_orphans (TtiGuardChild *guard)
{
  gboolean unclear;
  g_autoptr (GArray) found = tti_process_marked (guard->mark, &unclear);

  for (guint i = 0; found != NULL && i < found->len; i++)
    if (is_watcher (g_array_index (found, pid_t, i)))
      return;
  for (guint i = 0; found != NULL && i < found->len; i++)
    (void) tti_process_end (g_array_index (found, pid_t, i));
  for (guint i = 0; found != NULL && i < found->len; i++)
    tti_urgency_hasten (g_array_index (found, pid_t, i));
}

/* Wait for news of the guard. FALSE: for others. */
static gboolean
guard_await (TtiGuardChild *guard, siginfo_t *info)
{
  if (waitid (P_PID, (id_t) guard->pid, info, WEXITED | WSTOPPED | WNOWAIT) < 0)
    {
      if (errno == EINTR)
        return FALSE;
      *info = (siginfo_t){ 0 };
    }
  /* Before it is reaped, for which we wait for our turn (tti_urgency_soften ()). */
  if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED)
    guard_end_orphans (guard);
  TtiScheduling before = tti_urgency_soften ();

  *info = (siginfo_t){ 0 };
  int result = waitid (P_PID, (id_t) guard->pid, info, WEXITED | WSTOPPED | WNOHANG);

  tti_urgency_end (&before);
  if (result == 0)
    return info->si_pid != 0; /* a stop may be over before it is looked at */
  /* Somebody else has reaped it, or will. */
  tti_fd_wait (guard->pidfd, POLLIN, -1);
  guard_end_orphans (guard);
  return TRUE;
}

static gpointer
guard_run (gpointer user_data)
{
  TtiGuardChild *guard = user_data;

  guard_begin (guard);
  /* Not for what is called when the guard is gone. */
  TtiScheduling before = tti_urgency_begin ();

  g_mutex_lock (&guard->lock);
  while (!guard->started && !guard->dropped)
    g_cond_wait (&guard->changed, &guard->lock);
  gboolean started = guard->started;

  g_mutex_unlock (&guard->lock);
  while (started)
    {
      siginfo_t info = { 0 };

      if (!guard_await (guard, &info))
        continue;
      if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED)
        {
          guard_note_end (guard, &info);
          break;
        }
      guard_see_through_stop (guard, info.si_status);
    }
  tti_urgency_end (&before);
  if (started)
    guard->gone (guard->user_data);
  guard_unref (guard);
  return NULL;
}

void
tti_guard_child_start (TtiGuardChild *guard, void (*gone) (gpointer user_data), gpointer user_data)
{
  g_mutex_lock (&guard->lock);
  guard->gone = gone;
  guard->user_data = user_data;
  guard->started = TRUE;
  g_cond_broadcast (&guard->changed);
  g_mutex_unlock (&guard->lock);
}

const char *
tti_guard_child_get_mark (TtiGuardChild *guard)
{
  return guard->mark;
}

pid_t
tti_guard_child_get_pid (TtiGuardChild *guard)
{
  return guard->pid;
}

int
tti_guard_child_get_pidfd (TtiGuardChild *guard)
{
  return guard->pidfd;
}

void
tti_guard_child_kill (TtiGuardChild *guard)
{
  pidfd_send_signal (guard->pidfd, SIGKILL, NULL, 0);
}

void
tti_guard_child_continue (TtiGuardChild *guard)
{
  pidfd_send_signal (guard->pidfd, SIGCONT, NULL, 0);
}

gboolean
tti_guard_child_await (TtiGuardChild *guard, gint64 deadline)
{
  if (!guard->started)
    {
      siginfo_t info = { 0 };

      if (!tti_fd_wait (guard->pidfd, POLLIN, deadline))
        return FALSE;
      waitid (P_PID, (id_t) guard->pid, &info, WEXITED);
      guard_note_end (guard, &info);
      return TRUE;
    }
  gboolean waiting = TRUE;

  g_mutex_lock (&guard->lock);
  while (!guard->reaped && waiting)
    waiting = g_cond_wait_until (&guard->changed, &guard->lock, deadline);
  gboolean reaped = guard->reaped;

  g_mutex_unlock (&guard->lock);
  return reaped;
}

char *
tti_guard_child_describe (TtiGuardChild *guard)
{
  g_autofree char *words = NULL;

  g_mutex_lock (&guard->lock);
  g_autofree char *signal = tti_signal_describe (guard->stopped_by != 0 ? guard->stopped_by : guard->status);

  if (guard->stopped_by != 0)
    words = g_strdup_printf ("was stopped by %s", signal);
  else if (!guard->reaped)
    words = g_strdup ("still runs");
  else if (guard->code == 0)
    words = g_strdup ("is gone (its status was taken by another part of this program)");
  else if (guard->code != CLD_EXITED)
    words = g_strdup_printf ("was killed by %s", signal);
  else if (guard->status == TTI_WATCHER_EXIT_KILLED)
    words = g_strdup ("ended, because the watcher was killed");
  else if (guard->status == TTI_WATCHER_EXIT_STOPPED)
    words = g_strdup ("ended, because the watcher was stopped");
  else if (guard->status == TTI_WATCHER_EXIT_SETUP)
    words = g_strdup ("could not set itself up, and has said on the standard error what is missing,");
  else
    words = g_strdup_printf ("exited with status %d", guard->status);
  g_mutex_unlock (&guard->lock);
  return g_steal_pointer (&words);
}

void
tti_guard_child_unref (TtiGuardChild *guard)
{
  if (guard == NULL)
    return;
  g_mutex_lock (&guard->lock);
  guard->dropped = TRUE;
  g_cond_broadcast (&guard->changed);
  g_mutex_unlock (&guard->lock);
  guard_unref (guard);
}
