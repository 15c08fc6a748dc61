/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A certificate says how and why one worker ended. Immutable once issued, counted. */
#pragma once
#include <glib.h>

typedef enum
{
  TUTTI_DEATH_EXIT,          /* it exited by itself: .status */
  TUTTI_DEATH_SIGNAL,        /* a signal that was not ours: .signal */
  TUTTI_DEATH_MEMORY_LIMIT,  /* it went over its memory limit */
  TUTTI_DEATH_OUT_OF_MEMORY, /* it could not get memory */
  TUTTI_DEATH_TIMEOUT,       /* we ended it: its task's time was over */
  TUTTI_DEATH_CANCELLED,     /* we ended it: its task was cancelled */
  TUTTI_DEATH_STOPPED,       /* we ended it: somebody had stopped it */
  TUTTI_DEATH_WATCHER_LOST,  /* the watcher or the guard was lost, and all workers with it */
  TUTTI_DEATH_PROTOCOL,      /* we ended it: it sent what the protocol does not allow */
  TUTTI_DEATH_FAULT,         /* it ended itself: its task wrote to a read-only vector */
  TUTTI_DEATH_NOT_STARTED,   /* its program could not be started */
  TUTTI_DEATH_CLOSED         /* the pool was closed */
} TuttiDeathReason;

/* How a worker ends itself when it could not get memory: nothing in it can be trusted any more. A task's own exit may have the same number,
 * so the words on stderr belong to it. */
#define TUTTI_DEATH_STATUS_OUT_OF_MEMORY 72
#define TUTTI_DEATH_WORDS_OUT_OF_MEMORY "tutti-worker: out of memory; it ends, as nothing in it can be trusted any more\n"

/* The name of REASON as users see it ("signal", "memory-limit"). */
const char *tutti_death_reason_name (TuttiDeathReason reason);

typedef struct
{
  gatomicrefcount refs;
  TuttiDeathReason reason;
  int status;            /* exit status, -1 if it did not exit */
  int signal;            /* that ended it, 0 if none */
  int pid;               /* 0 if it was never started */
  guint index;           /* of the worker in its pool */
  guint64 generation;
  guint64 task;          /* that it ran; 0: none */
  gsize input_size;      /* of that task, bytes with vectors */
  guint64 peak_memory;   /* resident set, bytes */
  char *stderr_tail;     /* its last lines of standard error, "" if none */
  char *detail;          /* what else is known, or NULL */
} TuttiCertificate;

/* One with nothing but a REASON; whoever makes it fills in the rest before giving it away. */
TuttiCertificate *tutti_certificate_new (TuttiDeathReason reason);
TuttiCertificate *tutti_certificate_ref (TuttiCertificate *certificate);
void tutti_certificate_unref (TuttiCertificate *certificate); /* NULL is fine */

/* Whether status or signal, and the last lines of standard error, tell that memory could not be had: that is how the worker itself
 * ends then, and how libraries end a program that cannot go on without. */
gboolean tutti_certificate_tells_out_of_memory (const TuttiCertificate *certificate);

/* One line: "worker 3 (pid 1234) was ended by signal 9 (SIGKILL) while it ran task 17; peak memory 12 MB". Free with g_free. */
char *tutti_certificate_describe (const TuttiCertificate *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TuttiCertificate, tutti_certificate_unref)
