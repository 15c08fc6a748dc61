/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* A certificate says how and why one worker ended. Immutable once issued, reference-counted. */
#pragma once
#include "tutti/death.h"

/* How a worker ends itself when it could not allocate memory: nothing in it can be trusted any more. A task may exit with the same
 * status, so the text on stderr is needed as well. */
#define TTI_DEATH_STATUS_OUT_OF_MEMORY 72
#define TTI_DEATH_WORDS_OUT_OF_MEMORY "tutti-worker: out of memory; it ends, as nothing in it can be trusted any more\n"

/* The name of REASON as users see it ("signal", "memory-limit"). */
const char *tti_death_reason_name (TuttiDeathReason reason);

typedef struct
{
  gatomicrefcount refs;
  TuttiDeathReason reason;
  int status;            /* exit status, -1 if it did not exit */
  int signal;            /* that ended it, 0 if none */
  gboolean core_dumped;  /* ... and the kernel has written a core, or handed it to a program (platform/core-file.h) */
  int pid;               /* 0 if it was never started */
  guint index;           /* of the worker in its pool */
  const char *host;      /* where it ran, interned (platform/host-name.h); NULL: not known */
  guint64 generation;
  guint64 task;          /* the task that it ran; 0: none */
  gsize input_size;      /* bytes of that task's input, with vectors */
  guint64 peak_memory;   /* resident set, bytes */
  char *stderr_tail;     /* its last lines of standard error, "" if none */
  char *detail;          /* further details, or NULL */
} TtiCertificate;

/* A certificate with a REASON only; the caller fills in the rest before passing it on. */
TtiCertificate *tti_certificate_new (TuttiDeathReason reason);
TtiCertificate *tti_certificate_ref (TtiCertificate *certificate);
void tti_certificate_unref (TtiCertificate *certificate); /* NULL is fine */

/* Do status or signal, and the last lines of standard error, show that memory ran out? The worker itself ends in this way, and so
 * do libraries that abort the program when they cannot allocate memory. */
gboolean tti_certificate_tells_out_of_memory (const TtiCertificate *certificate);

/* One line: "worker 3 (pid 1234) was ended by signal 9 (SIGKILL) while it ran task 17; peak memory 12 MB". Another host than this one is
 * named, and a core is: "… by signal 11 (SIGSEGV), core dumped, while it ran …". Free with g_free. */
char *tti_certificate_describe (const TtiCertificate *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TtiCertificate, tti_certificate_unref)
