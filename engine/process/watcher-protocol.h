/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The protocol of master and watcher: fixed-size packets over an AF_UNIX SEQPACKET socket.
 *
 * The master starts the guard (tutti-watcher --guard) with these descriptors: 0 /dev/null, 1 and 2 the master's stderr, 3 the
 * watcher's end of the control socket, 4 a pidfd of the master. The guard makes itself a subreaper and starts the watcher (the same
 * program, --watcher) with the same descriptors and 5, a pidfd of the guard; then it closes 3. The watcher makes itself a subreaper
 * and sends HELLO. Master and watcher trust each other, but check size, magic and version: they may be of different builds.
 *
 * The watcher ends everything below it and exits when the master's pidfd or the guard's becomes readable, or when the control
 * socket is closed. The guard does the same when the watcher exits or is stopped, or when the master's pidfd becomes readable.
 * Neither polls: both sleep in poll (2) without a timeout, except while a KILL must follow a TERM, or while a process that they
 * supervise is stopped. */
#pragma once
#include <glib.h>

#define TTI_WATCHER_MAGIC 0x74757477u /* "tutw" */
#define TTI_WATCHER_VERSION 7u

#define TTI_TEMPLATE_SETTING "TUTTI_TEMPLATE" /* in the environment of a template */

/* If a process is stopped, the whole job may be: batch systems suspend whole jobs, and a supervisor and its process neither stop
 * nor continue at the same moment. So a supervisor ends a process only if that is still stopped after so many ticks of the
 * supervisor's own running time. A tick is a wait that timed out: while the supervisor itself is stopped, at most one can pass. */
enum { TTI_STOPPED_TICK_MS = 100, TTI_STOPPED_TICKS = 20 };

enum { TTI_WATCHER_FD_CONTROL = 3, TTI_WATCHER_FD_MASTER = 4, TTI_WATCHER_FD_GUARD = 5 };
enum { TTI_WORKER_FD_CONTROL = 3, TTI_WORKER_FD_MASTER = 4 };

typedef enum
{
  /* master -> watcher */
  TTI_WATCH_SPAWN = 1, /* with 4 descriptors: the worker's control end, stdout, stderr, and a memfd: the NUL-terminated strings
                        * path, argv[0 … n_args-1], then the environment to the end of the memfd; and a fifth if .has_folder: the
                        * folder to start it in, instead of the watcher's. The worker gets stdin /dev/null,
                        * control as 3 and the master's pidfd as 4. .memory_limit: of the worker and all processes below it together,
                        * 0 if none. .n_own > 0: many workers share all but the last .n_own variables of the environment, and the program
                        * can be their template: started once, with TTI_TEMPLATE_SETTING, it gets the SPAWNs unchanged, reads those
                        * variables from them, and answers SPAWNED or FAILED. Processors that the variable TTI_START_SETTING says it
                        * is given by us, so that also threads that libraries start before it takes over its state have these only */
  TTI_WATCH_SIGNAL,    /* send .signal to the worker; if .grace_ms >= 0, KILL it and all below it if it is still alive after that time */
  TTI_WATCH_LIMIT,     /* .memory_limit, of the worker and all below it: another one than with SPAWN */
  /* watcher -> master */
  TTI_WATCH_HELLO,     /* .pid: of the watcher; .status: of the guard (its pid) */
  TTI_WATCH_SPAWNED,   /* .pid, with one descriptor: a pidfd of the worker */
  TTI_WATCH_FAILED,    /* the worker could not be started; .status: errno; text: the error message */
  TTI_WATCH_EXITED,    /* .status: exit status or -1, .signal: that ended it or 0, .core_dumped, .peak_memory, .cause; text: more about
                        * the cause; all processes that it had started are gone, except .n_left that cannot be ended: text says which */
  TTI_WATCH_STOPPED,   /* the worker was stopped by .signal */
  TTI_WATCH_LAST = TTI_WATCH_STOPPED
} TtiWatchKind;

typedef struct
{
  guint32 magic, version;
  guint32 kind;
  guint32 n_args;      /* SPAWN */
  guint64 worker;      /* generation: unique in the master's life, never 0 */
  gint32 pid;
  gint32 status;
  gint32 signal;
  gint32 grace_ms;
  guint64 peak_memory; /* bytes */
  guint64 memory_limit; /* SPAWN, LIMIT: bytes */
  gint32 oom_score_adj; /* SPAWN: added to the worker's */
  guint32 cause;       /* EXITED: TtiExitCause (worker-exit.h) */
  guint32 n_own;       /* SPAWN */
  guint32 has_folder;  /* SPAWN */
  guint32 n_left;      /* EXITED */
  guint32 core_dumped; /* EXITED: the kernel has written a core, or handed it to a program */
  char text[312];      /* FAILED, EXITED: NUL-terminated */
} TtiWatchPacket;

G_STATIC_ASSERT (sizeof (TtiWatchPacket) == 392);
