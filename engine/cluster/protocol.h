/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a master and an agent say to each other: the kinds of frames on their link.
 *
 * Contents of vectors travel apart from the messages that refer to them, and before them. Each has a number, which its sender chooses and
 * never uses twice. What the agent has been given it keeps, for all its workers, until it is told to drop it; what the master has been
 * given belongs to the one message that names it. Of contents that are a file's the agent is asked first whether it has that file.
 *
 * The agent greets with HELLO; the master answers WELCOME or REFUSED. A worker is its generation. After EXITED nothing more comes of it. */
#pragma once
#include <glib.h>

#define TTI_CLUSTER_PROTOCOL 1u

typedef enum
{
  /* agent -> master */
  TTI_SAY_HELLO = 1,  /* id: TTI_CLUSTER_PROTOCOL; detail: the number of the launch; bytes: facts of the machine (a GVariant a{sv}) */
  TTI_SAY_SPAWNED,    /* detail: the worker's pid; bytes: its processors, a newline, its GPUs, as texts */
  TTI_SAY_FAILED,     /* detail: errno; bytes: the text */
  TTI_SAY_GONE,
  TTI_SAY_EXITED,     /* bytes: a GVariant, TTI_SAY_EXIT_TYPE */
  TTI_SAY_STOPPED,    /* detail: the signal */
  TTI_SAY_STATE,      /* id: the letter of its state, and TTI_STATE_… ; detail: its peak memory in bytes */
  TTI_SAY_OUTPUT,     /* id: 0 for stdout, 1 for stderr; bytes: what it wrote; none: it has closed it */
  TTI_SAY_WRITTEN,    /* id: the number of a destination; bytes: its contents */
  TTI_SAY_NODE_LOST,  /* its workers are being ended, as its watcher is gone; bytes: why */
  TTI_SAY_NODE_SETTLED,
  TTI_SAY_NODE_READY,
  TTI_SAY_NODE_HOPELESS, /* bytes: why */
  TTI_SAY_DRAINING,   /* the host wants the agent to end: no more tasks, please; bytes: why */
  TTI_SAY_TELL,       /* bytes: a text for people */
  TTI_SAY_ECHOED,     /* id: as in ECHO */
  TTI_SAY_RETURNED,   /* bytes: numbers of tasks that were recalled and had not begun, 8 bytes each; they are not answered */
  TTI_SAY_FILE_FOUND, /* id: as in FILE; bytes: the digest of that part of it, file-digest.h */
  TTI_SAY_FILE_LACKING, /* id: as in FILE; there is none like that */
  TTI_SAY_STAYS,      /* id: a number that the agent chooses, and keeps contents under until it is told to drop them; detail: their size.
                       * An answer names them, and so may messages of the master's from then on */

  /* master -> agent */
  TTI_SAY_WELCOME = 0x40,
  TTI_SAY_REFUSED,    /* bytes: why */
  TTI_SAY_SPAWN,      /* detail: bytes of each output that may be under way; bytes: a GVariant, TTI_SAY_SPAWN_TYPE */
  TTI_SAY_WANT,       /* a worker would have been asked for, had the agent a watcher */
  TTI_SAY_SIGNAL,     /* id: the signal; detail: the grace in ms, or G_MAXUINT64 */
  TTI_SAY_LEAVE,      /* id: of a place (node.h) */
  TTI_SAY_LEND,       /* detail: limit of memory; bytes: numbers of places, 8 bytes each */
  TTI_SAY_READ,       /* id: 0 or 1; detail: so many bytes of that output were taken */
  TTI_SAY_KEEP,       /* id: a number; bytes: a message with a payload that workers will be asked to hold */
  TTI_SAY_HOLD,       /* id: of the held object; detail: the number of what was to be kept; bytes: if it is for another place than the
                       * worker's own, the message's detail (process/worker-protocol.h), 8 bytes */
  TTI_SAY_ROOM,       /* id: a number, for a destination of detail bytes */
  TTI_SAY_DROP,       /* id: a number; it is not named any more */
  TTI_SAY_ECHO,       /* id: any */
  TTI_SAY_RECALL,     /* bytes: numbers of tasks, 8 bytes each, the newest first: those that have not begun are to come back */
  TTI_SAY_END,        /* end all workers, and yourself */
  TTI_SAY_FILE,       /* id: a number; detail: size of its contents, which are those of a file; bytes: a GVariant, TTI_SAY_FILE_TYPE */
  TTI_SAY_TAKE,       /* id: a number; the file that was found has the contents. Otherwise they come: CONTENTS */
  TTI_SAY_FORGO,      /* id: a number that was asked for; its contents do not come, and what names it is for nobody any more */
  TTI_SAY_PROBE,      /* the worker is to say where it is (transport/probe.h) */

  /* both ways */
  TTI_SAY_CONTENTS = 0x80, /* id: a number; bytes: the contents of a vector */
  TTI_SAY_MESSAGE          /* bytes: frame and body, see message-bytes.h; detail, of a task: vectors of its value that have so many bytes,
                            * or more, may stay with the agent; 0: none may */
} TtiSay;

/* path, arguments, environment, how many of the last are its own, folder ("": none), limit of memory, processors, GPUs, place */
#define TTI_SAY_SPAWN_TYPE "(ayaayaayuaytuut)"
/* path, offset, size of the whole file, whether it is to be copied and not mapped */
#define TTI_SAY_FILE_TYPE "(ayttb)"
/* exit status, signal, peak memory, cause, how many are left, detail */
#define TTI_SAY_EXIT_TYPE "(iibtuuay)"

enum { TTI_STATE_LETTER = 0xff, TTI_STATE_STOPPED = 0x100, TTI_STATE_STUCK = 0x200 };
