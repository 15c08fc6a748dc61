/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The master's side of the watcher: start the pair guard + watcher, ask it for workers, hear what became of them.
 *
 * A link belongs to one GMainContext: new, close and unref are called by the thread that runs it (or while nobody
 * does), and all events are delivered in it. spawn and signal may be called from any thread; they never block. The
 * link knows no pool: a worker is its generation, a number that the caller never uses twice (and never 0). */
#pragma once
#include "process/watcher-protocol.h"
#include "process/worker-exit.h"
#include <glib.h>
#include <sys/types.h>

typedef struct _TtiWatcherLink TtiWatcherLink;

/* What the watcher reports, all in the link's context. After spawned (or failed) of a generation come any number of
 * stopped and continued, then exited, once. A generation that is not known any more is to be ignored. An event may
 * close the link. */
typedef struct
{
  /* The watcher has greeted, after tti_watcher_link_start () only; NULL where that is not used. */
  void (*ready) (gpointer user_data);

  /* The worker runs as PID. The callee owns PIDFD from now on. */
  void (*spawned) (gpointer user_data, guint64 generation, pid_t pid, int pidfd);

  /* The worker could not be started; MESSAGE names the program and the reason, which is SAVED_ERRNO. */
  void (*failed) (gpointer user_data, guint64 generation, int saved_errno, const char *message);

  /* The worker ended as EXIT says. What it had started is gone as well (unless a process hangs in the kernel for more than
   * 100 ms). */
  void (*exited) (gpointer user_data, guint64 generation, const TtiWorkerExit *exit);

  void (*stopped) (gpointer user_data, guint64 generation, int signal);

  /* The pair is gone, or broken and being ended: exactly once, after everything that had arrived was delivered. All
   * workers are ending now; no exited comes for them any more. The link can only be closed. */
  void (*lost) (gpointer user_data, const char *reason);

  /* People should be told: MESSAGE, without a newline. From within tti_watcher_link_close () only. NULL: nobody is. */
  void (*message) (gpointer user_data, const char *message);
} TtiWatcherLinkEvents;

/* A program to run as a worker. PATH is not searched for in PATH; ARGV and ENVP are NULL-terminated. */
typedef struct
{
  const char *path;
  const char *const *argv;
  const char *const *envp;
  guint n_own; /* > 0: a template may be made of it and of all but the last N_OWN of envp (see TTI_WATCH_SPAWN) */
  const int *folder; /* a descriptor of the folder to start it in; NULL: the watcher's */
} TtiWatcherProgram;

/* Start the pair from PROGRAM (the path of tutti-watcher) and wait for its greeting, at most 5 s; if it cannot start
 * or ends instead, fail at once with TUTTI_ERROR_SPAWN naming the path and errno or exit status. EVENTS must outlive
 * the link; all its members but ready and message must be set. CONTEXT need not run yet. Free with tti_watcher_link_unref (). */
TtiWatcherLink *tti_watcher_link_new (const char *program, GMainContext *context, const TtiWatcherLinkEvents *events,
                                      gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same without waiting, in a CONTEXT that runs: the link may be used after ready; if the pair cannot start, or does not greet, lost
 * comes instead, with the message. NULL if nothing could be started. */
TtiWatcherLink *tti_watcher_link_start (const char *program, GMainContext *context, const TtiWatcherLinkEvents *events,
                                        gpointer user_data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ask for worker GENERATION. The descriptors stay the caller's and may be closed on return. OOM_SCORE_ADJ is added
 * to the watcher's own. MEMORY_LIMIT: bytes of anonymous memory that it and everything below it may have together, 0: no
 * limit. Errors: TUTTI_ERROR_CLOSED when the link is closed or lost, TUTTI_ERROR_LIMIT when arguments
 * and environment are longer than 16 MiB, TUTTI_ERROR_SYSTEM. Whether the program starts is told by spawned or
 * failed. */
gboolean tti_watcher_link_spawn (TtiWatcherLink *link, guint64 generation, const TtiWatcherProgram *program,
                                 int control_fd, int stdout_fd, int stderr_fd, int oom_score_adj, guint64 memory_limit,
                                 GError **error);

/* Send SIGNAL to worker GENERATION; if GRACE_MS >= 0, it and everything below it is killed if it lives after that
 * long. A SIGKILL always takes everything below it along. FALSE if the link is closed or lost. A worker that is gone
 * is no error. */
gboolean tti_watcher_link_signal (TtiWatcherLink *link, guint64 generation, int signal, int grace_ms);

/* From now on worker GENERATION may have MEMORY_LIMIT bytes, see above. FALSE and no error as with a signal. */
gboolean tti_watcher_link_limit (TtiWatcherLink *link, guint64 generation, guint64 memory_limit);

/* What guard and watcher have in their environment and workers should be given (see process-mark.h), so that whatever they leave behind
 * can be found. */
const char *tti_watcher_link_get_mark (TtiWatcherLink *link);

/* Of a link that is lost: are guard and watcher gone and reaped? SIGKILL for those of them that are not, with all that is below. */
gboolean tti_watcher_link_has_ended (TtiWatcherLink *link);
void tti_watcher_link_kill (TtiWatcherLink *link);

/* For messages and tests; the processes are the link's. */
pid_t tti_watcher_link_get_guard_pid (TtiWatcherLink *link);
pid_t tti_watcher_link_get_watcher_pid (TtiWatcherLink *link);

/* End all workers and the pair, and wait for it: at most 1 s, then both are killed. No event comes afterwards, no
 * zombie stays. May be called again, and from an event. */
void tti_watcher_link_close (TtiWatcherLink *link);

/* Close and free. NULL is fine. */
void tti_watcher_link_unref (TtiWatcherLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiWatcherLink, tti_watcher_link_unref)
